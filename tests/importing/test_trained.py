"""Networks trained in snnTorch and SpikingJelly, followed and computed here: the same classes on the test images."""

from __future__ import annotations

import numpy as np
import pytest
from trained_networks import SCALE, JellyNet, SnnTorchNet, T, digits, logits, tensor, train

from codegen.importing.doors import from_snntorch, from_spikingjelly
from codegen.importing.interpreter import run

snntorch = pytest.importorskip("snntorch")


def _compared(net, network):
    _, _, images, labels = digits()
    theirs, ours = logits(net, images), run(network, images)
    accuracy = (theirs.argmax(1) == labels).mean()
    assert accuracy > 0.9
    # Float32 and float64 may part where a potential is at the threshold.
    assert (np.abs(theirs - ours).max(axis=1) < 1e-3).mean() > 0.98
    assert abs((ours.argmax(1) == labels).mean() - accuracy) < 0.006
    assert network.timesteps == T


@pytest.mark.parametrize("convolutional, beta, reset", [(False, 0.75, "subtract"), (True, 0.9, "zero")])
def test_snntorch(convolutional, beta, reset):
    net = train(SnnTorchNet(snntorch, convolutional, beta, reset))
    shape = None if convolutional else (8, 8, 1)
    _compared(net, from_snntorch(net, tensor(digits()[0][:2]), input_scale=SCALE, input_shape=shape))


@pytest.mark.parametrize("convolutional, leaky, v_reset", [(False, True, 0.0), (True, False, None)])
def test_spikingjelly(convolutional, leaky, v_reset):
    net = train(JellyNet(convolutional, leaky, v_reset))
    shape = None if convolutional else (8, 8, 1)
    _compared(net, from_spikingjelly(net, tensor(digits()[0][:2]), input_scale=SCALE, input_shape=shape))
