"""``classify``: a picture in, class names and counts out, and one sentence for whatever is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from random_graphs import residual_description
from random_networks import random_description

from codegen.arithmetic.fold_batchnorm import fold_network
from codegen.cli.main import main
from codegen.errors import ExportError
from codegen.export.onnx_reader import read_model
from codegen.export.onnx_writer import build_model
from codegen.verify.reference import run_reference

NAMES = ("zero", 'one, "two"', "straße", *map(str, range(3, 10)))


@pytest.fixture
def network():
    return fold_network(random_description(3, fully_connected=True, input_shape=(8, 8, 3)))


@pytest.fixture
def run(tmp_path: Path, network) -> Path:
    (tmp_path / "run").mkdir()
    onnx.save(build_model(network, NAMES), tmp_path / "run" / "model.onnx")
    return tmp_path / "run"


def picture(folder: Path, size: tuple[int, int] = (8, 8), name: str = "it's a picture.png") -> Path:
    pixels = np.random.default_rng(2).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def rejected(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["classify", *map(str, arguments)]) == 2
    output = capsys.readouterr()
    assert output.err.startswith("error: ") and output.err.count("\n") == 1
    assert output.out == ""
    return output.err


def test_names_and_counts_largest_first(run, network, tmp_path, capsys) -> None:
    image = picture(tmp_path)
    assert main(["classify", str(run), "--image", str(image), "--backend", "onnx"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"{image}: by onnx (ONNX Runtime)"
    logits = run_reference(network, np.asarray(Image.open(image))[np.newaxis])[0]
    shown = [line.rsplit(maxsplit=1) for line in lines]
    assert {name.strip(): int(count) for name, count in shown} == dict(zip(NAMES, logits.tolist(), strict=True))
    counts = [int(count) for _, count in shown]
    assert counts == sorted(counts, reverse=True)
    assert shown[0][0].strip() == NAMES[logits.argmax()]


def test_of_equal_counts_the_first_class_comes_first(tmp_path, network, capsys) -> None:
    """The read-out of all classes is that of class 0, so that all counts are the same."""
    *layers, last = network.layers
    connection = replace(last.inputs[0], weights=np.repeat(last.inputs[0].weights[:1], 10, axis=0))
    last = replace(last, inputs=(connection,), bias=np.repeat(last.bias[:1], 10))
    onnx.save(build_model(replace(network, layers=(*layers, last)), NAMES), tmp_path / "model.onnx")
    assert main(["classify", str(tmp_path), "--image", str(picture(tmp_path))]) == 0
    shown = [line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines()[1:]]
    assert [name.strip() for name, _ in shown] == list(NAMES)
    assert len({count for _, count in shown}) == 1


def test_classes_without_names_are_numbers_and_it_says_so(tmp_path, network, capsys) -> None:
    onnx.save(build_model(network), tmp_path / "model.onnx")
    assert read_model(tmp_path / "model.onnx").properties.class_names == ()
    assert main(["classify", str(tmp_path), "--image", str(picture(tmp_path))]) == 0
    _, said, *lines = capsys.readouterr().out.splitlines()
    assert said == "the network names no classes, so these are numbers"
    assert sorted(line.split()[0] for line in lines) == [str(number) for number in range(10)]


def test_another_size_is_resized_with_a_word(run, tmp_path, capsys) -> None:
    image = picture(tmp_path, (20, 33))
    assert main(["classify", str(run), "--image", str(image)]) == 0
    assert "resized to 8 x 8 from the middle of 33 x 20 pixels, by onnx" in capsys.readouterr().out


def test_what_is_no_image(run, tmp_path, capsys) -> None:
    (tmp_path / "text.png").write_text("a cat")
    whole = picture(tmp_path, (40, 40)).read_bytes()
    (tmp_path / "torn.png").write_bytes(whole[: len(whole) // 2])
    for name, sentence in (
        ("text.png", "is not an image that Pillow reads as one of PNG, JPEG,"),
        ("torn.png", "is not an image that Pillow reads"),
        ("gone.png", "there is no image file"),
        ("run", "is a folder"),
    ):
        message = rejected(capsys, run, "--image", tmp_path / name)
        assert sentence in message and name in message


def test_no_file_named(run, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["classify", str(run), "--image", ""])
    assert stop.value.code == 2
    assert "no file is named; with make, say IMAGE=cat.png" in capsys.readouterr().err


@pytest.mark.parametrize("backend", ["csim", "rtl"])
def test_a_back_end_that_was_not_generated_names_the_command(run, tmp_path, capsys, backend: str) -> None:
    message = rejected(capsys, run, "--image", picture(tmp_path), "--backend", backend)
    assert "run `make hls RUN=run` first" in message


def test_a_network_without_model_names_the_command(tmp_path, capsys) -> None:
    (tmp_path / "my run").mkdir()
    message = rejected(capsys, tmp_path / "my run", "--image", picture(tmp_path))
    assert "has no model.onnx; run `make export RUN='my run'` first" in message


def test_event_networks_take_no_picture(tmp_path, capsys) -> None:
    description = residual_description(3, before_addition=True, events=True, timesteps=5)
    onnx.save(build_model(fold_network(description)), tmp_path / "model.onnx")
    assert "the network takes event frames [5, 8, 8, 2]" in rejected(capsys, tmp_path, "--image", picture(tmp_path))


def test_names_must_be_as_many_as_the_classes(tmp_path, network) -> None:
    with pytest.raises(ExportError, match="9 class names were given for a network of 10 classes"):
        build_model(network, NAMES[:9])
    model = build_model(network, NAMES)
    for text in ('["a"]', "{}", "no json", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"):
        next(entry for entry in model.metadata_props if entry.key == "class_names").value = text
        onnx.save(model, tmp_path / "model.onnx")
        with pytest.raises(ExportError, match=r"model\.onnx: its metadata say class_names = "):
            read_model(tmp_path / "model.onnx")
