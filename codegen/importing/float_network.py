"""A spiking network as its framework computes it: discrete time, real weights. What every door leads to.

NIR files, SpikingJelly and snnTorch modules all become a ``FloatNetwork``; the interpreter computes it, calibration
measures it, and quantisation makes the integer network of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ResetKind = Literal["hard", "soft", "delayed"]
"""What a spike leaves of V: 0, V - threshold, or ("delayed", snnTorch's subtraction) V less a threshold that is taken
away only in the next step, behind the leak."""


@dataclass(frozen=True)
class FloatNeuron:
    """Neurons of one layer, from V = ``v_init * threshold`` before the first step.

    In each step V = ``decay`` * V + current, and a spike where V >= threshold (``compare`` "ge") or V > threshold
    ("gt"). ``decay`` is 1 for IF, between 0 and 1 for LIF. ``reset``: hard, V = 0 behind a spike; soft, V - threshold;
    delayed, the next step's V is ``decay * V - threshold + current``, V being the one that spiked.
    """

    decay: float
    reset: ResetKind
    compare: Literal["ge", "gt"]
    v_init: float = 0.0


@dataclass(frozen=True)
class FloatConnection:
    """Real weights from one source to a layer, float64 [out, in, kh, kw] or [out, in] (input order c, h, w).

    ``source``: ``sca_train.specs.IMAGE`` or the name of an earlier layer, whose spikes are read behind its pooling.
    ``weights`` None: an identity. ``stride`` is that of both directions; ``padding`` rows above, columns left, rows
    below, columns right. Dilation and groups are zeros among the weights.
    """

    name: str
    source: str
    kind: Literal["conv", "linear", "identity"]
    weights: Floats | None
    stride: int = 1
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True)
class FloatLayer:
    """The sum of some connections, a gain and a shift per channel, neurons, and pooling behind them.

    The current is ``gain * sum + shift``, float64 [out] each. ``threshold`` float64 [out], all above 0 (of the
    read-out: ones, unused). ``neuron`` None: the read-out, whose currents are added up over the steps; it has one
    connection, linear. ``pool``: window and stride, 1 for none; "max" of spikes (OR), or "avg", their mean.
    ``global_sum``, of the read-out: it reads the mean of each channel over its source's map, one weight a channel.
    """

    name: str
    inputs: tuple[FloatConnection, ...]
    gain: Floats
    shift: Floats
    threshold: Floats
    neuron: FloatNeuron | None
    pool: int = 1
    pool_kind: Literal["max", "avg"] = "max"
    global_sum: bool = False


@dataclass(frozen=True)
class FloatNetwork:
    """Layers in an order in which each follows what it reads; the last is the read-out.

    With ``static_input`` an image is uint8 [H, W, C], the same at every step, else frames uint8 [T, H, W, C] (spikes 0
    and 1, or counts); the layers see its values times ``input_scale``, channels first.
    """

    input_shape: tuple[int, int, int]
    input_scale: float
    static_input: bool
    timesteps: int
    classes: int
    layers: tuple[FloatLayer, ...]
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was changed or decided on the way in, a sentence each: for the user to read."""
