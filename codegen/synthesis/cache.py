"""Results of earlier synthesis runs, by content: the same core on the same family is never synthesised twice."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from codegen.fit import Resources
from codegen.synthesis.cells import CoreUse
from codegen.synthesis.timing.analysis import CoreTiming
from codegen.synthesis.yosys import SynthesisedCore
from sca_train.files import write_text
from sca_train.records import RecordError, read_record


@dataclass(frozen=True)
class _Entry:
    """Content of a file: a core's ``CoreUse`` and timing, and the seconds that its synthesis took."""

    resources: Resources
    memory_luts: int
    carry_bits: int
    timing: CoreTiming
    seconds: float


class SynthesisCache:
    """One small JSON file per core, family and tool version below ``folder``/synth."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "synth"

    def load(self, key: str) -> SynthesisedCore | None:
        """A core with the seconds that its synthesis took; None where there is no whole file that says so."""
        entry = self.folder / f"{key}.json"
        if not entry.exists():
            return None
        try:
            stored = read_record(_Entry, entry)
        except RecordError:
            return None
        use = CoreUse(stored.resources, stored.memory_luts, stored.carry_bits)
        return SynthesisedCore(use, stored.timing, stored.seconds)

    def store(self, key: str, core: SynthesisedCore) -> None:
        """Keep a result; written whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        entry = _Entry(**vars(core.use), timing=core.timing, seconds=round(core.seconds, 2))
        write_text(self.folder / f"{key}.json", json.dumps(asdict(entry)) + "\n")
