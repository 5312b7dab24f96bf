"""A diagnosis as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from sca_train.command_line import one_line
from spikefold.diagnosis.check import Check, Diagnosis


def as_json(found: Diagnosis) -> str:
    """One object: ``ok``, ``version``, and the fields of each check."""
    return json.dumps({"ok": found.ok, **asdict(found)}, indent=2)


def as_text(found: Diagnosis) -> str:
    """What is there, then what is missing, for what, and how to get it."""
    return "\n".join(_lines(found))


def _lines(found: Diagnosis) -> Iterator[str]:
    yield f"spikefold {found.version}"
    width = max(len(check.name) for check in found.checks)
    for check in found.checks:
        yield f"  {_mark(check):<8}{check.name:<{width}}  {one_line(check.found)}"
    for title, checks in (
        ("Missing", found.failed),
        ("Optional", tuple(check for check in found.checks if not check.required and check.state != "ok")),
    ):
        if checks:
            yield ""
            yield f"{title}:"
            yield from (f"  {check.name} ({check.purpose}): {check.remedy}" for check in checks)
    yield ""
    missing = len(found.failed)
    if found.ok:
        yield "Everything that the stages from training to report need is here."
    else:
        yield f"{missing} required {'thing is' if missing == 1 else 'things are'} missing or wrong."


def _mark(check: Check) -> str:
    if check.state == "ok":
        return "ok"
    return check.state.upper() if check.required else "-"
