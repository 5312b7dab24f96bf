"""Figures: what is read of a run, what a setting is, which figures its runs allow, and the table beside the paper's."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from codegen.digests import file_digest
from sca_train.config import TrainConfig, config_to_toml
from sca_train.errors import TrainError
from sca_train.figures.__main__ import main
from sca_train.figures.catalogue import DrawnFigure, LeftOut, figures_of
from sca_train.figures.draw import _floor
from sca_train.figures.runs import architecture, dataset, find_runs, read_run, settings_of
from sca_train.figures.series import main_method, points, runs_of
from sca_train.figures.table import HEADINGS, markdown, rows_of
from tests.report.run_folders import write_network

BASE = TrainConfig(epochs=6, finetune=2)
DENSE = {"conv1": 16, "conv2": 32, "conv3": 64}
FILES = {
    "fig2-mini-digits.png",
    "fig3a-mini-digits.png",
    "fig3b-mini-digits.png",
    "fig4a-mini-digits.png",
    "fig4bc-structures-mini-digits.png",
    "fig4bc-scores-mini-digits.png",
}


def metrics_of(config: TrainConfig, accuracy: float) -> dict[str, Any]:
    """What a training with these options might have left, as far as figures read it."""
    random = np.random.default_rng(config.seed)
    kept = {name: max(1, round(width * (1 - config.ratio))) for name, width in DENSE.items()}
    return {
        "history": [
            {"epoch": e, "loss": 1 / e, "train_accuracy": 0.6, "test_accuracy": 0.5, "sparsity": 0.5, "channels": kept}
            for e in range(1, 7)
        ],
        "accuracy": accuracy,
        "images": 359,
        "seconds": 61.5,
        "params": {"dense": 26000, "compact": round(26000 * (1 - config.ratio) ** 2)},
        "synops": {"dense": 700000.0, "compact": 700000.0 * (1 - config.ratio / 2)},
        "channels": {name: [width, kept[name]] for name, width in DENSE.items()},
        "ratio": config.ratio,
        "scores": {
            name: [*random.lognormal(1.0, 0.5, kept[name]), *[0.0] * (width - kept[name])]
            for name, width in DENSE.items()
        },
    }


def write_run(folder: Path, accuracy: float = 0.9, integer: float | None = None, **changes: Any) -> Path:
    config = replace(BASE, name=folder.name, **changes)
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(config_to_toml(config))
    (folder / "metrics.json").write_text(json.dumps(metrics_of(config, accuracy)))
    if integer is not None:
        (folder / "results").mkdir()
        write_network(folder, config)
        exported = {"accuracy": integer, "compact_sha256": file_digest(folder / "compact.safetensors")}
        (folder / "results" / "onnx.json").write_text(json.dumps(exported))
    return folder


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three structures, two scores and two seeds at two ratios, and the unpruned network."""
    out = tmp_path_factory.mktemp("figures") / "sweep"
    for seed in range(2):
        write_run(out / f"base-{seed}", 0.96 + 0.01 * seed, 0.95, ratio=0.0, seed=seed)
        for ratio in (0.5, 0.8):
            for structure in ("prune-regrow", "prune-only", "random"):
                accuracy = 0.95 - 0.1 * ratio + 0.01 * seed
                name = f"{ratio}-{structure}-{seed}"
                integer = 0.9 if structure == "prune-regrow" else None
                write_run(out / name, accuracy, integer, ratio=ratio, structure=structure, seed=seed)
            write_run(out / f"{ratio}-spikes-{seed}", 0.8, ratio=ratio, score="spikes", seed=seed)
    return out


@pytest.fixture(scope="module")
def drawn(sweep: Path) -> Path:
    """The folder that the figures of the whole sweep are in."""
    out = sweep.parent / "drawn"
    assert main([str(sweep), "--out", str(out)]) == 0
    return out


def test_every_figure_of_a_whole_sweep_is_drawn(drawn: Path) -> None:
    assert {path.name for path in drawn.iterdir()} == FILES | {"table.md", "report.html"}
    for file in FILES:
        image = imread(BytesIO((drawn / file).read_bytes()), format="png")
        assert image.shape[0] > 300 and image.shape[1] > 600
        assert (image[0, 0, :3] == 1.0).all(), "a light background"
        assert 0.01 < (image[..., :3].min(axis=2) < 0.9).mean() < 0.6, "something is drawn on it"


