"""What a figure was measured on."""

from __future__ import annotations

import os
from pathlib import Path


def cpu_name() -> str:
    """Model name and logical core count of this machine's processor."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return f"{names[0] if names else 'unknown processor'}, {os.cpu_count()} cores"


def memory_gib() -> float:
    """Main memory in GiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
