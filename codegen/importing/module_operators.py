"""Modules of PyTorch, SpikingJelly and snnTorch as operators, in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from torch import Tensor, nn

from codegen.importing import convolutions
from codegen.importing.float_network import Floats, ResetKind
from codegen.importing.linear_maps import RefusedError
from codegen.importing.operators import Convolution, Linear, Neuron, Operator, Pool, Scale, WholeMap

Shape = tuple[int, ...]
UNCHANGED = Scale(np.array(1.0), np.array(0.0))
"""What a module is that gives what it takes."""

_LIBRARIES = (
    "torch.nn.modules.",
    "spikingjelly.activation_based.layer.stateless_wrapper",
    "spikingjelly.activation_based.layer.bn",
    "spikingjelly.activation_based.layer.dropout",
)
_TRACED = ("Flatten", "Unflatten", "WSConv2d", "WSLinear")
"""Modules whose forward says in functions what they do."""
_OF_FRAMEWORKS = ("torch.nn.modules.", "spikingjelly.", "snntorch.")


def is_leaf(module: nn.Module) -> bool:
    """Whether a module is taken as a whole: a known one, or one of a framework whose inside is nobody's business."""
    if known(module) is not None:
        return True
    kind = type(module)
    if not kind.__module__.startswith(_OF_FRAMEWORKS) or kind.__name__.startswith("Parametrized"):
        return False
    traced_into = kind.__module__.startswith(
        ("torch.nn.modules.container", "spikingjelly.activation_based.layer.container")
    )
    looping = kind.__name__.endswith("RecurrentContainer")
    return (not traced_into or looping) and kind.__name__ not in _TRACED


def is_neuron(module: nn.Module) -> bool:
    """Whether a module keeps a membrane potential, so that it stands for one layer of neurons."""
    return type(module).__name__ in _NEURONS and type(module).__module__.startswith(("spikingjelly.", "snntorch."))


def known(module: nn.Module) -> Callable[[Any, Shape], Operator] | None:
    """What makes an operator of a module and the shape of one sample; None for modules that nothing here knows."""
    kind = type(module)
    if is_neuron(module):
        return _NEURONS[kind.__name__]
    if kind.__module__.startswith(_LIBRARIES):
        return _PLAIN.get(kind.__name__)
    if kind.__module__.startswith("spikingjelly.") and kind.__name__ == "VotingLayer":
        return _voting
    return None


def values(tensor: Tensor | float) -> Floats:
    """A parameter as float64."""
    if isinstance(tensor, Tensor):
        return tensor.detach().cpu().double().numpy()
    return np.array(float(tensor))


def _linear(module: nn.Linear, shape: Shape) -> Linear:
    weights = convolutions.floats(values(module.weight), "weight")
    bias = np.zeros(len(weights)) if module.bias is None else convolutions.floats(values(module.bias), "bias")
    return Linear(weights, bias)


def _convolution(module: nn.Conv1d | nn.Conv2d, shape: Shape) -> Convolution:
    if module.padding_mode != "zeros":
        raise RefusedError(f"pads with {module.padding_mode}, and only zeros are possible")
    one = isinstance(module, nn.Conv1d)
    weights = values(module.weight)
    padding = module.padding if isinstance(module.padding, str) else pair(module.padding, one, 0)
    return convolutions.built(
        weights[:, :, None, :] if one else weights,
        None if module.bias is None else values(module.bias),
        pair(module.stride, one, 1),
        padding,
        pair(module.dilation, one, 1),
        module.groups,
        dimensions=1 if one else 2,
    )


def pair(value: Any, one: bool, of_height: int) -> tuple[int, int]:
    """A parameter of PyTorch's for rows and columns; of ``one`` dimension, ``of_height`` for the rows."""
    numbers = (value, value) if isinstance(value, int) else tuple(value)
    return (of_height, int(numbers[-1])) if one else (int(numbers[0]), int(numbers[-1]))


def _norm(module: nn.BatchNorm1d | nn.BatchNorm2d, shape: Shape) -> Scale:
    if module.running_mean is None or module.running_var is None:
        raise RefusedError("keeps no running statistics, so that it depends on the batch")
    factor = 1 / np.sqrt(values(module.running_var) + module.eps)
    if module.weight is not None:
        factor = factor * values(module.weight)
    shift = -values(module.running_mean) * factor
    if module.bias is not None:
        shift = shift + values(module.bias)
    per_channel = (-1, *[1] * (len(shape) - 1))
    return Scale(
        convolutions.floats(factor, "scale").reshape(per_channel),
        convolutions.floats(shift, "shift").reshape(per_channel),
    )


