"""Commands that the documentation names exist: targets and variables of make, modules, commands and their flags."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import spikefold
from codegen.cli.main import main as codegen_main
from fpga.__main__ import main as fpga_main
from fpga.boards import BOARDS
from sca_train.__main__ import main as train_main
from sca_train.config import MODELS
from spikefold.command import main as spikefold_main
from website.markdown import commands, passages
from website.places import ROOT, sources, text_of
from website.reference import command_names, exists, help_of

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.M)[1].replace("\\\n", " ").split())
VARIABLES = {
    *re.findall(r"^([A-Z_0-9]+)\s*\?=", MAKEFILE, re.M),
    *re.findall(r"\$\(call \w+,(?:--[\w-]+,)?([A-Z_0-9]+)\)", MAKEFILE),
    *re.findall(r"\$\(([A-Z_0-9]+)\)", MAKEFILE),
}
FLAG = re.compile(r"--[a-z][a-z0-9-]*")
PLACEHOLDERS = {"...", "OPTIONS", "NAME"}
BOARD_NAMES = {board.name for board in BOARDS} | {"none"}


@cache
def flags_of(module: str, command: str = "") -> frozenset[str]:
    """The flags that a program takes: from its help, or where importing it takes seconds, from its source."""
    if module == "sca_train":
        return frozenset(FLAG.findall(help_of(train_main)))
    for name, main in (("codegen", codegen_main), ("fpga", fpga_main)):
        if module == name:
            return frozenset(FLAG.findall(help_of(main, command)))
    if module == "spikefold":
        return frozenset(FLAG.findall(help_of(spikefold_main, command)))
    taken = set(re.findall(r'"(--[a-z0-9-]+)"', source(module)))
    return frozenset(taken | (flags_of("sca_train") if module == "sca_train.sweep" else set()) | {"--help"})


def source(module: str) -> str:
    """What a module and, of a package, its programs have written in them."""
    for base in (ROOT, ROOT / "fpga" / "driver"):
        file = base / module.replace(".", "/")
        if file.is_dir():
            return "".join(part.read_text() for part in sorted(file.glob("*.py")))
        if file.with_suffix(".py").exists():
            return file.with_suffix(".py").read_text()
    raise LookupError(module)


def faults(words: list[str]) -> Iterator[str]:
    """What is wrong with a command, word by word as a shell has it; nothing where it is none of ours."""
    words = [word.strip("[]") for word in words if word not in PLACEHOLDERS]
    while words and re.match(r"[A-Z_0-9]+=", words[0]):
        words = words[1:]
    if not words:
        return
    program = Path(words[0]).name
    if program == "make":
        yield from make_faults(words[1:])
    elif re.fullmatch(r"python[0-9.]*", program) and "-m" in words[:2]:
        yield from module_faults(words[2:])
    elif program == "torchrun" and "-m" in words:
        yield from module_faults(words[words.index("-m") + 1 :])
    elif re.fullmatch(r"python[0-9.]*", program) and len(words) > 1 and words[1].endswith(".py"):
        if not (ROOT / words[1]).is_file():
            yield f"there is no {words[1]}"
    elif program == "spikefold" and len(words) > 1:
        yield from flag_faults("spikefold", words[1:])


def make_faults(words: list[str]) -> Iterator[str]:
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-") and word not in TARGETS:
                yield f"make has no target {word}"
        elif name not in VARIABLES:
            yield f"make has no variable {name}"
        elif name == "TRAIN_ARGS":
            yield from unknown("sca_train", "", value.split())
        elif name == "RTLSIM_ARGS":
            yield from unknown("codegen", "rtlsim", value.split())
        elif name == "BENCH":
            yield from (f"bench has no {part}" for part in bench_names(value) if f'"{part}"' not in source("bench"))
        elif name == "BOARD" and value not in BOARD_NAMES:
            yield f"there is no board {value}"
        elif name == "MODEL" and value not in MODELS and not (ROOT / "configs" / f"{value}.toml").exists():
            yield f"there is no model or preset {value}"


def bench_names(value: str) -> list[str]:
    return re.findall(r"(?:^|(?<=\s))[a-z][a-z0-9-]+", value)


def module_faults(words: list[str]) -> Iterator[str]:
    module, rest = words[0], words[1:]
    if module in ("codegen", "fpga"):
        yield from flag_faults(module, rest)
    elif module.split(".")[0] in ("bench", "sca_train", "spikefold_driver", "website"):
        if not exists(module) and not exists(f"{module}.__main__"):
            yield f"there is no module {module}"
        else:
            yield from unknown(module, "", rest)
    elif importlib.util.find_spec(module.split(".")[0]) is None:
        yield f"no module {module} is installed"


def flag_faults(program: str, words: list[str]) -> Iterator[str]:
    """Of a program with commands."""
    mains = {"codegen": codegen_main, "fpga": fpga_main, "spikefold": spikefold_main}
    if not words or words[0].startswith("-"):
        return
    if words[0] not in command_names(mains[program]):
        yield f"{program} has no command {words[0]}"
        return
    yield from unknown(program, words[0], words[1:])


def unknown(module: str, command: str, words: list[str]) -> Iterator[str]:
    """The flags among the words that the program does not take."""
    named = {FLAG.match(word)[0] for word in words if FLAG.match(word)}
    yield from (f"{module} {command} takes no {flag}" for flag in sorted(named - flags_of(module, command)))


@pytest.mark.parametrize("page", sources())
def test_commands_of_the_page_exist(page: str) -> None:
    wrong = [f"{' '.join(words)}: {fault}" for words in commands(text_of(page)) for fault in faults(words)]
    assert not wrong, "\n".join(wrong)


def test_calls_of_the_library_exist() -> None:
    texts = [(ROOT / page).read_text() for page in sources()]
    called = {name for text in texts for name in re.findall(r"\bspikefold\.([a-z_]+)\(", text)}
    assert {"train", "export", "generate", "report"} <= called
    assert [name for name in sorted(called) if not hasattr(spikefold, name)] == []


def test_commands_are_found() -> None:
    """The check above has something to check, and would say so."""
    text = 'say `make no-such`,\n`make train TRAIN_ARGS="--epochs 3\n--no-such 4"`:\n\n'
    text += "    make hls NO_SUCH=1  # it's\n    x\n"
    text += "    python -m codegen csim runs/x --no-such \\\n        --other 1\n\n`make bench BENCH=no-such`\n"
    assert [fault for words in commands(text) for fault in faults(words)] == [
        "make has no target no-such",
        "sca_train  takes no --no-such",
        "make has no variable NO_SUCH",
        "codegen csim takes no --no-such",
        "codegen csim takes no --other",
        "bench has no no-such",
    ]
    found = [words for page in sources() for words in commands(text_of(page)) if words[0] == "make"]
    assert len(found) > 80


def test_every_target_and_every_variable_of_the_help_is_real() -> None:
    listed = set(re.findall(r'echo "  ([A-Z_0-9]+) ', MAKEFILE))
    assert listed <= VARIABLES
    assert {"RUN", "BOARD", "RATIO"} <= listed


def test_passages_are_the_page() -> None:
    for page in sources():
        assert "".join(part for part, _ in passages(text_of(page))) == text_of(page)
