"""`python -m bench event-driven`: event-driven cores beside dense ones of the same lanes, on real test images.

Both networks have at most LANES lanes, SIMD*PE*TP of all layers together, and the foldings with which they are fastest
then; of event-driven cores only those are taken whose mean cycles are within WITHIN of the ideal ones, in which every
lane has a non-zero element in every cycle. Cycles are those of the cores' exact model, image by image, and of a network
those of its slowest core for the image.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from finn.util.basic import getHWCustomOp
from numpy.typing import NDArray

from bench.core_luts import measure_rendered
from codegen.cores import core_of
from codegen.cores.event_cycles import vector_cycles
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.dataflow.dataflow import load_model, to_dataflow
from codegen.dataflow.environment import quiet
from codegen.run_inputs import load_test_set
from codegen.synthesis.yosys import start_yosys
from codegen.verify.density import spread_images, window_counts, window_lengths
from codegen.verify.spike_maps import load_spike_maps
from codegen.zoo import open_run

NETWORK = "cnn-dense"
LANES = 2048
IMAGES = 500
MOST_SIMD = 16
"""Banks up to which event-driven cores are looked at; with more the longest queue is far above the mean."""
WITHIN = 1.25
PART = "xc7z020clg400-1"


@dataclass(frozen=True)
class Option:
    """A folded core, its cycles for each image, and the ideal ones on average: its products over its lanes."""

    core: SpikingMVAU
    cycles: NDArray[np.int64]
    ideal: float

    @property
    def lanes(self) -> int:
        """Time steps of one sum count as lanes too."""
        return self.core.simd * self.core.pe * self.core.tp

    @property
    def mean(self) -> float:
        return float(self.cycles.mean())


Plan = Mapping[str, Option]
"""By layer."""


@dataclass(frozen=True)
class Scans:
    """What a layer's product reads: by number of banks lengths of the scans [images, vectors], elements [images]."""

    lengths: Mapping[int, NDArray[np.int64]]
    elements: NDArray[np.int64]

    def of(self, core: SpikingMVAU) -> Option | None:
        """The core made event-driven; None where it cannot be, or is too far from the ideal."""
        event = core.event_form()
        if event is None or core.simd not in self.lengths:
            return None
        cycles = vector_cycles(self.lengths[core.simd], event).sum(axis=1)
        folds = core.neuron_folds * core.time_folds
        option = Option(event, cycles, float(self.elements.mean()) / core.simd * folds)
        return option if option.mean <= WITHIN * option.ideal else None


def event_driven(data: Path | None) -> None:
    """Print the tables, and the line that ends the bench; ``data``: where the network's data set lies."""
    run = open_run(Path("zoo", NETWORK))
    model, tests = run.require("model.onnx"), load_test_set(run, data)
    images = spread_images(tests.images, IMAGES)
    with quiet():
        cores = _cores(model)
    scans = _scans(model, images)
    dense = {layer: [_dense(folded, len(images)) for folded in core.foldings()] for layer, core in cores.items()}
    event = {
        layer: [*options, *filter(None, map(scans[layer].of, cores[layer].foldings()))] if layer in scans else options
        for layer, options in dense.items()
    }
    plans = {"dense": fastest(dense, LANES), "event-driven": fastest(event, LANES)}
    _print_cores(plans["event-driven"])
    print(f"\n{len(images)} {tests.kind} of {NETWORK}, at most {LANES} lanes SIMD*PE*TP\n")
    print(
        "| network | lanes | mean cycles a frame | 99 % | worst | guaranteed |\n| --- | --- | --- | --- | --- | --- |"
    )
    means = {}
    for title, plan in plans.items():
        frames = np.max([option.cycles for option in plan.values()], axis=0)
        means[title] = float(frames.mean())
        lanes = sum(option.lanes for option in plan.values())
        p99, most = np.percentile(frames, 99, method="higher"), max(option.core.cycles for option in plan.values())
        print(f"| {title} | {lanes} | {means[title]:,.0f} | {p99:,} | {frames.max():,} | {most:,} |")
    print(f"event-driven {means['event-driven'] / means['dense']:.3f}", flush=True)


def fastest(options: Mapping[str, Sequence[Option]], lanes: int) -> Plan:
    """Of each layer the option of fewest lanes with which no mean is above the smallest that ``lanes`` in all allow."""

    def within(target: float) -> dict[str, Option] | None:
        plan = {}
        for layer, offered in options.items():
            fast = [option for option in offered if option.mean <= target]
            if not fast:
                return None
            plan[layer] = min(fast, key=lambda option: (option.lanes, option.mean))
        return plan if sum(option.lanes for option in plan.values()) <= lanes else None

    targets = sorted({option.mean for offered in options.values() for option in offered})
    found = within(targets[bisect_left(targets, True, key=lambda target: within(target) is not None)])
    assert found is not None
    return found


def _cores(model: Path) -> dict[str, SpikingMVAU]:
    """The unfolded cores of a model.onnx with their constants, by layer."""
    graph = to_dataflow(load_model(model), "rtl", PART)
    cores = {}
    for node in graph.graph.node:
        operator = getHWCustomOp(node)
        core = core_of(operator, graph)
        if isinstance(core, SpikingMVAU):
            cores[str(operator.get_nodeattr("layer"))] = core
    return cores


def _scans(model: Path, images: NDArray[np.uint8]) -> dict[str, Scans]:
    maps = load_spike_maps(model)
    parts: dict[str, list[Scans]] = {entry.layer: [] for entry in maps.inputs}
    for batch in maps.batches(images):
        for entry, active in zip(maps.inputs, batch, strict=True):
            banks = (simd for simd in range(1, MOST_SIMD + 1) if entry.size[0] % simd == 0)
            lengths = {simd: window_lengths(active, entry.window, simd) for simd in banks}
            parts[entry.layer].append(Scans(lengths, window_counts(active, entry.window).sum(axis=1)))
    return {
        layer: Scans(
            {simd: np.concatenate([part.lengths[simd] for part in found]) for simd in found[0].lengths},
            np.concatenate([part.elements for part in found]),
        )
        for layer, found in parts.items()
    }


def _dense(core: SpikingMVAU, images: int) -> Option:
    return Option(core, np.full(images, core.cycles), core.work / (core.simd * core.pe * core.tp / core.timesteps))


def _print_cores(plan: Plan) -> None:
    """Each event-driven core beside the dense one of the same folding, both in Yosys."""
    start_yosys()
    print("| layer | SIMD | PE | TP | dense cycles | mean | of dense | of ideal | LUT dense | LUT | overhead |")
    print("| --- " * 11 + "|")
    luts = []
    for layer, option in plan.items():
        core = option.core
        if not core.event:
            continue
        twin = replace(core, event=False)
        before, after = (int(measure_rendered(each)["lut"]) for each in (twin, core))
        luts.append((before, after))
        cycles = (
            f"{twin.cycles:,} | {option.mean:,.0f} | {option.mean / twin.cycles:.2f} | {option.mean / option.ideal:.2f}"
        )
        used = f"{before:,} | {after:,} | {after / before - 1:+.0%}"
        print(f"| {layer} | {core.simd} | {core.pe} | {core.tp} | {cycles} | {used} |", flush=True)
    before, after = (sum(column) for column in zip(*luts, strict=True))
    print(f"event-driven cores together: {before:,} LUT dense, {after:,} event-driven, {after / before - 1:+.0%}")
