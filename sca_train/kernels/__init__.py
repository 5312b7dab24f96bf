"""Event-driven CPU training: spike trains as integers, convolutions that add, and one pass per layer for the rest."""

from sca_train.kernels.functions import Neuron, SpikeTrains, neurons, spike_convolution

__all__ = ["Neuron", "SpikeTrains", "neurons", "spike_convolution"]
