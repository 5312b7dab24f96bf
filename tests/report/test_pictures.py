"""Pictures and counts of the report that no stage has to run for."""

from __future__ import annotations

import base64
import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from run_folders import RESULTS, complete_run

from codegen.current import load_results
from codegen.errors import ZooError
from codegen.report import pictures
from codegen.report.energy import estimate_energy
from codegen.report.pictures import confusion_of, raster_picture, sample_chart
from codegen.report.roofline import core_rate
from codegen.report.stage import write_report
from codegen.results import PredictionsResult, Sample
from codegen.verify import predictions
from codegen.verify.predictions import MOST_WRONG, SAMPLES, png_of_image, sample_numbers
from codegen.verify.toggles import Signal, add_up, read_saif
from sca_train.errors import TrainError


def _pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.fixture
def measured(tmp_path: Path) -> PredictionsResult:
    found = load_results(complete_run(tmp_path)).predictions
    assert found is not None
    return found


def test_samples_are_spread_over_the_test_set() -> None:
    right = np.ones(1000, bool)
    right[[3, 700, 701, 702, 703, 704, 998]] = False
    numbers = sample_numbers(right)
    assert len(numbers) == SAMPLES and len(set(numbers)) == SAMPLES
    assert (~right[numbers]).sum() == MOST_WRONG and right[numbers[: SAMPLES - MOST_WRONG]].all()
    assert np.diff(numbers[: SAMPLES - MOST_WRONG]).min() > 100
    assert list(sample_numbers(np.zeros(2, bool))) == [0, 1] and not len(sample_numbers(np.ones(0, bool)))


