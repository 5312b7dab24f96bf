"""A layer of spiking neurons: its connections' weights, batch norm, SpikingJelly neuron, channel mask and pooling.

Time is the leading axis of every tensor between layers, as in ``sca_train.network``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sca_train.config import TrainConfig
from sca_train.connections import connected, connection_weights, padded
from sca_train.kernels import (
    MAX_COUNT,
    CountSums,
    SpikeCounts,
    SpikeTrains,
    count_convolution,
    count_neurons,
    neurons,
    spike_convolution,
)
from sca_train.map_shapes import MapShape
from sca_train.neurons.rates import mean_potential, spike_rates
from sca_train.neurons.spiking import DELAYED, kernel_neuron, make_neuron, potential_before_reset
from sca_train.quantizers import (
    QuantModule,
    computed_weights,
)
from sca_train.recipe import LATE
from sca_train.specs import LayerSpec

Sent: TypeAlias = Tensor | SpikeTrains | SpikeCounts
"""What layers send on: numbers [T or 1, N, C, ...], or what the kernels make of them."""

Sums: TypeAlias = Tensor | CountSums
"""What neurons integrate: numbers [T or 1, N, C, ...], or what the kernels make of them."""


class SpikingLayer(nn.Module):
    """The weights of all connections into a layer, batch norm, neuron, channel mask and pooling.

    A masked channel (``mask`` 0) sends no spikes on. While ``regrow`` is set its gradient still passes as if it did,
    so its weights and its gamma keep training (paper, Selective Growth), but not on to the layers it reads: these
    would be trained for outputs that nobody sees, and through many layers such gradients grow without bound. While
    ``record`` is set the layer adds up the membrane potentials of Eq. 4 in ``potential`` and the spikes, masked or
    not, in ``spike_count``. In training, ``rate_weight`` times the mean firing rate of the layer is part of the loss.
    With ``kernels`` the event-driven CPU kernels compute the layer, which then sends SpikeTrains on, or numbers
    behind average pooling. While ``rate_equivalent`` is set the layer is evaluated once for all steps and sends spikes
    per step, [1, N, C, ...]; a ``late`` one always is, as its spikes depend on the sum over the steps alone.
    """

    mask: Tensor
    potential: Tensor
    spike_count: Tensor
    samples: Tensor
    gamma_gradient: Tensor

    def __init__(
        self, spec: LayerSpec, sources: Mapping[str, MapShape], flat: bool, added: bool, config: TrainConfig
    ) -> None:
        """``flat``: single neurons, not maps; ``added``: the sum is part of an addition of several terms."""
        super().__init__()
        self.spec = spec
        config = with_neuron(config, spec)
        self.timesteps = config.timesteps
        self.v_init = config.v_init
        self.threshold = config.threshold
        self.connections = nn.ModuleDict(
            {
                entry.name: connection_weights(entry, spec.channels, sources[entry.source], added, config)
                for entry in spec.inputs
                if entry.kind != "identity"
            }
        )
        self.norm: nn.Module = nn.BatchNorm1d(spec.channels) if flat else nn.BatchNorm2d(spec.channels)
        nn.init.constant_(self.norm.weight, config.norm_init * config.threshold)
        self.neuron = make_neuron(config)
        self.kernel_neuron = kernel_neuron(config)
        self.kernels = False
        self.suits_kernels = config.reset != DELAYED
        self.bf16_gradients = config.gradients == "bf16"
        self.late = config.neuron == LATE
        self.rate_equivalent = self.late
        self.fused_rates: Callable[[Tensor], Tensor] | None = None
        self.record = False
        self.regrow = False
        self.rate_weight = 0.0
        self.register_buffer("mask", torch.ones(spec.channels))
        self.register_buffer("potential", torch.zeros(spec.channels, dtype=torch.float64))
        self.register_buffer("spike_count", torch.zeros(spec.channels, dtype=torch.float64))
        self.register_buffer("samples", torch.zeros((), dtype=torch.float64))
        self.register_buffer("gamma_gradient", torch.zeros(spec.channels, dtype=torch.float64))

    def sums(self, sources: Mapping[str, Sent], residual: Sums | None = None) -> Sums:
        """Sum of all connections [T or 1, N, C, ...] from spikes (or the input) by source, and of ``residual``."""
        total: Tensor | None = None if residual is None else float_sums(residual)
        kept = self.mask if self.regrow else None
        for entry in self.spec.inputs:
            source = sources[entry.source]
            if isinstance(source, SpikeTrains) and entry.kind == "conv" and entry.is_plain:
                weights = computed_weights(cast(QuantModule, self.connections[entry.name]))
                x = spike_convolution(source, weights, entry.stride, self.bf16_gradients, kept)
                x = x.unflatten(0, source.carrier.shape[:2])
            elif isinstance(source, SpikeCounts) and entry.kind == "conv" and entry.is_plain:
                weights = computed_weights(cast(QuantModule, self.connections[entry.name]))
                counted = count_convolution(source, weights, entry.stride, self.bf16_gradients, kept)
                if total is None and len(self.spec.inputs) == 1:
                    return counted
                x = counted.values()
            elif entry.kind == "identity":
                x = float_spikes(source)
            else:
                x = float_spikes(source)
                flat = (x.flatten(2) if entry.kind == "linear" else padded(x, entry)).flatten(0, 1)
                module = cast(QuantModule, self.connections[entry.name])
                read = module(flat) if kept is None else connected(module, flat, kept)
                x = read.unflatten(0, x.shape[:2])
            total = x if total is None else _exact(total) + _exact(x)
        assert total is not None
        return total

    def currents(self, sums: Tensor) -> Tensor:
        """Input currents of the neurons [T, N, C, ...] from sums [T or 1, N, C, ...]."""
        current = self._normed(sums)
        return current.expand(self.timesteps, *current.shape[1:])

    def _normed(self, sums: Tensor) -> Tensor:
        normed: Tensor = self.norm(_exact(sums).flatten(0, 1)).unflatten(0, sums.shape[:2])
        return normed

    def forward(self, sums: Sums) -> Sent:
        """Spikes [T, N, C, H, W] after pooling, or [T, N, C], from sums [T or 1, N, C, ...]."""
        if isinstance(sums, CountSums):
            return self._counts_by_kernels(sums)
        if self.late:  # all that counts is what came in over the steps
            sums = sums.mean(0, keepdim=True)
        if self.kernels and sums.dtype == torch.float32:
            return self._counts_by_kernels(_maps(sums)) if self.rate_equivalent else self._by_kernels(sums)
        if self.rate_equivalent:
            return self.fused_rates(sums) if self.fused_rates else self._rates(sums)
        current = self.currents(sums)
        self.neuron.reset()
        # SpikingJelly resets to v_reset, or to 0 under soft reset; what a frame starts from is set beside it.
        self.neuron.v = self.v_init * self.threshold
        self.neuron.store_v_seq = self.record
        spikes = self.neuron(current)
        if self.record:
            before = potential_before_reset(
                self.neuron, current.detach(), self.neuron.v_seq.detach(), self.v_init * self.threshold
            )
            self._record(before, spikes.detach())
        self.neuron.reset()
        return self._sent(spikes)

    def _rates(self, sums: Tensor) -> Tensor:
        """Spikes per step [1, N, C, ...] behind mask and pooling, from sums [1, N, C, ...]."""
        current = self._normed(sums)
        rates = spike_rates(current, self.threshold, self.v_init, self.timesteps)
        if self.record:
            self._record(mean_potential(current.detach(), self.threshold, self.v_init, self.timesteps), rates.detach())
        return self._sent(rates)

    def _sent(self, spikes: Tensor) -> Tensor:
        """Spikes or rates behind the mask and the pooling."""
        mask = self.mask.to(spikes.dtype).reshape(-1, *[1] * (spikes.dim() - 3))
        if self.rate_weight > 0.0 and self.training and spikes.requires_grad:
            share = self.rate_weight / spikes.numel() * mask
            spikes.register_hook(lambda gradient: gradient + share)
        return self._pooled(self._masked(spikes, mask))

    def _by_kernels(self, sums: Tensor) -> Sent:
        rows = _maps(sums)
        pool = self.spec.pool if self.spec.pool_kind == "max" and self._whole_windows(rows) else 1
        trains, activity = neurons(
            rows, self.norm, self.kernel_neuron, self.mask, pool, self.timesteps, len(sums) == 1,
            half=self.bf16_gradients, regrow=self.regrow,
            rate_weight=self.rate_weight if self.training else 0.0, record=self.record,
        )  # fmt: skip
        if self.record:
            self._record_totals(activity.potential / self.timesteps, activity.spikes / self.timesteps, sums.shape[1])
        return trains if pool == self.spec.pool else self._pooled(trains.spikes())

    def _counts_by_kernels(self, sums: Tensor | CountSums) -> Sent:
        """Counts from sums [N, C, H, W]."""
        rows = sums.sums if isinstance(sums, CountSums) else sums
        average = self.spec.pool_kind == "avg"
        most = self.timesteps * (self.spec.pool**2 if average else 1)
        pool = self.spec.pool if most <= MAX_COUNT and self._whole_windows(rows) else 1
        counts, activity = count_neurons(
            sums, self.norm, self.kernel_neuron, self.mask, pool, self.timesteps, average=average,
            half=self.bf16_gradients, regrow=self.regrow,
            rate_weight=self.rate_weight if self.training else 0.0, record=self.record,
        )  # fmt: skip
        if self.record:
            self._record_totals(activity.potential, activity.spikes, len(rows))
        return counts if pool == self.spec.pool else self._pooled(counts.rates())

    def _whole_windows(self, rows: Tensor) -> bool:
        """Whether the kernels can pool the maps."""
        return all(side % self.spec.pool == 0 for side in rows.shape[2:])

    def _masked(self, spikes: Tensor, mask: Tensor) -> Tensor:
        masked = spikes * mask
        if self.regrow:
            # Straight through: the value is the masked one, the gradient that of the unmasked one.
            return masked + (1.0 - mask) * (spikes - spikes.detach())
        return masked

    def _pooled(self, spikes: Tensor) -> Tensor:
        if self.spec.pool == 1:
            return spikes
        # The maximum of spikes is their OR; their average is a sum with its factor left to the layers that read it.
        pool = F.max_pool2d if self.spec.pool_kind == "max" else F.avg_pool2d
        return pool(spikes.flatten(0, 1), self.spec.pool).unflatten(0, spikes.shape[:2])

    def _record(self, potential: Tensor, spikes: Tensor) -> None:
        """Add up what channels did, [T, N, C, ...], or its mean over the steps [1, N, C, ...]."""
        others = [axis for axis in range(potential.dim()) if axis != 2]
        self._record_totals(
            potential.abs().sum(others, dtype=torch.float64) / len(potential),
            spikes.sum(others, dtype=torch.float64) / len(spikes),
            potential.shape[1],
        )

    def _record_totals(self, potential: Tensor, spikes: Tensor, images: int) -> None:
        self.potential += potential
        self.spike_count += spikes
        self.samples += images


def with_neuron(config: TrainConfig, spec: LayerSpec) -> TrainConfig:
    """The configuration as a layer sees it: with neurons of its own where it has some."""
    own = spec.neuron
    return replace(config, neuron=own.kind, reset=own.reset, tau=own.tau, v_init=own.v_init) if own else config


def float_spikes(spikes: Sent) -> Tensor:
    """Spikes as numbers [T, N, C, ...], or rates [1, N, C, ...], whichever way a layer sent them."""
    if isinstance(spikes, SpikeTrains):
        return spikes.spikes()
    return spikes.rates() if isinstance(spikes, SpikeCounts) else spikes


def float_sums(sums: Sums) -> Tensor:
    """Sums as numbers [T or 1, N, C, ...], whichever way they were computed."""
    return sums.values() if isinstance(sums, CountSums) else sums


def _exact(sums: Tensor) -> Tensor:
    """Sums as they are added and integrated: in float32 (or float64) under autocast too."""
    return sums.float() if sums.dtype == torch.bfloat16 else sums


def _maps(sums: Tensor) -> Tensor:
    """Sums [T or 1, N, C, ...] as maps [T * N, C, H, W]; those of single neurons are of one pixel."""
    rows = sums.flatten(0, 1)
    return rows if rows.dim() == 4 else rows[..., None, None]
