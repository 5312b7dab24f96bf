"""``spikefold doctor``: what of this machine is missing, what for, and how to get it.

Imports only the standard library, and of this project what does the same: it runs where nothing else is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sca_train.telling import ProgressCallback
from spikefold import __version__
from spikefold.diagnosis.check import Check, Diagnosis
from spikefold.diagnosis.machine import machine_checks
from spikefold.diagnosis.packages import package_checks
from spikefold.diagnosis.programs import program_checks

__all__ = ["Check", "Diagnosis", "doctor"]

_AT_ONCE = 4
"""Programs that are tried at the same time: some take seconds to say their version."""


def doctor(*, progress: ProgressCallback | None = None) -> Diagnosis:
    """Check this machine: Python and its packages, compiler, simulators and synthesis, processor, memory, disk, boards.

    Tries the programs themselves, which takes some seconds; nothing is installed or changed.

    Args:
        progress: told how many groups of checks are done.
    """
    groups: list[Callable[[], tuple[Check, ...]]] = [machine_checks, package_checks, *program_checks()]
    checks: list[Check] = []
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        for done, found in enumerate(pool.map(lambda group: group(), groups), start=1):
            checks.extend(found)
            if progress is not None:
                progress("doctor", done, len(groups), "checks")
    return Diagnosis(__version__, tuple(checks))
