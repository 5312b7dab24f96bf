"""FINN's PrepareIP generates the code of every node: HDL for RTL variants, C++ and Tcl for HLS variants."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from finn.transformation.fpgadataflow.prepare_ip import PrepareIP
from finn.util.basic import getHWCustomOp
from finn_networks import mini, networks
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from test_finn_graph import random_folding

from bench.networks import run_of
from codegen.cores import core_class
from codegen.cores.core import FollowerCore, LayerCore
from codegen.dataflow.build import build_graph
from codegen.dataflow.environment import build_folder, quiet

PART, CLOCK_NS = "xc7z020clg400-1", 10.0


def prepare(graph, folder: Path):
    """The graph after PrepareIP below ``folder``."""
    with build_folder(folder), quiet():
        return graph.transform(PrepareIP(PART, CLOCK_NS))


def is_tiny_window(node) -> bool:
    """Whether the node is a sliding window that yields at most two 1x1 windows per frame."""
    if not node.op_type.startswith("ConvolutionInputGenerator"):
        return False
    instance = getHWCustomOp(node)
    height, width = instance.get_nodeattr("OFMDim")
    return list(instance.get_nodeattr("ConvKernelDim")) == [1, 1] and height * width <= 2


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(network=networks(), data=st.data())
def test_rtl_of_any_network_is_generated(network, data):
    with tempfile.TemporaryDirectory() as scratch:
        run = run_of(network, Path(scratch) / "run")
        file = Path(scratch) / "folding.json"
        file.write_text(json.dumps(random_folding(build_graph(run, board=None), data.draw)))
        folded = build_graph(run, board=None, folding_file=file)
        # FINN's generator takes the logarithm of zero steps there; rendering says so in a sentence.
        assume(not any(is_tiny_window(node) for node in folded.graph.node))
        graph = prepare(folded, Path(scratch) / "finn")
        for node in graph.graph.node:
            instance = getHWCustomOp(node)
            assert Path(instance.get_nodeattr("ip_path")).is_relative_to(scratch)
            files = [Path(name) for name in instance.get_rtl_file_list(abspath=True)]
            assert all(name.is_file() and name.stat().st_size for name in files)
            module = instance.get_nodeattr("gen_top_module")
            assert any(f"module {module}" in name.read_text() for name in files if name.suffix in (".v", ".sv"))


def test_own_rtl_nodes_stitch_into_a_block_design(tmp_path):
    graph = prepare(build_graph(run_of(mini(), tmp_path / "run")), tmp_path / "finn")
    for node in graph.graph.node:
        commands = getHWCustomOp(node).code_generation_ipi()
        own = issubclass(core_class(node.op_type), LayerCore | FollowerCore)
        module = f"{node.name}_ports" if own else node.name
        assert commands[-1] == f"create_bd_cell -type module -reference {module} {node.name}"
        files = [Path(command.removeprefix("add_files -norecurse ")) for command in commands if "add_files" in command]
        assert all(file.is_file() for file in files)
        memories = [str(file) for file in files if file.suffix == ".hex"]
        typed = [command for command in commands if "Memory Initialization Files" in command]
        assert [command.split()[-1].rstrip("]") for command in typed] == memories
        # Vivado references no module of a SystemVerilog file.
        assert any(file.suffix == ".v" and f"module {module} " in file.read_text().replace("(", " (") for file in files)


def test_hls_nodes_become_a_top_function_that_compiles(tmp_path):
    hls4ml = pytest.importorskip("hls4ml")
    graph = prepare(build_graph(run_of(mini(), tmp_path / "run"), impl="hls"), tmp_path / "finn")
    vendor = Path(hls4ml.__file__).parent / "templates" / "vivado" / "ap_types"
    stand_in = tmp_path / "include"
    stand_in.mkdir()
    # FINN's template includes finn-hlslib's umbrella header, which is not part of the Python package.
    (stand_in / "bnn-library.h").write_text('#include "ap_int.h"\n#include "hls_stream.h"\n')
    checked = []
    for node in graph.graph.node:
        if not node.op_type.endswith("_hls"):
            continue
        folder = Path(getHWCustomOp(node).get_nodeattr("code_gen_dir_ipgen"))
        top = folder / f"top_{node.name}.cpp"
        tcl = (folder / f"hls_syn_{node.name}.tcl").read_text()
        assert f"top_{node.name}.cpp" in tcl and PART in tcl
        assert "#pragma HLS INTERFACE axis port=in0_V" in top.read_text()
        compiler = shutil.which("g++")
        assert compiler
        command = [compiler, "-std=c++14", "-fsyntax-only", "-w", f"-I{vendor}", f"-I{stand_in}", str(top)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        checked.append(node.op_type)
    assert set(checked) == {"SpikingMVAU_hls", "SpikePool_hls"}
