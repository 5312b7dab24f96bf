"""A plan is written, shown and executed step by step; it resumes where it stopped and names what is missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fpga.build.plan import NOTES, PLAN_TEXT, PYTHON, BuildPlan, Step, Tool
from fpga.build.tools import check_tools, version_of
from fpga.errors import BuildError

ROOT = Path(__file__).parents[3]
TOOL_WITH_A_CHILD = """
import os, subprocess
child = subprocess.Popen(["sleep", "300"])
open("pids", "w").write(f"{os.getpid()} {child.pid}\\n")
child.wait()
"""
BUILD = """
import signal, sys
from pathlib import Path
from fpga.build.plan import PYTHON, BuildPlan, Step
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, getattr(signal, sys.argv[3]))
BuildPlan(Path(sys.argv[1]), {}, (Step("long", (PYTHON, "-c", sys.argv[2]), ("never",)),), ()).execute()
"""

COPY = """
import pathlib, sys
source, target = map(pathlib.Path, sys.argv[1:])
with open("calls.txt", "a") as calls:
    print(target.name, file=calls)
target.write_text(source.read_text().upper())
"""
WIDE_STEP = "import sys; print('ERROR: [Synth 8-439] module x not found'); print('ERROR: later'); sys.exit(1)"


def _copy(name: str, source: str, target: str) -> Step:
    return Step(name, (PYTHON, "copy.py", source, target), (target,), inputs=("copy.py", source))


def _plan(folder: Path, *more: Step, text: str = "some words", tools: tuple[Tool, ...] = ()) -> BuildPlan:
    steps = (_copy("first", "text.txt", "first.txt"), _copy("second", "first.txt", "out/second.txt"), *more)
    return BuildPlan(folder, {"copy.py": COPY, "text.txt": text}, steps, tools)


def _calls(folder: Path) -> list[str]:
    calls = folder / "calls.txt"
    return calls.read_text().split() if calls.exists() else []


def _quiet(text: str) -> None:
    pass


def _program(folder: Path, name: str, body: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def test_all_steps_run_once_and_a_finished_plan_runs_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    _plan(tmp_path).execute(progress=said.append)
    assert (tmp_path / "out" / "second.txt").read_text() == "SOME WORDS"
    assert said[0].startswith("step 1 of 2: first (python copy.py text.txt first.txt)")
    _plan(tmp_path).execute(progress=said.append)
    assert said[2:] == ["step first: done before", "step second: done before"]
    assert _calls(tmp_path) == ["first.txt", "second.txt"]
    assert _plan(tmp_path).next_step() is None


def test_it_goes_on_at_the_step_that_failed(tmp_path: Path) -> None:
    broken = Step("broken", (PYTHON, "-c", WIDE_STEP), ("never.bit",))
    with pytest.raises(BuildError, match=r"^step broken failed \(exit status 1\); .*logs/broken\.log: ERROR: \["):
        _plan(tmp_path, broken).execute(progress=_quiet)
    mended = Step("broken", (PYTHON, "-c", "open('never.bit', 'w').close()"), ("never.bit",))
    _plan(tmp_path, mended).execute(progress=_quiet)
    assert _calls(tmp_path) == ["first.txt", "second.txt"]
    assert (tmp_path / "never.bit").exists()


def test_logs_of_earlier_attempts_are_kept(tmp_path: Path) -> None:
    broken = Step("broken", (PYTHON, "-c", WIDE_STEP), ("never.bit",))
    for _ in range(3):
        with pytest.raises(BuildError, match="Synth 8-439"):
            _plan(tmp_path, broken).execute(progress=_quiet)
    logs = sorted(path.name for path in (tmp_path / "logs").glob("broken*"))
    assert logs == ["broken.1.log", "broken.2.log", "broken.log"]


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ("text", ["first.txt", "second.txt"]),
        ("output", ["second.txt"]),
        ("gone", ["second.txt"]),
        ("notes", ["first.txt", "second.txt"]),
        ("no resume", ["first.txt", "second.txt"]),
    ],
)
def test_what_changed_is_made_again(tmp_path: Path, change: str, again: list[str]) -> None:
    _plan(tmp_path).execute(progress=_quiet)
    (tmp_path / "calls.txt").unlink()
    if change == "output":
        (tmp_path / "out" / "second.txt").write_text("by hand")
    if change == "gone":
        (tmp_path / "out" / "second.txt").unlink()
    if change == "notes":
        (tmp_path / NOTES).write_text("{")
    text = "other words" if change == "text" else "some words"
    _plan(tmp_path, text=text).execute(resume=change != "no resume", progress=_quiet)
    assert _calls(tmp_path) == again
    assert (tmp_path / "out" / "second.txt").read_text() == text.upper()


def test_a_changed_command_is_run_again_with_all_behind_it(tmp_path: Path) -> None:
    _plan(tmp_path).execute(progress=_quiet)
    (tmp_path / "calls.txt").unlink()
    steps = (Step("first", (PYTHON, "copy.py", "copy.py", "first.txt"), ("first.txt",)), *_plan(tmp_path).steps[1:])
    BuildPlan(tmp_path, _plan(tmp_path).files, steps, ()).execute(progress=_quiet)
    assert _calls(tmp_path) == ["first.txt", "second.txt"]


def test_an_interrupted_step_is_not_done_and_its_half_output_goes(tmp_path: Path) -> None:
    stop = "import sys; open('half.txt', 'w').write('half'); sys.exit(3)"
    with pytest.raises(BuildError):
        _plan(tmp_path, Step("half", (PYTHON, "-c", stop), ("half.txt",))).execute(progress=_quiet)
    assert (tmp_path / "half.txt").exists()
    check = "import os, sys; assert not os.path.exists('half.txt'); open('half.txt', 'w').write('whole')"
    _plan(tmp_path, Step("half", (PYTHON, "-c", check), ("half.txt",))).execute(progress=_quiet)
    assert (tmp_path / "half.txt").read_text() == "whole"


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_build_that_is_told_to_end_ends_the_tool_that_runs(tmp_path: Path, sent: signal.Signals) -> None:
    """The tool's own process and the one that it has started; the step is not done."""
    with subprocess.Popen(
        [sys.executable, "-c", BUILD, str(tmp_path), TOOL_WITH_A_CHILD, "SIG_DFL"],
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    ) as process:
        started = tmp_path / "pids"
        deadline = time.monotonic() + 60
        while not (started.is_file() and started.read_text().endswith("\n")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(sent)
        assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
    for pid in started.read_text().split():
        deadline = time.monotonic() + 10
        while _runs(int(pid)):
            assert time.monotonic() < deadline, f"{pid} still runs"
            time.sleep(0.05)
    assert not json.loads((tmp_path / NOTES).read_text())["steps"]


def test_a_build_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    tool = "import time; open('begun', 'w'); time.sleep(1); open('never', 'w')"
    with subprocess.Popen([sys.executable, "-c", BUILD, str(tmp_path), tool, "SIG_IGN"], cwd=ROOT) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "begun").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=60) == 0
    assert json.loads((tmp_path / NOTES).read_text())["steps"]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_step_without_its_output_is_an_error(tmp_path: Path) -> None:
    empty = Step("empty", (PYTHON, "-c", ""), ("never.bit",))
    with pytest.raises(BuildError, match=r"^step empty ended without an error but did not make never\.bit; the log is"):
        _plan(tmp_path, empty).execute(progress=_quiet)


