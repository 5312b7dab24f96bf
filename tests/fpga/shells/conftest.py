"""A small network's accelerator, and its shells as Verilated models that cocotb drives."""

from __future__ import annotations

import pytest

import codegen.dataflow  # noqa: F401  (FINN must be prepared before it is imported)
from codegen.dataflow.build import build_graph
from codegen.render.render import render_sources
from codegen.verify.onnx_runtime import run_onnx
from tests.fpga.shells.shell_model import Golden, ShellModel, build_model, shell_sources
from tests.render.accel_graphs import tiny_network

IMAGES = 24
SHORT_SILENCE = {"SILENCE_LOG2": 7}
"""The silence that drops a packet, which on a board is longer than a simulation wants to wait."""


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Golden:
    """The rendered accelerator, images for it and what ONNX Runtime makes of them."""
    tiny = tiny_network(tmp_path_factory.mktemp("shells") / "tiny", IMAGES)
    build_graph(tiny.run)
    render_sources(tiny.run)
    return Golden(tiny.run.path / "rtl", tiny.images, run_onnx(tiny.run.path / "model.onnx", tiny.images))


@pytest.fixture(scope="session")
def axi_model(golden: Golden, tmp_path_factory: pytest.TempPathFactory) -> ShellModel:
    folder = tmp_path_factory.mktemp("axi")
    return build_model(shell_sources(golden.rtl, "axi", folder), "spikefold_axi", folder, golden)


@pytest.fixture(scope="session")
def uart_model(golden: Golden, tmp_path_factory: pytest.TempPathFactory) -> ShellModel:
    folder = tmp_path_factory.mktemp("uart")
    return build_model(
        shell_sources(golden.rtl, "uart", folder), "spikefold_uart", folder, golden, parameters=SHORT_SILENCE
    )
