"""Wrong graph.onnx: one sentence and exit code 2, and nothing that it names is imported, executed or evaluated."""

from __future__ import annotations

import copy
import json
import shutil
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.networks import integer_layer, random_images, run_of
from codegen.cli.main import main
from codegen.dataflow.build import build_graph
from codegen.dataflow.graph_file import load_graph
from codegen.digests import file_digest
from codegen.network import IntegerNetwork
from codegen.results import SourcesResult
from codegen.verify.reference import run_reference
from sca_train.specs import IMAGE

RTL, HLS = "finn.custom_op.fpgadataflow.rtl", "finn.custom_op.fpgadataflow.hls"


def network() -> IntegerNetwork:
    """A padded convolution on 4x4 images and a read-out."""
    rng = np.random.default_rng(7)
    layers = (
        integer_layer(rng, "conv1", IMAGE, (3, 1, 3, 3), bits=8, padding=1, pool=2),
        integer_layer(rng, "readout", "conv1", (5, 3 * 2 * 2), neuron="none"),
    )
    return IntegerNetwork((4, 4, 1), True, 4, 4, 5, layers)


NETWORK = network()
IMAGES = random_images(NETWORK, 2)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A run folder with model.onnx and graph.onnx."""
    run = run_of(NETWORK, tmp_path_factory.mktemp("graphs") / "run")
    build_graph(run, "none")
    SourcesResult(file_digest(run.path / "graph.onnx"), "", "").save(run)
    return run.path


@pytest.fixture
def run(built, tmp_path):
    """A copy of it, and images beside it."""
    folder = shutil.copytree(built, tmp_path / "run")
    np.save(tmp_path / "x.npy", IMAGES)
    return folder


def simulate(run):
    images, out = run.parent / "x.npy", run.parent / "logits.npy"
    return main(["simulate", str(run), "--backend", "finn", "--images", str(images), "--out", str(out)])


def write(run, edit):
    model = onnx.load(run / "graph.onnx")
    edit(model, {node.op_type: node for node in model.graph.node})
    replace_graph(run, model.SerializeToString())


def replace_graph(run, content):
    """Whoever forges a graph also writes that it belongs to the run."""
    (run / "graph.onnx").write_bytes(content)
    for name in ("folding", "sources"):
        file = run / "results" / f"{name}.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "graph_sha256": file_digest(run / "graph.onnx")}))


def refused(run, capsys, sentence):
    before = {path.name: path.is_file() and path.read_bytes() for path in run.iterdir()}
    assert simulate(run) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1, message
    assert sentence in message
    assert {path.name: path.is_file() and path.read_bytes() for path in run.iterdir()} == before
    assert not (run.parent / "logits.npy").exists()


def attribute(node, name, value):
    for entry in [entry for entry in node.attribute if entry.name == name]:
        node.attribute.remove(entry)
    if value is not None:
        node.attribute.append(helper.make_attribute(name, value))


def test_the_graph_that_hls_writes_is_executed(run):
    assert simulate(run) == 0
    np.testing.assert_array_equal(np.load(run.parent / "logits.npy"), run_reference(NETWORK, IMAGES))


@pytest.mark.parametrize(
    ("rtl", "hls", "sentence"),
    [
        ("SpikePool_rtl", "LabelSelect_hls", "no core has that operator in that domain"),
        ("StreamingDataWidthConverter_rtl", "StreamingDataWidthConverter_hls", "something outside the graph"),
        ("SpikingMVAU_rtl", "SpikingMVAU_hls", "something outside the graph"),
    ],
)
def test_a_program_that_a_node_names_is_not_executed(run, tmp_path, capsys, rtl, hls, sentence):
    script, marker = tmp_path / "script.sh", tmp_path / "marker"
    script.write_text(f"#!/bin/sh\ntouch '{marker}'\n")
    script.chmod(0o755)

    def edit(model, nodes):
        node = nodes[rtl]
        node.op_type, node.domain = hls, HLS
        named = {"executable_path": str(script), "code_gen_dir_cppsim": str(tmp_path)}
        for name, value in {**named, "Labels": 3, "numInputVectors": [1, 4, 4]}.items():
            if name in named or hls == "LabelSelect_hls":
                attribute(node, name, value)

    write(run, edit)
    refused(run, capsys, sentence)
    assert not marker.exists()


@pytest.mark.parametrize(
    "domain", ["hostile_module", "finn.custom_op.fpgadataflow.rtl.hostile", "this", "", "spikefold"]
)
def test_a_module_that_a_domain_names_is_not_imported(run, tmp_path, monkeypatch, capsys, domain):
    marker = tmp_path / "marker"
    (tmp_path / "hostile_module.py").write_text(f"open({str(marker)!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "this", raising=False)

    def edit(model, nodes):
        nodes["FMPadding_rtl"].domain = domain

    write(run, edit)
    refused(run, capsys, "no core has that operator in that domain")
    assert not marker.exists() and "this" not in sys.modules


def test_an_annotation_is_not_evaluated(run, tmp_path, capsys):
    marker = tmp_path / "marker"

    def edit(model, nodes):
        for entry in model.graph.quantization_annotation:
            pair = entry.quant_parameter_tensor_names.add()
            pair.key, pair.value = "tensor_layout", f"open({str(marker)!r}, 'w')"

    write(run, edit)
    refused(run, capsys, "has an annotation 'tensor_layout' that none has here")
    assert not marker.exists()


def test_what_the_metadata_order_is_not_done(run):
    def edit(model, nodes):
        helper.set_model_props(model, {"exec_mode": "rtlsim", "rtlsim_so": "/bin/true"})

    write(run, edit)
    assert not load_graph(run / "graph.onnx").model.metadata_props
    assert simulate(run) == 0


@pytest.mark.parametrize(
    "name",
    [
        *("code_gen_dir_ipgen", "ipgen_path", "ip_path", "ip_vlnv", "rtlsim_so", "rtlsim_trace", "gen_top_module"),
        *("output_hook", "mem_port", "res_estimate"),
    ],
)
def test_texts_that_name_anything_are_refused(run, capsys, name):
    write(run, lambda model, nodes: attribute(nodes["FMPadding_rtl"], name, "/tmp"))
    refused(run, capsys, f"{name}='/tmp' names or holds something outside the graph, only '' is read")


def endless_loop(model, nodes):
    body = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["image"], ["again"], name="loop", body=body))


def outside(model, nodes):
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"


def smaller_weights(model, nodes):
    tensor = next(entry for entry in model.graph.initializer if entry.name == "readout_weights")
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[:2], tensor.name))


def circle(model, nodes):
    nodes["FMPadding_rtl"].input[0] = nodes["SpikePool_rtl"].output[0]


def no_shape(model, nodes):
    model.graph.input[0].type.tensor_type.ClearField("shape")


def described_twice(model, nodes):
    model.graph.value_info.append(model.graph.input[0])


def annotated_twice(model, nodes):
    model.graph.quantization_annotation.append(model.graph.quantization_annotation[0])


def no_annotations(model, nodes):
    del model.graph.quantization_annotation[:]


def twice(model, nodes):
    nodes["SpikePool_rtl"].attribute.append(copy.deepcopy(nodes["SpikePool_rtl"].attribute[0]))


def renamed(op_type, domain=RTL):
    def edit(model, nodes):
        nodes["FMPadding_rtl"].op_type, nodes["FMPadding_rtl"].domain = op_type, domain

    return edit


def set_to(op_type, name, value):
    return lambda model, nodes: attribute(nodes[op_type], name, value)


WRONG = {
    "loop": (endless_loop, "Loop 'loop' holds a graph of its own"),
    "other file": (outside, "lies in another file; only a model in one file is read"),
    "damaged constant": (lambda model, nodes: setattr(model.graph.initializer[0], "raw_data", b"x"), "is damaged ('"),
    "operator of FINN": (renamed("Thresholding_hls", HLS), "no core has that operator in that domain"),
    "operator of ONNX": (renamed("Relu", ""), "no core has that operator in that domain"),
    "no back end": (renamed("FMPadding", "finn.custom_op.fpgadataflow"), "no core has that operator in that domain"),
    "other back end": (renamed("FMPadding_hls", RTL), "no core has that operator in that domain"),
    "missing back end": (renamed("FMPadding_hls", HLS), "FINN has no operator of that back end"),
    "unknown attribute": (set_to("FMPadding_rtl", "command", "true"), "'command' is unknown or twice there"),
    "attribute twice": (twice, "is unknown or twice there"),
    "missing attribute": (set_to("FMPadding_rtl", "ImgDim", None), "its attribute 'ImgDim' is missing"),
    "kind": (set_to("FMPadding_rtl", "SIMD", 1.0), "SIMD is not of the kind that its operator declares"),
    "one number for two": (set_to("FMPadding_rtl", "ImgDim", 4), "ImgDim is not of the kind"),
    "value": (set_to("SpikingMVAU_rtl", "neuron", "GRU"), "neuron='GRU' is none of 'DelayedLIF', 'IF'"),
    "large": (set_to("FMPadding_rtl", "NumChannels", 2**40), "NumChannels=1099511627776 is beyond 32 bits"),
    "datatype": (set_to("FMPadding_rtl", "inputDataType", "EVIL"), "annotated 'EVIL', which is no integer datatype"),
    "float": (set_to("FMPadding_rtl", "inputDataType", "FLOAT32"), "annotated 'FLOAT32', which is no integer"),
    "no lanes": (set_to("FMPadding_rtl", "SIMD", 0), "SIMD=0 does not divide"),
    "no depth": (set_to("ConvolutionInputGenerator_rtl", "Stride", [0, 0]), "its attributes describe no core"),
    "three sides": (set_to("FMPadding_rtl", "Padding", [1, 1, 1]), "its attributes describe no core"),
    "negative map": (set_to("FMPadding_rtl", "ImgDim", [-4, 4]), "words a frame, 1 to"),
    "endless map": (set_to("ConvolutionInputGenerator_rtl", "IFMDim", [2**30, 2**30]), "words a frame, 1 to"),
    "T": (set_to("SpikingMVAU_rtl", "T", 33), "is outside 1..32"),
    "weights": (smaller_weights, "its weights has the shape [2, 5], its core [12, 5]"),
    "circle": (circle, "the dataflow graph runs in a circle"),
    "no shape": (no_shape, "tensor 'image' has no datatype or no fixed shape"),
    "a tensor twice": (described_twice, "tensor 'image' is described twice"),
    "an annotation twice": (annotated_twice, "is described twice"),
    "no annotations": (no_annotations, "tensor 'image' has no datatype or no fixed shape"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_graphs_are_one_sentence(run, capsys, case):
    edit, sentence = WRONG[case]
    write(run, edit)
    refused(run, capsys, sentence)


@pytest.mark.parametrize("cut", [0, 40, 2000, -1])
def test_damaged_graphs_are_one_sentence(run, capsys, cut):
    replace_graph(run, (run / "graph.onnx").read_bytes()[:cut])
    refused(run, capsys, "run `make hls` again")


def test_a_folder_is_no_graph(run, capsys):
    (run / "graph.onnx").unlink()
    (run / "graph.onnx").mkdir()
    refused(run, capsys, "graph.onnx is a folder, not a regular file")
