"""Several processes of a simulator share the images: what they give together is what one gives, and none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from accel_graphs import TinyNetwork, tiny_network

from codegen.dataflow.build import build_graph
from codegen.errors import DeadlockError, SimulationError
from codegen.render.render import render_sources
from codegen.scratch import scratch_folder
from codegen.verify import rtlsim
from codegen.verify.csim import run_csim
from codegen.verify.onnx_runtime import run_onnx
from codegen.verify.processes import first_failed, process_count, run_together, shares
from codegen.verify.rtl_model import ModelOptions
from codegen.verify.rtlsim import count_stalls, run_rtlsim, simulate, trace_file
from codegen.verify.toggles import add_up, count_toggles, read_saif
from sca_train.telling import listening

IMAGES = 17
PROCESSES = 2
TOO_SOON_SECONDS = 60.0


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> TinyNetwork:
    tiny = tiny_network(tmp_path_factory.mktemp("runs") / "tiny", IMAGES)
    build_graph(tiny.run)
    render_sources(tiny.run)
    return tiny


@pytest.fixture(scope="module")
def golden(network: TinyNetwork) -> np.ndarray:
    return run_onnx(network.run.path / "model.onnx", network.images)


def test_shares_are_contiguous_and_even() -> None:
    for images in range(1, 30):
        for processes in range(1, images + 1):
            parts = shares(images, processes)
            assert np.array_equal(np.concatenate([np.arange(images)[part] for part in parts]), np.arange(images))
            sizes = {part.stop - part.start for part in parts}
            assert len(parts) == processes and max(sizes) - min(sizes) <= 1 and min(sizes) > 0


def test_there_are_no_more_processes_than_jobs_cores_and_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert [process_count(None, images, 4) for images in (1, 7, 8, 12, 23, 24, 99)] == [1, 1, 2, 3, 5, 6, 6]
    assert [process_count(jobs, 100, 4) for jobs in (1, 2, 30)] == [1, 2, 25]
    assert process_count(30, 3) == 3


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True, "two"])
def test_other_numbers_of_processes_are_refused(network: TinyNetwork, jobs) -> None:
    for run in (run_csim, run_rtlsim):
        with pytest.raises(SimulationError, match=r"^jobs=.* is not a whole number of 1 or more$"):
            run(network.run, network.images, jobs=jobs)


def test_the_rtl_measures_the_same_in_several_processes(network: TinyNetwork, golden: np.ndarray) -> None:
    one = run_rtlsim(network.run, network.images, quick=True, jobs=1)
    two = run_rtlsim(network.run, network.images, quick=True, jobs=PROCESSES)
    assert (one.processes, two.processes) == (1, PROCESSES)
    for result in (one, two):
        np.testing.assert_array_equal(result.logits, golden)
    assert (two.latency, two.interval, two.interval_max) == (one.latency, one.interval, one.interval_max)
    assert one.settled == tuple(range(2, IMAGES)) and two.settled == (*range(2, 8), *range(10, 17))
    by_image = dict(zip(one.settled, one.intervals, strict=True))
    assert two.intervals == tuple(by_image[image] for image in two.settled), "a dense network takes as long each time"
    shared = sum(run_rtlsim(network.run, network.images[part], quick=True).cycles for part in shares(IMAGES, PROCESSES))
    assert two.cycles == shared > one.cycles


def test_csim_computes_the_same_in_several_processes(network: TinyNetwork, golden: np.ndarray) -> None:
    results = [run_csim(network.run, network.images, quick=True, jobs=jobs) for jobs in (1, PROCESSES)]
    for result in results:
        np.testing.assert_array_equal(result.logits, golden)
        assert result.trips == results[0].trips


def test_stalls_of_a_process_have_a_seed_of_their_own(network: TinyNetwork, golden: np.ndarray) -> None:
    stalls = {"stall_in": 0.3, "stall_out": 0.4, "seed": 5, "quick": True}
    by_default, one, two = (
        run_rtlsim(network.run, network.images[:16], jobs=jobs, **stalls) for jobs in (None, 1, PROCESSES)
    )
    for result in (by_default, one, two):
        np.testing.assert_array_equal(result.logits, golden[:16])
    assert by_default.processes == 1 and by_default.cycles == one.cycles
    halves = [run_rtlsim(network.run, network.images[part], **stalls).intervals for part in shares(16, PROCESSES)]
    assert two.processes == PROCESSES and two.intervals[: len(halves[0])] == halves[0]
    assert two.intervals[len(halves[0]) :] != halves[1]
    assert two.latency == one.latency, "the first process's seed is the one that was given"


def test_counts_of_processes_are_added_up(network: TinyNetwork) -> None:
    one = count_stalls(network.run, network.images, quick=True)
    two = count_stalls(network.run, network.images, PROCESSES, quick=True)
    halves = [count_stalls(network.run, network.images[part], quick=True) for part in shares(IMAGES, PROCESSES)]
    assert [count.stream for count in two] == [count.stream for count in one]
    # In between, padding of an image that has not come yet may have moved.
    assert [two[end].moved for end in (0, -1)] == [one[end].moved for end in (0, -1)]
    for together, *parts in zip(two, *halves, strict=True):
        for figure in ("moved", "stalled", "starved"):
            assert getattr(together, figure) == sum(getattr(part, figure) for part in parts)


def test_toggles_of_processes_are_added_up_signal_by_signal(network: TinyNetwork) -> None:
    options = ModelOptions(assertions=False, toggles=True, quick=True)
    with scratch_folder() as folder:
        simulate(network.run, network.images, options, waveform=folder / "both", jobs=PROCESSES)
        files = folder / "both", trace_file(folder / "both", 1)
        together = [list(read_saif(file.read_text().splitlines())) for file in files]
        for part, found in zip(shares(IMAGES, PROCESSES), together, strict=True):
            simulate(network.run, network.images[part], options, waveform=folder / "half")
            assert list(read_saif((folder / "half").read_text().splitlines())) == found
    result, cores = count_toggles(network.run, network.images, PROCESSES, quick=True)
    summed = [
        [first + second for first, second in zip(a.toggles, b.toggles, strict=True)]
        for a, b in zip(*together, strict=True)
    ]
    signals = [type(a)(a.scope, a.name, tuple(bits)) for a, bits in zip(together[0], summed, strict=True)]
    expected = add_up(signals, result.cycles)
    assert result.processes == PROCESSES
    assert {f"i_{core.name}": (core.bits, core.toggles) for core in cores} == expected
    _, alone = count_toggles(network.run, network.images, quick=True)
    for core, other in zip(cores, alone, strict=True):
        assert abs(core.toggles - other.toggles) <= 0.2 * other.toggles, "the same images toggle nearly as much"


def test_a_waveform_is_of_one_process(network: TinyNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int | None] = []

    def watched(*arguments: object, jobs: int | None, **others: object) -> tuple[None, list[str]]:
        chosen.append(jobs)
        return None, []

    monkeypatch.setattr(rtlsim, "simulate", watched)
    for jobs in (None, PROCESSES):
        run_rtlsim(network.run, network.images, waveform=tmp_path / "wave.fst", jobs=jobs)
        run_rtlsim(network.run, network.images, jobs=jobs)
    assert chosen == [1, None, 1, PROCESSES]


def test_a_deadlock_in_a_process_names_the_streams(network: TinyNetwork) -> None:
    with pytest.raises(DeadlockError) as alone:
        simulate(network.run, network.images, ModelOptions(quick=True), patience=3)
    with pytest.raises(DeadlockError) as shared:
        simulate(network.run, network.images, ModelOptions(quick=True), patience=3, jobs=PROCESSES)
    assert str(shared.value) == str(alone.value)
    assert "full:" in str(shared.value)


def test_progress_is_of_all_processes(network: TinyNetwork) -> None:
    program = "import sys, time\nfor n in (1, 2, 3): print('progress', n, 10 * n, flush=True)"
    said: list[list[tuple[int, ...]]] = []
    run_together([[sys.executable, "-c", program]] * 2, None, lambda numbers: said.append(list(numbers)))
    assert len(said) == 6 and said[-1] == [(3, 30), (3, 30)]
    told: list[tuple[int, int]] = []
    with listening(lambda title, done, total, unit: told.append((done, total)) if unit == "images" else None):
        run_rtlsim(network.run, network.images, quick=True, jobs=PROCESSES)
    assert told[-1] == (IMAGES, IMAGES)


def test_one_that_fails_ends_the_others() -> None:
    fails = [sys.executable, "-c", "import sys; print('said'); sys.exit('no such image')"]
    lasts = [sys.executable, "-c", "import time; time.sleep(1000)"]
    start = time.monotonic()
    ended = run_together([lasts, fails, lasts], None, lambda _: None)
    assert time.monotonic() - start < TOO_SOON_SECONDS
    assert [process.stopped for process in ended] == [True, False, True]
    failed = first_failed(ended)
    assert failed is ended[1]
    assert (failed.status, failed.output, failed.errors) == (1, ("said",), "no such image\n")


def test_a_listener_that_raises_leaves_no_process(tmp_path: Path) -> None:
    program = (
        "import os, sys, time\nopen(sys.argv[1], 'w').write(str(os.getpid()))\nprint('progress 1 1', flush=True)\n"
    )
    files = [tmp_path / name for name in "ab"]

    def give_up(numbers: object) -> None:
        if all(file.exists() and file.read_text() for file in files):
            raise KeyboardInterrupt

    endless = program + "while True: print('progress 1 1', flush=True); time.sleep(0.05)"
    with pytest.raises(KeyboardInterrupt):
        run_together([[sys.executable, "-c", endless, str(file)] for file in files], None, give_up)
    for file in files:
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.read_text()), 0)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("backend", ["csim", "rtlsim"])
def test_nothing_runs_on_when_the_command_is_ended(network: TinyNetwork, tmp_path: Path, backend: str, ending) -> None:
    """The simulators themselves, kept busy by many images; only the one process is sent the signal."""
    build = run_csim if backend == "csim" else run_rtlsim
    build(network.run, network.images, quick=True)
    np.save(tmp_path / "images.npy", np.tile(network.images, (10_000, 1, 1, 1)))
    script = (
        f"import signal, sys, numpy\nfrom pathlib import Path\nfrom codegen.run_folder import RunFolder\n"
        f"signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job ignores it
        f"from codegen.verify.{backend} import run_{backend}\n"
        f"run_{backend}(RunFolder(Path(sys.argv[1])), numpy.load(sys.argv[2]), quick=True, jobs={PROCESSES})"
    )
    command = [sys.executable, "-c", script, str(network.run.path), str(tmp_path / "images.npy")]
    folder = str(network.run.path.resolve())
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        _until(lambda: len(_running(folder)) >= PROCESSES)
        process.send_signal(ending)
        process.wait(TOO_SOON_SECONDS)
    _until(lambda: not _running(folder))


def _running(folder: str) -> list[int]:
    """Processes whose program lies in the folder."""
    found = []
    for link in Path("/proc").glob("[0-9]*/exe"):
        try:
            if str(link.readlink()).startswith(folder):
                found.append(int(link.parent.name))
        except OSError:
            continue  # it has ended, or is somebody else's
    return found


def _until(happens) -> None:
    end = time.monotonic() + TOO_SOON_SECONDS
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.05)
