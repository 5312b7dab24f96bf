"""``killed_imports.py FOLDER``: imports that die after 0, 1, ... renames, each in FOLDER/<renames>.

A program of its own, which forks before any thread of torch or ONNX Runtime runs: a child of a process with such
threads waits for them for ever.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from float_networks import residual_network, vector_network

from codegen.importing.stage import ImportOptions, Source, import_network

SURVIVED = range(7)
THEIRS = Source("nir", "theirs.nir", "0" * 64)


def die_after(renames: int, run: Path) -> None:
    """A run of one network in which the import of another ends, with the process, behind so many renames."""
    import_network(vector_network(), run, ImportOptions(8), THEIRS)
    left = renames
    rename = Path.replace

    def dies(self: Path, target: Path) -> Path:
        nonlocal left
        if ".made." in str(self) and str(target).startswith(str(run)) and ".made." not in str(target):
            if not left:
                os._exit(9)
            left -= 1
        return rename(self, target)

    Path.replace = dies  # type: ignore[method-assign]
    import_network(residual_network(), run, ImportOptions(8), THEIRS)


if __name__ == "__main__":
    for survived in SURVIVED:
        if not (child := os.fork()):
            die_after(survived, Path(sys.argv[1]) / str(survived))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status))