def test_a_missing_tool_ends_the_build_before_anything_runs(tmp_path: Path) -> None:
    tool = Tool("vivado-of-nobody", "AMD Vivado ML Standard", ("2022.2", "2023.1", "2023.2"))
    sentence = (
        r"^vivado-of-nobody 2022\.2, 2023\.1 or 2023\.2 \(AMD Vivado ML Standard\) is needed, "
        r"and vivado-of-nobody is not on PATH$"
    )
    with pytest.raises(BuildError, match=sentence):
        _plan(tmp_path, tools=(tool,)).execute(progress=_quiet)
    assert _calls(tmp_path) == []
    assert (tmp_path / PLAN_TEXT).exists()


def test_a_tool_of_another_version_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path / "bin", "vivado", "echo 'Vivado v2019.1 (64-bit)'")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    with pytest.raises(BuildError, match=r"^vivado 2022\.2 \(AMD\) is needed, and .*/bin/vivado is version 2019\.1$"):
        check_tools([Tool("vivado", "AMD", ("2022.2",))])
    assert check_tools([Tool("vivado", "AMD")]) == {"vivado": ""}
    assert version_of(Tool("vivado", "AMD")) == "2019.1"


@pytest.mark.parametrize(
    "version, accepted", [("2022.2", True), ("2022.2.1", True), ("2022.20", False), ("2022", False)]
)
def test_accepted_versions_are_compared_number_by_number(version: str, accepted: bool) -> None:
    assert Tool("vivado", "AMD", ("2022.2",)).accepts(version) is accepted


