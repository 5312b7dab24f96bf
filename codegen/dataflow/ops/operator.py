"""Cores as FINN sees them: one operator for any core, made from the core's attribute table.

``operators`` gives FINN the three classes that it looks for by name: the generic operator and one for each backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
from finn.custom_op.fpgadataflow.hlsbackend import HLSBackend
from finn.custom_op.fpgadataflow.hwcustomop import HWCustomOp
from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper

from codegen.cores.core import FIFO_DEPTHS, Attribute, Core, Stream, Tensor
from codegen.dataflow.ops.hls_backend import CoreHLSBackend
from codegen.dataflow.ops.rtl_backend import CoreRTLBackend
from codegen.dialect import FLOAT_BITS, FLOAT_EXACT
from codegen.errors import MappingError, PrecisionError

_FINN_KINDS = {"flag": "i", "bits": "s", "signed": "s", "count": "ints", "shape": "ints"}
_SHALLOW = 2
"""Depth of a stream without a FIFO."""


class CoreOperator(HWCustomOp):
    """A core's operator, its backend left open: shapes, stream widths, cycles, estimates and execution.

    Inputs: the core's streams, then its constants as initializers. Every formula is the core's.
    """

    core_class: ClassVar[type[Core]]

    def get_nodeattr_types(self) -> dict[str, Any]:
        own = {attribute.name: _finn_attribute(attribute) for attribute in self.core_class.attributes}
        # One depth for each stream; FINN's default is one entry.
        depths = {
            FIFO_DEPTHS: ("ints", False, [_SHALLOW] * self.core_class.input_ports),
            "outFIFODepths": ("ints", False, [_SHALLOW] * len(self.onnx_node.output)),
        }
        return {**own, **HWCustomOp.get_nodeattr_types(self), **depths}

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        """A node with the output's shape; FINN's own has one output, here all outputs have the shape of the first."""
        compatible = super().make_shape_compatible_op(model)
        compatible.output[:] = self.onnx_node.output
        return compatible

    def core(self) -> Core:
        """The core of this node without its constants; its name is the node's."""
        return self.core_class.from_operator(self)

    def get_normal_input_shape(self, ind: int = 0) -> Sequence[int]:
        core = self.core()
        streams = len(core.inputs)
        return core.input_tensors[ind].shape if ind < streams else core.constant_inputs[ind - streams].shape

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        return self.core().output_tensors[ind].shape

    def get_folded_input_shape(self, ind: int = 0) -> Sequence[int]:
        core = self.core()
        if ind >= len(core.inputs):
            return self.get_normal_input_shape(ind)
        return _folded(core.input_tensors[ind], core.inputs[ind])

    def get_folded_output_shape(self, ind: int = 0) -> Sequence[int]:
        core = self.core()
        return _folded(core.output_tensors[ind], core.outputs[ind])

    def get_instream_width(self, ind: int = 0) -> int:
        """Bits of a word; constants live inside the core."""
        inputs = self.core().inputs
        return inputs[ind].bits if ind < len(inputs) else 0

    def get_outstream_width(self, ind: int = 0) -> int:
        return self.core().outputs[ind].bits

    def get_input_datatype(self, ind: int = 0) -> BaseDataType:
        core = self.core()
        streams = len(core.inputs)
        return DataType[core.inputs[ind].datatype if ind < streams else core.constant_inputs[ind - streams].datatype]

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[self.core().outputs[ind].datatype]

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """Annotate the outputs; an input that is not what the core was made for is an error."""
        node, core = self.onnx_node, self.core()
        for name, stream in zip(node.input, core.inputs, strict=False):
            found = model.get_tensor_datatype(name)
            if found != DataType[stream.datatype]:
                raise MappingError(f"{core.op} {node.name!r} is fed {found}, it reads {stream.datatype}")
        for name, stream in zip(node.output, core.outputs, strict=True):
            model.set_tensor_datatype(name, DataType[stream.datatype])

    def get_exp_cycles(self) -> int:
        return self.core().cycles

    def get_op_and_param_counts(self) -> dict[str, int]:
        return self.core().operation_counts()

    def lut_estimation(self, fpgapart: str) -> int:
        return self.core().resources().lut

    def bram_estimation(self, fpgapart: str) -> int:
        """BRAM18 blocks, FINN's unit."""
        return int(2 * self.core().resources().bram36)

    def dsp_estimation(self, fpgapart: str) -> int:
        return self.core().resources().dsp

    def bram_efficiency_estimation(self, fpgapart: str) -> float:
        blocks = self.bram_estimation(fpgapart)
        return self.core().memory_bits / (blocks * 18 * 1024) if blocks else 1

    def execute_node(self, context: dict[str, NDArray[Any]], graph: GraphProto) -> None:
        """Compute the node with the core's reference model; FINN's rtlsim mode is the backend's (Vivado's simulator).

        Raises PrecisionError when FINN's float32 tensors cannot hold the values exactly.
        """
        if self.get_nodeattr("exec_mode") == "rtlsim":
            backend = RTLBackend if isinstance(self, RTLBackend) else HLSBackend
            backend.execute_node(cast(Any, self), context, graph)
            return
        node, core = self.onnx_node, self.core()
        for stream in (*core.inputs, *core.outputs):
            if not stream.signed and stream.element_bits > FLOAT_BITS:
                raise PrecisionError(float_sentence(f"{node.name!r} has {stream.element_bits}"))
        streams, constants = node.input[: len(core.inputs)], node.input[len(core.inputs) :]
        frames = [
            context[name].astype(np.int64).reshape(stream.words, stream.lanes)
            for name, stream in zip(streams, core.inputs, strict=True)
        ]
        outputs = core.with_constants(*(context[name] for name in constants)).reference(*frames)
        for name, frame, tensor in zip(node.output, outputs, core.output_tensors, strict=True):
            if np.abs(frame).max(initial=0) >= FLOAT_EXACT:
                raise PrecisionError(
                    f"{node.name!r} computes values beyond 2^{FLOAT_BITS}, which FINN's float32 tensors do not hold "
                    "exactly"
                )
            context[name] = frame.astype(np.float32).reshape(tensor.shape)


