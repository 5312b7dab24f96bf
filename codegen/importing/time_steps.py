"""Which time steps a tensor of a watched forward holds: a forward may add them up, and a layer has each on its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from codegen.importing.linear_maps import RefusedError
from codegen.importing.operators import Convolution, Linear, Neuron, Operator, Pool, Scale

Parts = Mapping[tuple[str, int], float]
"""A sum of nodes at time steps: the factor of each node and step."""


@dataclass(frozen=True)
class Time:
    """``kind`` "always": the same at every step, as far as is known. "step": what step ``number`` (from 0) gives.

    "steps": all of them, along a dimension in front of the samples; "some": a part of them there. "total": the sum
    over the first ``number`` steps. "sum": that of ``parts``, which more may be added to.
    """

    kind: Literal["always", "step", "steps", "some", "total", "sum"]
    number: int = 0
    parts: tuple[tuple[tuple[str, int], float], ...] = ()


ALWAYS, STEPS, SOME = Time("always"), Time("steps"), Time("some")


def at_once(times: Sequence[Time]) -> Time | None:
    """The time of what is made of tensors of one time; None where they are of several."""
    tied = {time for time in times if time != ALWAYS}
    mixed = len(tied) > 1 or any(time.kind == "sum" for time in tied)
    if mixed or (len(set(times)) > 1 and any(time.kind in ("total", "some") for time in tied)):
        return None
    return next(iter(tied), ALWAYS)


def joined(times: Sequence[Time]) -> Time:
    """The time of tensors of single steps behind each other."""
    if all(time == ALWAYS for time in times):
        return ALWAYS
    return STEPS if list(times) == [Time("step", number) for number in range(len(times))] else SOME


def picked(time: Time, name: str, args: Any, kwargs: Any, results: Sequence[Any]) -> list[Time]:
    """The time of each result of a function that takes some out of the dimensions in front of the samples."""
    if time != STEPS:
        return [time] * len(results)
    whole = args[0].shape
    if name == "unbind":
        return [Time("step", number) for number in range(len(results))]
    if name in ("chunk", "split"):
        single = int(np.prod(results[0].shape)) * len(results) == int(np.prod(whole)) and len(results) in whole
        return [Time("step", number) if single else SOME for number in range(len(results))]
    if tuple(results[0].shape) == tuple(whole):
        return [STEPS]
    index: tuple[Any, ...] = ()
    if name == "__getitem__":
        index = args[1] if isinstance(args[1], tuple) else (args[1],)
    elif name == "select":
        dimension, number = (
            kwargs.get(key, given) for key, given in zip(("dim", "index"), (*args[1:], 0, 0), strict=False)
        )
        index = (*[slice(None)] * dimension, number)
    numbers = [(int(entry), size) for entry, size in zip(index, whole, strict=False) if isinstance(entry, int)]
    others = [entry for entry in index if not isinstance(entry, int) and entry is not Ellipsis]
    if len(numbers) != 1 or any(entry != slice(None) for entry in others):
        return [SOME]
    return [Time("step", numbers[0][0] % numbers[0][1])]


def parts_of(time: Time, terms: Mapping[str, float]) -> Parts | None:
    """What a tensor is the sum of, if it is one of ``terms`` (factors of nodes) at known steps."""
    if time.kind == "sum":
        return dict(time.parts)
    steps = {"step": (time.number,), "total": range(time.number)}.get(time.kind)
    return None if steps is None else {(node, step): factor for node, factor in terms.items() for step in steps}


def sum_of(parts: Iterable[Parts], signs: Iterable[float]) -> Time:
    """The time of a sum of sums."""
    total: Counter[tuple[str, int]] = Counter()
    for entry, sign in zip(parts, signs, strict=True):
        for key, factor in entry.items():
            total[key] += sign * factor  # type: ignore[assignment]
    return Time("sum", parts=tuple(sorted(total.items())))


def same_at_all_steps(time: Time) -> tuple[dict[str, float], int] | None:
    """The factors that the nodes of a sum have at each of the first steps, and how many; None where steps differ."""
    parts = dict(time.parts)
    count = 1 + max(step for _, step in parts)
    terms = {node: factor for (node, step), factor in parts.items() if step == 0}
    everywhere = {(node, step): factor for node, factor in terms.items() for step in range(count)}
    return (terms, count) if parts == everywhere else None


def of_a_total(operator: Operator, steps: int) -> Operator:
    """What an operator does to each of ``steps`` steps, if it is applied to their sum; raises RefusedError where it
    does not do the same to the sum of its results."""
    match operator:
        case Neuron():
            raise RefusedError("reads a sum over time steps, and neurons have to read each step")
        case Pool(kind="max"):
            raise RefusedError("takes the maximum of sums over time steps")
        case Linear() | Convolution():
            return replace(operator, bias=operator.bias / steps)
        case Scale():
            return replace(operator, shift=operator.shift / steps)
    return operator
