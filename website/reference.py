"""The reference: one page a stage from the docstrings, and every command with its options."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from unittest.mock import patch

from sca_train.bounds import Bounds
from website.places import ROOT


@dataclass(frozen=True)
class ReferencePage:
    """A page reference/<name>.md on the public names of some modules; those that are not there are left out."""

    name: str
    title: str
    text: str
    modules: tuple[str, ...]

    @property
    def file(self) -> str:
        return f"reference/{self.name}.md"

    @property
    def present(self) -> tuple[str, ...]:
        return tuple(module for module in self.modules if exists(module))

    def markdown(self) -> str:
        """The page, whose docstrings mkdocstrings fills in."""
        parts = [f"# {self.title}", self.text, *(f"::: {module}" for module in self.present)]
        return "\n\n".join(parts) + "\n"


PAGES = (
    ReferencePage(
        "api",
        "Python: import spikefold",
        "The stages as calls. Each takes a run folder, and returns what the stage measured.",
        (
            "spikefold.api",
            "spikefold.importing",
            "spikefold.diagnosis",
            "sca_train.telling",
            "sca_train.measure.metrics_file",
        ),
    ),
    ReferencePage(
        "training",
        "Training",
        "What `make train` calls. [Options of a training](options.md) are the fields of `TrainConfig`.",
        ("sca_train.train", "sca_train.description"),
    ),
    ReferencePage(
        "importing",
        "Imported networks",
        "Networks that were trained elsewhere.",
        (
            "codegen.importing.float_network",
            "codegen.importing.options",
            "codegen.importing.nir_file",
            "codegen.importing.lowering",
            "codegen.importing.interpreter",
            "codegen.importing.doors",
            "codegen.importing.quantise",
            "codegen.importing.user_data",
            "codegen.importing.stage",
        ),
    ),
    ReferencePage(
        "export",
        "Export",
        "What `make export` calls: the integer network and `model.onnx`.",
        (
            "codegen.export.stage",
            "codegen.network",
            "codegen.export.onnx_reader",
            "codegen.export.onnx_properties",
            "codegen.verify.onnx_runtime",
        ),
    ),
    ReferencePage(
        "dataflow",
        "Dataflow graph and folding",
        "The first half of `make hls`.",
        ("codegen.dataflow.build", "codegen.cores.core", "codegen.fit"),
    ),
    ReferencePage(
        "sources",
        "Sources",
        "The second half of `make hls`.",
        ("codegen.render.render", "codegen.render.graph", "codegen.render.manifest"),
    ),
    ReferencePage(
        "simulation",
        "Simulation",
        "What `make csim`, `make rtlsim` and `make classify` call.",
        ("codegen.verify.compare", "codegen.verify.csim", "codegen.verify.rtlsim", "codegen.cli.classify"),
    ),
    ReferencePage(
        "synthesis",
        "Synthesis and boards",
        "What `make synth` calls, and the boards.",
        ("codegen.synthesis.stage", "fpga.boards.board", "fpga.boards"),
    ),
    ReferencePage(
        "report",
        "Report and results",
        "What `make report` calls. Each class of results is a file `results/<stage>.json`, its fields are the keys.",
        (
            "codegen.report.stage",
            "codegen.report.collect",
            "codegen.report.content",
            "codegen.results",
            "codegen.hardware_results",
        ),
    ),
    ReferencePage(
        "board",
        "Bitstream and deployment",
        "What `make bitstream`, `make package` and `make deploy` call.",
        ("fpga.build.plan", "fpga.deployment.package", "fpga.deployment.deploy"),
    ),
    ReferencePage(
        "driver",
        "Driver",
        "The package on the board.",
        ("spikefold_driver.accelerator", "spikefold_driver.description", "spikefold_driver.errors"),
    ),
    ReferencePage(
        "errors",
        "Errors",
        "A class for each stage, with one sentence. The command line prints it and exits with 2.",
        ("codegen.errors", "sca_train.errors", "fpga.errors"),
    ),
)


def exists(module: str) -> bool:
    """Whether the tree has the module, which is not imported."""
    file = module.replace(".", "/")
    tries = (f"{file}.py", f"{file}/__init__.py")
    return any((ROOT / base / name).is_file() for base in (".", "fpga/driver") for name in tries)


def pages() -> tuple[ReferencePage, ...]:
    """The pages that have anything to show in this tree."""
    return tuple(page for page in PAGES if page.present)


COMMANDS = "reference/command-line.md"


def command_line() -> str:
    """The page of every command and its options, as ``--help`` prints them."""
    from spikefold.command import main

    parts = [
        "# Command line",
        "One command has all of it. `make help` lists the targets and variables of make, which call the same.",
    ]
    for name in command_names(main):
        parts += [f"## spikefold {name}", _block(help_of(main, name))]
    return "\n\n".join(parts) + "\n"


OPTIONS = "reference/options.md"


def options() -> str:
    """The page of every option of a training: a row for each field of TrainConfig, in its order."""
    from sca_train.config import config_fields

    rows = [
        f"| `{name}` | {_shown(option.default)} | {_bounds(option.metadata['bounds'])} | {option.metadata['help']} |"
        for name, option in config_fields().items()
    ]
    head = (
        "# Options of a training",
        "On the command line `--float-fraction 0.3` stands for `float_fraction`, in a preset of `configs/` and in a "
        "run's `config.toml` the line `float_fraction = 0.3`. `make train` has variables for the most used ones, and "
        '`TRAIN_ARGS="..."` for all.',
        "\n".join(("| option | default | bounds | what it is |", "| --- | --- | --- | --- |", *rows)),
    )
    return "\n\n".join(head) + "\n"


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, tuple):
        return " ".join(map(str, default))
    return str(default) or "none"


def _bounds(bounds: Bounds | None) -> str:
    return "" if bounds is None else str(bounds)


def help_of(main: Callable[[list[str]], int], *command: str) -> str:
    """What a command prints for --help, 100 columns wide."""
    printed = io.StringIO()
    with patch.dict(os.environ, COLUMNS="100"), contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([*command, "--help"])
    return printed.getvalue()


def command_names(main: Callable[[list[str]], int]) -> list[str]:
    """The commands of a program, in the order in which its help lists them."""
    listed = help_of(main).partition("COMMAND\n")[2]
    return re.findall(r"^ {4}([a-z][a-z-]*)\b", listed, re.MULTILINE)


def _block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"
