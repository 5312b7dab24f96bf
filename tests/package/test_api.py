"""``import spikefold``: quick, typed, silent; each call does what the command of its name does."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import spikefold
from codegen.cli.main import main as codegen_main
from codegen.results import FoldingResult, HlsSimulationResult, OnnxResult
from codegen.run_folder import RunFolder
from sca_train.telling import counted, listener, listening, say

ROOT = Path(__file__).parents[2]
SMALL = {"hidden": [8], "image_size": 8, "train_images": 100, "epochs": 2, "finetune": 1, "device": "cpu"}


class Heard:
    """What a call told: steps of progress, and sentences."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int, str]] = []
        self.sentences: list[str] = []

    def progress(self, stage: str, done: int, total: int, unit: str) -> None:
        self.steps.append((stage, done, total, unit))

    def of(self, stage: str) -> list[tuple[int, int, str]]:
        return [(done, total, unit) for name, done, total, unit in self.steps if name == stage]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> spikefold.TrainedRun:
    heard = Heard()
    made = spikefold.train(
        "mlp",
        run=tmp_path_factory.mktemp("runs") / "tiny",
        options=SMALL,
        progress=heard.progress,
        say=heard.sentences.append,
    )
    spikefold.export(made.run)
    spikefold.generate(made.run, target_cycles=4096)
    assert heard.of("epoch 1/2")[0] == (0, 100, "image") and heard.of("epoch 1/2")[-1] == (100, 100, "image")
    assert sum(sentence.startswith("epoch ") for sentence in heard.sentences) == 2
    return made


