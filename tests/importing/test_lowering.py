"""NIR graphs lowered and interpreted, against the same graphs evaluated node by node with PyTorch."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from nir_graphs import DT, graphs
from nir_reference import evaluate

from codegen.importing.interpreter import run, traces
from codegen.importing.lowering import lower
from codegen.importing.options import NirOptions

T = 3


@settings(max_examples=120, deadline=None)
@given(graphs(), st.sampled_from(["hard", "soft", "delayed"]), st.sampled_from(["ge", "gt"]), st.integers(0, 99))
def test_random_graphs_give_the_same_logits_and_traces(graph, reset, compare, seed):
    network = lower(graph, NirOptions(dt=DT, reset=reset, compare=compare, timesteps=T, input_scale=0.25))
    height, width, channels = network.input_shape
    images = np.random.default_rng(seed).integers(0, 9, (3, height, width, channels)).astype(np.uint8)
    frames = np.stack([images.transpose(0, 3, 1, 2) * 0.25] * T)
    shape = tuple(int(size) for size in graph.nodes["input"].input_type["input"])
    wanted = evaluate(graph, frames.reshape(T, 3, *shape), DT, reset, compare)
    np.testing.assert_array_equal(run(network, images), wanted.logits)
    for name, trace in traces(network, images).items():
        np.testing.assert_array_equal(trace.spikes.reshape(T, 3, -1), wanted.spikes[name].reshape(T, 3, -1))
        np.testing.assert_array_equal(
            trace.potential_before_reset.reshape(T, 3, -1), wanted.potentials[name].reshape(T, 3, -1)
        )