def test_a_tool_without_a_version_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path / "bin", "vivado", "true")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    with pytest.raises(BuildError, match=r"prints no version$"):
        check_tools([Tool("vivado", "AMD", ("2022.2",), "-version")])


def test_the_plan_shows_tools_files_and_steps(tmp_path: Path) -> None:
    plan = _plan(tmp_path, tools=(Tool("vivado", "AMD", ("2022.2",)),))
    shown = plan.show()
    assert "  vivado 2022.2 (AMD)\n" in shown
    assert "  text.txt  10 bytes\n" in shown
    assert "  1. first\n     python copy.py text.txt first.txt\n     makes first.txt; log logs/first.log\n" in shown
    assert not list(tmp_path.iterdir()), "showing writes nothing"
    _plan(tmp_path).execute(progress=_quiet)
    assert "  1. first  (done)\n" in plan.show()


def test_files_are_texts_bytes_and_copies_and_stay_as_they_are_when_equal(tmp_path: Path) -> None:
    source = tmp_path / "source.sv"
    source.write_text("module m; endmodule\n")
    plan = BuildPlan(tmp_path / "plan", {"a/text": "text", "bytes": b"\0\1", "copy.sv": source}, (), ())
    plan.write()
    assert [(plan.folder / name).read_bytes() for name in plan.files] == [b"text", b"\0\1", source.read_bytes()]
    before = (plan.folder / "copy.sv").stat().st_mtime_ns
    plan.write()
    assert (plan.folder / "copy.sv").stat().st_mtime_ns == before
    source.unlink()
    with pytest.raises(BuildError, match=r"^the plan needs .*source\.sv, which is not there$"):
        plan.write()


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b"])
def test_no_file_of_a_plan_lies_outside(tmp_path: Path, path: str) -> None:
    with pytest.raises(BuildError, match="lie in its folder"):
        BuildPlan(tmp_path, {path: ""}, (), ())


def test_two_steps_of_one_name_are_refused(tmp_path: Path) -> None:
    step = _copy("first", "text.txt", "first.txt")
    with pytest.raises(BuildError, match=r"^the steps of a plan have different names, not first, first$"):
        BuildPlan(tmp_path, {}, (step, step), ())


def test_notes_hold_the_digests_of_every_step(tmp_path: Path) -> None:
    _plan(tmp_path).execute(progress=_quiet)
    notes = json.loads((tmp_path / NOTES).read_text())["steps"]
    assert list(notes) == ["first", "second"]
    assert all(len(note[key]) == 64 for note in notes.values() for key in ("command", "inputs", "outputs"))
