"""Run folders with files that are damaged, hostile, left over or in use: one sentence, and nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_folders import change, complete_run

import codegen.scratch
from codegen.cli.main import main
from codegen.current import require_made
from codegen.digests import file_digest, sources_digest
from codegen.errors import RunFolderError, SimulationError
from codegen.fit import Resources
from codegen.render.build import Command, KeptProgram, run_tool
from codegen.run_folder import RunFolder, made_aside, replace_in
from codegen.scratch import scratch_folder
from codegen.synthesis.cache import SynthesisCache
from codegen.synthesis.cells import CoreUse
from codegen.synthesis.timing.analysis import CoreTiming, ThroughPath, TimedPath
from codegen.synthesis.yosys import SynthesisedCore
from sca_train.files import only_writer

Content = dict[str, Any]
STAGES = ("export", "hls", "csim", "rtlsim", "synth", "report")
DEEP = b"[" * 100_000
DAMAGED = {
    "empty": b"",
    "cut": b'{"bound": 1',
    "deep": DEEP,
    "not a number": b'{"bound": NaN}',
    "infinite": b'{"bound": 1e999}',
    "huge": b'{"bound": 1' + b"0" * 400 + b"}",
    "more digits than Python reads": b'{"bound": 1' + b"0" * 5000 + b"}",
    "not UTF-8": b'{"bound": "\xff"}',
    "of another kind": b"[1, 2]",
    "null": b"null",
}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return complete_run(tmp_path)


def contents(run: RunFolder) -> dict[str, bytes | None]:
    """All that a run folder holds."""
    found = sorted(run.path.rglob("*"))
    return {str(path.relative_to(run.path)): path.read_bytes() if path.is_file() else None for path in found}


def refused(run: RunFolder, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one sentence of a command that changes nothing."""
    before = contents(run)
    command, *options = arguments
    assert main([command, str(run.path), *options]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1, told
    assert contents(run) == before
    return told


def say_rendered(run: RunFolder) -> None:
    """Let results/sources.json tell of the sources that are there."""
    change(run, "sources", **{f"{tree}_sha256": sources_digest(run.path / tree) for tree in ("hls", "rtl")})
    change(run, "csim", sources_sha256=sources_digest(run.path / "hls"))
    for stage in ("rtl", "synth", "bitstream", "toggles", "event_cycles"):
        change(run, stage, sources_sha256=sources_digest(run.path / "rtl"))


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize(
    "stage",
    [
        *("onnx", "folding", "sources", "csim", "rtl", "synth", "bitstream", "predictions", "toggles"),
        *("density", "event_cycles"),
    ],
)
def test_a_damaged_result_is_one_sentence(run: RunFolder, capsys, stage: str, content: bytes) -> None:
    file = run.path / "results" / f"{stage}.json"
    file.write_bytes(content)
    told = refused(run, capsys, "report")
    assert str(file) in told and "run `make " in told and told.endswith(" again\n")


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("file", ["rtl/nodes.json", "metrics.json"])
def test_a_damaged_file_is_one_sentence(run: RunFolder, capsys, file: str, content: bytes) -> None:
    (run.path / file).write_bytes(content if file == "rtl/nodes.json" else content.replace(b"bound", b"seconds"))
    say_rendered(run)
    assert file in refused(run, capsys, "report")
    if file == "rtl/nodes.json":
        assert "nodes.json" in refused(run, capsys, "synth")


def _first_node(**values: Any) -> Callable[[Content], None]:
    return lambda content: content["nodes"][0].update(values)


HOSTILE: dict[str, Callable[[Content], Any]] = {
    "above": _first_node(data_files=["../x"]),
    "above in the middle": _first_node(files=["cores/../../x"]),
    "absolute": _first_node(files=["/etc/passwd"]),
    "hidden": _first_node(data_files=[".ssh"]),
    "not there": _first_node(files=["missing.sv"]),
    "a folder": _first_node(files=["cores"]),
    "through a link": _first_node(files=["leads_out/secret"]),
    "a link": _first_node(files=["secret.sv"]),
    "a command": _first_node(module="a; rm -rf x"),
    "an option": _first_node(files=["-o"]),
    "top": lambda content: content.update(top="x\ny"),
    "listed": lambda content: content.update(files=["../x"]),
    "no module": lambda content: content["nodes"][0].pop("module"),
    "text for a number": _first_node(cycles="many"),
    "stream of nobody": lambda content: content.update(
        edges=[{"producer": "nobody", "output": 0, "consumer": None, "input": 0}]
    ),
}


@pytest.mark.parametrize("spoil", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("command", ["synth", "report"])
def test_a_manifest_names_nothing_outside_the_run(
    run: RunFolder, tmp_path: Path, capsys, command: str, spoil: Callable[[Content], Any]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    rtl = run.path / "rtl"
    (rtl / "cores").mkdir()
    (rtl / "leads_out").symlink_to(outside)
    (rtl / "secret.sv").symlink_to(outside / "secret")
    content = json.loads((rtl / "nodes.json").read_text())
    spoil(content)
    (rtl / "nodes.json").write_text(json.dumps(content))
    say_rendered(run)
    told = refused(run, capsys, command)
    assert "nodes.json" in told and "run `make hls RUN=" in told
    assert [path.name for path in outside.iterdir()] == ["secret"]


@pytest.mark.parametrize("stage", STAGES)
def test_one_process_writes_a_run_folder(run: RunFolder, capsys, stage: str) -> None:
    with only_writer(run.path):
        assert "another process writes in" in refused(run, capsys, stage)
    assert not (run.path / ".lock").exists()


@pytest.mark.parametrize(
    ("stage", "file"),
    [
        ("export", "results/onnx_logits.npy"),
        ("hls", "rtl"),
        ("hls", "folding.json"),
        ("csim", "results/csim.json"),
        ("rtlsim", "results/rtl.json"),
        ("synth", "results/synth.json"),
        ("report", "report.html"),
        ("report", "plots"),
        ("report", "results"),
    ],
)
def test_what_cannot_be_written_is_said_at_once(run: RunFolder, tmp_path: Path, capsys, stage: str, file: str) -> None:
    target = run.path / file
    if target.exists():
        target.rename(tmp_path / "elsewhere")
    target.symlink_to(tmp_path / "elsewhere")
    assert f"{target} is " in refused(run, capsys, stage)
    assert target.is_symlink()


def test_a_waveform_that_cannot_be_written_is_said_at_once(run: RunFolder, tmp_path: Path, capsys) -> None:
    for target in (tmp_path / "nowhere" / "x.fst", tmp_path, Path("/dev/null"), tmp_path / ("n" * 300)):
        assert str(target) in refused(run, capsys, "rtlsim", "--waveform", str(target))


@pytest.mark.parametrize("option", [("--seed", str(2**64)), ("--seed", "-1"), ("--images", "9" * 5000)])
def test_numbers_have_bounds(run: RunFolder, capsys, option: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["rtlsim", str(run.path), *option])
    assert stop.value.code == 2
    assert "is not a whole number " in capsys.readouterr().err


def test_the_next_stage_removes_what_killed_ones_left(run: RunFolder) -> None:
    for folder in (".rtl.ab12", ".hls.x", ".plots.y", ".made.z/rtl"):
        (run.path / folder).mkdir(parents=True)
        (run.path / folder / "file").write_text("left")
    for file in (".graph.onnx.q.onnx", "results/.csim.json.w.json"):
        (run.path / file).write_text("left")
    assert main(["report", str(run.path)]) == 0
    assert not list(run.path.rglob(".*"))


class Killed(BaseException):
    """What a process meets that is killed."""


def test_wherever_a_replacement_ends_nothing_is_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended before each of its moves and removals: what is there is all of the old, all of the new, or refused."""
    says_so = ("results/folding.json", "results/sources.json")
    files = ("graph.onnx", "hls", "rtl", *says_so)
    outcomes = set()
    for steps in range(20):
        (tmp_path / str(steps)).mkdir()
        run = complete_run(tmp_path / str(steps))
        (tmp_path / str(steps) / "new").mkdir()
        new = complete_run(tmp_path / str(steps) / "new")
        (new.path / "graph.onnx").write_bytes(b"another graph")
        for tree, file in (("hls", "accelerator.cpp"), ("rtl", "accelerator.sv")):
            (new.path / tree / file).write_text("// another\n")
        graph = file_digest(new.path / "graph.onnx")
        change(new, "folding", graph_sha256=graph)
        change(new, "sources", graph_sha256=graph)
        say_rendered(new)
        left = [steps]

        def counted(function: Callable[..., Any], left: list[int] = left) -> Callable[..., Any]:
            def step(*arguments: Any, **options: Any) -> Any:
                if left[0] == 0:
                    raise Killed
                left[0] -= 1
                return function(*arguments, **options)

            return step

        with monkeypatch.context() as patched:
            for name in ("rename", "replace", "unlink"):
                patched.setattr(Path, name, counted(getattr(Path, name)))
            try:
                replace_in(run, RunFolder(new.path), files, stale=says_so)
                ended = True
            except Killed:
                ended = False
        try:
            found = {
                (require_made(run, "hls") / "accelerator.cpp").read_text(),
                (require_made(run, "rtl") / "accelerator.sv").read_text(),
            }
        except RunFolderError as error:
            assert "run `make hls RUN=" in str(error)
            outcomes.add("refused")
        else:
            assert found in ({"// hls\n", "// rtl\n"}, {"// another\n"})
            outcomes.add("new" if found == {"// another\n"} else "old")
            assert ended == (found == {"// another\n"})
        if ended:
            break
    assert outcomes == {"old", "refused", "new"}


def test_what_is_made_aside_takes_the_whole_place(run: RunFolder) -> None:
    with made_aside(run) as made:
        (made.path / "hls").mkdir()
        (made.path / "hls" / "new.cpp").write_text("new")
        replace_in(run, made, ("hls",), stale=("results/sources.json",))
    assert [path.name for path in (run.path / "hls").iterdir()] == ["new.cpp"]
    assert not list(run.path.rglob(".*")) and not (run.path / "results" / "sources.json").exists()


def test_scratch_folders_of_killed_processes_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    program = "import os; from codegen.scratch import _make; _make(); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    (left,) = tmp_path.iterdir()
    with scratch_folder() as alive:
        assert left.exists(), "it may be so young that it is not locked yet"
        past = time.time() - 2 * codegen.scratch._YOUNG_SECONDS
        for folder in (left, alive):
            os.utime(folder, (past, past))
        with scratch_folder() as second:
            assert not left.exists() and alive.exists() and second.exists()
    assert not list(tmp_path.iterdir())


def test_a_kept_program_is_of_its_key(tmp_path: Path) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    (tmp_path / "made").write_text("#!/bin/sh\n")
    first, second = KeptProgram(folder, "program", "1"), KeptProgram(folder, "program", "2")
    first.keep(tmp_path / "made")
    assert first.is_there() and not second.is_there()
    (folder / ".program-2.left").write_text("half")
    (folder / "program-2").write_text("not to be run yet")
    assert not second.is_there()
    second.keep(tmp_path / "made")
    assert second.is_there() and not first.is_there()
    assert [path.name for path in folder.iterdir()] == ["program-2"]


@pytest.mark.parametrize("content", [*DAMAGED.values(), b'{"resources": {}, "seconds": 1}'])
def test_a_damaged_entry_of_the_synthesis_cache_is_none(tmp_path: Path, content: bytes) -> None:
    cache = SynthesisCache(tmp_path)
    use = CoreUse(Resources(lut=3, ff=2, bram36=0.5, dsp=0), memory_luts=1, carry_bits=4)
    inner = TimedPath(ns=3.25, start="a_q", end="b_q")
    through = (ThroughPath("in0_V_TVALID", "out0_V_TVALID", 0.5),)
    core = SynthesisedCore(use, CoreTiming(inner, {"in0_V_TDATA": inner}, {}, through), seconds=1.5)
    cache.store("key", core)
    assert cache.load("key") == core
    (tmp_path / "synth" / "key.json").write_bytes(content)
    assert cache.load("key") is None


def test_a_tool_that_may_not_be_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("no program")
    command = Command([str(tmp_path / "tool")], "compiling x", tmp_path / "logs" / "x.log", tmp_path)
    with pytest.raises(SimulationError, match=r"compiling x needs .*tool, which may not be run"):
        run_tool(command)


@pytest.mark.parametrize("reader", ["true", "head -c 1"])
def test_a_reader_that_goes_away_ends_a_command_quietly(reader: str) -> None:
    """More than a pipe holds, so that writing meets the closed end."""
    program = (
        "import sys; from sca_train.command_line import guarded; "
        "sys.exit(guarded(lambda: print('x' * 1000000) or 0, ()))"
    )
    command = f'"{sys.executable}" -c "{program}" | {reader}; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == "" and done.stdout.endswith("141\n")


def test_a_training_whose_reader_goes_away_ends_quietly(tmp_path: Path) -> None:
    options = f"--config configs/mini.toml --epochs 1 --finetune 0 --rate-epochs 0 --run '{tmp_path / 'run'}'"
    command = f'"{sys.executable}" -m sca_train {options} 2> "{tmp_path}/errors" | true; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "141\n" and "Error" not in (tmp_path / "errors").read_text()