def test_importing_it_loads_none_of_the_tools() -> None:
    code = (
        "import sys, spikefold\n"
        "heavy = {'torch', 'numpy', 'onnx', 'pydantic', 'finn', 'tqdm'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert 'train' in dir(spikefold)\n"
        "spikefold.Error, spikefold.TrainError, spikefold.RunFolderError\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_every_public_name_is_there() -> None:
    for name in spikefold.__all__:
        assert getattr(spikefold, name) is not None
    assert set(spikefold.__all__) == {*spikefold._MODULE_OF, "Error", "__version__"}
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = spikefold.nothing
    assert (ROOT / "spikefold" / "py.typed").is_file()


def test_every_call_is_documented_with_its_arguments() -> None:
    for name in spikefold.__all__:
        call = getattr(spikefold, name)
        if callable(call) and not isinstance(call, type) and getattr(call, "__module__", "") == "spikefold.api":
            named = set(call.__annotations__) - {"return", "progress", "say", "run", "board"}
            missing = [argument for argument in named if f"{argument}:" not in call.__doc__]
            assert not missing, f"{name}: {missing}"


def test_a_training_says_what_it_measured(trained: spikefold.TrainedRun) -> None:
    assert trained.finished and trained.metrics is not None
    assert trained.metrics.images == 359 and len(trained.metrics.history) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        trained.run = Path()  # type: ignore[misc]


def test_calls_print_nothing_and_return_what_they_wrote(
    trained: spikefold.TrainedRun, capfd: pytest.CaptureFixture[str]
) -> None:
    heard, run = Heard(), RunFolder(trained.run)
    exported = spikefold.export(trained.run, progress=heard.progress)
    assert exported == OnnxResult.load(run) and exported.images == 359
    assert heard.of("ONNX Runtime")[-1] == (359, 359, "images")
    folding = spikefold.generate(trained.run, target_cycles=4096, progress=heard.progress)
    assert folding == FoldingResult.load(run) and 0 < folding.bound <= 4096
    done = [step[0] for step in heard.of("rendering")]
    assert done == sorted(done) and heard.of("rendering")[-1][0] == heard.of("rendering")[-1][1]
    simulated = spikefold.csim(trained.run, images=5, progress=heard.progress)
    assert simulated == HlsSimulationResult.load(run) and (simulated.images, simulated.mismatches) == (5, 0)
    assert heard.of("C simulation")[-1] == (5, 5, "images")
    written = spikefold.report(trained.run)
    assert written.page.is_file() and written.data.is_file()
    assert capfd.readouterr() == ("", "")


def test_backends_compute_the_same(trained: spikefold.TrainedRun) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    by_onnx, by_csim = (spikefold.simulate(trained.run, images, backend=name) for name in ("onnx", "csim"))
    assert by_onnx.logits.shape == (3, 10) and by_onnx.logits.dtype == np.int32
    assert np.array_equal(by_onnx.logits, by_csim.logits)
    assert by_onnx.class_names == tuple("0123456789") and by_onnx.labels.shape == (3,)


def test_the_command_line_prints_what_it_ever_did(
    trained: spikefold.TrainedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert codegen_main(["export", str(trained.run)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{trained.run / 'model.onnx'}: accuracy 0.")
    assert "ONNX Runtime: 359/359 images" in said.err


def test_an_interrupted_training_is_not_finished(tmp_path: Path) -> None:
    options = {**SMALL, "epochs": 3}
    stopped = spikefold.train("mlp", run=tmp_path / "run", options=options, stop_after=1)
    assert (stopped.finished, stopped.metrics) == (False, None)
    with pytest.raises(spikefold.RunFolderError, match=r"has no compact\.safetensors"):
        spikefold.export(stopped.run)


def test_a_configuration_object_trains_as_its_options_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = spikefold.TrainConfig(name="mine", model="mlp", finetune=0, epochs=1, image_size=8, train_images=50)
    assert spikefold.train(config, options={"hidden": [4]}, stop_after=1).run == Path("runs/mine")


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda run: spikefold.train("none-such", run=run), "TrainError", "there is no configuration file none-such"),
        (lambda run: spikefold.train("mini", options={"no": 1}), "TrainError", "unknown option 'no'"),
        (lambda run: spikefold.train("mini", stop_after=0), "TrainError", "stop_after is 0"),
        (lambda run: spikefold.export(run / "none"), "RunFolderError", "does not exist"),
        (lambda run: spikefold.generate(run, board="none-such"), "UnknownBoardError", "none-such"),
        (lambda run: spikefold.synthesise(run, board="none-such"), "UnknownBoardError", "none-such"),
        (lambda run: spikefold.generate(run, target_cycles=9, lut_share=0.1), "FoldingError", "exclude each other"),
        (lambda run: spikefold.simulate(run, np.zeros((1, 8, 8, 1))), "SimulationError", "type float64"),
        (lambda run: spikefold.simulate(run, np.zeros((1, 9, 8, 1), np.uint8)), "SimulationError", "shape"),
        (lambda run: spikefold.simulate(run, np.zeros((0, 8, 8, 1), np.uint8)), "SimulationError", "no image"),
        (lambda run: spikefold.csim("zoo/none-such"), "ZooError", "there is no kept network"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    trained: spikefold.TrainedRun, capfd: pytest.CaptureFixture[str], call, error: str, sentence: str
) -> None:
    with pytest.raises(spikefold.Error, match=sentence) as raised:
        call(trained.run)
    assert type(raised.value) is getattr(spikefold, error)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def test_a_listener_is_its_own_threads_only(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []
    with listening(say=heard.append):
        other = threading.Thread(target=say, args=("elsewhere",))
        other.start()
        other.join()
        say("here")
    assert listener() is None
    assert heard == ["here"] and capsys.readouterr().out == "elsewhere\n"


def test_what_a_callback_raises_ends_the_call(trained: spikefold.TrainedRun) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("enough")

    before = (trained.run / "model.onnx").read_bytes()
    with pytest.raises(RuntimeError, match="enough"):
        spikefold.export(trained.run, progress=refuse)
    assert (trained.run / "model.onnx").read_bytes() == before
    assert listener() is None


@pytest.mark.parametrize("total", [None, 5])
def test_a_callback_hears_the_start_and_the_end_of_each_step(total: int | None) -> None:
    told: list[tuple[str, int, int, str]] = []
    with listening(progress=lambda *values: told.append(values)):
        assert list(counted(range(5), "step", total, "it")) == list(range(5))
    assert (told[0], told[-1]) == (("step", 0, total or 0, "it"), ("step", 5, total or 0, "it"))
