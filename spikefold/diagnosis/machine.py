"""The machine itself: processor, memory, disk, GPU, and boards on its serial ports."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from sca_train.files import cache_folder
from spikefold.diagnosis.check import Check

GIB = 1 << 30
LEAST_MEMORY = 4 * GIB
"""What the largest of Yosys' processes takes."""
LEAST_DISK = 2 * GIB
_AMX = ("amx_tile", "amx_bf16", "avx512_bf16", "avx512bw", "avx512vl")
_CPU_PURPOSE = "speed of training on the CPU"
_SERIAL = ("ttyUSB*", "ttyACM*")


def machine_checks() -> tuple[Check, ...]:
    """All of this file; each is quick."""
    return (_processor(), _memory(), *_disks(), _scratch(), _gpu(), _serial())


def cpu_flags(text: str) -> frozenset[str]:
    """The features in the text of /proc/cpuinfo."""
    return frozenset(
        word
        for line in text.splitlines()
        if line.startswith(("flags", "Features"))
        for word in line.partition(":")[2].split()
    )


def kernels_use(flags: frozenset[str]) -> str:
    """What the training kernels make of a processor's features."""
    if all(flag in flags for flag in _AMX):
        return "AMX tiles and AVX-512: dense convolutions go by tiles of bf16, everything else by vectors of 16 floats"
    if "avx512f" in flags:
        return "AVX-512: vectors of 16 floats; no AMX tiles, so dense convolutions go by Winograd"
    if "avx2" in flags:
        return "AVX2: vectors of 8 floats; no AVX-512, no AMX tiles"
    return "neither AVX2 nor AVX-512: the kernels take one float at a time, which is slow"


def _processor() -> Check:
    flags = cpu_flags(_text(Path("/proc/cpuinfo")))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check("processor", "ok", f"{cores} cores, {kernels_use(flags)}", _CPU_PURPOSE, required=False)


def _memory() -> Check:
    found = {
        name: int(rest.split()[0]) * 1024
        for name, _, rest in (line.partition(":") for line in _text(Path("/proc/meminfo")).splitlines())
        if rest.strip()
    }
    total, free = found.get("MemTotal", 0), found.get("MemAvailable", 0)
    limit = _text(Path("/sys/fs/cgroup/memory.max")).strip()
    if limit.isdecimal():
        total, free = min(total, int(limit)), min(free, int(limit))
    purpose = "training and synthesis"
    told = f"{total / GIB:.1f} GiB, {free / GIB:.1f} GiB of it free"
    if total < LEAST_MEMORY:
        remedy = f"large cores take up to {LEAST_MEMORY // GIB} GiB in Yosys; use a machine with more, or add swap"
        return Check("memory", "wrong", told, purpose, remedy, required=False)
    return Check("memory", "ok", told, purpose, required=False)


def _disks() -> tuple[Check, ...]:
    return tuple(
        _disk(name, folder)
        for name, folder in (("disk here", Path.cwd()), ("disk of the cache", _existing(cache_folder())))
    )


def _disk(name: str, folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    told, purpose = f"{free / GIB:.1f} GiB free at {folder}", "runs and compiled simulators"
    if not os.access(folder, os.W_OK):
        return Check(name, "wrong", f"{folder} cannot be written", purpose, "work in a folder of yours")
    if free < LEAST_DISK:
        return Check(name, "wrong", told, purpose, f"free {LEAST_DISK // GIB} GiB", required=False)
    return Check(name, "ok", told, purpose)


def _scratch() -> Check:
    folder, purpose = tempfile.gettempdir(), "RTL simulation"
    if any(character.isspace() for character in folder):
        return Check("TMPDIR", "wrong", folder, purpose, "Verilator needs one without spaces: set TMPDIR")
    return Check("TMPDIR", "ok", folder, purpose)


def _gpu() -> Check:
    purpose = "faster training; no stage needs one"
    program = shutil.which("nvidia-smi")
    if program is None:
        return Check("GPU", "missing", "no nvidia-smi on PATH", purpose, "NVIDIA's driver, where there is one", False)
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("GPU", "wrong", f"nvidia-smi does not run: {error}", purpose, "install NVIDIA's driver", False)
    said = "; ".join(line.strip() for line in done.stdout.splitlines() if line.strip())
    if done.returncode or not said:
        return Check("GPU", "missing", "nvidia-smi lists none", purpose, "NVIDIA's driver, where there is one", False)
    return Check("GPU", "ok", said, purpose, required=False)


def _serial() -> Check:
    return serial_check(path for pattern in _SERIAL for path in Path("/dev").glob(pattern))


def serial_check(ports: Iterable[Path]) -> Check:
    """Whether this user may use the serial ports that are there."""
    purpose, found = "ECP5 boards", sorted(ports)
    closed = [port for port in found if not os.access(port, os.R_OK | os.W_OK)]
    if closed:
        told = f"{', '.join(map(str, closed))}: not for this user"
        remedy = "join their group, often dialout (sudo usermod -aG dialout $USER), and log in again"
        return Check("serial ports", "wrong", told, purpose, remedy, required=False)
    told = ", ".join(map(str, found)) or "none plugged in"
    return Check("serial ports", "ok", told, purpose, required=False)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
