"""Hardware cores, one file each: parameters, cycles, reference model, resources, foldings and rendering.

``CORES`` is the one list of them; what needs to know about a core finds it by its operator and asks it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from codegen.cores.core import Core
from codegen.cores.fifo import Fifo
from codegen.cores.neuron_bank import NeuronBank
from codegen.cores.padding import Padding
from codegen.cores.residual_add import ResidualAdd
from codegen.cores.sliding_window import SlidingWindow
from codegen.cores.spike_pool import SpikePool
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.cores.stream_fork import StreamFork
from codegen.cores.sum_pool import SumPool
from codegen.cores.width_converter import WidthConverter
from codegen.errors import MappingError

CORES: tuple[type[Core], ...] = (
    SpikingMVAU,
    SpikePool,
    SumPool,
    StreamFork,
    ResidualAdd,
    NeuronBank,
    Padding,
    SlidingWindow,
    WidthConverter,
    Fifo,
)
"""Every core that an operator of the dataflow graph can be."""

BACK_ENDS = ("_hls", "_rtl")
"""Endings of the operators of graph.onnx."""


def find_core(op_type: str) -> type[Core] | None:
    """The core of an operator, with or without the ending of a backend; None where there is none."""
    generic = op_type[:-4] if op_type.endswith(BACK_ENDS) else op_type
    return next((core for core in CORES if core.op == generic), None)


def core_class(op_type: str) -> type[Core]:
    """The same; raises MappingError where there is none."""
    found = find_core(op_type)
    if found is None:
        raise MappingError(f"no core implements the operator {op_type}")
    return found


def core_of(operator: Any, model: Any = None) -> Core:
    """The core of an operator of graph.onnx, with its constants where the model is given that holds them.

    Raises MappingError when there is no core, or a constant of it is computed.
    """
    node = operator.onnx_node
    core = core_class(node.op_type).from_operator(operator)
    if model is None or not core.constant_inputs:
        return core
    values = []
    for name in node.input[len(core.inputs) :]:
        found = model.get_initializer(name)
        if found is None:
            raise MappingError(f"{core.op} {node.name!r} needs {name!r} as a constant, it is computed")
        values.append(np.asarray(found))
    return core.with_constants(*values)
