"""What training hands to later stages: a compact network as plain arrays, free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sca_train.specs import Sides, four_sides


@dataclass(frozen=True)
class NeuronDescription:
    """A spiking neuron as SpikingJelly defines it (multi-step, V = ``v_init * threshold`` before the first step).

    ``kind`` IF: V += I; LIF: V += (I - V) / tau with ``tau`` a power of two (``decay_input=True``). ``v_init`` is 0.0
    or 0.5. LateIF, which SpikingJelly has not: V += I of all steps first, then one spike a step while V >= threshold,
    each of which takes the threshold away (``reset`` soft).
    ``reset`` hard: a spike leaves 0 of V, soft: V - threshold. Delayed, snnTorch's ``reset_delay``: it leaves V, from
    which the next step takes the threshold away beside its leak; LIF: V += (I - V) / tau - threshold of a V that
    spiked. ``compare``: spikes where V >= threshold ("ge", SpikingJelly) or V > threshold ("gt", snnTorch).
    """

    kind: Literal["IF", "LIF", "LateIF"]
    reset: Literal["hard", "soft", "delayed"]
    threshold: float
    tau: float
    v_init: float = 0.0
    compare: Literal["ge", "gt"] = "ge"


@dataclass(frozen=True)
class ConnectionDescription:
    """Weights from one source to the currents of a layer.

    ``weights`` are the integers of the quantizer, int8 [out, in, kh, kw] or [out, in] (input order c, h, w), None for
    an identity; the real weight is ``weights * scale`` with ``scale`` float64 [out] (all ones for an identity).
    ``source`` is ``sca_train.specs.IMAGE`` or the name of an earlier layer, whose spikes are read behind its pooling.
    """

    name: str
    source: str
    kind: Literal["conv", "linear", "identity"]
    weights: NDArray[np.int8] | None
    weight_bits: int
    scale: NDArray[np.float64]
    stride: int
    padding: int | Sides
    """Zeros on all sides, or on each."""

    @property
    def sides(self) -> Sides:
        """The padding on each side."""
        return four_sides(self.padding)


@dataclass(frozen=True)
class LayerDescription:
    """The sum of some connections, its batch norm, its neurons and the pooling behind them.

    The sum is that of all ``inputs``, plus the sum of the earlier layer named by ``residual`` (before that layer's
    batch norm) unless ``residual`` is empty. The current into the neuron is ``norm_scale * sum + norm_shift`` per
    output channel (float64). Where more than one term meets, the real values of one unit of each (weight scale times
    the unit of its source) are powers of two, the same for all output channels. A layer without neuron is the
    read-out.
    ``pool`` is window and stride of the pooling, 1 for none: "max" of spikes (OR), or "avg". A read-out with
    ``global_sum`` has one weight per channel and class and reads the mean of each channel over the map.
    """

    name: str
    inputs: tuple[ConnectionDescription, ...]
    residual: str
    norm_scale: NDArray[np.float64]
    norm_shift: NDArray[np.float64]
    neuron: NeuronDescription | None
    pool: int
    pool_kind: Literal["max", "avg"]
    global_sum: bool = False


@dataclass(frozen=True)
class NetworkDescription:
    """A compact network; connections from IMAGE see ``uint8 * input_scale``, all others spikes or their averages.

    With ``static_input`` an image is uint8 [H, W, C] and the same at every step, else it is a sequence of event frames
    uint8 [T, H, W, C]. Layers come in an order in which each follows what it reads; the last is the read-out.
    """

    input_shape: tuple[int, int, int]
    """Height, width, channels of one uint8 image or event frame."""
    input_scale: float
    static_input: bool
    timesteps: int
    classes: int
    layers: tuple[LayerDescription, ...]
    class_names: tuple[str, ...] = ()
    """In the order of the logits; empty where nobody named the classes."""
