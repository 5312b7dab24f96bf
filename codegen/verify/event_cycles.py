"""Cycles of an accelerator with event-driven cores, image by image: the cores' exact model on what ONNX Runtime sends.

The cycles from frame to frame are those of the slowest node for that image. FIFOs even out what varies within an
image, and now and then between images; ``simulated`` of the result says how far Verilator is from it on some images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codegen.cores import core_class
from codegen.cores.event_cycles import vector_cycles
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.digests import file_digest, sources_digest
from codegen.errors import SimulationError
from codegen.event_results import EventCore, EventCyclesResult, SimulatedInterval
from codegen.progress import Progress
from codegen.render.manifest import Manifest, read_manifest
from codegen.results import FoldingResult, Spread
from codegen.run_folder import RunFolder
from codegen.run_inputs import LabelledImages
from codegen.verify.density import DENSITY_IMAGES, spread_images, window_counts, window_lengths
from codegen.verify.rtlsim import RtlResult
from codegen.verify.spike_maps import Active, SpikeMaps, SpikingInput, load_spike_maps

EVENT_CYCLES_FILE = f"results/{EventCyclesResult.STAGE}.json"
_FILLING = 2
"""Images whose intervals say nothing: the first has none, and the second waits for the pipeline to fill. With more of
them, these are not among the settled ones of a simulation."""


@dataclass(frozen=True)
class EventNode:
    """An event-driven core of an accelerator, what its product reads, and which of the model's inputs that is."""

    core: SpikingMVAU
    read: SpikingInput
    place: int

    def cycles(self, active: Active) -> NDArray[np.int64]:
        """Cycles for each image's map [images, channels, height, width]."""
        return vector_cycles(window_lengths(active, self.read.window, self.core.simd), self.core).sum(axis=1)


def event_nodes(run: RunFolder, manifest: Manifest, maps: SpikeMaps) -> tuple[EventNode, ...]:
    """The event-driven cores of a run's rtl/.

    Raises SimulationError where the model has no product of a core's layer, or one that reads something else.
    """
    folding = FoldingResult.load(run)
    layers = {node.name: node.layer for node in folding.nodes} if folding else {}
    inputs = {entry.layer: (place, entry) for place, entry in enumerate(maps.inputs)}
    found = []
    for node in manifest.nodes:
        if not issubclass(core_class(node.op), SpikingMVAU) or not node.parameters.get("event"):
            continue
        core = SpikingMVAU(**node.parameters)
        place, read = inputs.get(layers.get(node.name) or "", (0, None))
        taps = read.window.kernel[0] * read.window.kernel[1] if read else 0
        if read is None or read.size[0] * taps != core.mw:
            raise SimulationError(
                f"model.onnx has no product of {core.mw} spiking inputs for the event-driven {node.name}; run "
                f"`{run.command('hls')}` again"
            )
        found.append(EventNode(core, read, place))
    return tuple(found)


def measure_event_cycles(run: RunFolder, everything: LabelledImages, simulated: RtlResult) -> EventCyclesResult | None:
    """Cycles over DENSITY_IMAGES evenly spread ones of the images; None where no core is event-driven.

    ``simulated``: what Verilator made of the first ones, as many as there are logits. Errors as ``event_nodes`` and
    ``SpikeMaps.batches``.
    """
    manifest = read_manifest(run.require("rtl"))
    model = run.require("model.onnx")
    if not any(node.parameters.get("event") for node in manifest.nodes):
        return None
    maps = load_spike_maps(model)
    nodes = event_nodes(run, manifest, maps)
    images = spread_images(everything.images, DENSITY_IMAGES)
    cycles, elements = _measured(nodes, maps, images)
    checked, _ = _measured(nodes, maps, everything.images[: len(simulated.logits)])
    names = {node.core.name for node in nodes}
    dense = max((node.cycles for node in manifest.nodes if node.name not in names), default=0)
    gaps = simulated.intervals if len(simulated.logits) > _FILLING else ()
    model_gaps = np.maximum(checked.max(axis=0), dense)[list(simulated.settled)]
    return EventCyclesResult(
        images=len(images),
        kind=everything.kind,
        interval=_spread(np.maximum(cycles.max(axis=0), dense)),
        guaranteed=max(node.cycles for node in manifest.nodes),
        cores=tuple(
            EventCore(
                name=node.core.name,
                layer=node.read.layer,
                nonzero=round(float(counts.mean()) / (node.core.vectors * node.core.mw), 6),
                ideal=_ideal_cycles(node, counts),
                cycles=_spread(per_image),
                guaranteed=node.core.cycles,
            )
            for node, per_image, counts in zip(nodes, cycles, elements, strict=True)
        ),
        simulated=SimulatedInterval(len(gaps), float(np.mean(gaps)), float(model_gaps.mean())) if gaps else None,
        model_sha256=file_digest(model),
        sources_sha256=sources_digest(run.path / "rtl"),
    )


def _ideal_cycles(node: EventNode, elements: NDArray[np.int64]) -> float:
    """Mean cycles if every lane took one element that is not zero; of integers, so that it is at most the true mean."""
    folds = node.core.neuron_folds * node.core.time_folds
    return int(elements.sum()) * folds / (node.core.simd * len(elements))


def _measured(
    nodes: tuple[EventNode, ...], maps: SpikeMaps, images: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[nodes, images]: cycles, and elements of the vectors that are not zero."""
    cycles, elements = [], []
    done, progress = 0, Progress("counting cycles of event-driven cores", "images")
    for batch in maps.batches(images):
        cycles.append(np.stack([node.cycles(batch[node.place]) for node in nodes]))
        counts = [window_counts(batch[node.place], node.read.window).sum(axis=1) for node in nodes]
        elements.append(np.stack(counts))
        done += cycles[-1].shape[1]
        progress.show(done, len(images))
    return np.concatenate(cycles, axis=1), np.concatenate(elements, axis=1)


def _spread(cycles: NDArray[np.int64]) -> Spread:
    """The distribution of cycles [images]."""
    return Spread(float(cycles.mean()), int(np.percentile(cycles, 99, method="higher")), int(cycles.max()))
