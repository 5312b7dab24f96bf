"""A core that the project does not have, added as docs/architecture.md says: it folds, executes and renders."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from accel_graphs import tiny_network
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import GiveUniqueNodeNames

import codegen.cores
from codegen.cores.core import Attribute, Fold, FollowerCore, Frame, Rendered, Stream, Tensor
from codegen.cores.rendering import Language
from codegen.dataflow.dataflow import fold, load_model, to_dataflow
from codegen.dataflow.execute import execute_graph
from codegen.dataflow.folding.file import plan_folding, read_folding, write_folding
from codegen.dataflow.folding.from_file import plan_from_file
from codegen.dataflow.folding.layers import read_layers
from codegen.dataflow.folding.solver import fold_for_target
from codegen.dataflow.ops.register import register
from codegen.dataflow.passes.graph import dataflow_node, set_tensor
from codegen.errors import ModelError
from codegen.fit import Resources
from codegen.render.graph import read_graph
from codegen.render.manifest import read_manifest
from codegen.render.render import render_sources
from codegen.verify.csim import run_csim
from codegen.verify.onnx_runtime import run_onnx
from codegen.verify.verilator import verilator_program

PART = "xc7z020clg400-1"
HLS = """#include <ap_int.h>
#include <hls_stream.h>
#include "trip_count.hpp"

inline void {name}(hls::stream<ap_uint<{bits}>>& in, hls::stream<ap_uint<{bits}>>& out) {{
    for (int word = 0; word < {words}; ++word) {{
#pragma HLS PIPELINE II = 1
        SPIKEFOLD_TRIP();
        out.write(~in.read());
    }}
}}
"""
RTL = """module {name} (
    input  logic ap_clk,
    input  logic ap_rst_n,
    input  logic [{padded} - 1:0] in0_V_TDATA,
    input  logic in0_V_TVALID,
    output logic in0_V_TREADY,
    output logic [{padded} - 1:0] out0_V_TDATA,
    output logic out0_V_TVALID,
    input  logic out0_V_TREADY
);
    logic unused;
    assign unused = ap_clk ^ ap_rst_n ^ (^in0_V_TDATA);
    assign out0_V_TDATA = {padded}'(~in0_V_TDATA[{bits} - 1:0]);
    assign out0_V_TVALID = in0_V_TVALID;
    assign in0_V_TREADY = out0_V_TREADY;
endmodule
"""


@dataclass(frozen=True)
class SpikeInvert(FollowerCore):
    """A spike in every step without one: [1, height, width, channels] of UINT{timesteps}."""

    op: ClassVar[str] = "SpikeInvert"
    attributes: ClassVar[tuple[Attribute, ...]] = (
        Attribute("shape", "shape", ("shape",), []),
        Attribute("PE", "i", ("pe",), 1),
        Attribute("T", "i", ("timesteps",), 1),
    )
    folds: ClassVar[tuple[Fold, ...]] = (Fold("PE", "pe", "channels", "channels"),)
    sources: ClassVar[Mapping[Language, tuple[str, ...]]] = {"hls": ("trip_count.hpp",), "rtl": ()}

    shape: tuple[int, ...]
    pe: int
    timesteps: int

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.pe, self.timesteps, False, self.cycles),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return self.inputs

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        return (Tensor(self.shape, self.shape[:-1]),)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        return self.input_tensors

    @property
    def cycles(self) -> int:
        return prod(self.shape) // self.pe

    def reference(self, *frames: Frame) -> tuple[Frame, ...]:
        return (frames[0] ^ ((1 << self.timesteps) - 1),)

    def resources(self) -> Resources:
        return Resources(lut=self.inputs[0].bits, ff=0, bram36=0, dsp=0)

    def render(self, language: Language, folder: Path) -> Rendered:
        text, suffix = (HLS, "hpp") if language == "hls" else (RTL, "sv")
        stream = self.inputs[0]
        target = f"{self.name}.{suffix}"
        (folder / target).write_text(
            text.format(name=self.name, bits=stream.bits, padded=stream.padded_bits, words=stream.words)
        )
        return Rendered((target,))


class InvertFirstLayer(Transformation):
    """Put ``times`` SpikeInverts behind the first layer's neurons."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        index, first = next((i, n) for i, n in enumerate(model.graph.node) if n.op_type == "SpikingMVAU_rtl")
        target = first.output[0]
        shape, datatype = tuple(model.get_tensor_shape(target)), model.get_tensor_datatype(target)
        names = [model.make_new_valueinfo_name() for _ in range(self.times)]
        for name in names:
            set_tensor(model, name, shape)
            model.set_tensor_datatype(name, datatype)
        first.output[0] = names[0]
        for position, (source, sink) in enumerate(zip(names, [*names[1:], target], strict=True)):
            node = dataflow_node(
                "SpikeInvert", [source], sink, f"invert_{position}", shape=shape, PE=1, T=datatype.bitwidth()
            )
            node.op_type, node.domain = "SpikeInvert_rtl", f"{node.domain}.rtl"
            model.graph.node.insert(index + 1 + position, node)
        return model, False


