"""Which figure of many images counts; no import, so that the command line can name them."""

from __future__ import annotations

from typing import Literal, get_args

Statistic = Literal["mean", "p99", "worst"]
"""Of cycles over images: their mean, 99th percentile, and most."""
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)
