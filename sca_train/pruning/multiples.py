"""Channel counts that hardware divides well: at least so many of a layer, and multiples of ``channel_multiple``.

Whether SIMD and PE divide a layer is decided by its channel counts, and a prime count has no folding but 1 and all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def least_channels(widths: Sequence[int], fraction: float = 0.0, multiple: int = 1) -> list[int]:
    """How many channels of groups of these widths stay whatever their scores: one, the fraction, a whole multiple.

    A group narrower than the multiple keeps all its channels.
    """
    least = [max(1, math.ceil(fraction * width)) for width in widths]
    return [min(width, -(-count // multiple) * multiple) for count, width in zip(least, widths, strict=True)]


def rounded_counts(kept: Sequence[int], most: Sequence[int], widths: Sequence[int], multiple: int) -> list[int]:
    """Multiples (or whole widths) next to ``kept``, none above ``most``, whose sum is as near to theirs as it can be.

    Those that lack the smallest share of the next multiple are rounded up first. ``kept`` is never below the multiple
    or, where that is less, the width (``least_channels``).
    """
    counts = [
        count if count == width else count // multiple * multiple for count, width in zip(kept, widths, strict=True)
    ]
    steps = [min(low + multiple, width) - low for low, width in zip(counts, widths, strict=True)]
    shares = {
        group: (kept[group] - counts[group]) / step
        for group, step in enumerate(steps)
        if step and counts[group] + step <= most[group] and kept[group] > counts[group]
    }
    missing = sum(kept) - sum(counts)
    for group in sorted(shares, key=lambda group: (-shares[group], group)):
        if 2 * missing >= steps[group]:
            counts[group] += steps[group]
            missing -= steps[group]
    return counts


def rounded_masks(
    masks: Sequence[Tensor], leave: Sequence[Tensor], come_back: Sequence[Tensor], multiple: int, *, more: bool = True
) -> list[Tensor]:
    """Masks (True: keep), one per group, with counts rounded to the multiple.

    Kept channels of the lowest ``leave`` go; pruned ones of the largest ``come_back`` return, never those at -inf.
    Without ``more`` all counts are rounded down.
    """
    widths = [len(mask) for mask in masks]
    kept = [int(mask.sum()) for mask in masks]
    most = [
        int((mask | (back > -torch.inf)).sum()) if more else count
        for mask, back, count in zip(masks, come_back, kept, strict=True)
    ]
    rounded = []
    counts = rounded_counts(kept, most, widths, multiple)
    for mask, lost, back, before, after in zip(masks, leave, come_back, kept, counts, strict=True):
        changed = mask.clone()
        inside, outside = mask.nonzero().squeeze(1), (~mask).nonzero().squeeze(1)
        going = torch.sort(lost[inside], stable=True).indices[: max(0, before - after)]
        coming = torch.sort(back[outside], descending=True, stable=True).indices[: max(0, after - before)]
        changed[inside[going]] = False
        changed[outside[coming]] = True
        rounded.append(changed)
    return rounded
