"""The cores of residual streams by themselves: references by hand, foldings, and the sentences of their errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.residual_luts import MEASUREMENTS
from codegen.cores import CORES, core_class
from codegen.cores.core import Core, FollowerCore
from codegen.cores.neuron_bank import BankConstants, NeuronBank
from codegen.cores.neuron_memory import constant_lines
from codegen.cores.residual_add import ResidualAdd
from codegen.cores.stream_fork import StreamFork
from codegen.errors import FoldingError, RenderError, SimulationError

FORK = StreamFork("fork", vectors=2, channels=6, pe=2, copies=3, elements=4, element_bits=5, signed=True)
ADD = ResidualAdd(
    "add", vectors=1, channels=2, pe=2, timesteps=2, first_bits=1, first_signed=False, second_bits=5,
    second_signed=True, output_bits=6, first_factor=4, second_factor=2,
)  # fmt: skip
BANK = NeuronBank(
    "bank", vectors=1, channels=3, pe=3, timesteps=4, tp=2, sum_bits=5, static_sums=False, signs=True, neuron="IF",
    leak_shift=0, reset="hard", half_start=False, frac_bits=1, potential_bits=9, bias_bits=4, threshold_bits=5,
    constants=BankConstants(np.array([1, -1, 0]), np.array([1, -1, 3]), np.array([10, 10, 6])),
)  # fmt: skip


def test_a_fork_gives_the_same_words_to_each_output() -> None:
    frame = np.arange(48).reshape(6, 8)
    assert [copy.tolist() for copy in FORK.reference(frame)] == [frame.tolist()] * 3
    assert (FORK.inputs[0].bits, FORK.cycles) == (2 * 4 * 5, 6)


def test_addition_by_hand() -> None:
    """Trains 01 and 10 (bit 0 first) times 4, plus sums (3, -2) and (-16, 15) times 2."""
    trains, sums = np.array([[0b01, 0b10]]), np.array([[3, -2, -16, 15]])
    with pytest.raises(SimulationError, match=r"^ResidualAdd 'add': sums from -32 to 34 do not fit 6 signed bits$"):
        ADD.reference(trains, sums)
    (given,) = replace(ADD, output_bits=7).reference(trains, sums)
    assert given.tolist() == [[4 + 6, -4, -32, 4 + 30]]


def test_what_is_the_same_at_all_steps_is_added_at_each() -> None:
    core = replace(ADD, second_static=True, second_bits=8, second_signed=False, output_bits=11, second_factor=1)
    (given,) = core.reference(np.array([[0b01, 0b10]]), np.array([[200, 7]]))
    assert given.tolist() == [[204, 200, 7, 11]]
    both = replace(core, first_static=True)
    assert (both.output_steps, both.outputs[0].lanes) == (1, 2)
    (given,) = both.reference(np.array([[1, 0]]), np.array([[200, 7]]))
    assert given.tolist() == [[204, 7]]


@pytest.mark.parametrize(("value", "bits"), [(4, 3), (-5, 3), (1, 1)])
def test_a_constant_that_its_memory_cannot_hold_is_an_error(value: int, bits: int) -> None:
    with pytest.raises(RenderError, match=f"^neuron memory: constants from .* do not fit {bits} signed bits$"):
        constant_lines([(np.array([0, value]), bits)], 1)


def test_the_words_of_a_neuron_memory() -> None:
    """Two folds of two channels, 4 bits and 2 bits each, from the low bits up; a width of 0 leaves a field out."""
    fields = (np.array([7, -8, 1, 0]), 4), (np.array([9, 9, 9, 9]), 0), (np.array([1, -1, 0, -2]), 2)
    assert constant_lines(fields, 2) == f"{0b11_1000_01_0111:03x}\n{0b10_0000_00_0001:03x}\n"


def test_neurons_on_sums_by_hand() -> None:
    """Drives 2 * sign * sum + bias; thresholds 10, 10 and 6; hard reset."""
    sums = np.array([[3, 2, -1, 5, 3, -6, 1, -4, 15, -16, 0, 1]])
    # Channel 0, drives 7 5 -1 11: 7, 12 -> spike, -1, 10 -> spike. Channel 1, drives -7 11 -3 7: -7, 4, 1, 8.
    # Channel 2, drives 3 3 3 3: 3, 6 -> spike, 3, 6 -> spike.
    (trains,) = BANK.reference(sums)
    assert trains.tolist() == [[0b1010, 0b0000, 0b1010]]
    assert replace(BANK, static_sums=True).reference(np.array([[3, -6, 0]]))[0].tolist() == [[0b1010, 0b1111, 0b1010]]


@pytest.mark.parametrize(
    ("core", "change", "sentence"),
    [
        (FORK, {"pe": 4}, "StreamFork 'fork': PE=4 does not divide the 6 channels of the layer"),
        (FORK, {"copies": 1}, "StreamFork 'fork': a fork has 2 outputs or more, not 1"),
        (ADD, {"pe": 3}, "ResidualAdd 'add': PE=3 does not divide the 2 channels of the layer"),
        (ADD, {"timesteps": 33}, "ResidualAdd 'add': T=33 is outside 1..32"),
        (ADD, {"second_factor": 3}, "ResidualAdd 'add': the factor 3 of input 1 is not a power of two"),
        (ADD, {"first_factor": 0}, "ResidualAdd 'add': the factor 0 of input 0 is not a power of two"),
        (ADD, {"output_bits": 5}, "ResidualAdd 'add': input 1 takes 6 signed bits, more than the 5 of the sum"),
        (
            ADD,
            {"first_bits": 40, "output_bits": 60},
            "ResidualAdd 'add': an element of 80 bits is wider than 62",
        ),
        (BANK, {"pe": 2}, "NeuronBank 'bank': PE=2 does not divide the 3 channels of the layer"),
        (BANK, {"timesteps": 0}, "NeuronBank 'bank': T=0 is outside 1..32"),
        (BANK, {"tp": 3}, "NeuronBank 'bank': TP=3 does not divide T=4"),
    ],
)
def test_impossible_parameters_are_one_sentence(core: Any, change: dict[str, int], sentence: str) -> None:
    with pytest.raises(FoldingError) as caught:
        replace(core, **change)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("label", "values", "sentence"),
    [
        ("bias", [1, 8, 0], "NeuronBank 'bank': biases from 0 to 8 do not fit 4 signed bits"),
        ("threshold", [1, 2], "NeuronBank 'bank': thresholds of shape (2,) were given, it needs (3,)"),
        ("sign", [1, -2, 0], "NeuronBank 'bank': the sign -2 is not -1, 0 or +1"),
    ],
)
def test_constants_that_do_not_fit_are_refused(label: str, values: list[int], sentence: str, tmp_path: Path) -> None:
    assert BANK.constants
    for language in ("hls", "rtl"):
        with pytest.raises(RenderError) as caught:
            replace(BANK, constants=replace(BANK.constants, **{label: np.array(values)})).render(language, tmp_path)
        assert str(caught.value) == sentence
    assert not list(tmp_path.iterdir())


def test_a_bank_without_signs_refuses_them(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"^NeuronBank 'bank': the sign -1 is not \+1$"):
        replace(BANK, signs=False).render("hls", tmp_path)
    with pytest.raises(RenderError, match=r"^NeuronBank 'bank' has no constants$"):
        replace(BANK, constants=None).render("hls", tmp_path)


@pytest.mark.parametrize(("core", "port"), [(FORK, 0), (ADD, 0), (ADD, 1), (BANK, 0)], ids=lambda value: str(value)[:8])
def test_a_folding_has_the_lanes_that_it_was_asked_for(core: FollowerCore, port: int) -> None:
    for folded in core.foldings():
        lanes = folded.inputs[port].lanes
        assert core.with_lanes(lanes, port).inputs == folded.inputs
        assert core.with_lanes(lanes, port).outputs == folded.outputs


def test_a_bank_keeps_up_with_the_fewest_steps_per_cycle() -> None:
    bank = replace(BANK, vectors=10, pe=1)
    assert [(bank.within(cycles).tp, bank.within(cycles).cycles) for cycles in (120, 119, 60, 59, 1)] == [
        (1, 120),
        (2, 60),
        (2, 60),
        (4, 30),
        (4, 30),
    ]


@pytest.mark.parametrize(
    "measured", json.loads(MEASUREMENTS.read_text()), ids=lambda measured: measured["spec"]["name"]
)
def test_estimates_are_near_what_was_synthesised(measured: dict[str, Any]) -> None:
    core = core_class(measured["op"])(**measured["spec"])
    estimate = core.resources()
    assert estimate.lut == pytest.approx(measured["lut"], rel=0.3, abs=2)
    assert estimate.ff == pytest.approx(measured["ff"], rel=0.15, abs=2)
    assert (estimate.bram36, estimate.dsp) == (measured["bram36"], measured["dsp"])


@pytest.mark.parametrize("core", [core for core in CORES if core.examples()], ids=lambda core: core.op)
def test_a_core_says_how_many_streams_it_has(core: type[Core]) -> None:
    for example in core.examples():
        assert len(example.inputs) == len(example.input_tensors) == core.input_ports
        names = [name for name, _ in example.function_ports]
        several = {"in": len(example.inputs) > 1, "out": len(example.outputs) > 1}
        assert names[0] == ("in0" if several["in"] else "in")
        assert names[-1] == (f"out{len(example.outputs) - 1}" if several["out"] else "out")
        for tensor, stream in zip(example.output_tensors, example.outputs, strict=True):
            assert np.prod(tensor.shape) == stream.words * stream.lanes
