"""NIR's neurons are continuous in time and leave the reset open: where their time step and their reset come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import nir
import numpy as np

from codegen.errors import ImportingError
from codegen.importing import convolutions
from codegen.importing.float_network import Floats, ResetKind
from codegen.importing.linear_maps import RefusedError
from codegen.importing.operators import Neuron
from codegen.importing.options import COMPARISONS, RESETS, NirOptions

USUAL_DT = 1e-4
"""Seconds: what snnTorch and SpikingJelly write, in files that do not say so."""

DT, RESET, COMPARE, V_INIT = "dt", "reset", "compare", "v_init"
"""Keys of metadata: of the graph the first three, of its neurons the last, and ``reset`` where they differ in it."""

_CLOSE = 1e-4


@dataclass(frozen=True)
class TimeStep:
    """What makes NIR's neurons discrete; ``dt`` None where the neurons need none."""

    dt: float | None
    reset: ResetKind | None
    compare: Literal["ge", "gt"]
    notes: tuple[str, ...]

    def neuron(self, node: nir.IF | nir.LIF) -> Neuron:
        """V += dt / tau * (v_leak - V + r * x) of a LIF, V += dt * r * x of an IF: the Euler step."""
        threshold, v_reset = convolutions.floats(node.v_threshold, "v_threshold"), v_reset_of(node)
        reset = _own_reset(node) or self.reset or "hard"
        v_init = _v_init_of(node)
        r = convolutions.floats(node.r, "r")
        if isinstance(node, nir.IF):
            gain = r if self.dt is None else self.dt * r
            one, none = np.array(1.0), np.array(0.0)
            return Neuron(one, _plain(gain), none, threshold, v_reset, reset, self.compare, v_init)
        assert self.dt is not None
        rate = self.dt / tau_of(node)
        if (rate > 1).any():
            raise RefusedError(
                f"has a time constant of {tau_of(node).min():g} s, below the time step of {self.dt:g} s, and the Euler "
                "step needs one that is not"
            )
        decay = _plain(1 - rate)
        shift = rate * convolutions.floats(node.v_leak, "v_leak")
        return Neuron(decay, _plain(rate * r), shift, threshold, v_reset, reset, self.compare, v_init)


def _plain(values: Floats) -> Floats:
    """Values that float32 rounded on their way through dt / tau, back where they belong when that is 1."""
    return cast(Floats, np.where(np.isclose(values, 1, rtol=1e-5, atol=0), 1.0, values))


def _own_reset(node: nir.IF | nir.LIF) -> ResetKind | None:
    """The reset that the metadata of a node has, where its graph's neurons differ."""
    given = node.metadata.get(RESET) if isinstance(node.metadata, dict) else None
    return cast(ResetKind, given) if given in RESETS else None


def _v_init_of(node: nir.IF | nir.LIF) -> float:
    given = node.metadata.get(V_INIT, 0.0) if isinstance(node.metadata, dict) else 0.0
    value = convolutions.floats(given, V_INIT)
    if value.size != 1 or not 0 <= value.item() < 1:
        raise RefusedError(
            f"has a {V_INIT} of {given!r} in its metadata, and it must be a share of the threshold below 1"
        )
    return float(value.item())


def v_reset_of(node: nir.IF | nir.LIF) -> Floats:
    """The node's v_reset; zeros where it has none."""
    if node.v_reset is None:
        return np.zeros_like(convolutions.floats(node.v_threshold, "v_threshold"))
    return convolutions.floats(node.v_reset, "v_reset")


def tau_of(node: nir.LIF) -> Floats:
    """The node's time constants; RefusedError where one is not positive."""
    if not np.isfinite(np.asarray(node.tau)).all():
        raise RefusedError(
            "has a time constant that is not finite, as snnTorch writes for beta = 1: import the snnTorch network "
            "itself, or write such neurons as IF"
        )
    tau = convolutions.floats(node.tau, "tau")
    if not tau.size or (tau <= 0).any():
        raise RefusedError(f"has a time constant of {tau.min() if tau.size else 'none'}, and it must be above 0")
    return tau


