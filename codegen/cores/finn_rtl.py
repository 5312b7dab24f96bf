"""Cores whose RTL is FINN's: FINN generates it, and named patch steps make Verilator and Yosys accept the copy.

Every step names the installed file it knows by SHA-256. Where the installed file is another one, or a text to replace
does not occur exactly as often as expected, rendering stops with a sentence that names the step and the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from codegen.cores.core import Rendered
from codegen.errors import RenderError
from codegen.scratch import scratch_folder

LIBRARY_FOLDER = "finn"
"""Folder of the copied library files, below the one that is rendered into."""

_SIMULATION_ONLY = "fifo_gauge.sv"
_UNUSED_PART = "xc7z020clg400-1"
_UNUSED_CLOCK_NS = 10.0


@dataclass(frozen=True)
class Replacement:
    """A text that occurs ``count`` times in the file, and what takes its place."""

    old: str
    new: str
    count: int = 1


@dataclass(frozen=True)
class PatchStep:
    """Replaces texts of one file of FINN's RTL library, or of what FINN generates from it when it is a template."""

    file: ClassVar[str]
    """Path in finn-rtllib."""
    template: ClassVar[bool] = False
    """Whether FINN generates a module from the file, one per node; else it is copied as it is."""
    sha256: ClassVar[str]
    """Hash of the installed file that the step knows."""
    replacements: ClassVar[tuple[Replacement, ...]]

    @property
    def name(self) -> str:
        return type(self).__name__

    def check_installed(self, library: Path) -> None:
        """Raise RenderError unless the installed file is the one the step knows."""
        source = library / self.file
        if not source.is_file():
            raise RenderError(f"patch step {self.name} finds no {self.file} in {library}; finn-plus 1.6.1 has it")
        found = _hash(source)
        if found != self.sha256:
            raise RenderError(
                f"patch step {self.name} does not know the installed {source} (SHA-256 {found[:12]}…, "
                f"expected {self.sha256[:12]}…); install finn-plus 1.6.1"
            )

    def apply(self, text: str) -> str:
        """The patched text; raises RenderError when a replaced text does not occur exactly as often as known."""
        for replacement in self.replacements:
            found = text.count(replacement.old)
            if found != replacement.count:
                raise RenderError(
                    f"patch step {self.name} expects {replacement.count} times {replacement.old.strip()!r} "
                    f"in {self.file}, found {found}"
                )
            text = text.replace(replacement.old, replacement.new)
        return text


@cache
def _hash(source: Path) -> str:
    return hashlib.sha256(source.read_bytes()).hexdigest()


def render_finn(name: str, operator: Any, steps: Sequence[PatchStep], folder: Path) -> Rendered:
    """Let FINN generate the RTL of its operator and write the patched copy into the folder.

    Raises RenderError when FINN has no RTL for the operator, or a step does not know the installed file.
    """
    from finn.util.settings import get_settings

    if operator is None:
        raise RenderError(f"{name!r} has no FINN operator, which generates its RTL")
    library = Path(get_settings().finn_rtllib)
    sources = []
    with scratch_folder() as scratch:
        operator.set_nodeattr("code_gen_dir_ipgen", str(scratch))
        try:
            # FINN's generators take the graph, the part and the clock, and use none of them.
            operator.generate_hdl(None, _UNUSED_PART, _UNUSED_CLOCK_NS)
        except (AssertionError, ValueError) as error:  # how FINN rejects what its templates cannot build
            raise RenderError(f"FINN generates no RTL for {name!r} ({operator.onnx_node.op_type}): {error}") from error
        for source in map(Path, operator.get_rtl_file_list(abspath=True)):
            if source.name == _SIMULATION_ONLY:
                continue
            if source.is_relative_to(library):
                target = Path(LIBRARY_FOLDER) / source.name
                text = patch_library_file(library, str(source.relative_to(library)), steps)
            else:
                target = Path(source.name)
                text = _patched(library, source.read_text(encoding="utf-8"), [step for step in steps if step.template])
            (folder / target).parent.mkdir(exist_ok=True)
            (folder / target).write_text(text, encoding="utf-8")
            sources.append(str(target))
        operator.set_nodeattr("code_gen_dir_ipgen", "")
    return Rendered(tuple(sources))


def patch_library_file(library: Path, file: str, steps: Sequence[PatchStep]) -> str:
    """Text of a finn-rtllib file (path inside the library) after those of the steps that are for it.

    Raises RenderError when a step does not know the installed file.
    """
    return _patched(
        library, (library / file).read_text(encoding="utf-8"), [step for step in steps if step.file == file]
    )


def _patched(library: Path, text: str, steps: Sequence[PatchStep]) -> str:
    for step in steps:
        step.check_installed(library)
        text = step.apply(text)
    return text
