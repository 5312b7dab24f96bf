"""Damaged, foreign and odd files of a run: one sentence that says what to do, and nothing lost."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import sca_train.figures.__main__
from sca_train.__main__ import main
from sca_train.checkpoint import load_checkpoint, restore
from sca_train.class_names import class_names
from sca_train.command_line import sentence
from sca_train.config import config_to_dict, config_to_toml
from sca_train.data import load_dataset
from sca_train.errors import TrainError
from sca_train.files import (
    CHECKPOINT_FILE,
    COMPACT_FILE,
    LOCK_FILE,
    only_writer,
    read_text,
    sealed,
    unsealed,
    write_text,
    write_whole,
)
from sca_train.kernels import library as kernels
from sca_train.pruning.compact import load_compact
from sca_train.run_config import load_run_config
from tests.train.conftest import small

OPTIONS = [
    option
    for key, value in config_to_dict(small()).items()
    if key in ("image_size", "train_images", "eval_images", "epochs", "finetune", "batch_size", "lr", "threads")
    for option in (f"--{key.replace('_', '-')}", str(value))
]
"""Those of ``small()`` on the command line."""
CPU = torch.device("cpu")


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of a finished run that a test may damage."""
    return Path(shutil.copytree(finished_run, tmp_path / "small"))


def flipped(content: bytes, place: int, bit: int = 0) -> bytes:
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1, said
    return said


def test_any_flipped_bit_of_a_checkpoint_is_found(run: Path) -> None:
    path = run / CHECKPOINT_FILE
    whole = path.read_bytes()
    places = random.Random(0)
    for place in [0, len(whole) - 1, len(whole) - 40, *(places.randrange(len(whole)) for _ in range(30))]:
        path.write_bytes(flipped(whole, place, places.randrange(8)))
        with pytest.raises(TrainError, match=r"cannot be read|was written by another version"):
            load_checkpoint(path, small())
    path.write_bytes(whole)
    assert load_checkpoint(path, small())["epoch"] == 4


def test_checkpoints_without_a_checksum_are_of_another_version(run: Path) -> None:
    path = run / CHECKPOINT_FILE
    content = unsealed(path.read_bytes())
    assert content is not None
    path.write_bytes(content)
    with pytest.raises(TrainError, match=r"was written by another version \(it has no checksum\); use another run"):
        load_checkpoint(path, small())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epoch", "one"),
        ("channels", 7),
        ("channels", [1, 2]),
        ("optimizer", []),
        ("optimizer", {"state": 3}),
        ("random", torch.zeros(3)),
        ("random", None),
        ("history", {}),
        ("network", {}),
        ("dense", {"accuracy": 1.0}),
        ("config", [1]),
    ],
)
def test_fields_of_other_kinds_are_refused(key: str, value: object, run: Path) -> None:
    path = run / CHECKPOINT_FILE
    saved = torch.load(path, weights_only=True)
    stream = io.BytesIO()
    torch.save({**saved, key: value}, stream)
    path.write_bytes(sealed(stream.getvalue()))
    before = torch.get_rng_state()
    with pytest.raises(TrainError, match=r"--restart") as caught:
        restore(load_checkpoint(path, small()), small(), load_dataset(small()), CPU)
    torch.set_rng_state(before)
    assert "\n" not in str(caught.value)


def changed_network(run: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], Any]) -> None:
    path = run / COMPACT_FILE
    with safe_open(path, "pt") as stream:
        about = json.loads(stream.metadata()["network"])
        state = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118 - not a dictionary
    replaced = change(about, state)
    save_file(state, path, {"network": json.dumps(about if replaced is None else replaced)})


def fill(state: dict[str, torch.Tensor], value: float) -> None:
    state["readout.weight.bias"].fill_(value)


@pytest.mark.parametrize(
    "change",
    [
        lambda about, _: [about],
        lambda about, _: 5,
        lambda about, _: about.update(input_shape=[0, 0, 1]),
        lambda about, _: about.update(input_shape=[8, 8]),
        lambda about, _: about.update(input_shape="8x8"),
        lambda about, _: about.update(channels=[10**9] * 3),
        lambda about, _: about.update(channels=[True, 2, 3]),
        lambda about, _: about.update(channels=4),
        lambda about, _: about.update(classes=7),
        lambda about, _: about.update(classes=[]),
        lambda about, _: about.update(config=[]),
        lambda about, _: about["config"].update(threshold=float("nan")),
        lambda about, _: about["config"].update(timesteps=-1),
        lambda about, _: about.update(format="another"),
        lambda about, _: {"format": about["format"]},
        lambda _, state: fill(state, float("nan")),
        lambda _, state: fill(state, float("inf")),
        lambda _, state: state.clear(),
    ],
)
def test_networks_that_are_none_are_refused(change: Callable[..., Any], run: Path) -> None:
    changed_network(run, change)
    with pytest.raises(TrainError, match=r"compact\.safetensors .*make train RUN=small") as caught:
        load_compact(run)
    assert "\n" not in str(caught.value)


