"""Render a run's accelerator: graph.onnx to the source trees hls/ and rtl/."""

from __future__ import annotations

from codegen.digests import file_digest, sources_digest
from codegen.fit import NO_BOARD, find_board
from codegen.progress import Progress
from codegen.render.graph import read_graph
from codegen.render.render_hls import Target, render_hls
from codegen.render.render_rtl import render_rtl
from codegen.results import SourcesResult
from codegen.run_folder import RunFolder, fresh_folder
from fpga.choices import DEFAULT_BOARD

_NS_TIMES_MHZ = 1000


def target_of(board: str) -> Target:
    """Part and clock that the Vitis HLS script synthesises for; those of DEFAULT_BOARD without a board (none), and for
    a board whose part Vitis HLS does not know.

    Raises UnknownBoardError.
    """
    known = find_board(DEFAULT_BOARD if board.lower() == NO_BOARD else board)
    if known.finn_name is None:
        known = find_board(DEFAULT_BOARD)
    return Target(known.part, _NS_TIMES_MHZ / known.clock_mhz)


def render_sources(run: RunFolder, target: Target | None = None) -> None:
    """Write run/hls and run/rtl from run/graph.onnx, and results/sources.json, which says so.

    A folder appears under its name only when it is complete.

    ``target``: what the Vitis HLS script synthesises for (None: DEFAULT_BOARD).

    Raises RunFolderError without graph.onnx, and RenderError for a node nothing renders or for an installed FINN file
    that a patch step does not know.
    """
    source = run.require("graph.onnx")
    graph_digest = file_digest(source)
    graph = read_graph(source)
    target = target or target_of(DEFAULT_BOARD)
    progress = Progress("rendering", "nodes")
    total = 2 * len(graph.nodes)
    done = 0

    def step(name: str) -> None:
        nonlocal done
        done += 1
        progress.show(min(done, total - 1), total, name)

    with fresh_folder(run.path / "hls") as folder:
        render_hls(graph, folder, target, step)
    with fresh_folder(run.path / "rtl") as folder:
        render_rtl(graph, folder, step)
    SourcesResult(
        graph_sha256=graph_digest,
        hls_sha256=sources_digest(run.path / "hls"),
        rtl_sha256=sources_digest(run.path / "rtl"),
    ).save(run)
    progress.show(total, total)
