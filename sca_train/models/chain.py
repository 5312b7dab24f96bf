"""Chains, as all but the residual networks are: each layer reads the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sca_train.specs import IMAGE, ConnectionSpec, LayerSpec


def chain(
    layers: Sequence[tuple[str, Literal["conv", "linear"], int, int]], pool_kind: Literal["max", "avg"] = "max"
) -> tuple[LayerSpec, ...]:
    """Layers of (name, kind, channels, pool), each with one connection of its own name."""
    sources = [IMAGE, *(name for name, *_ in layers[:-1])]
    return tuple(
        LayerSpec(name, channels, (ConnectionSpec(name, source, kind),), pool=pool, pool_kind=pool_kind)
        for source, (name, kind, channels, pool) in zip(sources, layers, strict=True)
    )
