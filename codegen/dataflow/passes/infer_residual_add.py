"""InferResidualAdd: additions of sums and spikes become ResidualAdd, with their factors."""

from __future__ import annotations

from onnx import NodeProto
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.arithmetic.ranges import signed_bits
from codegen.cores.residual_add import Operand
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
        operands = [_operand(model, term, factor, timesteps) for term, factor in zip(terms, factors, strict=True)]
        bounds = added_bounds([sum_bounds(model, term, shape[-1]) for term in terms], factors)
        # The core takes no operand that is wider than its result, reached or not.
        bits = max(signed_bits(bounds.low, bounds.high), *(operand.shifted_bits for operand in operands))
        first, second = operands
        added = dataflow_node(
            "ResidualAdd",
            terms,
            node.output[0],
            node.name,
            layer=node.name,
            NumChannels=shape[-1],
            PE=1,
            T=timesteps,
            firstDataType=_step_datatype(first),
            secondDataType=_step_datatype(second),
            firstStatic=int(first.static),
            secondStatic=int(second.static),
            factors=factors,
            outputDataType=f"INT{bits}",
            numInputVectors=list(shape[:-1]),
        )
        for entry in multiplications:
            if len(model.find_consumers(entry.output[0])) == 1:
                model.graph.node.remove(entry)
        replace(model.graph, [node], [added])
        steps = 1 if first.static and second.static else timesteps
        set_tensor(model, node.output[0], (*shape[:-1], shape[-1] * steps))
        model.set_tensor_datatype(node.output[0], DataType[f"INT{bits}"])


def _operand(model: ModelWrapper, term: str, factor: int, timesteps: int) -> Operand:
    """What the core reads of a term: sums as they are, of spikes and counts the bits of one step."""
    bits = model.get_tensor_datatype(term).bitwidth()
    summed = is_sum(model, term)
    return Operand(bits if summed else bits // timesteps, summed, is_static(model, term), factor)


def _step_datatype(operand: Operand) -> str:
    return f"{'INT' if operand.signed else 'UINT'}{operand.bits}"
