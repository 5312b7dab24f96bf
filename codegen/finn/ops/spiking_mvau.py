"""SpikingMVAU as FINN sees it: shapes, stream widths, cycles, estimates and execution, back end left open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from finn.custom_op.fpgadataflow.hwcustomop import HWCustomOp
from numpy.typing import NDArray
from onnx import GraphProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper

from codegen.core import spiking_mvau as core
from codegen.core.spiking_mvau import MemoryStyle, SpikingMVAUSpec
from codegen.dialect import FLOAT_EXACT
from codegen.errors import MappingError, SimulationError
from codegen.finn.estimates import mvau_resources
from codegen.finn.ops.neuron_attributes import ATTRIBUTE_TYPES, core_parameters


class SpikingMVAU(HWCustomOp):
    """Matrix-vector product of spike trains (or a static image) with neurons, or the read-out.

    Inputs: x ``inputShape``; W [MW, MH] (FINN's order), bias [MH] and threshold [MH] as initializers.
    Output: [*numInputVectors, MH]. ``codegen.core.spiking_mvau`` holds every formula; this class only adapts it.
    """

    def get_nodeattr_types(self) -> dict[str, Any]:
        attributes: dict[str, Any] = {
            "MW": ("i", True, 0),
            "MH": ("i", True, 0),
            "SIMD": ("i", True, 1),
            "PE": ("i", True, 1),
            "T": ("i", True, 1),
            "TP": ("i", True, 1),
            "inputDataType": ("s", True, ""),
            "weightDataType": ("s", True, ""),
            "outputDataType": ("s", True, ""),
            "accBits": ("i", True, 0),
            "potentialBits": ("i", True, 0),
            "biasBits": ("i", True, 0),
            "thresholdBits": ("i", True, 0),
            **ATTRIBUTE_TYPES,
            "staticInput": ("i", True, 0, {0, 1}),
            "inputShape": ("ints", True, []),
            "numInputVectors": ("ints", True, [1]),  # leading 1: the batch
            "layer": ("s", False, ""),  # name of the layer in model.onnx
            "memStyle": ("s", False, "block", {"block", "distributed"}),
            "useDsp": ("i", False, 0, {0, 1}),
            "mapPixels": ("i", False, 1),  # pixels over which a read-out counts spikes before it multiplies
        }
        attributes.update(super().get_nodeattr_types())
        return attributes

    def integer(self, name: str) -> int:
        """An integer node attribute."""
        return cast(int, self.get_nodeattr(name))

    def text(self, name: str) -> str:
        """A string node attribute."""
        return cast(str, self.get_nodeattr(name))

    def spec(self) -> SpikingMVAUSpec:
        """The core that implements this node; its name is the node's."""
        return SpikingMVAUSpec(
            name=self.onnx_node.name,
            mw=self.integer("MW"),
            mh=self.integer("MH"),
            simd=self.integer("SIMD"),
            pe=self.integer("PE"),
            timesteps=self.integer("T"),
            tp=self.integer("TP"),
            static_input=bool(self.integer("staticInput")),
            input_bits=self.get_input_datatype().bitwidth(),
            **core_parameters(self.get_nodeattr),
            weight_bits=self.get_input_datatype(1).bitwidth(),
            acc_bits=self.integer("accBits"),
            potential_bits=self.integer("potentialBits"),
            bias_bits=self.integer("biasBits"),
            threshold_bits=self.integer("thresholdBits"),
            output_bits=self.get_output_datatype().bitwidth(),
            vectors=int(np.prod(cast(list[int], self.get_nodeattr("numInputVectors")))),
            memory_style=cast(MemoryStyle, self.text("memStyle")),
            use_dsp=bool(self.integer("useDsp")),
            map_pixels=self.integer("mapPixels"),
        )

    def parameters(self, model: ModelWrapper) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Weights [MH, MW], bias [MH] and threshold [MH] of the node's initializers.

        Raises MappingError when one of them is not an initializer.
        """
        arrays = []
        for name in self.onnx_node.input[1:4]:
            values = model.get_initializer(name)
            if values is None:
                raise MappingError(f"SpikingMVAU {self.onnx_node.name!r} needs {name!r} as a constant, it is computed")
            arrays.append(np.asarray(values).astype(np.int64))
        return arrays[0].T.copy(), arrays[1], arrays[2]

    # Shapes and streams. Only input 0 is a stream; weights, bias and threshold live inside the core.

    def get_normal_input_shape(self, ind: int = 0) -> Sequence[int]:
        if ind == 0:
            return tuple(cast(list[int], self.get_nodeattr("inputShape")))
        return (self.integer("MW"), self.integer("MH")) if ind == 1 else (self.integer("MH"),)

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        return (*cast(list[int], self.get_nodeattr("numInputVectors")), self.integer("MH"))

    def get_folded_input_shape(self, ind: int = 0) -> Sequence[int]:
        if ind != 0:
            return self.get_normal_input_shape(ind)
        spec = self.spec()
        # A map that is summed comes pixel by pixel, and is one vector.
        vectors = self.get_normal_input_shape()[:-1] if spec.map_pixels > 1 else self.get_normal_output_shape()[:-1]
        return (*vectors, spec.synapse_folds, spec.simd)

    def get_folded_output_shape(self, ind: int = 0) -> Sequence[int]:
        spec = self.spec()
        return (*cast(list[int], self.get_nodeattr("numInputVectors")), spec.neuron_folds, spec.pe)

    def get_instream_width(self, ind: int = 0) -> int:
        if ind != 0:
            return 0
        spec = self.spec()
        return spec.simd * spec.element_bits

    def get_outstream_width(self, ind: int = 0) -> int:
        spec = self.spec()
        return spec.pe * spec.output_element_bits

    def get_input_datatype(self, ind: int = 0) -> BaseDataType:
        if ind == 0:
            return DataType[self.text("inputDataType")]
        if ind == 1:
            return DataType[self.text("weightDataType")]
        return DataType[f"INT{self.integer('biasBits' if ind == 2 else 'thresholdBits')}"]

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[self.text("outputDataType")]

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """Annotate the output; refuse an input that is not what the widths were computed for."""
        found = model.get_tensor_datatype(self.onnx_node.input[0])
        if found != self.get_input_datatype():
            raise MappingError(
                f"SpikingMVAU {self.onnx_node.name!r} is fed {found}, its widths were computed for "
                f"{self.get_input_datatype()}"
            )
        model.set_tensor_datatype(self.onnx_node.output[0], self.get_output_datatype())

    # Analyses

    def get_exp_cycles(self) -> int:
        return self.spec().cycles

    def get_op_and_param_counts(self) -> dict[str, int]:
        spec = self.spec()
        weights = spec.mw * spec.mh
        return {
            f"op_ac_{spec.element_bits}bx{spec.weight_bits}b": weights * spec.vectors,
            f"param_weight_{spec.weight_bits}b": weights,
            f"param_threshold_{spec.threshold_bits}b": spec.mh if spec.dynamics else 0,
        }

    def lut_estimation(self, fpgapart: str) -> int:
        return mvau_resources(self.spec()).lut

    def bram_estimation(self, fpgapart: str) -> int:
        """BRAM18 blocks, FINN's unit."""
        return int(2 * mvau_resources(self.spec()).bram36)

    def dsp_estimation(self, fpgapart: str) -> int:
        return mvau_resources(self.spec()).dsp

    def bram_efficiency_estimation(self, fpgapart: str) -> float:
        blocks = self.bram_estimation(fpgapart)
        if blocks == 0:
            return 1
        spec = self.spec()
        return spec.mw * spec.mh * spec.weight_bits / (blocks * 18 * 1024)

    # Execution

    def execute_node(self, context: dict[str, NDArray[Any]], graph: GraphProto) -> None:
        """Compute the node with the core's naive model, whatever the execution mode.

        Raises SimulationError when FINN's float32 tensors cannot hold the values exactly.
        """
        node = self.onnx_node
        spec = self.spec()
        if spec.element_bits > 24 or (spec.dynamics and spec.timesteps > 24):
            raise SimulationError(
                f"FINN executes graphs on float32 tensors, which hold spike trains of at most 24 steps exactly; "
                f"{node.name!r} has T={spec.timesteps}"
            )
        x, weights, bias, threshold = (context[name] for name in node.input)
        vectors = x.reshape(spec.vectors * spec.map_pixels, spec.mw).astype(np.int64)
        outputs = core.reference(
            spec, vectors, weights.T.astype(np.int64), bias.astype(np.int64), threshold.astype(np.int64)
        )
        if np.abs(outputs).max(initial=0) >= FLOAT_EXACT:
            raise SimulationError(
                f"{node.name!r} computes values beyond 2^24, which FINN's float32 tensors do not hold exactly"
            )
        context[node.output[0]] = outputs.astype(np.float32).reshape(self.get_normal_output_shape())
