"""SpikePool as FINN sees it: shapes, stream widths, cycles, estimates and execution, back end left open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from finn.custom_op.fpgadataflow.hwcustomop import HWCustomOp
from numpy.typing import NDArray
from onnx import GraphProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper

from codegen.core import spike_pool as core
from codegen.core.spike_pool import SpikePoolSpec
from codegen.errors import MappingError
from codegen.finn.estimates import pool_resources


class SpikePool(HWCustomOp):
    """OR pooling of spike trains over non-overlapping square windows.

    Input [1, height, width, channels] UINT{T}; output [1, height // kernel, width // kernel, channels] UINT{T}.
    ``codegen.core.spike_pool`` holds every formula; this class only adapts it.
    """

    def get_nodeattr_types(self) -> dict[str, Any]:
        attributes: dict[str, Any] = {
            "ImgDim": ("ints", True, []),  # [H, W]
            "NumChannels": ("i", True, 0),
            "KernelSize": ("i", True, 2),
            "PE": ("i", True, 1),
            "T": ("i", True, 1),
            "inputDataType": ("s", True, ""),
            "layer": ("s", False, ""),  # name of the layer in model.onnx
        }
        attributes.update(super().get_nodeattr_types())
        return attributes

    def integer(self, name: str) -> int:
        """An integer node attribute."""
        return cast(int, self.get_nodeattr(name))

    def spec(self) -> SpikePoolSpec:
        """The core that implements this node; its name is the node's."""
        height, width = cast(list[int], self.get_nodeattr("ImgDim"))
        return SpikePoolSpec(
            name=self.onnx_node.name,
            height=height,
            width=width,
            channels=self.integer("NumChannels"),
            kernel=self.integer("KernelSize"),
            pe=self.integer("PE"),
            timesteps=self.integer("T"),
        )

    def get_normal_input_shape(self, ind: int = 0) -> Sequence[int]:
        spec = self.spec()
        return (1, spec.height, spec.width, spec.channels)

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        spec = self.spec()
        return (1, spec.height // spec.kernel, spec.width // spec.kernel, spec.channels)

    def get_folded_input_shape(self, ind: int = 0) -> Sequence[int]:
        spec = self.spec()
        return (1, spec.height, spec.width, spec.channels // spec.pe, spec.pe)

    def get_folded_output_shape(self, ind: int = 0) -> Sequence[int]:
        spec = self.spec()
        return (*self.get_normal_output_shape()[:-1], spec.channels // spec.pe, spec.pe)

    def get_instream_width(self, ind: int = 0) -> int:
        spec = self.spec()
        return spec.pe * spec.timesteps

    def get_outstream_width(self, ind: int = 0) -> int:
        return self.get_instream_width()

    def get_input_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[cast(str, self.get_nodeattr("inputDataType"))]

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return self.get_input_datatype()

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """Annotate the output; refuse an input that is not a spike train of T steps."""
        found = model.get_tensor_datatype(self.onnx_node.input[0])
        if found != self.get_input_datatype():
            raise MappingError(
                f"SpikePool {self.onnx_node.name!r} is fed {found}, it pools {self.get_input_datatype()}"
            )
        model.set_tensor_datatype(self.onnx_node.output[0], self.get_output_datatype())

    def get_exp_cycles(self) -> int:
        return self.spec().cycles

    def lut_estimation(self, fpgapart: str) -> int:
        return pool_resources(self.spec()).lut

    def bram_estimation(self, fpgapart: str) -> int:
        """BRAM18 blocks, FINN's unit."""
        return int(2 * pool_resources(self.spec()).bram36)

    def execute_node(self, context: dict[str, NDArray[Any]], graph: GraphProto) -> None:
        """Compute the node with the core's naive model, whatever the execution mode."""
        spec = self.spec()
        frame = context[self.onnx_node.input[0]].reshape(1, spec.height, spec.width, spec.channels).astype(np.int64)
        outputs = core.reference(spec, frame)
        context[self.onnx_node.output[0]] = outputs.astype(np.float32).reshape(self.get_normal_output_shape())