def pooling(kind: str, shape: Shape, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, counted: bool) -> Pool:
    """A pooling of PyTorch's over maps of ``shape`` [C, H, W]; ``counted``: the zeros around are averaged too."""
    size = pair(kernel, False, 1)
    step = size if stride is None or stride == [] else pair(stride, False, 1)
    around = pair(padding, False, 0)
    if any(around) and (kind == "max" or not counted):
        raise RefusedError("pads what it pools with something else than zeros that count")
    if ceil_mode and any(
        (extent + 2 * pad - window) % stride_
        for extent, pad, window, stride_ in zip(shape[1:], around, size, step, strict=True)
    ):
        raise RefusedError("has ceil_mode, with windows that reach beyond the border")
    return Pool(cast(Any, kind), size, step, (*around, *around))


def _average(module: nn.AvgPool2d, shape: Shape) -> Pool:
    if module.divisor_override is not None:
        raise RefusedError("has a divisor_override")
    return pooling(
        "avg", shape, module.kernel_size, module.stride, module.padding, module.ceil_mode, module.count_include_pad
    )


def _maximum(module: nn.MaxPool2d, shape: Shape) -> Pool:
    if pair(module.dilation, False, 1) != (1, 1) or module.return_indices:
        raise RefusedError("has dilation, or gives indices")
    return pooling("max", shape, module.kernel_size, module.stride, module.padding, module.ceil_mode, False)


def adaptive(shape: Shape, output_size: Any) -> Pool | WholeMap:
    """The pooling that gives ``output_size`` from maps of ``shape`` [C, H, W], where windows are all alike."""
    wanted = (output_size, output_size) if isinstance(output_size, int) or output_size is None else tuple(output_size)
    size = tuple(given if given is not None else extent for given, extent in zip(wanted, shape[1:], strict=True))
    if size == (1, 1):
        return WholeMap()
    if any(extent % given for given, extent in zip(size, shape[1:], strict=True)):
        raise RefusedError(f"pools maps of {shape[1]}x{shape[2]} to {size[0]}x{size[1]}, by windows of several sizes")
    window = (shape[1] // size[0], shape[2] // size[1])
    return Pool("avg", window, window, (0, 0, 0, 0))


def _voting(module: Any, shape: Shape) -> Linear:
    count = shape[-1] // int(module.voting_size)
    return Linear(np.repeat(np.eye(count), module.voting_size, axis=1) / float(module.voting_size), np.zeros(count))


def _unchanged(module: nn.Module, shape: Shape) -> Scale:
    return UNCHANGED


def _integrate_and_fire(module: Any, shape: Shape) -> Neuron:
    return _jelly(module, np.array(1.0), np.array(1.0))


def _leaky_jelly(module: Any, shape: Shape) -> Neuron:
    tau = float(module.tau)
    return _jelly(module, np.array(1 - 1 / tau), np.array(1 / tau if module.decay_input else 1.0))


def _parametric_jelly(module: Any, shape: Shape) -> Neuron:
    rate = float(values(module.w.sigmoid()))
    return _jelly(module, np.array(1 - rate), np.array(rate if module.decay_input else 1.0))


def _jelly(module: Any, decay: Floats, gain: Floats) -> Neuron:
    if not getattr(module.surrogate_function, "spiking", True):
        raise RefusedError("sends what its surrogate function gives instead of spikes (spiking=False)")
    v_reset = np.array(float(module.v_reset or 0.0))
    reset: ResetKind = "soft" if module.v_reset is None else "hard"
    threshold = np.array(float(module.v_threshold))
    return Neuron(decay, gain, (1 - decay) * v_reset, threshold, v_reset, reset, "ge")


def _leaky_snntorch(module: Any, shape: Shape) -> Neuron:
    for name in ("inhibition", "state_quant"):
        if getattr(module, name):
            raise RefusedError(f"has {name}, which no neuron here has")
    if float(values(module.graded_spikes_factor)) != 1:
        raise RefusedError("sends spikes times a graded_spikes_factor, and spikes here are 0 and 1")
    if module.reset_mechanism == "none":
        raise RefusedError("is never reset, and spiking neurons here are")
    subtracts = module.reset_mechanism == "subtract"
    reset: ResetKind = "hard" if not subtracts else "delayed" if module.reset_delay else "soft"
    none = np.array(0.0)
    decay = np.clip(values(module.beta), 0, 1)
    return Neuron(decay, np.array(1.0), none, values(module.threshold), none, reset, "gt")


_PLAIN: dict[str, Callable[[Any, Shape], Operator]] = {
    "Linear": _linear,
    "Conv1d": _convolution,
    "Conv2d": _convolution,
    "BatchNorm1d": _norm,
    "BatchNorm2d": _norm,
    "AvgPool2d": _average,
    "MaxPool2d": _maximum,
    "AdaptiveAvgPool2d": lambda module, shape: adaptive(shape, module.output_size),
    "Identity": _unchanged,
    "Dropout": _unchanged,
    "Dropout2d": _unchanged,
}
_NEURONS: dict[str, Callable[[Any, Shape], Operator]] = {
    "IFNode": _integrate_and_fire,
    "LIFNode": _leaky_jelly,
    "ParametricLIFNode": _parametric_jelly,
    "Leaky": _leaky_snntorch,
}
