"""Logits step by step, and what is shown of them, on random networks: chains, graphs, images and event frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_graphs import integer_graphs
from random_networks import integer_networks

from codegen.export.onnx_writer import build_model
from codegen.network import IntegerNetwork
from codegen.run_inputs import LabelledImages
from codegen.verify.predictions import measure_predictions
from codegen.verify.reference import run_layers, run_reference
from codegen.verify.step_logits import run_steps

IMAGES = 3


def _images(network: IntegerNetwork, seed: int) -> np.ndarray:
    steps = () if network.static_input else (network.timesteps,)
    shape = (IMAGES, *steps, *network.input_shape)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(network=st.one_of(integer_networks(), integer_graphs()), seed=st.integers(0, 2**32 - 1))
def test_the_sums_after_a_step_are_the_logits_of_a_network_with_so_many_steps(tmp_path, network, seed):
    path, images = tmp_path / "model.onnx", _images(network, seed)
    onnx.save(build_model(network), path)
    found = run_steps(path, images)
    logits, trains = run_layers(network, images)
    assert found.logits.shape == (network.timesteps, IMAGES, network.classes)
    np.testing.assert_array_equal(found.logits[-1], logits)
    for spikes, train in zip(found.spikes.values(), trains, strict=True):
        np.testing.assert_array_equal(spikes, train)
    if any(neuron.late for neuron in network.neurons()):
        return  # they wait for all steps, so that fewer steps are another network
    for step in range(1, network.timesteps):
        shorter = images if network.static_input else images[:, :step]
        expected = run_reference(replace(network, timesteps=step), shorter)
        np.testing.assert_array_equal(found.logits[step - 1], expected)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(network=st.one_of(integer_networks(), integer_graphs()), seed=st.integers(0, 2**32 - 1))
def test_predictions_are_those_of_the_logits(tmp_path, network, seed):
    path, images = tmp_path / "model.onnx", _images(network, seed)
    onnx.save(build_model(network), path)
    labels = np.random.default_rng(seed).integers(0, network.classes, IMAGES)
    logits = run_reference(network, images)
    found = measure_predictions(path, LabelledImages(images, labels), logits, "")
    assert found.confusion is not None and sum(map(sum, found.confusion)) == IMAGES
    for label, decided in zip(labels, logits.argmax(axis=1), strict=True):
        assert found.confusion[label][decided] > 0
    assert {sample.number for sample in found.samples} == set(range(IMAGES))
    assert all(sample.logits[-1] == tuple(logits[sample.number]) for sample in found.samples)
    assert measure_predictions(path, LabelledImages(images, labels, shipped=True), logits, "").confusion is None
