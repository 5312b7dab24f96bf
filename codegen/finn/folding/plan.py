"""A folding of one layer: lanes of its core, window and padding, FIFOs between them, and what it all costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from codegen.core.spiking_mvau import SpikingMVAUSpec, choose_memory_style
from codegen.finn.estimates import mvau_resources, pool_resources
from codegen.finn.folding.layers import Layer, Window
from codegen.finn.folding.plumbing import converter_resources, fifo_resources, padding_resources, window_resources
from codegen.fit import Resources, total

NO_FIFO = 2
"""FINN's InsertFIFO creates no FIFO of this depth or less."""


@dataclass(frozen=True)
class LayerPlan:
    """The folding of one layer: ``mvau`` carries SIMD, PE, TP, memory style; ``window_simd`` is 0 without a window."""

    layer: Layer
    mvau: SpikingMVAUSpec
    window_simd: int
    input_fifo: int
    """Words between the width converter (or whatever is before) and the padding or window."""
    vector_fifo: int
    """Words between the window and the SpikingMVAU."""

    @property
    def input_lanes(self) -> int:
        """Elements in a word that the layer reads from the layer before."""
        return self.window_simd or self.mvau.simd

    @property
    def cycles(self) -> int:
        """Cycles per frame of the slowest node of the layer."""
        nodes = [self.mvau.cycles]
        if self.layer.window:
            nodes.append(self.layer.window.cycles(self.window_simd))
        if self.layer.pool:
            nodes.append(replace(self.layer.pool, pe=self.mvau.pe).cycles)
        return max(nodes)

    @property
    def window_ram_style(self) -> str:
        """LUT RAM for small line buffers, block RAM for large ones."""
        if self.layer.window is None:
            return "auto"
        width, depth = _window_buffer(self.layer.window, self.window_simd)
        return choose_memory_style(depth, width)

    def resources(self, previous_lanes: int | None) -> Resources:
        """Estimate of the layer's nodes, with the width converter from the ``previous_lanes`` of the layer before."""
        parts = [mvau_resources(self.mvau)]
        element = self.mvau.element_bits
        window = self.layer.window
        if window:
            width, depth = _window_buffer(window, self.window_simd)
            parts.append(window_resources(width, depth, choose_memory_style(depth, width)))
            if window.padding_node:
                parts.append(padding_resources(self.window_simd * element))
            parts.append(converter_resources(self.window_simd * element, self.mvau.simd * element))
            parts.append(_fifo(self.mvau.simd * element, self.vector_fifo))
        if previous_lanes:
            parts.append(converter_resources(previous_lanes * element, self.input_lanes * element))
        parts.append(_fifo(self.input_lanes * element, self.input_fifo))
        if self.layer.pool:
            parts.append(pool_resources(replace(self.layer.pool, pe=self.mvau.pe)))
        return total(parts)


def _window_buffer(window: Window, simd: int) -> tuple[int, int]:
    return simd * window.element_bits, window.fill_cycles(simd)


def _fifo(width: int, depth: int) -> Resources:
    return fifo_resources(width, depth) if depth > NO_FIFO else Resources(0, 0, 0, 0)


def with_memory_style(spec: SpikingMVAUSpec) -> SpikingMVAUSpec:
    """The same core with its weight memory where it costs least."""
    width = spec.simd * spec.pe * spec.weight_bits
    return replace(spec, memory_style=choose_memory_style(spec.synapse_folds * spec.neuron_folds, width))


def plan_layer(layer: Layer, spec: SpikingMVAUSpec, window_simd: int) -> LayerPlan:
    """A layer's plan for a core folding, with the FIFOs that keep its nodes from waiting for each other."""
    spec = with_memory_style(spec)
    if layer.window is None:
        return LayerPlan(layer, spec, 0, input_fifo=_whole_vector_fifo(spec), vector_fifo=NO_FIFO)
    return LayerPlan(
        layer,
        spec,
        window_simd,
        input_fifo=NO_FIFO if spec.static_input else _frame_gap_fifo(layer.window, window_simd),
        vector_fifo=_vector_fifo(layer.window, window_simd, spec),
    )


def _frame_gap_fifo(window: Window, simd: int) -> int:
    """Words of input that arrive while the window works off the padding below a frame and cannot start the next.

    The last rows of windows of a frame need only padding, and frames do not overlap in the window: for that time the
    layer before would stall, and then refill the first rows at its own slow rate.
    """
    if window.padding == 0:
        return NO_FIFO
    row = (window.width - 2 * window.padding) * (window.channels // simd)
    return window.padding * row + window.kernel * (window.channels // simd)


def _whole_vector_fifo(spec: SpikingMVAUSpec) -> int:
    """Words of one vector: a core that reads each input once is deaf while it works on the vector it has.

    The layer before would stall for that time. An image comes from memory, which can wait.
    """
    if spec.static_input or spec.neuron_folds * spec.time_folds == 1:
        return NO_FIFO
    if spec.neuron_folds <= spec.map_pixels:
        return NO_FIFO  # it counts the next map while it multiplies
    return max(NO_FIFO, spec.synapse_folds)


def _vector_fifo(window: Window, simd: int, spec: SpikingMVAUSpec) -> int:
    """Words that let the window run ahead of a core which reads a vector in a burst and then works on it.

    Needed where the window is narrower than the core, and where it needs longer to start a frame than the core is busy.
    """
    busy = spec.synapse_folds * spec.neuron_folds * spec.time_folds
    idle = busy - spec.synapse_folds
    behind = spec.mw // simd > spec.synapse_folds and idle > 0
    vectors = 1 if behind else 0
    if idle > 0:
        vectors = max(vectors, math.ceil((window.fill_cycles(simd) - idle) / busy))
    return max(NO_FIFO, vectors * spec.synapse_folds)
