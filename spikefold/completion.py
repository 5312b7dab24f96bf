"""Completion of ``spikefold`` in bash, zsh and fish, by argcomplete: the shell asks the command itself."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from sca_train.errors import SpikefoldError

SHELLS = ("bash", "zsh", "fish")
_ASKED = "_ARGCOMPLETE"
"""In the environment where a shell asks for completions."""


class CompletionError(SpikefoldError):
    """The library that completes is not installed."""


def shell_code(shell: str) -> str:
    """What the shell has to evaluate, such as in ~/.bashrc; raises CompletionError without argcomplete."""
    try:
        import argcomplete
    except ImportError:
        raise CompletionError("completion needs argcomplete; install it with `pip install argcomplete`") from None
    return str(argcomplete.shellcode(["spikefold"], shell=shell)).strip()


def complete_here(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks for completions, and end; nothing otherwise."""
    if _ASKED not in os.environ:
        return
    try:
        import argcomplete
    except ImportError:
        return
    _name_values(parser)
    argcomplete.autocomplete(parser)


def _name_values(parser: argparse.ArgumentParser) -> None:
    """Tell the arguments of runs, boards and presets what they can be."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _name_values(command)
        elif action.dest in _VALUES:
            action.completer = _VALUES[action.dest]  # type: ignore[attr-defined]


def _runs(prefix: str, **_: Any) -> list[str]:
    """Run folders of the working folder, kept networks, and any other folder."""
    from argcomplete.completers import DirectoriesCompleter

    from codegen.zoo import kept_networks

    here = [str(path.parent) for path in Path("runs").glob("*/config.toml")]
    return [*here, *(f"zoo/{name}" for name in kept_networks()), *DirectoriesCompleter()(prefix)]


def _boards(**_: Any) -> list[str]:
    from fpga.boards import BOARDS

    return [board.name for board in BOARDS]


def _presets(prefix: str, **_: Any) -> list[str]:
    from argcomplete.completers import FilesCompleter

    from sca_train.shipped import preset_names

    return [*preset_names(), *FilesCompleter(("toml",))(prefix)]


_VALUES = {"run": _runs, "runs": _runs, "board": _boards, "config": _presets}