def test_an_edited_or_damaged_configuration_is_told(run: Path) -> None:
    assert load_run_config(run) == small()
    path = run / "config.toml"
    for text, reason in {
        config_to_toml(small()).replace("ratio = 0.5", "ratio = 0.8"): r"differ in ratio: one of them is not of this",
        "": r"differ in .*: one of them is not of this training",
        "ratio = ": "cannot be read",
        "ratio = nan": "must be a finite number",
        "[" * 5000: "cannot be read",
        f"seed = {'9' * 5000}": "cannot be read",
        f"seed = 0x{'f' * 5000}": "more than 64 bits",
        "lr = 1979-05-27": "must be of type float",
        'data = "\\u0000"': "control characters",
    }.items():
        path.write_text(text)
        with pytest.raises(TrainError, match=rf"config\.toml .*{reason}.*run `make train RUN=small`") as caught:
            load_run_config(run)
        assert "\n" not in str(caught.value)


FUZZED = {
    CHECKPOINT_FILE: lambda run: main([*OPTIONS, "--run", str(run)]),
    COMPACT_FILE: lambda run: sca_train.figures.__main__.main([str(run), "--out", str(run / "figures")]),
    "config.toml": lambda run: sca_train.figures.__main__.main([str(run), "--out", str(run / "figures")]),
    "metrics.json": lambda run: sca_train.figures.__main__.main([str(run), "--out", str(run / "figures")]),
}
"""By file: the command that reads it."""


