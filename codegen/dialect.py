"""The words and numbers that all readers and writers of model.onnx and graph.onnx agree on."""

from __future__ import annotations

DOMAIN = "spikefold"
"""Of the local functions of model.onnx: the neurons of codegen.neurons, and READ_OUT."""
OPSET = 18
"""Of the standard operators that model.onnx and the bodies of its functions consist of."""
IR_VERSION = 9
"""Of the model.onnx that is written: local functions, and constants that are no inputs of the graph."""
READ_OUT = "ReadOut"
SUM_SUFFIX = "_sum"
"""What the name of a layer gets for the last addition of its sum."""
DATAFLOW_DOMAIN = "finn.custom_op.fpgadataflow"
"""FINN's, of the dataflow nodes of graph.onnx."""

PIXEL_BITS = 8
PIXEL_MAX = 255
FRAME_DIMENSIONS = 3
"""Height, width, channels."""
EVENT_DIMENSIONS = 2 + FRAME_DIMENSIONS
"""Of an input of event frames, [batch, T, height, width, channels]."""

MAX_TIMESTEPS = 32
DEFAULT_FRAC_BITS = 4
MAX_FRAC_BITS = 30
"""Of potentials: 2^frac_bits is an int32 in model.onnx."""
MAX_LEAK_SHIFT = 30
"""Of LIF neurons: 2^leak_shift is one too."""
MAX_STEP_BITS = 8
"""Of one step in an element: 1 in spike trains, more in counts (sums of spikes, event frames)."""
FLOAT_BITS = 24
"""Bits of the integers that float32 holds exactly."""
FLOAT_EXACT = 1 << FLOAT_BITS
"""float32, in which ONNX Runtime convolves and FINN executes, holds every integer up to this magnitude."""
INT_BITS = 32
"""Of additions and neurons in model.onnx."""
