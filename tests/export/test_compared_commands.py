"""``csim`` and ``rtlsim`` compare what their simulators say with ONNX Runtime, and keep it."""

from __future__ import annotations

import pytest
from trained_runs import TEST_IMAGES, error_of, saved_result, say_made

import codegen.export.stage as stage
import codegen.verify.compare as compare
from codegen.cli.main import main
from codegen.digests import file_digest, sources_digest
from codegen.errors import CodegenError
from codegen.run_inputs import LabelledImages
from codegen.verify.golden import golden_logits


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
    saved = saved_result(trained.run, result)
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
    message = error_of(capsys)
    assert "on 2 of 30 test images, first on image 13: [" in message
    assert saved_result(trained.run, result)["mismatches"] == 2


@pytest.mark.parametrize(("command", "result"), [("csim", "csim"), ("rtlsim", "rtl")])
def test_shipped_images_are_compared_but_give_no_accuracy(trained, simulators, monkeypatch, capsys, command, result):
    drawings = LabelledImages(trained.images[:20], trained.labels[:20], shipped=True)
    monkeypatch.setattr(compare, "load_test_set", lambda run, data=None: drawings)
    simulators(lambda logits: logits)
    capsys.readouterr()
    assert main([command, str(trained.run.path)]) == 0
    saved = saved_result(trained.run, result)
    right = (golden_logits(trained.run, trained.images)[:20].argmax(1) == trained.labels[:20]).sum()
    assert (saved["accuracy"], saved["shipped_accuracy"], saved["images"]) == (None, right / 20, 20)
    assert f"{right} of 20 shipped images right (drawings: no test accuracy), 0 mismatches" in capsys.readouterr().out
    simulators(lambda logits: logits + 1)
    assert main([command, str(trained.run.path)]) == 1
    assert "differs from ONNX Runtime on 20 of 20 shipped images, first on image 0" in error_of(capsys)


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
    assert error_of(capsys) == "error: asked for my data.tar\n"


def test_random_stalls_do_not_replace_the_measurement(trained, simulators):
    simulators(lambda logits: logits)
    main(["rtlsim", str(trained.run.path)])
    assert main(["rtlsim", str(trained.run.path), "--images", "3", "--stall-in", "0.5", "--seed", "4"]) == 0
    assert saved_result(trained.run, "rtl")["images"] == 32
    stalled = saved_result(trained.run, "rtl_stalled")
    assert (stalled["images"], stalled["stall_in"], stalled["seed"]) == (3, 0.5, 4)
