"""Event-driven CPU training: spike trains as integers, convolutions that add, and one pass per layer for the rest.

Rate-equivalent layers send spike counts, and convolve them as integers.
"""

from sca_train.kernels.functions import Neuron, SpikeTrains, neurons, spike_convolution
from sca_train.kernels.integers import Weights
from sca_train.kernels.rates import MAX_COUNT, CountSums, SpikeCounts, count_convolution, count_neurons

__all__ = [
    "MAX_COUNT",
    "CountSums",
    "Neuron",
    "SpikeCounts",
    "SpikeTrains",
    "Weights",
    "count_convolution",
    "count_neurons",
    "neurons",
    "spike_convolution",
]
