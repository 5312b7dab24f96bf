"""``python -m codegen``: stages wired together, and one sentence with exit code 2 for whatever is wrong."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from random_networks import random_description

import codegen.export.stage as stage
import codegen.verify.compare as compare
import sca_train.describe  # noqa: F401 - what its imports print must not be taken for an error message
from codegen.arithmetic.fold_batchnorm import fold_network
from codegen.cli.main import main
from codegen.cores.core import Stream
from codegen.digests import file_digest, sources_digest
from codegen.errors import CodegenError
from codegen.fit import NO_RESOURCES
from codegen.render.manifest import Manifest, write_manifest
from codegen.results import FoldingResult, SourcesResult
from codegen.run_folder import RunFolder
from codegen.run_inputs import LabelledImages
from codegen.verify.golden import LOGITS_FILE, golden_logits
from codegen.verify.reference import run_layers, run_reference

TEST_IMAGES = 70


@dataclass(frozen=True)
class Trained:
    """A run folder as training leaves it, its description and its test set."""

    run: RunFolder
    images: np.ndarray
    labels: np.ndarray


@pytest.fixture
def description():
    return random_description(3, fully_connected=True, input_shape=(8, 8, 1))


@pytest.fixture
def trained(tmp_path, monkeypatch, description):
    run = RunFolder(tmp_path / "small")
    run.path.mkdir()
    (run.path / "compact.safetensors").write_bytes(b"read through the description below")
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (TEST_IMAGES, 8, 8, 1)).astype(np.uint8)
    labels = rng.integers(0, 10, TEST_IMAGES)
    monkeypatch.setattr(stage, "load_network_description", lambda run: description)
    for module in (stage, compare):
        monkeypatch.setattr(module, "load_test_set", lambda run, data=None: LabelledImages(images, labels))
    return Trained(run, images, labels)


def say_made(run):
    """hls/ and rtl/ without a node, and what `make hls` says of them."""
    for folder in ("hls", "rtl"):
        (run.path / folder).mkdir()
    stream = Stream(lanes=1, element_bits=4, signed=False, words=16)
    write_manifest(Manifest("accelerator", 1, stream, stream, (), (), ()), run.path / "rtl")
    (run.path / "graph.onnx").write_bytes(b"a graph")
    model, graph = (file_digest(run.path / file) for file in ("model.onnx", "graph.onnx"))
    FoldingResult(None, NO_RESOURCES, bound=1, nodes=(), model_sha256=model, graph_sha256=graph).save(run)
    SourcesResult(graph, *(sources_digest(run.path / folder) for folder in ("hls", "rtl"))).save(run)


def _saved(run, stage):
    """Content of results/<stage>.json."""
    return json.loads((run.path / "results" / f"{stage}.json").read_text())


def _error(capsys):
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and captured.err.startswith("error: "), captured.err
    return captured.err


def test_export_writes_the_model_and_what_it_measured(trained, capsys, description):
    assert main(["export", str(trained.run.path)]) == 0
    network = fold_network(description)
    logits, trains = run_layers(network, trained.images)
    result = _saved(trained.run, "onnx")
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
    assert _saved(trained.run, "onnx")["images"] == 20
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
    message = _error(capsys)
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
    assert sentence in _error(capsys)
    assert not (tmp_path / "out.npy").exists()


def test_a_header_that_claims_more_than_there_is_takes_no_memory(trained, tmp_path, capsys):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000000, 8, 8, 1), }".ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    (tmp_path / "x.npy").write_bytes(content + bytes(64))
    assert main(_simulate(trained.run, tmp_path / "x.npy", tmp_path / "out.npy")) == 2
    assert "[1000000000000000, 8, 8, 1] by its header and has 64 bytes" in _error(capsys)


def test_pipes_and_devices_are_not_read(trained, tmp_path, capsys):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    os.mkfifo(tmp_path / "pipe")
    for source, kind in ((tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device"), (tmp_path, "a folder")):
        assert main(_simulate(trained.run, source, tmp_path / "out.npy")) == 2
        assert f"image file {source} is {kind}, not a regular file" in _error(capsys)


@pytest.mark.parametrize("target", ["folder", "link", "/dev/null"])
def test_outputs_take_the_place_of_files_only(trained, tmp_path, capsys, target):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    np.save(tmp_path / "x.npy", trained.images[:1])
    assert main(_simulate(trained.run, tmp_path / "x.npy", tmp_path / target)) == 2
    _error(capsys)
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
        assert sentence in _error(capsys)
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
    assert "belongs to another rtl" in _error(capsys)
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
    assert "is an .npz archive" in _error(capsys)


def test_output_in_a_missing_folder(trained, tmp_path, capsys):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    np.save(tmp_path / "x.npy", trained.images[:1])
    assert main(_simulate(trained.run, tmp_path / "x.npy", tmp_path / "nowhere" / "out.npy")) == 2
    assert "out.npy cannot be written" in _error(capsys)


@pytest.mark.parametrize("content", [b"", b"junk \xff", b"\x08\x09"])
def test_damaged_model(trained, tmp_path, capsys, content):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    (trained.run.path / "model.onnx").write_bytes(content)
    np.save(tmp_path / "x.npy", trained.images[:1])
    assert main(_simulate(trained.run, tmp_path / "x.npy", tmp_path / "out.npy")) == 2
    message = _error(capsys)
    assert "model.onnx" in message and "damaged" in message and "run the export again" in message


def test_truncated_model(trained, tmp_path, capsys):
    main(["export", str(trained.run.path)])
    capsys.readouterr()
    model = trained.run.path / "model.onnx"
    model.write_bytes(model.read_bytes()[:-200])
    np.save(tmp_path / "x.npy", trained.images[:1])
    assert main(_simulate(trained.run, tmp_path / "x.npy", tmp_path / "out.npy")) == 2
    assert "run the export again" in _error(capsys)


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
    assert sentence.format(run=run) in _error(capsys)
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
    assert f"has no {missing}; run `{maker} RUN=bare` first" in _error(capsys)


def test_damaged_compact_network(tmp_path, capsys):
    (tmp_path / "compact.safetensors").write_bytes(b"\x00" * 40)
    assert main(["export", str(tmp_path)]) == 2
    assert "compact.safetensors" in _error(capsys)
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
    assert sentence in _error(capsys)


def test_version_and_help(capsys):
    for arguments, shown in ((["--version"], "spikefold "), (["--help"], "rtlsim"), (["hls", "--help"], "--folding")):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
        assert shown in capsys.readouterr().out


@pytest.fixture
def simulators(trained, monkeypatch):
    """Both simulators replaced by a function of the true logits; hls/ and rtl/ are there."""
    import codegen.verify.csim
    import codegen.verify.rtlsim
    from codegen.verify.csim import CsimResult
    from codegen.verify.rtlsim import RtlResult

    main(["export", str(trained.run.path)])
    say_made(trained.run)

    def install(change):
        def csim(run, images, **options):
            return CsimResult(change(golden_logits(run, images).copy()), 0.5, {"core": 9})

        def rtlsim(run, images, **options):
            logits = change(golden_logits(run, images).copy())
            return RtlResult(
                logits, latency=10, interval=5, interval_max=6, cycles=99, seconds=0.5, cycles_per_second=198
            )

        monkeypatch.setattr(codegen.verify.csim, "run_csim", csim)
        monkeypatch.setattr(codegen.verify.rtlsim, "run_rtlsim", rtlsim)

    return install


MEASURED = {
    "csim": {"trips": {"core": 9}},
    "rtl": {"latency": 10, "interval": 5, "interval_max": 6, "cycles": 99, "cycles_per_second": 198, "seed": 0},
}
"""What only one of the simulators measures."""


@pytest.mark.parametrize(("command", "result", "images"), [("csim", "csim", TEST_IMAGES), ("rtlsim", "rtl", 32)])
def test_simulation_equal_to_onnx_runtime(trained, simulators, command, result, images):
    simulators(lambda logits: logits)
    assert main([command, str(trained.run.path)]) == 0
    saved = _saved(trained.run, result)
    assert (saved["images"], saved["mismatches"], saved["images_per_second"]) == (images, 0, images / 0.5)
    assert {key: saved[key] for key in MEASURED[result]} == MEASURED[result]
    assert saved["model_sha256"] == file_digest(trained.run.path / "model.onnx")
    assert saved["sources_sha256"] == sources_digest(trained.run.path / ("hls" if command == "csim" else "rtl"))
    assert "logits" not in saved


@pytest.mark.parametrize(("command", "result"), [("csim", "csim"), ("rtlsim", "rtl")])
def test_a_single_wrong_logit_is_found(trained, simulators, capsys, command, result):
    def change(logits):
        logits[13, 2] += 1
        logits[20, 0] -= 1
        return logits

    simulators(change)
    capsys.readouterr()
    assert main([command, str(trained.run.path), "--images", "30"]) == 1
    message = _error(capsys)
    assert "on 2 of 30 test images, first on image 13: [" in message
    assert _saved(trained.run, result)["mismatches"] == 2


@pytest.mark.parametrize(("command", "result"), [("csim", "csim"), ("rtlsim", "rtl")])
def test_shipped_images_are_compared_but_give_no_accuracy(trained, simulators, monkeypatch, capsys, command, result):
    drawings = LabelledImages(trained.images[:20], trained.labels[:20], shipped=True)
    monkeypatch.setattr(compare, "load_test_set", lambda run, data=None: drawings)
    simulators(lambda logits: logits)
    capsys.readouterr()
    assert main([command, str(trained.run.path)]) == 0
    saved = _saved(trained.run, result)
    right = (golden_logits(trained.run, trained.images)[:20].argmax(1) == trained.labels[:20]).sum()
    assert (saved["accuracy"], saved["shipped_accuracy"], saved["images"]) == (None, right / 20, 20)
    assert f"{right} of 20 shipped images right (drawings: no test accuracy), 0 mismatches" in capsys.readouterr().out
    simulators(lambda logits: logits + 1)
    assert main([command, str(trained.run.path)]) == 1
    assert "differs from ONNX Runtime on 20 of 20 shipped images, first on image 0" in _error(capsys)


@pytest.mark.parametrize("command", [["export"], ["csim"], ["rtlsim"], ["rtlsim", "--stalls"]])
def test_the_place_of_the_data_reaches_the_loader(trained, simulators, monkeypatch, capsys, command):
    def load(run, data=None):
        raise CodegenError(f"asked for {data}")

    simulators(lambda logits: logits)
    for module in (stage, compare):
        monkeypatch.setattr(module, "load_test_set", load)
    capsys.readouterr()
    name, *more = command
    assert main([name, str(trained.run.path), *more, "--data", "my data.tar"]) == 2
    assert _error(capsys) == "error: asked for my data.tar\n"


def test_random_stalls_do_not_replace_the_measurement(trained, simulators):
    simulators(lambda logits: logits)
    main(["rtlsim", str(trained.run.path)])
    assert main(["rtlsim", str(trained.run.path), "--images", "3", "--stall-in", "0.5", "--seed", "4"]) == 0
    assert _saved(trained.run, "rtl")["images"] == 32
    stalled = _saved(trained.run, "rtl_stalled")
    assert (stalled["images"], stalled["stall_in"], stalled["seed"]) == (3, 0.5, 4)


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
    assert _error(capsys) == "error: the tool said no\n"


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
