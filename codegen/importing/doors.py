"""Networks out of other frameworks' modules, and ours into NIR, for other simulators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from codegen.errors import ImportingError
from codegen.importing.example_check import difference_note
from codegen.importing.float_network import FloatNetwork
from codegen.importing.lowering import lowered
from codegen.importing.options import NirOptions
from codegen.importing.to_nir import to_nir
from codegen.importing.tracing import trace

__all__ = ["from_snntorch", "from_spikingjelly", "to_nir"]


def from_spikingjelly(
    net: nn.Module,
    example: Tensor,
    *,
    timesteps: int | None = None,
    input: Literal["static", "spikes", "counts"] = "static",
    input_scale: float = 1.0,
    input_shape: tuple[int, int, int] | None = None,
    classes: Sequence[str] = (),
    time_first: bool | None = None,
) -> FloatNetwork:
    """The network of a SpikingJelly module, step mode "s" or "m".

    ``example``: an input as the module takes it, [N, ...], or [T, N, ...] with ``time_first`` (None: what five
    dimensions, or three where a sample is a vector, are taken for). ``timesteps`` None: those that the forward goes
    through, else 4. The others are those of ``NirOptions``. The module is run once on the example, in evaluation mode,
    and has its potentials, modes and weights behind it as before.

    Raises ImportingError, one sentence, with everything in the module that no layer can follow.
    """
    options = _options(timesteps, input, input_scale, input_shape, classes)
    return _traced(net, example, options, timesteps, time_first, "the SpikingJelly network")


def from_snntorch(
    net: nn.Module,
    example: Tensor,
    *,
    timesteps: int | None = None,
    input: Literal["static", "spikes", "counts"] = "static",
    input_scale: float = 1.0,
    input_shape: tuple[int, int, int] | None = None,
    classes: Sequence[str] = (),
    time_first: bool | None = None,
) -> FloatNetwork:
    """The network of an snnTorch module, whose forward does one step or loops over them; else ``from_spikingjelly``.

    snnTorch's own export to NIR loses resets, max pooling and batch norm, so the module itself is followed.
    """
    options = _options(timesteps, input, input_scale, input_shape, classes)
    return _traced(net, example, options, timesteps, time_first, "the snnTorch network")


def _options(
    timesteps: int | None,
    form: Literal["static", "spikes", "counts"],
    input_scale: float,
    input_shape: tuple[int, int, int] | None,
    classes: Sequence[str],
) -> NirOptions:
    return NirOptions(
        timesteps=NirOptions.timesteps if timesteps is None else timesteps,
        input=form,
        input_scale=input_scale,
        input_shape=input_shape,
        classes=tuple(classes),
    )


def _traced(
    net: nn.Module, example: Tensor, options: NirOptions, given: int | None, time_first: bool | None, origin: str
) -> FloatNetwork:
    example = torch.as_tensor(example)
    example = example if example.is_floating_point() else example.float()
    leading = _leading(net, example, time_first)
    if example.dim() <= leading:
        raise ImportingError(f"{origin}: the example has {example.dim()} dimensions, and needs a batch in front of one")
    with _state_kept(net):
        graph, steps, result = trace(net, example, leading, origin)
    if steps > 1 and given is None:
        options = replace(options, timesteps=steps)
    notes = (*graph.notes, *_half_delayed(net))
    if given is not None and steps not in (1, given):
        notes = (*notes, f"The forward goes through {steps} time steps; the network has {given}, as was asked.")
    network = lowered(replace(graph, notes=notes), options)
    followed = replace(network, timesteps=steps)  # those that the result is of
    return replace(network, notes=(*network.notes, *difference_note(followed, example, leading, result)))


def _leading(net: nn.Module, example: Tensor, time_first: bool | None) -> int:
    if time_first is not None:
        return 2 if time_first else 1
    rows = any(isinstance(module, nn.Conv1d) for module in net.modules())
    return 2 if example.dim() == 5 or (example.dim() == 3 and not rows) else 1


def _half_delayed(net: nn.Module) -> Iterator[str]:
    for name, module in net.named_modules():
        if type(module).__name__ == "Leaky" and not module.reset_delay and module.reset_mechanism == "subtract":
            yield (
                f"{name} subtracts without delay: snnTorch delays even then where a potential is above the threshold "
                "behind its reset (twice the threshold and more), which is not followed."
            )


@contextmanager
def _state_kept(net: nn.Module) -> Iterator[None]:
    """While inside, potentials start anew; behind it they are as before."""
    kept: list[tuple[Any, Any]] = []
    module: Any
    for module in net.modules():
        if hasattr(module, "_memories"):
            kept.append((module, dict(module._memories)))
            module.reset()
        elif type(module).__module__.startswith("snntorch.") and isinstance(getattr(module, "mem", None), Tensor):
            kept.append((module, module.mem))
            module.mem = torch.zeros(0)
    try:
        yield
    finally:
        for module, state in kept:
            if isinstance(state, dict):
                module._memories.update(state)
            else:
                module.mem = state
