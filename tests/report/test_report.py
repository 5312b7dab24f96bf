"""report.json holds every key of its contract, null where nothing was measured; report.html needs no other file."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from run_folders import METRICS, RESULTS, SPREAD, change, complete_run, trained_run, write_network

from codegen.cli.main import main
from codegen.report.stage import write_report
from sca_train.config import TrainConfig

NUMBER = (int, float)


def _check(content, schema, where="report"):
    """Every key of the schema and no other; values of its types, null among them only where it says so."""
    if isinstance(schema, dict):
        assert list(content) == list(schema), where
        for key in schema:
            _check(content[key], schema[key], f"{where}.{key}")
    else:
        assert isinstance(content, schema) and not (isinstance(content, bool) and schema is not bool), where


_TRAINED = ("config.toml", "metrics.json", "compact.safetensors")
_STAGES = ("onnx", "predictions", "density", "folding", "sources", "csim", "rtl", "toggles", "event_cycles", "synth")
_STAGES += ("bitstream",)
_MADE_OF = dict.fromkeys(
    (*_TRAINED, "model.onnx", "graph.onnx", *(f"results/{stage}.json" for stage in _STAGES), "hls", "rtl"), str
)
_TIMING = {
    "core": str, "period_ns": float, "start": str, "end": str, "target_ns": float, "met": bool, "speed_grade": str,
    "part_speed_grade": str,
}  # fmt: skip
_BITSTREAM = {
    "tool": str, "board": str, "part": str, "shell": str, "impl": str, "clock_mhz": float, "fmax_mhz": float,
    "slack_ns": float, "timing_met": bool, "critical_path": str,
    "lut": int, "ff": int, "bram": float, "dsp": int, "power_w": float,
    "cores": list, "bitstream": str, "bitstream_sha256": str,
}  # fmt: skip


def _schema(measured):
    """Types of report.json (design contract); ``measured``: whether all stages have run."""
    count, number = ((int,), NUMBER) if measured else ((type(None),), (type(None),))
    text, flag = (str, bool) if measured else (type(None), type(None))
    return {
        "model": str, "dataset": str, "ratio": float, "timesteps": int, "weight_bits": int, "seed": int,
        "params": {"dense": NUMBER, "compact": NUMBER},
        "synops": {"dense": NUMBER, "compact": NUMBER},
        "channels": {"conv1": list, "conv2": list},
        "accuracy": {"float": float, "onnx": number, "csim": number, "rtl": number},
        "images": {"float": int, "onnx": count, "csim": count, "rtl": count},
        "mismatches": {"csim": count, "rtl": count},
        "cycles": {"latency": count, "interval": count, "bound": count, "clock_mhz": number, "fps": number},
        "resources": {
            "lut": number, "ff": number, "bram36": number, "dsp": number, "tool": text, "board": text,
            "budget": {"lut": number, "ff": number, "bram36": number, "dsp": number}, "fits": flag,
        },
        "layers": list,
        "bitstream": _BITSTREAM if measured else type(None),
        "classes": list if measured else type(None), "confusion": list if measured else type(None),
        "energy": {"source": str, "ac_pj": float, "mac_pj": float, "synops": NUMBER, "macs": int, "nj": float,
                   "float32_nj": float},
        "toggles": {"images": count, "per_frame": number},
        "event_driven": {
            "images": int, "kind": str, "interval": {"mean": float, "p99": int, "worst": int}, "guaranteed": int,
            "fps": float, "guaranteed_fps": float, "cores": list,
            "simulated": {"images": int, "measured": float, "modelled": float},
        } if measured else type(None),
        "timing": _TIMING if measured else type(None),
        "front": type(None),
        "imported": type(None),
        "made_of": _MADE_OF if measured else dict.fromkeys(_TRAINED, str),
    }  # fmt: skip


@pytest.mark.parametrize("measured", [True, False])
def test_report_json_has_every_key(tmp_path, measured):
    run = (complete_run if measured else trained_run)(tmp_path)
    write_report(run)
    _check(json.loads((run.path / "report.json").read_text()), _schema(measured))


def test_values_come_from_the_stages(tmp_path):
    run = complete_run(tmp_path)
    write_report(run)
    report = json.loads((run.path / "report.json").read_text())
    assert report["seed"] == 7
    assert report["accuracy"] == {"float": 0.9638, "onnx": 0.96, "csim": 0.96, "rtl": 0.97}
    assert report["images"] == {"float": 359, "onnx": 359, "csim": 359, "rtl": 32}
    assert report["mismatches"] == {"csim": 0, "rtl": 1}
    # The bound is that of the layers: 2304, not the sliding window's 2343.
    assert report["cycles"] == {"latency": 5024, "interval": 2500, "bound": 2304, "clock_mhz": 100, "fps": 40000.0}
    assert report["resources"]["bram36"] == 1.5
    assert report["resources"]["budget"]["lut"] == 53200
    assert report["layers"][1] == {
        "name": "SpikingMVAU_rtl_0", "op": "SpikingMVAU_rtl", "pe": 10, "simd": 1, "tp": 4, "cycles": 2304,
        "lut": 800, "bram36": 0.5, "sparsity": 0.75,
        "work": 9 * 10 * 256 * 4, "lanes": 40, "utilisation": 2304 / 2500, "toggles": 1250.5,
        "event": False, "density": None,
        "period_ns": 10.25,
    }  # fmt: skip
    assert [layer["sparsity"] for layer in report["layers"]] == [None, 0.75, None, 0.8, None]
    assert report["layers"][2]["cycles"] is None
    # No node of the others says what it multiplies, and the third was not counted.
    assert [layer["work"] for layer in report["layers"]].count(None) == 4
    assert [layer["toggles"] for layer in report["layers"]] == [None, 1250.5, None, 1.5, None]
    assert report["toggles"] == {"images": 4, "per_frame": 1252.0}
    assert [layer["event"] for layer in report["layers"]] == [False, False, False, True, False]
    assert [layer["density"] for layer in report["layers"]] == [None, None, None, 0.25, None]
    assert report["classes"] == ["zero", "<one>", "two"]
    assert report["confusion"] == [[110, 10, 0], [3, 116, 0], [0, 0, 120]]
    # 437,961.6 additions of 0.1 pJ and 21,160 products of 0.2 pJ with an addition each; 0.9 and 3.7 pJ of floats.
    assert report["energy"]["nj"] == pytest.approx(43.79616 + 6.348)
    assert report["energy"]["float32_nj"] == pytest.approx(394.16544 + 97.336)


def test_cycles_of_event_driven_cores_are_a_distribution(tmp_path):
    run = complete_run(tmp_path)
    write_report(run)
    events = json.loads((run.path / "report.json").read_text())["event_driven"]
    assert events["interval"] == {"mean": 2350.0, "p99": 2400, "worst": 2500}
    assert (events["guaranteed"], events["fps"], events["guaranteed_fps"]) == (4000, 100e6 / 2350, 25_000)
    assert events["cores"][0]["cycles"] == SPREAD and events["cores"][0]["ideal"] == 1500
    text = " ".join(_Page((run.path / "report.html").read_text()).text)
    for words in ("Event-driven cores", "359 test images", "2,350", "4,000", "25,000", "event-driven", "25.0%"):
        assert words in text
    (run.path / "results" / "event_cycles.json").unlink()
    write_report(run)
    assert json.loads((run.path / "report.json").read_text())["event_driven"] is None
    assert "guaranteed" not in (run.path / "report.html").read_text()


def test_the_bitstream_stands_beside_the_estimates_of_the_same_board(tmp_path):
    run = complete_run(tmp_path)
    write_report(run)
    (core,) = json.loads((run.path / "report.json").read_text())["bitstream"]["cores"]
    assert core == {
        "name": "SpikingMVAU_rtl_0", "lut": 745, "ff": 612, "bram": 0.5, "dsp": 0,
        "estimated_lut": 800, "estimated_ff": 1, "estimated_bram": 0.5, "estimated_dsp": 0,
    }  # fmt: skip
    text = " ".join(_Page((run.path / "report.html").read_text()).text)
    assert "Bitstream for Pynq-Z2" in text and "timing met" in text and "7,654" in text
    change(run, "bitstream", board="ZCU104", timing_met=False, slack_ns=-0.25, cores=None)
    write_report(run)
    assert json.loads((run.path / "report.json").read_text())["bitstream"]["cores"] is None
    text = " ".join(_Page((run.path / "report.html").read_text()).text)
    assert "timing not met" in text and "-0.250" in text


def test_estimates_of_another_board_are_not_compared(tmp_path):
    run = complete_run(tmp_path)
    change(run, "bitstream", board="ZCU104")
    write_report(run)
    (core,) = json.loads((run.path / "report.json").read_text())["bitstream"]["cores"]
    assert (core["lut"], core["estimated_lut"]) == (745, None)


def test_frames_a_second_are_those_of_the_bitstream_where_it_met_its_clock(tmp_path):
    run = complete_run(tmp_path)
    change(run, "bitstream", clock_mhz=87.5)
    write_report(run)
    cycles = json.loads((run.path / "report.json").read_text())["cycles"]
    assert (cycles["clock_mhz"], cycles["fps"]) == (87.5, 87.5e6 / cycles["interval"])
    assert "of the bitstream, by its timing analysis" in (run.path / "report.html").read_text()
    # The clock that was missed and another board's may be the number of the target.
    for changed in ({"timing_met": False}, {"timing_met": True, "board": "Pynq-Z1"}):
        change(run, "bitstream", clock_mhz=100.0, **changed)
        write_report(run)
        page = (run.path / "report.html").read_text()
        assert "MHz, design target" in page and "by its timing analysis" not in page
    change(run, "bitstream", clock_mhz=87.5, timing_met=False)
    write_report(run)
    cycles = json.loads((run.path / "report.json").read_text())["cycles"]
    assert cycles["clock_mhz"] == 100
    assert "MHz, design target" in (run.path / "report.html").read_text()


def test_the_page_names_the_cores_that_miss_the_clock(tmp_path):
    run = complete_run(tmp_path)
    write_report(run)
    text = " ".join(_Page((run.path / "report.html").read_text()).text)
    assert "not met by SpikingMVAU_rtl_0" in text and "a_q[1]" in text
    limit = {"core": "SpikingMVAU_rtl_0", "start": "a_q[1]", "end": "b_q", "target_ns": 10.0, "part_speed_grade": "2"}
    change(run, "synth", timing={**limit, "period_ns": 8.0, "met": True, "speed_grade": "1"})
    write_report(run)
    text = " ".join(_Page((run.path / "report.html").read_text()).text)
    assert "met by all cores" in text and "125 MHz" in text and "the board's part is of grade 2" in text
    # Results of before there was an analysis.
    change(run, "synth", timing=None)
    change(run, "bitstream", timing_met=False)
    write_report(run)
    assert json.loads((run.path / "report.json").read_text())["timing"] is None
    assert "design target, no timing analysis" in (run.path / "report.html").read_text()


def test_an_ecp5_has_no_clock_before_it_is_routed(tmp_path):
    run = complete_run(tmp_path)
    change(run, "synth", board="ULX3S-85F")
    write_report(run)
    cycles = json.loads((run.path / "report.json").read_text())["cycles"]
    assert (cycles["clock_mhz"], cycles["fps"]) == (None, None)


def test_shipped_images_give_no_test_accuracy(tmp_path):
    run = complete_run(tmp_path)
    change(run, "csim", accuracy=None, shipped_accuracy=0.75, images=20)
    write_report(run)
    report = json.loads((run.path / "report.json").read_text())
    assert report["accuracy"]["csim"] is None
    assert (report["images"]["csim"], report["mismatches"]["csim"]) == (20, 0)
    page = (run.path / "report.html").read_text()
    assert '<span class="none">shipped images</span>' in page
    assert "no test set. Right of them:\ncsim 75%." in page
    change(run, "csim", **RESULTS["csim"])
    write_report(run)
    assert "shipped images" not in (run.path / "report.html").read_text()


def test_no_frames_per_second_without_an_interval(tmp_path):
    run = complete_run(tmp_path)
    change(run, "rtl", interval=None)
    write_report(run)
    cycles = json.loads((run.path / "report.json").read_text())["cycles"]
    assert (cycles["interval"], cycles["fps"], cycles["clock_mhz"]) == (None, None, 100)


class _Page(HTMLParser):
    """Open tags must close in order; attributes that would load something are collected."""

    VOID = frozenset({"meta", "br", "hr", "img", "input", "link"})

    def __init__(self, page):
        super().__init__()
        self.open, self.references, self.text = [], [], []
        self.tags, self.ids = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "srcset", "data", "action", "href", "xlink:href"):
                self.references.append(value)
            if name == "id":
                self.ids.append(value)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("measured", [True, False])
def test_page_is_whole_and_loads_nothing(tmp_path, measured):
    run = (complete_run if measured else trained_run)(tmp_path)
    source = write_report(run).read_text()
    page = _Page(source)
    assert page.open == []
    assert "http" not in source and "url(http" not in source and "@import" not in source
    inside = [reference for reference in page.references if not reference.startswith("data:image/png;base64,")]
    assert all(reference.startswith("#") and reference[1:] in page.ids for reference in inside)
    assert len(page.ids) == len(set(page.ids))
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert ("img" in page.tags) is measured
    text = " ".join(page.text)
    assert ("not measured" in text) is (not measured) or measured
    assert "<mini>" in text, "the run's name is text, not markup"
    if measured:
        for shown in ("0.9638", "2,304", "40,000", "fits Pynq-Z2", "53,200", "conv2"):
            assert shown in text, shown
    else:
        assert text.count("not measured") >= 15


@pytest.mark.parametrize("measured", [True, False])
def test_plots_are_svg_files(tmp_path, measured):
    run = (complete_run if measured else trained_run)(tmp_path)
    write_report(run)
    names = {path.name for path in (run.path / "plots").iterdir()}
    always = {"training.svg", "accuracy.svg", "channels.svg", "epochs.svg", "scores.svg"}
    assert names == (always | {"cycles.svg", "luts.svg", "roofline.svg"} if measured else always)
    for name in names:
        assert ElementTree.parse(run.path / "plots" / name).getroot().tag.endswith("svg")


def test_a_run_without_scores_and_channels_over_epochs_has_no_plots_of_them(tmp_path):
    run = trained_run(tmp_path)
    older = {key: value for key, value in METRICS.items() if key != "scores"}
    older["history"] = [{key: value for key, value in entry.items() if key != "channels"} for entry in older["history"]]
    (run.path / "metrics.json").write_text(json.dumps(older))
    write_report(run)
    assert {path.name for path in (run.path / "plots").iterdir()} == {"training.svg", "accuracy.svg", "channels.svg"}


def test_a_training_that_began_with_rates_shows_its_passages(tmp_path):
    run = trained_run(tmp_path)
    write_report(run)
    assert "conversion" not in (run.path / "report.html").read_text()
    accuracies = {"dense": 0.9, "masked": 0.9, "rates": 0.8879, "converted": 0.8664, "compact": 0.9638}
    (run.path / "metrics.json").write_text(json.dumps({**METRICS, "accuracies": accuracies}))
    write_report(run)
    text = (run.path / "report.html").read_text()
    assert "0.8879" in text and "0.8664" in text and "before the conversion" in text


def test_the_ratio_is_that_which_the_training_came_to(tmp_path):
    run = trained_run(tmp_path)
    write_network(run.path, TrainConfig(budget="Pynq-Z2"))
    (run.path / "metrics.json").write_text(json.dumps({**METRICS, "ratio": 0.625}))
    write_report(run)
    assert json.loads((run.path / "report.json").read_text())["ratio"] == 0.625


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda run: (run / "metrics.json").unlink(), "has no metrics.json; run `make train"),
        (lambda run: (run / "metrics.json").write_text("{"), "metrics.json is damaged"),
        (
            lambda run: (run / "results" / "rtl.json").write_text("[]"),
            "rtl.json holds no JSON object; run `make rtlsim RUN='<mini>'` again",
        ),
    ],
)
def test_damaged_runs_are_named(tmp_path, capsys, spoil, sentence):
    run = complete_run(tmp_path)
    spoil(run.path)
    assert main(["report", str(run.path)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and sentence in captured.err and captured.err.count("\n") == 1
    assert not (run.path / "report.json").exists() and not (run.path / "report.html").exists()
