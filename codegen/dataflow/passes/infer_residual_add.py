"""InferResidualAdd: additions of sums and spikes become ResidualAdd, with their factors."""

from __future__ import annotations

from onnx import NodeProto
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.arithmetic.ranges import signed_bits
from codegen.dataflow.passes.bounds import added_bounds, is_static, is_sum, sum_bounds
from codegen.dataflow.passes.graph import dataflow_node, replace, set_tensor, timesteps_of
from codegen.dataflow.passes.stream_kinds import factor_of


class InferResidualAdd(Transformation):
    """Turn each Add, with the Mul by a factor before an input, into a ResidualAdd (PE = 1 until a folding is applied).

    Everything before it must have been inferred: sums are signed, T for each channel or one where they are static;
    spikes and counts are UINT{T * B}.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            if node.op_type == "Add":
                self._lower(model, node)
                return model, True
        return model, False

    def _lower(self, model: ModelWrapper, node: NodeProto) -> None:
        timesteps, shape = timesteps_of(model), model.get_tensor_shape(node.output[0])
        scaled = [model.find_producer(name) for name in node.input]
        multiplications = [entry for entry in scaled if entry is not None and entry.op_type == "Mul"]
        factors = [(factor_of(model, entry) or 1) if entry in multiplications else 1 for entry in scaled]
        terms = [
            entry.input[0] if entry in multiplications else name for entry, name in zip(scaled, node.input, strict=True)
        ]
        static = [is_static(model, term) for term in terms]
        step_types = []
        for term in terms:
            datatype = model.get_tensor_datatype(term)
            summed = is_sum(model, term)
            step_types.append(datatype if summed else DataType[f"UINT{datatype.bitwidth() // timesteps}"])
        bounds = added_bounds([sum_bounds(model, term, shape[-1]) for term in terms], factors)
        # The core takes no operand that is wider than its result, reached or not.
        operands = (
            kind.bitwidth() + (0 if kind.signed() else 1) + factor.bit_length() - 1
            for kind, factor in zip(step_types, factors, strict=True)
        )
        bits = max(signed_bits(bounds.low, bounds.high), *operands)
        added = dataflow_node(
            "ResidualAdd",
            terms,
            node.output[0],
            node.name,
            layer=node.name,
            NumChannels=shape[-1],
            PE=1,
            T=timesteps,
            firstDataType=step_types[0].name,
            secondDataType=step_types[1].name,
            firstStatic=int(static[0]),
            secondStatic=int(static[1]),
            factors=factors,
            outputDataType=f"INT{bits}",
            numInputVectors=list(shape[:-1]),
        )
        for entry in multiplications:
            if len(model.find_consumers(entry.output[0])) == 1:
                model.graph.node.remove(entry)
        replace(model.graph, [node], [added])
        steps = 1 if all(static) else timesteps
        set_tensor(model, node.output[0], (*shape[:-1], shape[-1] * steps))
        model.set_tensor_datatype(node.output[0], DataType[f"INT{bits}"])
