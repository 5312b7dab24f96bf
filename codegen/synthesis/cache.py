"""Results of earlier synthesis runs, by content: the same core on the same family is never synthesised twice."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from codegen.fit import Resources
from codegen.synthesis.cells import CoreUse
from sca_train.files import write_text


class SynthesisCache:
    """One small JSON file per core, family and tool version below ``folder``/synth."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "synth"

    def load(self, key: str) -> tuple[CoreUse, float] | None:
        """Resources and the seconds that their synthesis took, or None."""
        entry = self.folder / f"{key}.json"
        if not entry.exists():
            return None
        stored = json.loads(entry.read_text())
        seconds = float(stored.pop("seconds"))
        return CoreUse(resources=Resources(**stored.pop("resources")), **stored), seconds

    def store(self, key: str, use: CoreUse, seconds: float) -> None:
        """Keep a result; written whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / f"{key}.json", json.dumps({**asdict(use), "seconds": round(seconds, 2)}) + "\n")