@pytest.fixture
def with_invert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codegen.cores, "CORES", (*codegen.cores.CORES, SpikeInvert))
    register((SpikeInvert,))


def inverted(model: ModelWrapper, times: int) -> ModelWrapper:
    return model.transform(InvertFirstLayer(times)).transform(GiveUniqueNodeNames())


def test_a_new_core_folds_executes_and_renders(with_invert: None, tmp_path: Path) -> None:
    tiny = tiny_network(tmp_path / "tiny", 3)
    golden = run_onnx(tiny.run.path / "model.onnx", tiny.images)
    unfolded = to_dataflow(load_model(tiny.run.path / "model.onnx"), "rtl", PART)

    # One inversion changes the logits, two do not.
    assert not np.array_equal(execute_graph(inverted(unfolded, 1), tiny.images), golden)
    model = inverted(unfolded, 2)

    plan = fold_for_target(read_layers(model), 1000)
    assert [follower.op for follower in plan[0].followers] == ["SpikeInvert", "SpikeInvert", "SpikePool"]
    assert {follower.inputs[0].lanes for follower in plan[0].followers} == {plan[0].output_lanes}
    folding = plan_folding(plan)
    assert folding["SpikeInvert_rtl_1"] == {"PE": plan[0].output_lanes}
    file = tmp_path / "folding.json"
    write_folding(folding, file)
    assert plan_folding(plan_from_file(read_layers(model), read_folding(file, model))) == folding

    folded = fold(model, folding, PART)
    np.testing.assert_array_equal(execute_graph(folded, tiny.images), golden)
    folded.save(str(tiny.run.path / "graph.onnx"))
    assert max(node.cycles for node in read_graph(tiny.run.path / "graph.onnx").nodes) <= 1000

    render_sources(tiny.run)
    np.testing.assert_array_equal(run_csim(tiny.run, tiny.images).logits, golden)
    rtl = tiny.run.path / "rtl"
    node = next(node for node in read_manifest(rtl).nodes if node.op == "SpikeInvert_rtl")
    assert node.parameters == {
        "name": "SpikeInvert_rtl_0",
        "shape": [1, 8, 8, 4],
        "pe": plan[0].output_lanes,
        "timesteps": 4,
    }
    command = [str(verilator_program()), "--lint-only", "-Wall", "--top-module", node.module, *node.files]
    done = subprocess.run(command, cwd=rtl, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_node_without_a_core_is_named(with_invert: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = tiny_network(tmp_path / "tiny", 1)
    model = inverted(to_dataflow(load_model(tiny.run.path / "model.onnx"), "rtl", PART), 1)
    model.save(str(tiny.run.path / "graph.onnx"))
    monkeypatch.setattr(codegen.cores, "CORES", codegen.cores.CORES[:-1])
    with pytest.raises(ModelError, match=r"::SpikeInvert_rtl 'SpikeInvert_rtl_0': no core has that operator"):
        read_graph(tiny.run.path / "graph.onnx")