def float_sentence(found: str) -> str:
    """Why FINN does not execute a graph; ``found`` says whose elements have how many bits."""
    return f"FINN executes graphs on float32 tensors, which hold elements of at most {FLOAT_BITS} bits exactly; {found}"


@dataclass(frozen=True)
class Operators:
    """The classes by which FINN finds a core; their names are the core's operator and its endings."""

    generic: type[CoreOperator]
    hls: type[CoreOperator]
    rtl: type[CoreOperator]


def operators(core: type[Core]) -> Operators:
    """The operators of a core that has an attribute table."""
    generic = type(core.op, (CoreOperator,), {"core_class": core, "__doc__": core.__doc__, "__module__": __name__})

    def variant(ending: str, backend: type) -> type[CoreOperator]:
        def attribute_types(self: Any) -> dict[str, Any]:
            return {**backend.get_nodeattr_types(self), **generic.get_nodeattr_types(self)}  # type: ignore[attr-defined]

        body = {"get_nodeattr_types": attribute_types, "__doc__": core.__doc__, "__module__": __name__}
        return type(f"{core.op}_{ending}", (generic, backend), body)

    return Operators(generic, variant("hls", CoreHLSBackend), variant("rtl", CoreRTLBackend))


def _finn_attribute(attribute: Attribute) -> tuple[Any, ...]:
    """The entry of FINN's attribute types: kind, whether it is required, default, and the allowed values."""
    allowed = {0, 1} if attribute.kind == "flag" else set(attribute.allowed)
    entry = (_FINN_KINDS.get(attribute.kind, attribute.kind), attribute.required, attribute.default)
    return (*entry, allowed) if allowed else entry


def _folded(tensor: Tensor, stream: Stream) -> tuple[int, ...]:
    """Shape of a stream's words: the leading dimensions that are not folded, the folds of each, the lanes."""
    return (*tensor.vectors, stream.words // int(np.prod(tensor.vectors)), stream.lanes)
