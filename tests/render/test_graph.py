"""The graph of ports: topological order, what its edges are called, and one sentence for each way it can be wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from accel_graphs import StreamChain
from onnx import helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from codegen.errors import RenderError
from codegen.render.graph import from_model
from codegen.render.manifest import read_manifest
from codegen.render.render import render_sources


def chain(folder: Path) -> ModelWrapper:
    """Three FIFOs fifo_0, fifo_1, fifo_2 (names of StreamingFIFO nodes) between t0 and t3."""
    run = StreamChain((2, 3, 4), 8, 2).fifo(4).fifo(5).fifo(6).save(folder / "chain")
    return ModelWrapper(str(run.path / "graph.onnx"))


def test_nodes_are_in_topological_order_whatever_the_file_says(tmp_path: Path) -> None:
    model = chain(tmp_path)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    graph = from_model(model)
    names = ["streamingfifo_0", "streamingfifo_1", "streamingfifo_2"]
    assert [node.name for node in graph.nodes] == names
    ends = [(edge.producer and edge.producer.name, edge.consumer and edge.consumer.name) for edge in graph.edges]
    assert ends == [(None, names[0]), (names[0], names[1]), (names[1], names[2]), (names[2], None)]
    assert [(graph.inputs_of(node), graph.outputs_of(node)) for node in graph.nodes] == [
        ((0,), (1,)),
        ((1,), (2,)),
        ((2,), (3,)),
    ]
    assert (graph.output_edge, graph.input, graph.output) == (3, graph.edges[0].stream, graph.edges[3].stream)


def test_the_manifest_names_the_edges(tmp_path: Path) -> None:
    run = StreamChain((4, 4, 2), 8, 2).pad(1, 1, 1, 1).fifo(4).save(tmp_path / "run")
    render_sources(run)
    manifest = read_manifest(run.path / "rtl")
    assert manifest.edge_names == (
        "the input -> fmpadding_0",
        "fmpadding_0 -> streamingfifo_1",
        "streamingfifo_1 -> the output",
    )
    content = json.loads((run.path / "rtl" / "nodes.json").read_text())
    assert content["edges"][1] == {"producer": "fmpadding_0", "output": 0, "consumer": "streamingfifo_1", "input": 0}


def read_twice(model: ModelWrapper) -> None:
    model.graph.node[2].input[0] = "t1"


def read_by_a_node_and_the_output(model: ModelWrapper) -> None:
    model.graph.output[0].name = "t2"


def read_by_nobody(model: ModelWrapper) -> None:
    model.graph.output[0].name = "another"


def written_by_nothing(model: ModelWrapper) -> None:
    model.graph.node[1].input[0] = "nowhere"


def circle(model: ModelWrapper) -> None:
    model.graph.node[1].input[0] = "t3"


def another_type(model: ModelWrapper) -> None:
    for attribute in model.graph.node[1].attribute:
        if attribute.name == "dataType":
            attribute.s = b"INT8"


def other_words(model: ModelWrapper) -> None:
    for attribute in model.graph.node[1].attribute:
        if attribute.name == "folded_shape":
            attribute.ints[-2:] = [1, 4]


def two_inputs(model: ModelWrapper) -> None:
    model.graph.input.append(helper.make_tensor_value_info("another", 1, [1]))


def two_outputs(model: ModelWrapper) -> None:
    model.graph.node[1].output.append("second")
    model.set_tensor_datatype("second", DataType["UINT8"])


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (
            read_twice,
            "streamingfifo_0 is read by streamingfifo_1 and by streamingfifo_2; a StreamFork copies it",
        ),
        (
            read_by_a_node_and_the_output,
            "streamingfifo_1 is read by the accelerator's output and by streamingfifo_2; a StreamFork copies it",
        ),
        (read_by_nobody, "streamingfifo_2 is read by nothing"),
        (written_by_nothing, "streamingfifo_1 reads 'nowhere', which nothing writes"),
        (
            circle,
            "the dataflow graph runs in a circle: streamingfifo_1 -> streamingfifo_2 -> streamingfifo_1",
        ),
        (another_type, "streamingfifo_0 gives UINT8 but streamingfifo_1 takes INT8"),
        (
            other_words,
            "streamingfifo_0 gives 12 words of 16 bits a frame but streamingfifo_1 takes 6 of 32; a width converter is "
            "missing",
        ),
        (
            two_inputs,
            "the dataflow graph has the inputs t0, another and the outputs t3; an accelerator has one of each",
        ),
        (
            two_outputs,
            "streamingfifo_1 (StreamingFIFO_rtl) has 1 inputs and 2 outputs in the dataflow graph, its core has 1 "
            "and 1",
        ),
    ],
)
def test_a_graph_that_cannot_be_built_is_one_sentence(
    edit: Callable[[ModelWrapper], None], sentence: str, tmp_path: Path
) -> None:
    model = chain(tmp_path)
    edit(model)
    with pytest.raises(RenderError, match=f"^{re.escape(sentence)}$"):
        from_model(model)
