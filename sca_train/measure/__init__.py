"""Accuracy, spikes and operations of a network, and the file that a training leaves of them."""
