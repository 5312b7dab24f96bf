"""The files of one run; every stage reads and writes only this folder."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codegen.errors import RunFolderError
from sca_train.files import write_bytes

RUNS = "runs"
_MAKERS = {
    "config.toml": "make train",
    "metrics.json": "make train",
    "compact.safetensors": "make train",
    "model.onnx": "make export",
    "graph.onnx": "make hls",
    "hls": "make hls",
    "hls/streams.json": "make hls",
    "rtl": "make hls",
    "results/onnx.json": "make export",
    "results/folding.json": "make hls",
    "results/sources.json": "make hls",
    "results/csim.json": "make csim",
    "results/rtl.json": "make rtlsim",
    "results/synth.json": "make synth",
}


@dataclass(frozen=True)
class RunFolder:
    """runs/<name>/ and the names of the files in it."""

    path: Path

    @property
    def name(self) -> str:
        """What RUN calls it: the path below the last folder named runs, or the folder's own name."""
        parts = self.path.parts
        below = len(parts) - parts[::-1].index(RUNS) if RUNS in parts[:-1] else len(parts) - 1
        return "/".join(parts[below:])

    @property
    def make_option(self) -> str:
        """``RUN=...`` as a shell takes it."""
        return f"RUN={shlex.quote(self.name)}"

    def require(self, file: str) -> Path:
        """Path of a file that an earlier stage wrote.

        Raises RunFolderError naming the command to run when it is not there.
        """
        if not self.path.is_dir():
            raise RunFolderError(f"run folder {self.path} does not exist; run `make train {self.make_option}` first")
        target = self.path / file
        if not target.exists():
            raise RunFolderError(
                f"run folder {self.path} has no {file}; run `{_MAKERS[file]} {self.make_option}` first"
            )
        return target

    def discard(self, *files: str) -> None:
        """Remove what later stages made of something that has been replaced; what is not there is passed over."""
        for file in files:
            target = self.path / file
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)


def read_json(path: Path, maker: str = "the stage that writes it") -> dict[str, Any]:
    """The JSON object of a file; RunFolderError, one sentence that names its ``maker``, where it is damaged."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} is damaged ({error}); run {maker} again") from error
    if not isinstance(content, dict):
        raise RunFolderError(f"{path} holds no JSON object; run {maker} again")
    return content


def save_array(target: Path, array: np.ndarray) -> None:
    """Write a .npy file whole or not at all."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    write_bytes(target, content.getvalue())


@contextmanager
def fresh_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of ``target`` only when the block ends without an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield aside
        aside.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        aside.rename(target)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
