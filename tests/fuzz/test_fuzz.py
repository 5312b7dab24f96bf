"""A sample of the mutated inputs of `make bench BENCH=fuzz`, and what its watch and its checks notice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import fuzz
from bench.fuzzing.subjects import SUBJECTS, Case, WrongResultError
from sca_train.command_line import print_error
from sca_train.errors import TrainError

INPUTS = 120


def test_mutated_inputs_end_in_a_result_or_a_sentence(tmp_path: Path) -> None:
    outcomes = list(fuzz.run_inputs(fuzz.make_base_runs(tmp_path), 0, INPUTS))
    assert [outcome for outcome in outcomes if outcome.fault] == []
    assert [outcome.seed for outcome in outcomes] == list(range(INPUTS))
    assert {outcome.subject for outcome in outcomes} > {"model_simulated", "graph", "picture", "network"}
    refused = sum(outcome.code == 2 for outcome in outcomes)
    assert INPUTS // 4 < refused < INPUTS


def says(*errors: str, code: int = 2) -> Callable[[], int]:
    def command() -> int:
        for error in errors:
            print_error(TrainError(error))
        return code

    return command


def wrong() -> int:
    raise WrongResultError("other logits")


OUTSIDE = Path(tempfile.gettempdir()) / "spikefold-outside"
CHECKED: dict[str, tuple[Callable[[], int], str]] = {
    "a result": (says(code=0), ""),
    "a sentence": (says("x is wrong"), ""),
    "no sentence": (says(), "exit code 2 with 0 sentences"),
    "two sentences": (says("x", "y"), "exit code 2 with 2 sentences"),
    "a sentence with a result": (says("x", code=0), "exit code 0 with 1 sentences"),
    "another exit code": (says("x", code=1), "exit code 1"),
    "a traceback": (lambda: {}[1], "KeyError at test_fuzz.py:"),  # type: ignore[index]
    "a wrong result": (wrong, "other logits"),
    "a process": (lambda: subprocess.run(["true"], check=True).returncode, "did what it may not: subprocess.Popen"),
    "a file outside": (lambda: OUTSIDE.write_text("") or 0, f"did what it may not: open {OUTSIDE}"),
}


def test_a_command_is_checked_for_what_it_does() -> None:
    """In a process of its own: an audit hook stays."""
    code = (
        "import json; from pathlib import Path; from bench import fuzz; from bench.fuzzing.watch import Watch\n"
        "from tests.fuzz.test_fuzz import CHECKED\n"
        "watch = Watch([Path('/nowhere')])\n"
        "print(json.dumps({name: fuzz._run(command, watch)[1] for name, (command, _) in CHECKED.items()}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    faults = json.loads(done.stdout)
    for name, (_, fault) in CHECKED.items():
        assert faults[name].startswith(fault) and bool(faults[name]) == bool(fault), name
    assert not OUTSIDE.exists()


def test_what_is_left_behind_or_lost_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("")
    before = fuzz._contents(tmp_path)
    (tmp_path / "new").write_text("")
    assert fuzz._left_behind(tmp_path, before, 0) == fuzz._left_behind(tmp_path, before, 2) == ""
    (tmp_path / ".kept.x1").write_text("")
    assert fuzz._left_behind(tmp_path, before, 0) == "left .kept.x1"
    (tmp_path / ".kept.x1").unlink()
    (tmp_path / "kept").unlink()
    assert fuzz._left_behind(tmp_path, before, 0) == ""
    assert fuzz._left_behind(tmp_path, before, 2) == "lost kept"


def test_the_same_seed_is_the_same_input(tmp_path: Path) -> None:
    from bench.fuzzing.subjects import archive

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        archive(Case(tmp_path / name, tmp_path, random.Random(7)))
    # Compressed archives hold the time at which they were made.
    assert (tmp_path / "a" / "data.tar").stat().st_size == (tmp_path / "b" / "data.tar").stat().st_size
    assert len({fuzz._subject_of(seed) for seed in range(500)}) == len(SUBJECTS)