@pytest.mark.parametrize("file", FUZZED)
def test_mutated_files_end_in_a_sentence(
    file: str, run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes flipped, cut, doubled and replaced: no traceback, and exit code 0 or 2."""
    monkeypatch.setattr("sca_train.figures.__main__.figures_of", lambda setting: [])  # what is drawn takes seconds
    monkeypatch.setattr("sca_train.train.train_epochs", lambda *_: False)
    draw = random.Random(file)
    whole = (run / file).read_bytes()
    refused = 0
    for _ in range(40):
        (run / file).write_bytes(mutated(whole, draw))
        code = FUZZED[file](run)
        said = capsys.readouterr().err
        assert code in (0, 2) and "Traceback" not in said
        refused += code == 2
        if code == 2:
            assert said.startswith("error: ") and said.count("\n") == 1
        if file == COMPACT_FILE:
            with suppress(TrainError):
                load_compact(run)
    assert refused > 10


ODD = (b"nan", b"-", b"[]", b"1e999", b"null")


def mutated(content: bytes, draw: random.Random) -> bytes:
    place, end = sorted(draw.randrange(len(content)) for _ in range(2))
    digits = [index for index, byte in enumerate(content[:2000]) if chr(byte).isdigit()] or [place]
    return draw.choice(
        [
            lambda: flipped(content, place, draw.randrange(8)),
            lambda: content[:place],
            lambda: content[:place] + content[end:],
            lambda: content[:place] + draw.randbytes(draw.randrange(1, 20)) + content[place:],
            lambda: flipped(content, draw.choice(digits), draw.randrange(8)),
            lambda: (
                content[: draw.choice(digits)] + draw.choice([b"nan", b"-", b"[]", b"1e999", b"null"]) + content[end:]
            ),
        ]
    )()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", None, [], True, -1, {}, 10**400])
@pytest.mark.parametrize("key", ["accuracy", "params", "synops", "channels", "history", "scores"])
def test_odd_values_of_metrics_are_refused(
    key: str, value: object, run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sca_train.figures.__main__.figures_of", lambda setting: [])
    path = run / "metrics.json"
    metrics = json.loads(path.read_text())
    inner = {"params": {"dense": value, "compact": 1}, "synops": {"dense": 1, "compact": value}}
    odd = inner.get(key, {name: [value, 1] for name in metrics["channels"]} if key == "channels" else value)
    path.write_text(json.dumps({**metrics, key: odd}))
    code = sca_train.figures.__main__.main([str(run), "--out", str(run / "figures")])
    if code == 2:
        said = error_of(capsys)
        if value is None and key in ("accuracy", "params", "synops"):  # as of imported networks
            assert "nothing was measured of" in said or "metrics.json " in said
        else:
            assert "metrics.json " in said and f"run `make train RUN={run.name}` with its options again" in said
    else:  # no history and no scores are allowed
        assert key in ("history", "scores") and not value


def test_a_second_training_in_the_same_folder_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    with only_writer(run):
        assert main([*OPTIONS, "--run", str(run), "--restart"]) == 2
        assert f"another process writes in {run}" in error_of(capsys)
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    code = (
        "import os, sys, pathlib, signal\nfrom sca_train.files import only_writer\n"
        "with only_writer(pathlib.Path(sys.argv[1])):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(run)], check=False)
    assert killed.returncode == -signal.SIGKILL and (run / LOCK_FILE).exists()
    with only_writer(run):
        pass
    assert not (run / LOCK_FILE).exists()
    with only_writer(tmp_path / "new" / "folder"):
        pass
    assert not (tmp_path / "new").exists()


def test_a_lock_file_that_was_removed_locks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening and locking, whoever held the lock may remove the file and another process make a new one."""
    original, calls = fcntl.flock, []

    def removed_first(handle: int, how: int) -> None:
        if not calls:
            (tmp_path / LOCK_FILE).unlink()
        calls.append(handle)
        original(handle, how)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    with only_writer(tmp_path):
        assert len(calls) == 2 and (tmp_path / LOCK_FILE).exists()


def test_a_refused_restart_leaves_the_finished_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    for options in (
        ["--lr", "nan"], ["--threshold", "inf"], ["--batch-size", "1"], ["--threads", "1000"], ["--dataset", "folder"],
        ["--teacher", str(run / "none")], ["--init", str(run / "none")], ["--ratio", "0.99"], ["--stop-after", "0"],
        ["--hidden", "65536,65536", "--model", "mlp", "--ratio", "0"],
    ):  # fmt: skip
        assert main([*OPTIONS, *options, "--run", str(run), "--restart"]) == 2
        error_of(capsys)
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("message", ["DefaultCPUAllocator: can't allocate memory: you tried to", "CUDA out of memory."])
def test_a_restart_that_fails_in_its_first_epoch_leaves_the_finished_run(
    message: str, run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError(message)

    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    monkeypatch.setattr("sca_train.train.train_epoch", fails)
    assert main([*OPTIONS, "--lr", "0.1", "--run", str(run), "--restart"]) == 2
    assert "error: there is not enough memory" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


def test_leftovers_of_killed_writes_are_swept(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sca_train.train.train_epochs", lambda *_: False)
    for file in (CHECKPOINT_FILE, COMPACT_FILE, "metrics.json", "config.toml"):
        (run / f".{file}.x1y2z3{Path(file).suffix}").write_text("half")
    assert main([*OPTIONS, "--run", str(run)]) == 0
    assert not [path.name for path in run.iterdir() if path.name.startswith(".")]


def test_links_devices_and_folders_are_not_written_over(tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("mine")
    (tmp_path / "link").symlink_to(own)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for place, kind in {
        tmp_path / "link": "a symbolic link",
        tmp_path / "folder": "a folder",
        tmp_path / "pipe": "a pipe",
        Path("/dev/null"): "a device",
    }.items():
        with pytest.raises(TrainError, match=f"{place} is {kind} and is not written over"):
            write_text(place, "text")
    assert own.read_text() == "mine" and (tmp_path / "link").is_symlink()
    for place in (tmp_path / "folder", tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(TrainError, match="not a regular file"):
            read_text(place)


def test_a_link_among_the_outputs_is_told_before_anything_is_removed(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "target"
    (run / "metrics.json").rename(target)
    (run / "metrics.json").symlink_to(target)
    assert main([*OPTIONS, "--run", str(run), "--restart"]) == 2
    assert "metrics.json is a symbolic link and is not written over" in error_of(capsys)
    assert (run / COMPACT_FILE).exists() and target.exists()


def places_that_cannot_be_written(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "file").write_text("")
    (tmp_path / "run" / "config.toml").mkdir(parents=True)
    return {
        "a file": tmp_path / "file",
        "below a file": tmp_path / "file" / "run",
        "a folder for a file": tmp_path / "run",
        "a long name": tmp_path / ("x" * 300),
        "no folder for files": Path("/proc/spikefold"),
    }


def test_places_that_cannot_be_written_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place in places_that_cannot_be_written(tmp_path).values():
        assert main([*OPTIONS, "--run", str(place)]) == 2
        said = error_of(capsys)
        assert place.name[:40] in said or "config.toml" in said


def test_a_full_disk_is_told_with_the_file_that_was_wanted(tmp_path: Path) -> None:
    def full(aside: Path) -> None:
        aside.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left") as caught:
        write_whole(tmp_path / "x.json", full)
    told = f"{tmp_path / 'x.json'} cannot be written: no space is left on the disk (No space left on device)"
    assert sentence(caught.value) == told
    assert not list(tmp_path.iterdir())


def test_a_cut_kernel_library_is_compiled_anew(tmp_path: Path) -> None:
    library = tmp_path / "kernels.so"
    assert not kernels._is_whole(library)
    content = sealed(np.arange(100).tobytes())
    for cut in (content[:-200], content[10:], flipped(content, 5)):
        library.write_bytes(cut)
        assert not kernels._is_whole(library)
    library.write_bytes(content)
    assert kernels._is_whole(library)


def test_class_names_of_another_kind(run: Path) -> None:
    changed_network(run, lambda about, _: about.update(classes=[1, 2]))
    with pytest.raises(TrainError, match="no list of names as classes"):
        class_names(run)