def time_step(nodes: dict[str, nir.NIRNode], metadata: dict[str, Any], options: NirOptions, origin: str) -> TimeStep:
    """The time step, reset and comparison of a graph: as the options say, else its metadata, else its numbers.

    Raises ImportingError where none of them says it.
    """
    notes: list[str] = []
    for name, node in nodes.items():
        try:
            if isinstance(node, nir.LIF):
                tau_of(node)
            if isinstance(node, nir.IF | nir.LIF):
                convolutions.floats(node.r, "r")
                v_reset_of(node)
        except RefusedError as refused:
            raise ImportingError(f"{origin}: {name} {refused}") from None
    dt = _dt(nodes, metadata, options, origin, notes)
    reset = _reset(nodes, metadata, options, origin, notes)
    return TimeStep(dt, reset, _compare(metadata, options, notes), tuple(notes))


def _compare(metadata: dict[str, Any], options: NirOptions, notes: list[str]) -> Literal["ge", "gt"]:
    if options.compare is not None:
        return options.compare
    if metadata.get(COMPARE) in COMPARISONS:
        notes.append(f"The comparison, {metadata[COMPARE]}, is that of the file's metadata.")
        return cast(Literal["ge", "gt"], metadata[COMPARE])
    return "gt"


def _dt(
    nodes: dict[str, nir.NIRNode], metadata: dict[str, Any], options: NirOptions, origin: str, notes: list[str]
) -> float | None:
    leaky = {name: node for name, node in nodes.items() if isinstance(node, nir.LIF)}
    plain = {name: node for name, node in nodes.items() if isinstance(node, nir.IF)}
    if not leaky and not plain:
        return None
    if options.dt is not None:
        _note_small(plain, options.dt, notes)
        return options.dt
    if DT in metadata:
        written = np.asarray(metadata[DT])
        if written.size != 1 or written.dtype.kind not in "iuf" or not 0 < float(written.reshape(-1)[0]) < np.inf:
            raise ImportingError(f"{origin}: its metadata has a dt of {metadata[DT]!r}, and it must be above 0 seconds")
        notes.append(f"The time step, {float(written.reshape(-1)[0]):g} s, is that of the file's metadata.")
        return float(written.reshape(-1)[0])
    if not leaky and all(np.all(np.asarray(node.r) == 1) for node in plain.values()):
        notes.append("All neurons are IF with r = 1: a step adds the current as it is (give dt where it should not).")
        return None
    usual = [_is_usual(node) for node in (*leaky.values(), *plain.values())]
    if all(usual):
        notes.append(
            "The file names no time step; its r and tau are those that snnTorch and SpikingJelly write for "
            f"{USUAL_DT:g} s, which is what was taken."
        )
        return USUAL_DT
    name = next(iter(leaky or plain))
    raise ImportingError(
        f"{origin}: the file does not say its time step, which {name} needs; give it with --dt in seconds "
        f"({USUAL_DT:g} is what snnTorch and SpikingJelly write)"
    )


def _note_small(plain: dict[str, nir.NIRNode], dt: float, notes: list[str]) -> None:
    """IF neurons with r = 1 are what frameworks without a time step write; with one their currents all but vanish."""
    names = [name for name, node in plain.items() if np.all(np.asarray(node.r) == 1) and dt < 1]
    if names:
        notes.append(
            f"With a time step of {dt:g} s, {names[0]} adds {dt:g} of its current in a step, since its r is 1; a "
            "network of such neurons alone needs no dt, and adds all of it."
        )


def _is_usual(node: nir.LIF | nir.IF) -> bool:
    """Whether r gives a current a weight of 1 at the usual time step."""
    r = np.asarray(node.r, np.float64)
    gain = USUAL_DT * r if isinstance(node, nir.IF) else USUAL_DT * r / np.asarray(node.tau, np.float64)
    return bool(np.isclose(gain, 1, rtol=_CLOSE, atol=0).all())


def _reset(
    nodes: dict[str, nir.NIRNode], metadata: dict[str, Any], options: NirOptions, origin: str, notes: list[str]
) -> ResetKind | None:
    open_ones = [
        name
        for name, node in nodes.items()
        if isinstance(node, nir.IF | nir.LIF) and not v_reset_of(node).any() and _own_reset(node) is None
    ]
    if options.reset is not None:
        return options.reset
    if metadata.get(RESET) in RESETS:
        notes.append(f"The reset, {metadata[RESET]}, is that of the file's metadata.")
        return cast(ResetKind, metadata[RESET])
    if open_ones:
        raise ImportingError(
            f"{origin}: {open_ones[0]} has a v_reset of 0, which snnTorch and SpikingJelly write for a soft reset too, "
            "so the file leaves the reset open; give --reset hard, soft, or delayed (snnTorch's subtraction)"
        )
    return None