def test_images_of_any_channels_are_pictures() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    np.testing.assert_array_equal(_pixels(png_of_image(grey)), grey[..., 0])
    colour = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    np.testing.assert_array_equal(_pixels(png_of_image(colour)), colour)
    frames = np.zeros((5, 3, 4, 2), np.uint8)
    frames[1, 0, 0, 0], frames[:, 2, 3, 1] = 2, 1
    shown = _pixels(png_of_image(frames))
    assert tuple(shown[0, 0]) == (2 * 255 // 5, 0, 0) and tuple(shown[2, 3]) == (0, 0, 255)
    assert _pixels(png_of_image(np.full((2, 2, 5), 9, np.uint8))).tolist() == [[9, 9], [9, 9]]
    assert max(_pixels(png_of_image(np.zeros((50, 400, 3), np.uint8))).shape) == predictions.PNG_SIDE
    assert not _pixels(png_of_image(np.zeros((2, 4, 4, 2), np.uint8))).any()


def test_a_chart_has_the_largest_classes_and_the_label() -> None:
    logits = tuple(tuple(step * value for value in (1, 9, 3, -7, 5, 8, 2)) for step in (1, 2, 3))
    chart = sample_chart(Sample(7, 3, 1, "", logits), [f"class {number}" for number in range(7)])
    assert [line.name for line in chart.lines] == ["class 1", "class 5", "class 4", "class 2", "class 3"]
    assert [line.kind for line in chart.lines] == ["decided", "other", "other", "other", "label"]
    assert [line.value for line in chart.lines] == [27, 24, 15, 9, -21]
    ends = [line.name_y for line in chart.lines]
    assert all(lower - upper >= pictures._LABEL_GAP for upper, lower in pairwise(ends))
    assert min(ends) > 0 and max(ends) < chart.height
    points = [tuple(map(float, point.split(","))) for point in chart.lines[0].points.split()]
    assert (
        len(points) == 4 and points[0][1] == chart.zero_y and points[-1] == (chart.lines[0].end_x, chart.lines[0].end_y)
    )
    assert not chart.right and "class 1 27" in chart.spoken


def test_equal_counts_are_a_flat_line() -> None:
    chart = sample_chart(Sample(0, 0, 0, "", ((0, 0),)), ["a", "b"])
    assert chart.right and {line.end_y for line in chart.lines} == {chart.lines[0].end_y}


def test_the_confusion_of_few_classes_is_a_table_and_of_many_a_picture(measured: PredictionsResult) -> None:
    found = confusion_of(measured)
    assert found is not None and found.png == "" and found.images == 359
    assert [row.right for row in found.rows] == [110 / 120, 116 / 119, 1.0]
    assert [(pair.label, pair.decided, pair.count, pair.share) for pair in found.confused] == [
        ("zero", "<one>", 10, 10 / 120),
        ("<one>", "zero", 3, 3 / 119),
    ]
    many = tuple(tuple(int(label == decided) for decided in range(50)) for label in range(50))
    wide = confusion_of(PredictionsResult(50, False, (), many, (), None, "", ""))
    assert wide is not None and wide.confused == ()
    opacity = _pixels(base64.b64decode(wide.png))[..., 3]
    np.testing.assert_array_equal(opacity, 255 * np.eye(50, dtype=np.uint8))
    assert confusion_of(PredictionsResult(2, True, (), None, (), None, "", "")) is None


def test_a_raster_has_a_dot_for_each_spike(measured: PredictionsResult) -> None:
    assert measured.raster is not None
    found = raster_picture(measured.raster)
    assert found.cut and [step.spikes for step in found.steps] == [3, 1]
    shown = [_pixels(base64.b64decode(step.png)).astype(int).tolist() for step in found.steps]
    assert shown == [[[1, 0, 0], [0, 1, 1]], [[0, 0, 0], [1, 0, 0]]]


def test_energy_is_counts_times_picojoules() -> None:
    assert estimate_energy(1000.0, 100).nj == pytest.approx((1000 * 0.1 + 100 * (0.2 + 0.1)) / 1000)
    assert estimate_energy(1000.0, 100).float32_nj == pytest.approx((1000 * 0.9 + 100 * (3.7 + 0.9)) / 1000)
    unknown = estimate_energy(1000.0, None)
    assert (unknown.nj, unknown.float32_nj, unknown.synops) == (None, None, 1000.0)
    assert estimate_energy(None, 100).nj is None


def test_a_core_that_multiplies_has_a_rate() -> None:
    shape = {"mw": 6, "mh": 4, "vectors": 10, "timesteps": 2, "simd": 3, "pe": 2, "tp": 1}
    rate = core_rate("core", shape, 80, 100)
    assert rate is not None and (rate.work, rate.lanes, rate.utilisation) == (480, 6, 0.8)
    assert core_rate("core", shape, 80, None).utilisation is None  # type: ignore[union-attr]
    for wrong in ({"simd": "3"}, {"mw": 0}, {"mw": None}):
        assert core_rate("core", {**shape, **wrong}, 80, 100) is None
    assert core_rate("core", shape, 0, 100) is None


SAIF = r"""(SAIFILE
(DURATION 90)
 (INSTANCE $rootio
  (NET
   (ap_clk (T0 1) (T1 1) (TZ 0) (TX 0) (TB 0) (TC 20))
  )
 )
 (INSTANCE accelerator
  (NET
   (data_0\[0\] (T0 1) (T1 1) (TZ 0) (TX 0) (TB 0) (TC 3))
  )
  (INSTANCE i_a
   (NET
    (clk_i (T0 1) (T1 1) (TZ 0) (TX 0) (TB 0) (TC 20))
    (word\[0\] (T0 1) (T1 1) (TZ 0) (TX 0) (TB 0) (TC 3))
    (word\[1\] (T0 1) (T1 1) (TZ 0) (TX 0) (TB 0) (TC 0))
   )
   (INSTANCE i_core
    (NET
     (alias\[0\] (T0 2) (T1 1) (TZ 0) (TX 0) (TB 0) (TC 3))
     (alias\[1\] (T0 2) (T1 1) (TZ 0) (TX 0) (TB 0) (TC 0))
     (memory[1]\[0\] (T0 2) (T1 1) (TZ 0) (TX 0) (TB 0) (TC 7))
    )
   )
  )
  (INSTANCE i_b
   (NET
    (word\[0\] (T0 1) (T1 1) (TZ 0) (TX 0) (TB 0) (TC 3))
   )
  )
 )
)
"""


def test_toggles_are_added_up_once_for_each_net_of_a_core() -> None:
    signals = list(read_saif(SAIF.splitlines()))
    assert Signal(("accelerator", "i_a"), "word", (3, 0)) in signals
    assert Signal(("accelerator", "i_a", "i_core"), "memory[1]", (7,)) in signals
    assert add_up(signals, cycles=10) == {"i_a": (2, 10), "i_b": (1, 3)}


@pytest.mark.parametrize("error", [TrainError, ZooError])
def test_without_the_test_set_a_report_says_why_it_shows_no_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    run = complete_run(tmp_path)
    (run.path / "results" / "predictions.json").unlink()

    def gone(run: object, data: Path | None = None) -> None:
        raise error("there are no <images> here")

    monkeypatch.setattr(predictions, "load_test_set", gone)
    text = write_report(run).read_text()
    assert text.count("not measured: there are no &lt;images&gt; here") == 2
    assert not (run.path / "results" / "predictions.json").exists()
    with pytest.raises(error):
        write_report(run, Path("elsewhere"))


def test_a_report_measures_what_no_stage_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = complete_run(tmp_path)
    found = load_results(run).predictions
    (run.path / "results" / "predictions.json").unlink()
    monkeypatch.setattr(predictions, "measure_run", lambda run, data, kept: found)
    write_report(run)
    assert load_results(run).predictions == found


def test_shipped_images_have_no_confusion_matrix(tmp_path: Path) -> None:
    run = complete_run(tmp_path)
    file = run.path / "results" / "predictions.json"
    kept = PredictionsResult.load(run)
    assert (
        kept is not None and file.exists() and kept.samples[0].number == RESULTS["predictions"]["samples"][0]["number"]
    )
    PredictionsResult(2, True, (), None, kept.samples, None, kept.model_sha256, "").save(run)
    text = write_report(run).read_text()
    assert "the images at hand are no test set" in text and "Shipped images, drawings and no test set." in text
    assert "taken for 0" in text, "classes without names are numbers"
