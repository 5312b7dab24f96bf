"""Shells complete commands, flags, boards and kept networks."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spikefold.completion import CompletionError, shell_code

ROOT = Path(__file__).parents[2]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with the command ``spikefold``, as an installation puts it on PATH."""
    command = tmp_path / "bin" / "spikefold"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {sys.executable} -m spikefold "$@"\n')
    command.chmod(0o755)
    return command.parent


def completed(program: Path, folder: Path, line: str) -> list[str]:
    """What bash offers behind a line, by the function that the completion of ``spikefold`` registered."""
    words = line.split(" ")
    script = f"""
eval "$(spikefold completion bash)"
function=$(complete -p spikefold | sed -E 's/.* -F ([^ ]+) .*/\\1/')
COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)} COMP_TYPE=9 COMP_CWORD={len(words) - 1}
COMP_WORDS=({" ".join(shlex.quote(word) for word in words)})
COMP_WORDBREAKS=$' \\t\\n"\\'@><=;|&(:'
"$function" spikefold {shlex.quote(words[-1])} {shlex.quote(words[-2])}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": f"{program}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [word.strip() for word in done.stdout.splitlines() if word.strip()]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on PATH")
def test_bash_completes_commands_flags_and_values(program: Path, tmp_path: Path) -> None:
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "config.toml").touch()
    assert completed(program, tmp_path, "spikefold rtl") == ["rtlsim"]
    assert "--target-cycles" in completed(program, tmp_path, "spikefold hls --ta")
    assert completed(program, tmp_path, "spikefold hls --board Ultra") == ["Ultra96-V2"]
    assert completed(program, tmp_path, "spikefold csim zoo/cnn-h") == ["zoo/cnn-half"]
    assert "runs/mine" in completed(program, tmp_path, "spikefold csim runs/mi")
    assert "runs/mine" in completed(program, tmp_path, "spikefold compare runs/mi")
    assert completed(program, tmp_path, "spikefold train --config resnet2") == ["resnet20"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_lines(shell: str) -> None:
    lines = shell_code(shell)
    assert "spikefold" in lines and "_ARGCOMPLETE" in lines
    if shutil.which(shell):
        subprocess.run([shell, "-n", "-c", lines], check=True)


def test_without_the_library_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    with pytest.raises(CompletionError, match="install it with `pip install argcomplete`"):
        shell_code("bash")
