"""The driver packs images and unpacks logits exactly as the simulators do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spikefold_driver import Description, ImageError
from spikefold_driver.description import Stream
from spikefold_driver.packing import check_images, pack_images, unpack_logits
from spikefold_driver.transports.transport import Deadline, limit_cycles, most_frames
from trained_digits import SHAPE

from codegen.render.graph import Stream as CodegenStream
from codegen.verify.stream_words import image_words, logits_of_words
from codegen.words import pack_words, word_bytes


def description(shape: tuple[int, ...], source: Stream, sink: Stream, interval: int = 1000) -> Description:
    return Description(
        folder=Path(),
        name="random",
        board="Pynq-Z2",
        shell="dma",
        clock_mhz=100.0,
        network=0,
        bitstream=None,
        bitstream_sha256=None,
        input_shape=shape,
        input=source,
        output=sink,
        classes=sink.lanes * sink.words,
        class_names=(),
        latency=2 * interval,
        interval=interval,
    )


def both_streams(lanes: int, element_bits: int, words: int, signed: bool) -> tuple[Stream, CodegenStream]:
    size = word_bytes(lanes * element_bits)
    ours = Stream(lanes, element_bits, words, size, 1 << (size - 1).bit_length(), signed)
    return ours, CodegenStream(lanes=lanes, element_bits=element_bits, signed=signed, words=words)


SINK, _ = both_streams(1, 16, 10, True)


@given(
    lanes=st.integers(1, 9),
    words=st.integers(1, 7),
    steps=st.integers(1, 9),
    events=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_images_and_event_frames(lanes: int, words: int, steps: int, events: bool, seed: int) -> None:
    steps = steps if events else 1
    ours, theirs = both_streams(lanes, 8 * steps, words, False)
    shape = (words, lanes, 1) if seed % 2 else (1, words, lanes)
    shape = (steps, *shape) if events else shape
    images = np.random.default_rng(seed).integers(0, 256, (3, *shape), dtype=np.uint8)
    packed = pack_images(images, description(shape, ours, SINK))
    assert packed.dtype == np.uint8
    np.testing.assert_array_equal(packed, image_words(images, theirs))


@given(lanes=st.integers(1, 9), bits=st.integers(1, 15), words=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_elements_of_other_widths(lanes: int, bits: int, words: int, seed: int) -> None:
    ours, theirs = both_streams(lanes, bits, words, False)
    images = np.random.default_rng(seed).integers(0, 1 << min(bits, 8), (2, words, lanes, 1), dtype=np.uint8)
    packed = pack_images(images, description((words, lanes, 1), ours, SINK))
    np.testing.assert_array_equal(packed, image_words(images, theirs))


@given(
    lanes=st.integers(1, 9),
    bits=st.integers(1, 32),
    words=st.integers(1, 5),
    signed=st.booleans(),
    spare=st.integers(0, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_logits(lanes: int, bits: int, words: int, signed: bool, spare: int, seed: int) -> None:
    """Whatever stands in the padding bits, and in the bytes that a DMA adds."""
    bits = min(bits, 31) if not signed else bits
    ours, theirs = both_streams(lanes, bits, words, signed)
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, (3, words, ours.bytes + spare), dtype=np.uint8)
    logits = unpack_logits(noise, ours)
    assert logits.dtype == np.int32
    np.testing.assert_array_equal(logits, logits_of_words(noise[:, :, : ours.bytes], theirs))
    packed = pack_words(logits.astype(np.int64), lanes, bits)
    np.testing.assert_array_equal(unpack_logits(packed, ours), logits)


def test_one_image_needs_no_batch() -> None:
    ours, _ = both_streams(1, 8, 256, False)
    network = description(SHAPE, ours, SINK)
    assert check_images(np.zeros(SHAPE, np.uint8), network).shape == (1, *SHAPE)
    for wrong in (np.zeros((2, *SHAPE[:2]), np.uint8), np.zeros((1, 1, *SHAPE), np.uint8), np.uint8(3), "text"):
        with pytest.raises(ImageError, match=r"give uint8 \[N, 16, 16, 1\]"):
            check_images(np.asarray(wrong), network)


@given(interval=st.integers(1, 2**33), frames=st.integers(1, 65535))
def test_a_batch_ends_long_before_the_cycle_counter_wraps(interval: int, frames: int) -> None:
    ours, _ = both_streams(1, 8, 256, False)
    network = description(SHAPE, ours, SINK, interval)
    most = most_frames(network)
    assert 1 <= most <= 65535
    if most > 1:
        assert limit_cycles(network, most) <= 2**31
    assert limit_cycles(network, frames) >= 4 * frames * interval


def test_deadlines_by_cycles_and_by_a_counter_that_stands_still() -> None:
    now = 0.0
    deadline = Deadline(1000, 2.0, clock=lambda: now)
    assert not deadline.is_over(1000)
    assert deadline.is_over(1001)
    deadline = Deadline(1000, 2.0, clock=lambda: now)
    for cycles in range(0, 1000, 100):  # a slow clock is no fault
        now += 1.9
        assert not deadline.is_over(cycles)
    now += 1.9
    assert not deadline.is_over(900)
    now += 0.2
    assert deadline.is_over(900)