def test_the_page_needs_no_other_file(drawn: Path) -> None:
    source = (drawn / "report.html").read_text()
    sources: list[str] = []

    class Page(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            sources.extend(value or "" for name, value in attributes if name in ("src", "href"))

    Page().feed(source)
    assert len(sources) == len(FILES) and all(text.startswith("data:image/png;base64,") for text in sources)
    assert "http" not in source and "91.14" in source and "Not drawn" not in source


def test_a_single_run_says_which_figures_it_cannot_give(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", ratio=0.5)
    assert main([str(run), "--out", str(tmp_path / "out")]) == 0
    drawn = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert drawn == {f"fig{name}-mini-digits.png" for name in ("3a", "3b", "4a")}
    said = capsys.readouterr().out
    assert (
        "left out Fig. 2: accuracy, parameters and SynOps against the pruning ratio (mini on digits): it compares"
        in said
    )
    assert "it compares structures, and only prune-regrow was trained; make sweep STRUCTURES=..." in said


def test_a_run_of_an_older_training_lacks_two_figures(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ratio=0.5)
    metrics = json.loads((run / "metrics.json").read_text())
    del metrics["scores"]
    for entry in metrics["history"]:
        del entry["channels"]
    (run / "metrics.json").write_text(json.dumps(metrics))
    (setting,) = settings_of([read_run(run)])
    reasons = {entry.title[:7]: entry.reason for entry in figures_of(setting) if isinstance(entry, LeftOut)}
    assert reasons["Fig. 3b"] == "no pruned run noted the channels of its layers over several epochs"
    assert reasons["Fig. 4a"] == "no run has channel scores"


def test_points_hold_mean_and_range_over_seeds(sweep: Path) -> None:
    (setting,) = settings_of(find_runs([sweep])[0])
    assert main_method(setting) == ("prune-regrow", "membrane")
    series = points(runs_of(setting, main_method(setting)), lambda run: run.accuracy)
    assert [(point.ratio, point.runs) for point in series] == [(0.0, 2), (0.5, 2), (0.8, 2)]
    assert (series[1].low, series[1].mean, series[1].high) == pytest.approx((0.90, 0.905, 0.91))


def test_runs_with_other_options_are_settings_of_their_own(tmp_path: Path) -> None:
    for name, changes in {
        "a": {"ratio": 0.5},
        "b": {"ratio": 0.8, "seed": 4},
        "c": {"ratio": 0.5, "weight_bits": 2},
        "d": {"model": "vgg9", "dataset": "folder", "data": "/data/cifar10-jpeg.tar.xz", "width": 0.5},
        "e": {"model": "vgg9", "dataset": "folder", "data": "/data/other"},
    }.items():
        write_run(tmp_path / name, **changes)  # type: ignore[arg-type]
    settings = settings_of(find_runs([tmp_path])[0])
    assert [(setting.title, setting.slug, len(setting.runs)) for setting in settings] == [
        ("mini on digits, weight bits 4", "mini-digits", 2),
        ("mini on digits, weight bits 2", "mini-digits-2", 1),
        ("VGG9 x0.5 on cifar10-jpeg", "vgg9-folder", 1),
        ("VGG9 on other", "vgg9-folder-2", 1),
    ]
    drawn = [figure for setting in settings for figure in figures_of(setting) if isinstance(figure, DrawnFigure)]
    assert len({figure.file for figure in drawn}) == len(drawn)


def test_a_budgets_ratio_is_the_one_it_came_to(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ratio=0.5, budget="Pynq-Z2")
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps({**metrics, "ratio": 0.625}))
    assert read_run(run).ratio == 0.625


def test_table_rows_stand_beside_the_papers(sweep: Path, tmp_path: Path) -> None:
    rows = rows_of(settings_of(find_runs([sweep])[0]))
    ours = [row.cells for row in rows if row.ours]
    assert [row.cells[0] for row in rows if not row.ours] == [
        "CIFAR10", "CIFAR10", "CIFAR100", "DVS-CIFAR10", "DVS-CIFAR10", "Tiny-ImageNet",
    ]  # fmt: skip
    assert ours[0] == (
        "digits", "spikefold, unpruned, 2 runs", "mini", "Channel", "96.50", "0.00", "100.00", "0.026", "95.00",
    )  # fmt: skip
    assert ours[1] == (
        "digits", "spikefold, prune-regrow, membrane, ratio 0.5, 2 runs", "mini", "Channel",
        "96.50", "-6.00", "25.00", "0.0065", "90.00",
    )  # fmt: skip
    assert ours[-1][1] == "spikefold, random, ratio 0.8, 2 runs" and ours[-1][-1] == "–"
    lines = markdown(rows).splitlines()
    assert all(line.count("|") == len(HEADINGS) + 1 for line in lines[: len(rows) + 2])
    cifar = write_run(tmp_path / "c", 0.88, model="vgg16", dataset="cifar10", image_size=32, ratio=0.8)
    cells = [row.cells for row in rows_of(settings_of([read_run(cifar)]))]
    assert cells[2][:7] == (
        "CIFAR10", "spikefold, prune-regrow, membrane, ratio 0.8", "VGG16", "Channel", "88.00*", "–", "4.00",
    )  # fmt: skip


def test_trials_that_are_not_finished_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "sweep" / "good")
    (write_run(tmp_path / "sweep" / "bad") / "metrics.json").unlink()
    assert main([str(tmp_path / "sweep"), "--out", str(tmp_path / "out")]) == 0
    assert "left out bad: its training is not finished" in capsys.readouterr().out
    assert "left out: bad" in (tmp_path / "out" / "report.html").read_text()


