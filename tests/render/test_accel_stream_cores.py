"""FINN's stream infrastructure in RTL and ours in HLS, both against numpy, on chains of random shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from accel_graphs import StreamChain, random_chain
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.errors import RenderError, SimulationError
from codegen.render.graph import read_graph
from codegen.render.render import render_sources
from codegen.verify.csim import run_csim
from codegen.verify.rtlsim import run_rtlsim
from codegen.words import pack_words, unpack_words

IMAGES = 4


def images_for(chain: StreamChain) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (IMAGES, *chain.input_shape)).astype(np.uint8)


def unsigned(logits: np.ndarray) -> np.ndarray:
    return logits.astype(np.int64) & 255


@pytest.mark.parametrize(
    "seed", [0, 1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
def test_hls_and_rtl_of_a_random_chain_equal_numpy(seed: int, tmp_path: Path) -> None:
    chain = random_chain(seed)
    run = chain.save(tmp_path / "chain")
    render_sources(run)
    images = images_for(chain)
    expected = chain.expect(images)
    np.testing.assert_array_equal(unsigned(run_csim(run, images).logits), expected)
    np.testing.assert_array_equal(unsigned(run_rtlsim(run, images, quick=True).logits), expected)
    stalled = run_rtlsim(run, images, quick=True, stall_in=0.4, stall_out=0.6, seed=seed)
    np.testing.assert_array_equal(unsigned(stalled.logits), expected)


def test_a_window_overlaps_frames_in_rtl_and_a_waveform_appears(tmp_path: Path) -> None:
    chain = StreamChain((6, 5, 4), 8, 2).pad(1, 1, 1, 1).windows((3, 3), (1, 1))
    run = chain.save(tmp_path / "window")
    render_sources(run)
    images = images_for(chain)
    trips = run_csim(run, images).trips
    waveform = tmp_path / "wave.fst"
    result = run_rtlsim(run, images, quick=True, waveform=waveform)
    np.testing.assert_array_equal(unsigned(result.logits), chain.expect(images))
    window = read_graph(run.path / "graph.onnx").nodes[1].core
    assert result.interval == window.cycles < max(trips.values())
    # An FST file starts with a header block: type 0, then its length, 329 bytes (GTKWave's fstapi).
    content = waveform.read_bytes()
    assert content[:9] == bytes([0]) + (329).to_bytes(8, "big")
    assert len(content) > 1000


def test_a_deadlock_is_reported_with_its_streams(tmp_path: Path) -> None:
    chain = StreamChain((4, 4, 2), 8, 2).pad(1, 1, 1, 1).fifo(16)
    run = chain.save(tmp_path / "stuck")
    render_sources(run)
    padding = read_graph(run.path / "graph.onnx").nodes[0].name
    module = run.path / "rtl" / f"{padding}.v"
    text = module.read_text()
    assert text.count("m_axis_tready(out0_V_TREADY)") == 1
    text = text.replace("m_axis_tready(out0_V_TREADY)", "m_axis_tready(1'b0)")
    text = text.replace("m_axis_tvalid(out0_V_TVALID)", "m_axis_tvalid()")
    module.write_text(text.replace("endmodule", "assign out0_V_TVALID = 1'b0;\nendmodule"))
    sentence = (
        rf"is in a deadlock after \d+ cycles; of its streams, full: the input -> {padding}; "
        rf"empty: {padding} -> streamingfifo_1, streamingfifo_1 -> the output$"
    )
    with pytest.raises(SimulationError, match=sentence):
        run_rtlsim(run, images_for(chain), quick=True, assertions=False)


def test_a_node_that_changes_a_waiting_word_breaks_the_stream_assertion(tmp_path: Path) -> None:
    chain = StreamChain((4, 4, 2), 8, 2).pad(1, 1, 1, 1).fifo(4)
    run = chain.save(tmp_path / "unstable")
    render_sources(run)
    fifo = read_graph(run.path / "graph.onnx").nodes[1].name
    module = run.path / "rtl" / f"{fifo}.v"
    text = module.read_text()
    module.write_text(
        text.replace(".odat(out0_V_TDATA)", ".odat()").replace(
            "endmodule", "assign out0_V_TDATA = ~in0_V_TDATA;\nendmodule"
        )
    )
    with pytest.raises(SimulationError, match=r"Assertion failed"):
        run_rtlsim(run, images_for(chain), quick=True, stall_out=0.8, seed=1)


def test_a_missing_width_converter_is_named(tmp_path: Path) -> None:
    chain = StreamChain((4, 4, 4), 8, 2).pad(1, 1, 1, 1)
    chain.simd = 4
    run = chain.windows((3, 3), (1, 1)).save(tmp_path / "gap")
    with pytest.raises(RenderError, match=r"fmpadding_0 gives .* convolutioninputgenerator_1 takes"):
        render_sources(run)
    assert not (run.path / "rtl").exists()
    assert not (run.path / "hls").exists()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_words_pack_and_unpack(data: st.DataObject) -> None:
    element_bits = data.draw(st.integers(1, 40))
    lanes = data.draw(st.integers(1, 9))
    words = data.draw(st.integers(1, 5))
    signed = data.draw(st.booleans())
    low, high = (-(1 << element_bits - 1), (1 << element_bits - 1) - 1) if signed else (0, (1 << element_bits) - 1)
    seed = data.draw(st.integers(0, 2**32 - 1))
    elements = np.random.default_rng(seed).integers(low, high, (3, words * lanes), endpoint=True)
    packed = pack_words(elements, lanes, element_bits)
    assert packed.shape == (3, words, -(-lanes * element_bits // 8))
    np.testing.assert_array_equal(unpack_words(packed, lanes, element_bits, signed=signed), elements)
    first = int.from_bytes(packed[0, 0].tobytes(), "little")
    assert first & ((1 << element_bits) - 1) == int(elements[0, 0]) & ((1 << element_bits) - 1)


def test_windows_with_gaps_between_them_equal_numpy(tmp_path: Path) -> None:
    chain = StreamChain((9, 5, 2), 8, 2).windows((1, 2), (2, 1)).windows((2, 2), (3, 3))
    run = chain.save(tmp_path / "gaps")
    render_sources(run)
    images = images_for(chain)
    np.testing.assert_array_equal(unsigned(run_csim(run, images).logits), chain.expect(images))
    np.testing.assert_array_equal(unsigned(run_rtlsim(run, images, quick=True).logits), chain.expect(images))
