"""A small network with sources: the smallest design that the open tools build whole."""

from __future__ import annotations

import pytest

import codegen.dataflow  # noqa: F401  (FINN must be prepared before it is imported)
from codegen.dataflow.build import build_graph
from codegen.render.render import render_sources
from codegen.run_folder import RunFolder
from tests.render.accel_graphs import tiny_network


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    tiny = tiny_network(tmp_path_factory.mktemp("ecp5") / "tiny", 1)
    build_graph(tiny.run)
    render_sources(tiny.run)
    return tiny.run
