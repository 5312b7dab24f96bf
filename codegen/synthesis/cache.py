"""Results of earlier synthesis runs, by content: the same core on the same family is never synthesised twice."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from codegen.fit import Resources
from codegen.synthesis.cells import CoreUse
from sca_train.files import write_text
from sca_train.records import RecordError, read_record


@dataclass(frozen=True)
class _Entry:
    """Content of a file: a core's ``CoreUse`` and the seconds that its synthesis took."""

    resources: Resources
    memory_luts: int
    carry_bits: int
    seconds: float


class SynthesisCache:
    """One small JSON file per core, family and tool version below ``folder``/synth."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "synth"

    def load(self, key: str) -> tuple[CoreUse, float] | None:
        """Resources and the seconds that their synthesis took; None where there is no whole file that says so."""
        entry = self.folder / f"{key}.json"
        if not entry.exists():
            return None
        try:
            stored = read_record(_Entry, entry)
        except RecordError:
            return None
        return CoreUse(stored.resources, stored.memory_luts, stored.carry_bits), stored.seconds

    def store(self, key: str, use: CoreUse, seconds: float) -> None:
        """Keep a result; written whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / f"{key}.json", json.dumps({**asdict(use), "seconds": round(seconds, 2)}) + "\n")
