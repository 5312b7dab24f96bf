"""From the package of a run to a board that has shown that it computes right.

A PYNQ board is reached by ssh (``deploy``). The package is copied, checked, unpacked and installed beside the
deployment that is in use, and takes its place only once its self-test has passed. A board on this machine's USB is
programmed and tested from here (``fpga/deployment/usb.py``).
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from codegen.run_folder import RunFolder
from fpga.boards import Board
from fpga.deployment import on_board
from fpga.deployment.description import folder_name
from fpga.deployment.errors import DeployError
from fpga.deployment.figures import Figures
from fpga.deployment.packed import Packed, open_package
from fpga.deployment.ssh import Ssh, UnreachableError

FOLDER = "spikefold"
"""In the home folder of the board's user; each network has a folder below it."""
PASSWORD_VARIABLE = "SPIKEFOLD_BOARD_PASSWORD"
DEFAULT_TIMEOUT = 600.0
_STEP_TIMEOUT = 300.0
_NO_COMMAND = (126, 127)
_ROOM = 3
"""Copied, unpacked and installed, a package takes less than so many times its unpacked size."""


@dataclass(frozen=True)
class DeployReport:
    """What a deployment made: ``release`` is its folder's name on the board, ``before`` that of the one it replaced."""

    host: str
    folder: str
    release: str
    before: str | None
    removed: tuple[str, ...]
    notebook: str | None
    figures: Figures

    def told(self) -> str:
        """The same in lines for a user."""
        lines = [f"{self.host}: {self.folder}/current is {self.release}", self.figures.told()]
        if self.before:
            lines.append(f"the deployment before it, {self.before}, is kept")
        if self.notebook:
            lines.append(f"in Jupyter: {Path(self.notebook).name}/notebook.ipynb")
        return "\n".join(lines)


def deploy(
    run: RunFolder,
    board: Board,
    host: str,
    port: int = 22,
    *,
    python: str = "python3",
    folder: str = FOLDER,
    ssh_options: tuple[str, ...] = (),
    as_root: bool | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> DeployReport:
    """Bring the package of a run to a PYNQ board, test it there and make it the current deployment.

    ``host``: [user@]name. ``python``: the board's. ``folder``: on the board, below the home folder. ``ssh_options``:
    further ones of ssh and scp. ``as_root``: whether the self-test runs by sudo (None: unless the user is root), with
    the password in $SPIKEFOLD_BOARD_PASSWORD if there is one. ``timeout``: seconds that copying and the self-test may
    take each. Raises DeployError saying what failed, and what the board was left with: until the last step that is the
    deployment before.
    """
    packed = open_package(run, board)
    link = Ssh(host, port, ssh_options)
    target = _Target(link, python, timeout, packed, f"{folder}/{folder_name(packed.network.name)}", as_root)
    print(f"{packed.file}: to {host}")
    seen = target.look()
    target = replace(target, base=str(seen["base"]))
    before = seen["current"]
    step = "copying"
    try:
        link.copy(packed.file, f"{target.staging}/{on_board.PACKAGE}", timeout)
        step = "installing"
        target.ask("install")
        print("copied, checked and installed; self-test")
        step = "testing"
        figures = Figures.of(target.ask("test")["figures"], packed.network.clock_mhz)
        step = "switching to it"
        done = target.ask("switch")
    except DeployError as error:
        raise DeployError(f"{_failed(packed, host, step)}: {error}; {target.left(step, before, error)}") from None
    return DeployReport(
        host=host,
        folder=target.base,
        release=done["release"],
        before=done["before"],
        removed=tuple(done["removed"]),
        notebook=done["notebook"],
        figures=figures,
    )


@dataclass(frozen=True)
class _Target:
    """The folder of a network on a board, and a deployment to it."""

    link: Ssh
    python: str
    timeout: float
    packed: Packed
    base: str
    as_root: bool | None
    token: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def staging(self) -> str:
        return f"{self.base}/{on_board.UNFINISHED}{self.token}"

    def look(self) -> Mapping[str, Any]:
        try:
            return self.ask("look")
        except DeployError as error:
            where = _failed(self.packed, self.link.host, "looking at it")
            raise DeployError(f"{where}: {error}; nothing was changed there") from None

    def ask(self, action: str) -> dict[str, Any]:
        """What the board replies to one step. Raises DeployError with its reason."""
        order = {
            "action": action,
            "base": f"~/{self.base}" if not self.base.startswith("/") else self.base,
            "token": self.token,
            "needs_pynq": self.packed.network.shell == "dma",
            "needed_bytes": _ROOM * self.packed.unpacked_bytes,
            "sha256": self.packed.sha256,
            "root": self.as_root,
            "password": os.environ.get(PASSWORD_VARIABLE),
            "timeout": self.timeout,
        }
        source = f"{Path(on_board.__file__).read_text()}\nmain(json.loads({json.dumps(order)!r}))\n"
        script = f"{on_board.PRELUDE}exec {shlex.quote(self.python)} -"
        limit = self.timeout + _STEP_TIMEOUT if action == "test" else _STEP_TIMEOUT
        done = self.link.run(f"bash -c {shlex.quote(script)}", source.encode(), limit)
        if done.returncode in _NO_COMMAND:
            raise DeployError(f"it has no {self.python}; is it a PYNQ image?")
        try:
            reply = json.loads(done.stdout.decode().splitlines()[-1])
        except (ValueError, IndexError):
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines() or ["nothing"]
            raise DeployError(f"its Python stopped (exit code {done.returncode}): {said[-1]}") from None
        if "failed" in reply:
            raise DeployError(reply["failed"])
        result: dict[str, Any] = reply["done"]
        return result

    def left(self, step: str, before: str | None, error: DeployError) -> str:
        """What the board is left with after a step failed; removes what is there of the new deployment if it can."""
        kept = f"the deployment before it, {before}, is still the current one" if before else "it had none before"
        if step.startswith("switching") and isinstance(error, UnreachableError):
            return f"whether it was switched is not known: `readlink {self.base}/{on_board.CURRENT}` there says"
        try:
            self.ask("tidy")
        except DeployError:
            return f"{kept}, and the next deployment removes {self.staging}"
        return f"{kept}, and nothing of the new one is left"


def _failed(packed: Packed, host: str, step: str) -> str:
    return f"deployment of {packed.network.name} to {host} failed while {step}"
