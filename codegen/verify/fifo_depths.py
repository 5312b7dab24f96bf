"""Depths of the FIFOs before joins, measured: what is the most that waits there where nothing is ever full.

That is enough for the full rate, and may be more than it takes: a fork runs ahead as far as the longer branch takes
words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper

from codegen.cores import core_class
from codegen.cores.core import FIFO_DEPTHS
from codegen.dataflow.dataflow import fold
from codegen.dataflow.environment import quiet
from codegen.dataflow.folding.file import NodeFolding
from codegen.dataflow.folding.plan import NO_FIFO
from codegen.errors import SimulationError
from codegen.render.graph import DataflowGraph, Node, from_model, read_graph
from codegen.render.render import render_sources
from codegen.run_folder import RunFolder
from codegen.verify.rtlsim import RtlResult, count_occupancy, run_rtlsim

FRAMES_HELD = 2
"""Frames that a FIFO of the measurement holds; a branch has less than one in it."""

_STALL = 0.3
"""Probability per cycle that the source pauses, and that the sink stalls, in the run that checks the depths."""


@dataclass(frozen=True)
class MeasuredDepths:
    """A folding with its measured depths, and its two runs.

    unbounded: with FIFOs that were never full; measured: with the depths set.
    """

    folding: NodeFolding
    depths: dict[str, list[int]]
    """Before each input of the joins, by the join's name."""
    unbounded: RtlResult
    measured: RtlResult


def measure_depths(
    model: ModelWrapper, folding: NodeFolding, part: str, images: NDArray[np.uint8], folder: Path
) -> MeasuredDepths:
    """Set the FIFOs before the joins of an unfolded graph to what a run of ``images`` needs of them.

    Renders below ``folder`` and simulates with FIFOs deep enough never to be full, with the depths that these had
    reached, and with those and random back-pressure. Three images or more reach the steady state. Raises
    SimulationError where a FIFO was full after all, where a run differs from the first one, or as ``run_rtlsim``.
    """
    names = [node.name for node in model.graph.node if core_class(node.op_type).input_ports > 1]
    unfilled = from_model(_folded(model, folding, part))
    deep = {
        name: [max(FRAMES_HELD * stream.words, NO_FIFO + 1) for stream in join.core.inputs]
        for name, join in zip(names, _joins(unfilled), strict=True)
    }
    run = _render(model, _with_depths(folding, deep), part, folder / "unbounded")
    unbounded, occupancy = count_occupancy(run, images)
    graph = read_graph(run.path / "graph.onnx")
    depths = {}
    for name, join in zip(names, _joins(graph), strict=True):
        fifos = [graph.edges[edge].producer for edge in graph.inputs_of(join)]
        most = [occupancy[fifo.name] if fifo else 0 for fifo in fifos]
        for port, (words, limit) in enumerate(zip(most, deep[name], strict=True)):
            if words >= limit:
                raise SimulationError(f"the FIFO of {limit} words before input {port} of {name} was full")
        # A full FIFO takes no word in the cycle in which it gives one: one more than was ever in it.
        depths[name] = [max(words, NO_FIFO) + 1 if words else NO_FIFO for words in most]
    chosen = _with_depths(folding, depths)
    run = _render(model, chosen, part, folder / "measured")
    measured = run_rtlsim(run, images)
    stalled = run_rtlsim(run, images, stall_in=_STALL, stall_out=_STALL)
    for what, result in (("without back-pressure", measured), ("under back-pressure", stalled)):
        if not np.array_equal(result.logits, unbounded.logits):
            raise SimulationError(f"with measured FIFO depths {folder} gives other results {what}")
    return MeasuredDepths(chosen, depths, unbounded, measured)


def _with_depths(folding: NodeFolding, depths: Mapping[str, list[int]]) -> dict[str, Mapping[str, Any]]:
    return {**folding, **{name: {**folding.get(name, {}), FIFO_DEPTHS: values} for name, values in depths.items()}}


def _joins(graph: DataflowGraph) -> list[Node]:
    """The nodes that read several streams, in topological order."""
    return [node for node in graph.nodes if len(node.core.inputs) > 1]


def _folded(model: ModelWrapper, folding: NodeFolding, part: str) -> ModelWrapper:
    with quiet():
        return fold(ModelWrapper(model.model, make_deepcopy=True), folding, part)


def _render(model: ModelWrapper, folding: NodeFolding, part: str, folder: Path) -> RunFolder:
    folder.mkdir(parents=True)
    _folded(model, folding, part).save(str(folder / "graph.onnx"))
    run = RunFolder(folder)
    render_sources(run)
    return run