def test_the_accuracy_of_another_network_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", integer=0.8)
    assert read_run(run).integer_accuracy == 0.8
    write_network(run, replace(BASE, name="run"), weight=1.0)
    assert main([str(run), "--out", str(tmp_path / "out")]) == 2
    assert "onnx.json belongs to another network than" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda run: (run / "metrics.json").unlink(), "has no metrics.json: its training is not finished"),
        (
            lambda run: (run / "metrics.json").write_text("{"),
            "metrics.json is damaged (EOF while parsing an object",
        ),
        (lambda run: (run / "metrics.json").write_text("[]"), "metrics.json holds no JSON object"),
        (
            lambda run: (run / "metrics.json").write_text('{"accuracy": 0.9}'),
            "metrics.json has no history",
        ),
        (
            lambda run: (run / "metrics.json").write_text('{"history": [], "ratio": "x"}'),
            "metrics.json has 'x' as ratio",
        ),
        (lambda run: (run / "config.toml").write_text("x ="), "cannot be read"),
        (lambda run: (run / "config.toml").unlink(), "is neither the folder of a run nor of a sweep"),
    ],
)
def test_damaged_runs_are_named_in_one_sentence(
    spoil: Any, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run")
    spoil(run)
    assert main([str(run), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and sentence in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_sweep_without_any_finished_training_is_rejected(tmp_path: Path) -> None:
    (write_run(tmp_path / "sweep" / "bad") / "metrics.json").unlink()
    with pytest.raises(TrainError, match="is finished; there is nothing to draw yet"):
        find_runs([tmp_path / "sweep"])


def test_a_real_training_has_the_figures_of_one_run(finished_run: Path, tmp_path: Path) -> None:
    assert main([str(finished_run), "--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.glob("*.png")} == {
        f"fig{name}-mini-digits.png" for name in ("3a", "3b", "4a")
    }
    run = read_run(finished_run)
    metrics = json.loads((finished_run / "metrics.json").read_text())
    assert run.accuracy == metrics["accuracy"]
    assert run.history[-1].channels == {name: kept for name, (_, kept) in metrics["channels"].items()}
    assert {name: len(values) for name, values in run.scores.items()} == DENSE


@pytest.mark.parametrize(
    ("low", "high", "floor"),
    [(90.4, 91.3, 88.0), (50.0, 90.0, 20.0), (10.0, 95.0, 0.0), (80.0, 92.0, 70.0), (99.0, 99.0, 98.0)],
)
def test_accuracy_axes_start_at_a_round_number_below(low: float, high: float, floor: float) -> None:
    assert _floor(low, high) == floor


def test_names_of_networks_and_data() -> None:
    assert architecture(replace(BASE, model="preresnet20")) == "PreResNet20"
    assert architecture(replace(BASE, model="resnet18", width=0.25)) == "ResNet18 x0.25"
    assert architecture(replace(BASE, model="dvs")) == "5Conv+1FC"
    assert dataset(replace(BASE, dataset="cifar10-dvs")) == "DVS-CIFAR10"
