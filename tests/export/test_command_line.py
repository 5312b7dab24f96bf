"""``python -m codegen``: stages wired together, and one sentence with exit code 2 for whatever is wrong."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from trained_runs import TEST_IMAGES, error_of, saved_result, say_made

import codegen.export.stage as stage
from codegen.arithmetic.fold_batchnorm import fold_network
from codegen.cli.main import main
from codegen.errors import CodegenError
from codegen.results import FoldingResult
from codegen.run_folder import RunFolder
from codegen.verify.golden import LOGITS_FILE, golden_logits
from codegen.verify.reference import run_layers, run_reference


def test_export_writes_the_model_and_what_it_measured(trained, capsys, description):
    assert main(["export", str(trained.run.path)]) == 0
    network = fold_network(description)
    logits, trains = run_layers(network, trained.images)
    result = saved_result(trained.run, "onnx")
    assert result["accuracy"] == pytest.approx((logits.argmax(1) == trained.labels).mean())
    assert result["images"] == TEST_IMAGES and result["mismatches"] is None
    assert result["images_per_second"] == pytest.approx(TEST_IMAGES / result["seconds"])
    expected = {f"fc{index}": 1 - train.mean() for index, train in enumerate(trains, start=1)}
    assert result["spike_sparsity"] == pytest.approx(expected)
    np.testing.assert_array_equal(np.load(trained.run.path / "results" / "onnx_logits.npy"), logits)
    np.testing.assert_array_equal(golden_logits(trained.run, trained.images, 5), logits[:5])
    assert f"{result['accuracy']:.4f} on {TEST_IMAGES} test images" in capsys.readouterr().out


def test_export_measured_on_some_images(trained, description):
    assert main(["export", str(trained.run.path), "--images", "20"]) == 0
    assert saved_result(trained.run, "onnx")["images"] == 20
    expected = run_reference(fold_network(description), trained.images)
    for limit in (5, 20, 21, None):
        np.testing.assert_array_equal(golden_logits(trained.run, trained.images, limit), expected[:limit])


def test_kept_logits_of_other_images_are_not_used(trained, description):
    main(["export", str(trained.run.path)])
    others = 255 - trained.images
    expected = run_reference(fold_network(description), others)
    np.testing.assert_array_equal(golden_logits(trained.run, others), expected)


def test_another_model_takes_later_results_with_it(trained):
    main(["export", str(trained.run.path)])
    for result in ("csim", "folding", "sources"):
        (trained.run.path / "results" / f"{result}.json").write_text("{}")
    (trained.run.path / "rtl").mkdir()
    main(["export", str(trained.run.path)])
    assert (trained.run.path / "results" / "csim.json").exists(), "the same model again changes nothing"
    main(["export", str(trained.run.path), "--frac-bits", "2"])
    assert {path.name for path in (trained.run.path / "results").iterdir()} == {
        *("onnx.json", "onnx_logits.npy", "predictions.json", "density.json")
    }
    assert not (trained.run.path / "rtl").exists()


def test_simulate_gives_the_reference_logits(trained, tmp_path, description):
    main(["export", str(trained.run.path)])
    np.save(tmp_path / "x.npy", trained.images[:9])
    out = tmp_path / "logits"
    assert main(_simulate(trained.run, tmp_path / "x.npy", out)) == 0
    logits = np.load(out)
    assert logits.dtype == np.int32
    np.testing.assert_array_equal(logits, run_reference(fold_network(description), trained.images[:9]))


def _simulate(run, images, out, backend="onnx"):
    return ["simulate", str(run.path), "--backend", backend, "--images", str(images), "--out", str(out)]


def _bad_images():
    good = np.zeros((2, 8, 8, 1), np.uint8)
    wanted = r"the network takes uint8 \[N, 8, 8, 1\]"
    yield "type", good.astype(np.float32), rf"of type float32, but {wanted}"
    yield "shape", np.zeros((2, 8, 9, 1), np.uint8), rf"shape \[2, 8, 9, 1\], but {wanted}"
    yield "dimensions", good[..., 0], rf"shape \[2, 8, 8\], but {wanted}"
    yield "none", good[:0], "holds no image"
    yield "object", np.array([{}, []], dtype=object), "not a readable .npy array of numbers"


@pytest.mark.parametrize(
    ("images", "sentence"), [case[1:] for case in _bad_images()], ids=[c[0] for c in _bad_images()]
)
def test_bad_image_arrays(trained, tmp_path, capsys, images, sentence):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    np.save(tmp_path / "x.npy", images, allow_pickle=True)
    assert main(_simulate(trained.run, tmp_path / "x.npy", tmp_path / "out.npy")) == 2
    message = error_of(capsys)
    assert re.search(sentence, message), message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small", "x.npy"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("missing.npy", None, "missing.npy does not exist"),
        ("text.npy", b"not an array", "text.npy is not a readable .npy array"),
        ("open.npy", b"\x93NUMPY\x01\x00\x05\x00{'a'(\n", "open.npy is not a readable .npy array"),
        ("cut.npy", b"\x93NUMPY\x01\x00v\x00{'descr'", "cut.npy is not a readable .npy array"),
    ],
)
def test_bad_image_files(trained, tmp_path, capsys, name, content, sentence):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(_simulate(trained.run, tmp_path / name, tmp_path / "out.npy")) == 2
    assert sentence in error_of(capsys)
    assert not (tmp_path / "out.npy").exists()


def test_a_header_that_claims_more_than_there_is_takes_no_memory(trained, tmp_path, capsys):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000000, 8, 8, 1), }".ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    (tmp_path / "x.npy").write_bytes(content + bytes(64))
    assert main(_simulate(trained.run, tmp_path / "x.npy", tmp_path / "out.npy")) == 2
    assert "[1000000000000000, 8, 8, 1] by its header and has 64 bytes" in error_of(capsys)


def test_pipes_and_devices_are_not_read(trained, tmp_path, capsys):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    os.mkfifo(tmp_path / "pipe")
    for source, kind in ((tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device"), (tmp_path, "a folder")):
        assert main(_simulate(trained.run, source, tmp_path / "out.npy")) == 2
        assert f"image file {source} is {kind}, not a regular file" in error_of(capsys)


@pytest.mark.parametrize("target", ["folder", "link", "/dev/null"])
def test_outputs_take_the_place_of_files_only(trained, tmp_path, capsys, target):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    np.save(tmp_path / "x.npy", trained.images[:1])
    assert main(_simulate(trained.run, tmp_path / "x.npy", tmp_path / target)) == 2
    error_of(capsys)
    assert (tmp_path / "link").is_symlink() and not any((tmp_path / "folder").iterdir())


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"junk" * 99])
def test_damaged_kept_logits_are_computed_again(trained, description, content):
    main(["export", str(trained.run.path)])
    kept = trained.run.path / LOGITS_FILE
    expected = run_reference(fold_network(description), trained.images)
    whole = kept.read_bytes()
    flipped = bytearray(whole)
    flipped[200] ^= 1
    for damaged in (content, bytes(flipped), whole[:-1]):
        kept.write_bytes(damaged)
        np.testing.assert_array_equal(golden_logits(trained.run, trained.images), expected)


STALE = {
    "trained again": (
        lambda run: (run / "compact.safetensors").write_bytes(b"another network"),
        ("onnx", "finn", "csim", "rtl"),
        "was trained again after its export; run `make export RUN=small`",
    ),
    "export not finished": (
        lambda run: (run / "results" / "onnx.json").unlink(),
        ("onnx", "finn", "csim", "rtl"),
        "has no results/onnx.json; run `make export RUN=small` first",
    ),
    "another model": (
        lambda run: FoldingResult.save(replace(FoldingResult.load(RunFolder(run)), model_sha256="0"), RunFolder(run)),
        ("finn", "csim", "rtl"),
        "belongs to another model.onnx than the one that is there now; run `make hls RUN=small` again",
    ),
    "another graph": (
        lambda run: (run / "graph.onnx").write_bytes(b"another"),
        ("finn", "csim", "rtl"),
        "belongs to another graph.onnx than the one that is there now; run `make hls RUN=small` again",
    ),
    "another rtl": (
        lambda run: (run / "rtl" / "accelerator.sv").write_text("another"),
        ("rtl",),
        "belongs to another rtl than the one that is there now; run `make hls RUN=small` again",
    ),
    "hls not finished": (
        lambda run: (run / "results" / "sources.json").unlink(),
        ("finn", "csim", "rtl"),
        "has no results/sources.json; run `make hls RUN=small` first",
    ),
}


@pytest.mark.parametrize(("spoil", "backends", "sentence"), STALE.values(), ids=STALE)
def test_no_backend_computes_with_what_is_of_another_network(trained, tmp_path, capsys, spoil, backends, sentence):
    main(["export", str(trained.run.path)])
    say_made(trained.run)
    spoil(trained.run.path)
    np.save(tmp_path / "x.npy", trained.images[:1])
    capsys.readouterr()
    for backend in backends:
        assert main(_simulate(trained.run, tmp_path / "x.npy", tmp_path / "out.npy", backend)) == 2
        assert sentence in error_of(capsys)
    assert not (tmp_path / "out.npy").exists()


def test_a_stage_that_ends_while_a_backend_computes_is_noticed(trained, tmp_path, capsys, monkeypatch):
    import codegen.verify.rtlsim

    def rtlsim(run, images, **options):
        (run.path / "rtl" / "accelerator.sv").write_text("another")
        return SimpleNamespace(logits=np.zeros((len(images), 10), np.int32))

    main(["export", str(trained.run.path)])
    say_made(trained.run)
    monkeypatch.setattr(codegen.verify.rtlsim, "run_rtlsim", rtlsim)
    np.save(tmp_path / "x.npy", trained.images[:1])
    capsys.readouterr()
    assert main(_simulate(trained.run, tmp_path / "x.npy", tmp_path / "out.npy", "rtl")) == 2
    assert "belongs to another rtl" in error_of(capsys)
    assert not (tmp_path / "out.npy").exists()


def test_a_model_that_is_not_there_takes_later_results_with_it(trained):
    main(["export", str(trained.run.path)])
    say_made(trained.run)
    (trained.run.path / "model.onnx").unlink()
    assert main(["export", str(trained.run.path)]) == 0
    assert {path.name for path in trained.run.path.iterdir()} == {"compact.safetensors", "model.onnx", "results"}


def test_archive_of_arrays_is_refused(trained, tmp_path, capsys):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    with (tmp_path / "x.npy").open("wb") as stream:
        np.savez(stream, x=trained.images)
    assert main(_simulate(trained.run, tmp_path / "x.npy", tmp_path / "out.npy")) == 2
    assert "is an .npz archive" in error_of(capsys)


def test_output_in_a_missing_folder(trained, tmp_path, capsys):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    np.save(tmp_path / "x.npy", trained.images[:1])
    assert main(_simulate(trained.run, tmp_path / "x.npy", tmp_path / "nowhere" / "out.npy")) == 2
    assert "out.npy cannot be written" in error_of(capsys)


@pytest.mark.parametrize("content", [b"", b"junk \xff", b"\x08\x09"])
def test_damaged_model(trained, tmp_path, capsys, content):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    (trained.run.path / "model.onnx").write_bytes(content)
    np.save(tmp_path / "x.npy", trained.images[:1])
    assert main(_simulate(trained.run, tmp_path / "x.npy", tmp_path / "out.npy")) == 2
    message = error_of(capsys)
    assert "model.onnx" in message and "damaged" in message and "run the export again" in message


def test_truncated_model(trained, tmp_path, capsys):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    model = trained.run.path / "model.onnx"
    model.write_bytes(model.read_bytes()[:-200])
    np.save(tmp_path / "x.npy", trained.images[:1])
    assert main(_simulate(trained.run, tmp_path / "x.npy", tmp_path / "out.npy")) == 2
    assert "run the export again" in error_of(capsys)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export"], "folder {run} does not exist; run `make train RUN=gone` first"),
        (["hls"], "run `make train RUN=gone` first"),
        (["csim"], "run `make train RUN=gone` first"),
        (["rtlsim"], "run `make train RUN=gone` first"),
        (["synth"], "run `make train RUN=gone` first"),
        (["report"], "run `make train RUN=gone` first"),
    ],
)
def test_run_that_does_not_exist(tmp_path, capsys, arguments, sentence):
    run = tmp_path / "gone"
    assert main([arguments[0], str(run), *arguments[1:]]) == 2
    assert sentence.format(run=run) in error_of(capsys)
    assert not run.exists()


@pytest.mark.parametrize(
    ("command", "missing", "maker"),
    [
        (["export"], "compact.safetensors", "make train"),
        (["hls"], "model.onnx", "make export"),
        (["csim"], "hls", "make hls"),
        (["rtlsim"], "rtl", "make hls"),
        (["synth"], "rtl", "make hls"),
        (["report"], "config.toml", "make train"),
    ],
)
def test_stage_without_the_one_before(tmp_path, capsys, command, missing, maker):
    (tmp_path / "bare").mkdir()
    assert main([command[0], str(tmp_path / "bare")]) == 2
    assert f"has no {missing}; run `{maker} RUN=bare` first" in error_of(capsys)


def test_damaged_compact_network(tmp_path, capsys):
    (tmp_path / "compact.safetensors").write_bytes(b"\x00" * 40)
    assert main(["export", str(tmp_path)]) == 2
    assert "compact.safetensors" in error_of(capsys)
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export", "r", "--frac-bits", "2000"], "'2000' is not a whole number in 0..30"),
        (["rtlsim", "r", "--images", "0"], "'0' is not a whole number of 1 or more"),
        (["rtlsim", "r", "--jobs", "0"], "'0' is not a whole number of 1 or more"),
        (["csim", "r", "--jobs", "both"], "'both' is not a whole number of 1 or more"),
        (["rtlsim", "r", "--stall-in", "1"], "'1' is not a number in [0, 1)"),
        (["rtlsim", "r", "--stall-out", "often"], "'often' is not a number in [0, 1)"),
        (["hls", "r", "--target-cycles", "-3"], "'-3' is not a whole number of 1 or more"),
        (["hls", "r", "--target-cycles", "9", "--folding", "f.json"], "not allowed with argument --target-cycles"),
        (["hls", "r", "--impl", "vhdl"], "invalid choice: 'vhdl'"),
        (["simulate", "r", "--backend", "gpu", "--images", "x", "--out", "y"], "invalid choice: 'gpu'"),
        (["fly", "r"], "invalid choice: 'fly'"),
        ([], "required: COMMAND"),
    ],
)
def test_bad_arguments_are_one_sentence(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert sentence in error_of(capsys)


def test_version_and_help(capsys):
    for arguments, shown in ((["--version"], "spikefold "), (["--help"], "rtlsim"), (["hls", "--help"], "--folding")):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
        assert shown in capsys.readouterr().out


def test_interrupt_and_stage_errors_have_their_exit_codes(trained, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    def failed(*_):
        raise CodegenError("the tool said no")

    monkeypatch.setattr(stage, "export_run", interrupted)
    assert main(["export", str(trained.run.path)]) == 130
    capsys.readouterr()
    monkeypatch.setattr(stage, "export_run", failed)
    assert main(["export", str(trained.run.path)]) == 2
    assert error_of(capsys) == "error: the tool said no\n"


def test_nothing_half_written_after_a_failed_export(trained, monkeypatch):
    def failed(*_):
        raise CodegenError("no")

    monkeypatch.setattr(stage, "load_test_set", failed)
    assert main(["export", str(trained.run.path)]) == 2
    assert [path.name for path in trained.run.path.iterdir()] == ["compact.safetensors"]


def test_results_are_json_numbers(trained):
    main(["export", str(trained.run.path)])
    text = (trained.run.path / "results" / "onnx.json").read_text()
    assert json.loads(text)["images"] == TEST_IMAGES
