"""The command ``spikefold``: the commands of training, codegen and fpga, and doctor and completion, under one name.

Building the parser imports nothing beyond the standard library, so that ``spikefold doctor`` runs where nothing else
does.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Any

import codegen.cli.main
import fpga.__main__
import sca_train.cli
from sca_train.command_line import Parser, guarded
from sca_train.errors import SpikefoldError
from sca_train.telling import commands_of
from spikefold import __version__
from spikefold.completion import SHELLS, complete_here, shell_code

CALLER_VARIABLE = "SPIKEFOLD_CALLER"
"""``make`` in a recipe of the Makefile, so that sentences name targets."""
DESCRIPTION = (
    "From training a deep spiking neural network to an FPGA accelerator. Each command reads and writes one run folder, "
    "runs/NAME; `spikefold COMMAND --help` says more."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 (results differ, something is missing), 2 (bad input), 130 or 141."""
    made = parser()
    complete_here(made)
    options = made.parse_args(arguments)
    execute: Callable[[argparse.Namespace], int] = options.execute
    del options.execute
    with commands_of("make" if os.environ.get(CALLER_VARIABLE) == "make" else "spikefold"):
        return execute(options)


def parser() -> argparse.ArgumentParser:
    """The parser with all commands."""
    made = Parser(prog="spikefold", description=DESCRIPTION)
    made.add_argument("--version", action="version", version=f"spikefold {__version__}")
    stages = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add, execute in (
        (sca_train.cli.add_commands, sca_train.cli.execute),
        (codegen.cli.main.add_commands, codegen.cli.main.execute),
        (fpga.__main__.add_commands, fpga.__main__.execute),
        (_add_doctor, _doctor),
        (_add_completion, _completion),
    ):
        before = set(stages.choices)
        add(stages)
        for name in set(stages.choices) - before:
            stages.choices[name].set_defaults(execute=execute)
    return made


def _add_doctor(stages: Any) -> None:
    doctor = stages.add_parser("doctor", help="what of this machine is missing, what for, and how to get it")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")


def _doctor(options: argparse.Namespace) -> int:
    from spikefold.diagnosis import doctor
    from spikefold.diagnosis.page import as_json, as_text

    def check() -> int:
        found = doctor()
        print(as_json(found) if options.json else as_text(found))
        return 0 if found.ok else 1

    return guarded(check, (SpikefoldError,))


def _add_completion(stages: Any) -> None:
    completion = stages.add_parser("completion", help="the lines that let a shell complete spikefold's arguments")
    completion.add_argument("shell", choices=SHELLS, help='bash: eval "$(spikefold completion bash)" in ~/.bashrc')


def _completion(options: argparse.Namespace) -> int:
    def show() -> int:
        print(shell_code(options.shell))
        return 0

    return guarded(show, (SpikefoldError,))
