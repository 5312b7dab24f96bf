"""Distillation: the loss, what a teacher is asked, which teachers are rejected, and continuing with another one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sca_train.__main__ import main
from sca_train.config import TrainConfig
from sca_train.data import Dataset, load_dataset
from sca_train.errors import TrainError
from sca_train.finished_run import digest_of_run, digest_of_runs
from sca_train.loss import loss_sum
from sca_train.network import to_input
from sca_train.pruning.compact import COMPACT_FILE, compact, load_compact, save_compact
from sca_train.sweep.sweep import Trial, is_finished
from sca_train.teacher import load_teacher
from sca_train.train import CHECKPOINT_FILE, METRICS_FILE, train
from tests.train.conftest import make_network, small
from tests.train.test_train import equal, untimed

CPU = torch.device("cpu")
DIGITS = tuple("0123456789")


def kept(folder: Path, config: TrainConfig, classes: tuple[str, ...] = DIGITS) -> Path:
    """A folder with an untrained network of the configuration as its result."""
    folder.mkdir()
    save_compact(compact(make_network(config, len(classes))), classes, folder / COMPACT_FILE)
    return folder


@settings(deadline=None, max_examples=40)
@given(
    share=st.floats(0.0, 1.0), temperature=st.floats(0.25, 20.0), smoothing=st.floats(0.0, 0.5), seed=st.integers(0, 99)
)
def test_loss_is_the_divergence_from_the_teacher_beside_the_labels(
    share: float, temperature: float, smoothing: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits, taught = (3.0 * torch.randn(6, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    labels = torch.randint(0, 5, (6,), generator=generator)
    config = small(distill=share, distill_temperature=temperature, label_smoothing=smoothing)
    p, q = ((values / temperature).softmax(1) for values in (taught, logits))
    divergence = temperature**2 * (p * (p / q).log()).sum()
    expected = share * divergence + (1.0 - share) * loss_sum(config, logits, labels)
    assert torch.allclose(loss_sum(config, logits, labels, taught), expected, rtol=1e-9, atol=1e-9)


def test_equal_logits_teach_nothing() -> None:
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss_sum(small(distill=1.0), logits, torch.tensor([0, 1, 2, 0]), logits.detach()).backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6


def test_teacher_says_what_its_network_says(finished_run: Path, tmp_path: Path) -> None:
    config = small(teacher=str(finished_run))
    dataset = load_dataset(config)
    teacher = load_teacher(config, tmp_path, dataset, CPU)
    assert teacher is not None
    x = to_input(torch.from_numpy(dataset.train_images[:40]), CPU)
    logits = teacher.logits(x)
    assert not logits.requires_grad
    _, network = load_compact(finished_run)
    network.use_kernels(True)
    with torch.no_grad():
        assert torch.equal(logits, network(x))
    # Neither batch norm nor records moved.
    assert equal(dict(teacher.runs[0].network.state_dict()), dict(load_compact(finished_run)[1].state_dict()))
    assert load_teacher(small(), tmp_path, dataset, CPU) is None


def test_several_teachers_and_mirror_images_are_averaged(tmp_path: Path) -> None:
    """Of networks with other neurons, steps and ways of training, in either order; what one says alone is known."""
    one = kept(tmp_path / "one", small(seed=1, augment="flip"))
    two = kept(tmp_path / "two", small(seed=2, neuron="LateIF", reset="soft", timesteps=3, rate_epochs=1, finetune=0))
    config = small(teacher=f"{one}, {two}", teacher_flip=True, augment="flip")
    dataset = load_dataset(config)
    x = to_input(torch.from_numpy(dataset.train_images[:20]), CPU)

    def said(**options: object) -> torch.Tensor:
        teacher = load_teacher(small(**{"augment": "flip", **options}), tmp_path, dataset, CPU)
        assert teacher is not None
        return teacher.logits(x)

    alone = [said(teacher=str(folder)) for folder in (one, two)]
    mirrored = [load_teacher(small(teacher=str(folder)), tmp_path, dataset, CPU) for folder in (one, two)]
    turned = [teacher.logits(x.flip(-1).contiguous()) for teacher in mirrored if teacher]
    assert not torch.equal(alone[0], turned[0])
    close = partial(torch.testing.assert_close, rtol=1e-5, atol=1e-5)
    close(said(teacher=f"{one},{two}"), (alone[0] + alone[1]) / 2)
    close(said(teacher=str(one), teacher_flip=True), (alone[0] + turned[0]) / 2)
    close(said(teacher=f"{one}, {two}", teacher_flip=True), sum(alone + turned) / 4)
    close(said(teacher=f"{two},{one}", teacher_flip=True), sum(alone + turned) / 4)


def test_a_training_goes_on_with_the_same_teachers_only(tmp_path: Path) -> None:
    one, two = (kept(tmp_path / name, small(seed=seed)) for name, seed in (("one", 1), ("two", 2)))
    run = tmp_path / "run"
    config = small(teacher=f"{one},{two}", epochs=2, finetune=0, train_images=50)
    assert train(config, run, stop_after=1) is None
    for others in (f"{one}", f"{two},{one}"):
        with pytest.raises(TrainError, match="was trained with another teacher than"):
            train(small(**{**vars(config), "teacher": others}), run)
    with pytest.raises(TrainError, match=r"teacher .*none cannot be read"):
        train(small(**{**vars(config), "teacher": f"{one},{tmp_path / 'none'}"}), run)
    assert train(config, run) is not None
    digest = json.loads((run / METRICS_FILE).read_text())["teacher"]
    assert digest == digest_of_runs("teacher", f"{one},{two}")
    assert digest not in (digest_of_runs("teacher", f"{two},{one}"), digest_of_runs("teacher", str(one)))
    assert is_finished(Trial(config, run))


def test_student_follows_its_teacher_more_than_the_labels(tmp_path: Path) -> None:
    """A teacher that always names the wrong class, the one behind, is what a student with distill 1 learns."""
    folder, run = tmp_path / "teacher", tmp_path / "run"
    base = small(model="mlp", ratio=0.0, finetune=0, timesteps=8, train_images=0, epochs=6)
    train(base, folder)
    config, network = load_compact(folder)
    with torch.no_grad():
        for value in network.readout.weight.parameters(recurse=False):
            value.copy_(value.roll(1, 0))
    save_compact(network, DIGITS, folder / COMPACT_FILE)
    metrics = train(small(**{**vars(base), "teacher": str(folder), "distill": 1.0}), run)
    assert metrics is not None
    assert metrics["accuracy"] < 0.1
    dataset = load_dataset(config)
    _, student = load_compact(run)
    with torch.no_grad():
        named = student(to_input(torch.from_numpy(dataset.test_images), CPU)).argmax(1).numpy()
    assert np.mean(named == (dataset.test_labels + 1) % 10) > 0.7


def test_folders_move_and_teachers_may_not_change(finished_run: Path, tmp_path: Path) -> None:
    teacher, moved, other = tmp_path / "teacher", tmp_path / "moved", tmp_path / "other"
    shutil.copytree(finished_run, teacher)
    kept(other, small(seed=5))
    straight, paused, alone = tmp_path / "straight", tmp_path / "paused", tmp_path / "alone"
    config = small(teacher=str(teacher), epochs=3, finetune=1)
    metrics = train(config, straight)
    assert metrics is not None
    assert metrics["teacher"] == digest_of_run("teacher", finished_run)
    assert str(tmp_path).encode() not in (straight / COMPACT_FILE).read_bytes()
    train(config, paused, stop_after=1)
    teacher.rename(moved)
    config = small(**{**vars(config), "teacher": str(moved)})
    train(config, paused, stop_after=2)
    before = (paused / CHECKPOINT_FILE).read_bytes()
    for given_teacher, sentence in (
        (other, f"was trained with another teacher than {other} (its {COMPACT_FILE} differs)"),
        ("", "was trained with a teacher, and none is given"),
    ):
        with pytest.raises(TrainError) as caught:
            train(small(**{**vars(config), "teacher": str(given_teacher)}), paused)
        advice = "use the same one, another run folder, or --restart to train anew"
        assert str(caught.value) == f"the checkpoint {sentence}; {advice}"
    assert (paused / CHECKPOINT_FILE).read_bytes() == before
    train(config, paused)
    found, expected = (torch.load(run / CHECKPOINT_FILE, weights_only=True) for run in (paused, straight))
    for saved in (found, expected):
        del saved["config"]["teacher"]
    assert equal(untimed(found), untimed(expected))
    assert (paused / COMPACT_FILE).read_bytes() == (straight / COMPACT_FILE).read_bytes()
    train(small(epochs=3, finetune=1), alone, stop_after=1)
    with pytest.raises(TrainError, match=r"trained without a teacher, and .*moved is given; use the same one"):
        train(config, alone)


def damaged(folder: Path) -> Path:
    path = kept(folder, small()) / COMPACT_FILE
    path.write_bytes(path.read_bytes()[:-100])
    return folder


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder, "cannot be read (No such file or directory"),
        (damaged, "is not a whole safetensors file"),
        (lambda folder: kept(folder, small(), DIGITS[:7]), "knows 7 classes, and digits has 10; they must be the same"),
        (
            lambda folder: kept(folder, small(), (*DIGITS[:8], "nine", "eight")),
            "class 8 is 'nine' to teacher",
        ),
        (
            lambda folder: kept(folder, small(image_size=16)),
            "takes images of 16x16 pixels and 1 channel, and digits has images of 8x8 pixels and 1 channel; they must",
        ),
        (lambda folder: kept(folder, small(dataset="folder")), "takes images of 8x8 pixels and 3 channels, and digits"),
        (
            lambda folder: kept(folder, small(dataset="events-digits", model="dvs", image_size=32, width=0.1)),
            "takes 4 event frames of 32x32 pixels and 2 channels, and digits has images of 8x8",
        ),
    ],
)
def test_teachers_that_do_not_fit_are_rejected(
    make: Callable[[Path], Path], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher, run = make(tmp_path / "teacher"), tmp_path / "run"
    options = ["--image-size", "8", "--train-images", "100", "--teacher", str(teacher), "--run", str(run)]
    assert main(options) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert str(teacher) in error
    assert error.count("\n") == 1
    assert not run.exists()


def test_event_frames_of_as_many_steps(tmp_path: Path) -> None:
    config = small(dataset="events-digits", model="dvs", image_size=32, width=0.1, timesteps=3, train_images=20)
    longer = kept(tmp_path / "longer", small(**{**vars(config), "timesteps": 5}))
    images = np.zeros((20, 3, 32, 32, 2), np.uint8)
    dataset = Dataset(images, np.zeros(20, np.int64), images, np.zeros(20, np.int64), DIGITS)
    with pytest.raises(TrainError, match=r"takes 5 event frames .*, and events-digits has 3 event frames of 32x32"):
        load_teacher(small(**{**vars(config), "teacher": str(longer)}), tmp_path, dataset, CPU)
    same = kept(tmp_path / "same", config)
    teacher = load_teacher(small(**{**vars(config), "teacher": str(same)}), tmp_path, dataset, CPU)
    assert teacher is not None
    assert teacher.logits(to_input(torch.from_numpy(images), CPU)).shape == (20, 10)


def test_a_run_is_not_its_own_teacher(finished_run: Path) -> None:
    with pytest.raises(TrainError, match="is the folder of this training itself; give another run"):
        train(small(teacher=str(finished_run)), finished_run, restart=True)
    assert (finished_run / COMPACT_FILE).exists()


def test_sweeps_train_anew_under_another_teacher(finished_run: Path, tmp_path: Path) -> None:
    config = small(teacher=str(finished_run), epochs=1, finetune=0, train_images=50)
    run = tmp_path / "run"
    train(config, run)
    assert json.loads((run / METRICS_FILE).read_text())["teacher"] == digest_of_run("teacher", finished_run)
    assert is_finished(Trial(config, run))
    other = kept(tmp_path / "other", small(seed=5))
    for folder in (str(other), ""):
        with pytest.raises(TrainError, match="was trained with another teacher; use another folder, or --restart"):
            is_finished(Trial(small(**{**vars(config), "teacher": folder}), run))
