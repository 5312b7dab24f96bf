"""Streams, foldings and reference models of the stream infrastructure and of pooling."""

from __future__ import annotations

import numpy as np
import pytest

from codegen.cores import CORES, find_core
from codegen.cores.core import Core
from codegen.cores.fifo import Fifo
from codegen.cores.padding import Padding
from codegen.cores.sliding_window import SlidingWindow
from codegen.cores.spike_pool import SpikePool
from codegen.cores.width_converter import WidthConverter
from codegen.errors import FoldingError, RenderError

PADDING = Padding("pad", height=3, width=4, channels=6, top=1, left=2, bottom=0, right=1, simd=2, element_bits=4)
WINDOW = SlidingWindow(
    "window", height=5, width=4, channels=6, kernel=(3, 2), stride=(2, 1), dilation=(1, 1), simd=2, element_bits=4,
)  # fmt: skip
POOL = SpikePool("pool", height=5, width=4, channels=6, kernel=2, pe=3, timesteps=4)
CONVERTER = WidthConverter("convert", in_bits=8, out_bits=12, in_words=9, element_bits=4)
FIFO = Fifo("fifo", depth=7, word_bits=12, words=5, ram_style="auto", element_bits=4)


def elements_of(core: Core) -> np.ndarray:
    stream = core.inputs[0]
    return np.random.default_rng(3).integers(0, 1 << stream.element_bits, stream.words * stream.lanes)


def outputs_of(core: Core, elements: np.ndarray) -> np.ndarray:
    source, target = core.inputs[0], core.outputs[0]
    (frame,) = core.reference(elements.reshape(source.words, source.lanes))
    assert frame.shape == (target.words, target.lanes)
    return frame.reshape(-1)


@pytest.mark.parametrize("core", [PADDING, WINDOW, POOL], ids=lambda core: core.name)
def test_a_folding_changes_lanes_and_no_element(core: Core) -> None:
    elements = elements_of(core)
    folded = list(core.foldings())
    assert [other.inputs[0].lanes for other in folded] == [1, 2, 3, 6]
    for other in folded:
        np.testing.assert_array_equal(outputs_of(other, elements), outputs_of(core, elements))
        assert other.with_lanes(core.inputs[0].lanes) == core
        assert other.divisions() == {core.folds[0].attribute: other.inputs[0].lanes}
    assert folded[0].cycles > folded[-1].cycles


@pytest.mark.parametrize("core", [CONVERTER, FIFO], ids=lambda core: core.name)
def test_converter_and_fifo_keep_the_elements(core: Core) -> None:
    elements = elements_of(core)
    np.testing.assert_array_equal(outputs_of(core, elements), elements)
    assert core.cycles == max(core.inputs[0].words, core.outputs[0].words)


def test_padding_by_hand() -> None:
    image = np.arange(72).reshape(3, 4, 6)
    padded = outputs_of(PADDING, image.reshape(-1)).reshape(4, 7, 6)
    np.testing.assert_array_equal(padded[1:, 2:6], image)
    assert padded.sum() == image.sum()
    assert (PADDING.cycles, PADDING.closing_words) == (4 * 7 * 3, 0)


def test_windows_by_hand() -> None:
    image = np.arange(120).reshape(5, 4, 6)
    windows = outputs_of(WINDOW, image.reshape(-1)).reshape(2, 3, 3, 2, 6)
    np.testing.assert_array_equal(windows[1, 2], image[2:5, 2:4])
    assert WINDOW.span == (2 * 4 + 2) * 3 == WINDOW.fill_words
    assert WINDOW.cycles == WINDOW.outputs[0].words == 2 * 3 * 6 * 3


def test_a_folded_window_buffers_the_same_pixels() -> None:
    assert [(other.span, other.depth) for other in WINDOW.foldings()] == [(60, 128), (30, 64), (20, 32), (10, 16)]


def test_a_fold_that_does_not_divide_is_one_sentence() -> None:
    with pytest.raises(FoldingError, match=r"^here: SIMD=4 does not divide its 6 channels; valid are 1, 2, 3, 6$"):
        PADDING.fold({"SIMD": 4}, "here")


def test_a_fifo_is_no_function_and_finns_rtl_needs_finns_operator(tmp_path) -> None:
    with pytest.raises(RenderError, match=r"^FIFO 'fifo' is the depth of a stream in HLS, it has no function$"):
        FIFO.render("hls", tmp_path)
    with pytest.raises(RenderError, match=r"^'pad' has no FINN operator, which generates its RTL$"):
        PADDING.render("rtl", tmp_path)


def test_parameters_are_what_the_hardware_is_made_of() -> None:
    assert CONVERTER.parameters() == {"name": "convert", "in_bits": 8, "out_bits": 12, "in_words": 9}


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.op)
def test_cores_are_found_by_their_operators(core: type[Core]) -> None:
    assert find_core(core.op) is find_core(f"{core.op}_rtl") is find_core(f"{core.op}_hls") is core
    assert find_core(f"{core.op}_gpu") is None
    # Where the RTL is ours, so are the examples.
    assert bool(core.examples()) != core.rtl_from_finn
