"""Verilator's own objects, which every model links: compiled once for a compiler and its options, then copied."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from codegen.verify.verilator import verilator_program
from sca_train.errors import TrainError
from sca_train.files import cache_folder, sealed, unsealed, write_bytes

_COMPILER = re.compile(r"^CXX = (.+)$", re.MULTILINE)
_SETTING = re.compile(r"^VM_\w+ = .+$", re.MULTILINE)
_GLOBALS = re.compile(r"^VM_GLOBAL_\w+ \+= \\\n((?:  \w+ \\\n)*)", re.MULTILINE)


@dataclass(frozen=True)
class OwnObjects:
    """Where those that a verilated model needs are kept, below the user's cache folder, and their names."""

    folder: Path
    names: tuple[str, ...]

    @classmethod
    def of(cls, model: Path, make: Sequence[str]) -> OwnObjects:
        """Of a folder that Verilator wrote and the command line of make that compiles it."""
        (classes,) = model.glob("*_classes.mk")
        text = classes.read_text(encoding="utf-8")
        names = tuple(sorted(name for listed in _GLOBALS.findall(text) for name in re.findall(r"\w+", listed)))
        rules = (verilator_program().parents[1] / "include" / "verilated.mk").read_text(encoding="utf-8")
        compiler = _COMPILER.findall(rules)[-1].split()[0]
        version = ""
        with suppress(OSError):  # make says that there is none
            version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
        options = sorted(part for part in make if "=" in part)
        told = "\0".join((rules, version, *_SETTING.findall(text), *names, *options))
        return cls(cache_folder() / "verilator" / hashlib.sha256(told.encode()).hexdigest()[:16], names)

    def lend(self, model: Path) -> list[str]:
        """Put those that are kept whole into the model's folder, where make does not compile them; names the others."""
        missing = []
        for name in self.names:
            content = self._kept(name)
            if content is None:
                missing.append(name)
            else:
                (model / f"{name}.o").write_bytes(content)
        return missing

    def keep(self, model: Path, names: Sequence[str]) -> None:
        """Take those of that name from a compiled model; none where there is no place for them."""
        with suppress(OSError, TrainError):
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in names:
                write_bytes(self.folder / f"{name}.o", sealed((model / f"{name}.o").read_bytes()))

    def _kept(self, name: str) -> bytes | None:
        try:
            return unsealed((self.folder / f"{name}.o").read_bytes())
        except (OSError, ValueError):
            return None


@contextmanager
def own_objects(model: Path, make: Sequence[str]) -> Iterator[None]:
    """While inside, a folder that Verilator wrote is compiled, by that command line of make."""
    objects = OwnObjects.of(model, make)
    missing = objects.lend(model)
    yield
    if missing:
        objects.keep(model, missing)
