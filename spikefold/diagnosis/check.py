"""What is checked of a machine, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "wrong"]


@dataclass(frozen=True)
class Check:
    """One thing that this project uses.

    ``found``: the version or the quantity that is there, or what is wrong with it. ``purpose``: what needs it.
    ``remedy``: how to get it, "" where it is there. ``required``: whether the stages from training to report need it.
    """

    name: str
    state: State
    found: str
    purpose: str
    remedy: str = ""
    required: bool = True


@dataclass(frozen=True)
class Diagnosis:
    """All checks of this machine."""

    version: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether everything required is there."""
        return not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """The required things that are missing or wrong."""
        return tuple(check for check in self.checks if check.required and check.state != "ok")
