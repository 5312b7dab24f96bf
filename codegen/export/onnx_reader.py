"""model.onnx read and checked, once for all that compute it: what passes here, every back end computes alike.

What other tools make of a file that ``codegen.export.onnx_writer`` wrote is brought to one form: constants of Constant
nodes and of graph inputs become initializers, a batch of a fixed size becomes an open one, and inputs and outputs have
any names. Everything else has to be as the writer documents it, or the file is refused in one sentence, before ONNX
Runtime, qonnx or FINN sees it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto, TensorProto, numpy_helper

from codegen.dialect import (
    DOMAIN,
    EVENT_DIMENSIONS,
    FRAME_DIMENSIONS,
    IR_VERSION,
    MAX_TIMESTEPS,
    OPSET,
    READ_OUT,
)
from codegen.errors import ExportError, ModelError, first_line
from codegen.export.exactness import check_exact, frame_of
from codegen.export.onnx_functions import read_out_function
from codegen.export.onnx_properties import (
    ModelProperties,
    demanded_metadata,
    properties_of,
    tensor_shape,
    weight_bits_of,
)
from codegen.neurons import NEURONS
from codegen.onnx_file import MOST_ELEMENTS, OnnxFile
from codegen.onnx_nodes import attribute, describe, is_neuron, is_read_out, reshape_kind

OPERATORS = (
    *("Add", "Cast", "Constant", "Conv", "Expand", "Identity", "LpPool", "MatMul", "MaxPool", "Mul", "ReduceSum"),
    *("Reshape", "Transpose", "Unsqueeze"),
)
"""Standard ones that a network here may consist of; which attributes they may have, their ONNX schemas say."""

_WITH_SIZES = ("Reshape", "Expand", "Unsqueeze", "ReduceSum")
"""Operators whose second input is a list: shape inference takes any tensor of that many numbers for one."""
_WINDOWS = {"kernel_shape": 1, "strides": 1, "dilations": 1, "pads": 0}
"""Attributes of convolutions and pools, and the least of each: shape inference divides by strides, even by 0."""
_LARGEST_WINDOW = 1 << 16

_BATCH = "batch"
HALF_START = "half_start"


@dataclass(frozen=True)
class OnnxModel:
    """A checked model.onnx: its constants are initializers, its batch is open."""

    proto: ModelProto
    frame: ModelProto
    """The same for a batch of one, with types and shapes of all tensors."""
    properties: ModelProperties


def read_model(path: Path) -> OnnxModel:
    """Read a model.onnx; raises ModelError, one sentence, for what it may not hold, and TrainError for no regular file.

    It holds the operators of OPERATORS and the local functions that the writer makes, bodies included; one input and
    one output; metadata that say what its graph says; integers as constants, and no values beyond what float32 and
    int32 hold exactly.
    """
    source = OnnxFile(path, "run the export again")
    return checked_model(source, source.read())


def checked_model(source: OnnxFile, model: ModelProto, complete: bool = False) -> OnnxModel:
    """The model that was read from a file, checked and brought to one form; ``complete``: metadata may be missing."""
    check_operators(source, model)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise source.error(f"it is not a valid ONNX model ({first_line(error)})") from error
    _check_functions(source, model)
    _move_constants(source, model)
    _check_names(source, model)
    _open_batch(source, model)
    try:
        frame = frame_of(model)
    except (onnx.shape_inference.InferenceError, ValueError) as error:
        raise source.error(f"its types or shapes do not fit together ({_reason(error)})") from error
    _check_shapes(source, frame)
    _check_open_batch(source, frame)
    for node in frame.graph.node:
        if is_neuron(node) or is_read_out(node):
            _check_constants(source, frame, node)
    weight_bits = weight_bits_of(source, frame)
    try:
        check_exact(frame.graph)
    except ExportError as error:
        raise ModelError(f"{source.path}: {error}") from error
    if complete:
        known = {entry.key for entry in frame.metadata_props}
        for key, value in demanded_metadata(frame.graph, weight_bits).items():
            if key not in known:
                for proto in (model, frame):
                    proto.metadata_props.add(key=key, value=value)
    return OnnxModel(model, frame, properties_of(source, frame, weight_bits))


def check_operators(source: OnnxFile, model: ModelProto) -> None:
    """Raise ModelError for operators, or attributes of them, that no network here has."""
    allowed = {("", op_type) for op_type in OPERATORS} | {(DOMAIN, op_type) for op_type in (READ_OUT, *NEURONS)}
    unknown = [describe(node) for node in model.graph.node if (node.domain, node.op_type) not in allowed]
    if unknown:
        known = f"{', '.join(OPERATORS)} and {DOMAIN}::{', '.join((*NEURONS, READ_OUT))}"
        raise source.error(f"{', '.join(unknown)}: no network here has such operators, it consists of {known}")
    for node in model.graph.node:
        if len(node.output) != 1 or not node.output[0]:
            raise source.error(f"{describe(node)}: it has {len(node.output)} outputs, one is possible")
        for entry in node.attribute:
            if entry.ref_attr_name:
                raise source.error(f"{describe(node)}: it takes an attribute from a function that it is not in")
            least = _WINDOWS.get(entry.name, 0)
            if entry.name in _WINDOWS and not all(least <= size <= _LARGEST_WINDOW for size in entry.ints):
                sizes = list(entry.ints)
                raise source.error(f"{describe(node)}: {entry.name}={sizes} is outside {least}..{_LARGEST_WINDOW}")
    versions = [entry.version for entry in model.opset_import if not entry.domain]
    if versions != [OPSET]:
        raise source.error(f"it is written for opset {', '.join(map(str, versions)) or 'none'}, only {OPSET} is read")


def _check_functions(source: OnnxFile, model: ModelProto) -> None:
    """The local functions are the writer's, so that ONNX Runtime computes what the cores do."""
    called = [node for node in model.graph.node if node.domain == DOMAIN]
    steps = [attribute(node, "timesteps") for node in called]
    timesteps: int = next(iter(steps), 0)
    known = isinstance(timesteps, int) and 1 <= timesteps <= MAX_TIMESTEPS
    if not known or any(other != timesteps for other in steps):
        raise source.error(f"its neurons and read-out have timesteps {_listed(steps)}, not one T in 1..{MAX_TIMESTEPS}")
    found: dict[str, FunctionProto] = {}
    for function in model.functions:
        if function.domain != DOMAIN or function.name not in (READ_OUT, *NEURONS) or function.name in found:
            raise source.error(f"it has a local function {function.domain}::{function.name} that no network here has")
        found[function.name] = function
        half_start = HALF_START in function.attribute
        written = NEURONS[function.name].function(timesteps, half_start) if function.name in NEURONS else None
        if _plain(function) != _plain(written or read_out_function()):
            raise source.error(
                f"its local function {DOMAIN}::{function.name} is not the one that the export writes for "
                f"T={timesteps}, so it may compute something else"
            )
    for node in called:
        if node.op_type not in found:
            raise source.error(f"{describe(node)}: its local function is missing")
        _check_call(source, node, found[node.op_type])


def _plain(function: FunctionProto) -> bytes:
    """A function without what computes nothing."""
    plain = FunctionProto()
    plain.CopyFrom(function)
    plain.ClearField("doc_string")
    for field in ("value_info", "metadata_props"):
        plain.ClearField(field)
    for node in plain.node:
        for field in ("name", "doc_string", "metadata_props"):
            node.ClearField(field)
    return bytes(plain.SerializeToString(deterministic=True))


def _check_call(source: OnnxFile, node: NodeProto, function: FunctionProto) -> None:
    """The inputs and attributes of a node that calls a local function."""
    where = describe(node)
    if len(node.input) != len(function.input) or not all(node.input):
        raise source.error(f"{where}: it needs {len(function.input) - 1} constants after the current")
    names = [entry.name for entry in node.attribute]
    if sorted(names) != sorted(function.attribute):
        raise source.error(
            f"{where}: it has the attributes {_listed(names)}, its function {_listed(function.attribute)}"
        )
    ranges = NEURONS[node.op_type].attribute_ranges() if is_neuron(node) else {"timesteps": (1, MAX_TIMESTEPS)}
    for entry in node.attribute:
        low, high = ranges[entry.name]
        value = attribute(node, entry.name)
        if entry.type != AttributeProto.INT or not low <= value <= high:
            raise source.error(f"{where}: {entry.name}={value} is outside {low}..{high}")


def _move_constants(source: OnnxFile, model: ModelProto) -> None:
    """Constants become initializers, wherever the file has them."""
    graph = model.graph
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        graph.initializer.append(numpy_helper.from_array(np.asarray(_constant(source, node)), node.output[0]))
        graph.node.remove(node)
    names = {tensor.name for tensor in graph.initializer}
    for entry in [entry for entry in graph.input if entry.name in names]:
        graph.input.remove(entry)
    model.ir_version = max(model.ir_version, IR_VERSION)
    for tensor in graph.initializer:
        source.values(tensor)
    ranks = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in _WITH_SIZES and len(node.input) > 1 and ranks.get(node.input[1], 1) != 1:
            raise source.error(f"{describe(node)}: {node.input[1]!r} is no list of sizes or axes")


def _constant(source: OnnxFile, node: NodeProto) -> NDArray[np.generic]:
    entry = node.attribute[0] if len(node.attribute) == 1 else AttributeProto()
    if entry.name == "value" and entry.type == AttributeProto.TENSOR:
        return source.values(entry.t)
    if entry.name in ("value_int", "value_ints"):
        return np.array(attribute(node, entry.name), np.int64)
    if entry.name in ("value_float", "value_floats"):
        return np.array(attribute(node, entry.name), np.float32)
    raise source.error(f"{describe(node)}: it holds no dense tensor of numbers")


def _check_names(source: OnnxFile, model: ModelProto) -> None:
    graph = model.graph
    tensors = [tensor.name for tensor in (*graph.initializer, *graph.input)]
    tensors += [name for node in graph.node for name in node.output]
    for what, names in (("tensors", tensors), ("nodes", [node.name for node in graph.node if node.name])):
        if len(set(names)) < len(names):
            taken = next(name for name in names if names.count(name) > 1)
            raise source.error(f"two {what} are called {taken!r}")


def _open_batch(source: OnnxFile, model: ModelProto) -> None:
    """The graph's one input and one output, whose first dimension becomes an open batch."""
    graph = model.graph
    if len(graph.input) != 1 or len(graph.output) != 1:
        names = _listed(entry.name for entry in graph.input)
        raise source.error(
            f"the graph has the inputs {names} and {len(graph.output)} outputs, one of each is supported"
        )
    image, logits = graph.input[0].type.tensor_type, graph.output[0].type.tensor_type
    frame = [size.dim_value for size in image.shape.dim[1:]]
    fixed = len(frame) in (FRAME_DIMENSIONS, EVENT_DIMENSIONS - 1) and min(frame) > 0
    if image.elem_type != TensorProto.UINT8 or not fixed:
        raise source.error(
            f"its input {graph.input[0].name!r} is not uint8 [batch, height, width, channels] or [batch, T, height, "
            "width, channels] of fixed sizes"
        )
    if logits.elem_type != TensorProto.INT32 or len(logits.shape.dim) != 2:
        raise source.error(f"its output {graph.output[0].name!r} is not int32 [batch, classes]")
    for entry in (image, logits):
        entry.shape.dim[0].dim_param = _BATCH


def _check_shapes(source: OnnxFile, frame: ModelProto) -> None:
    """Every tensor of one frame has a shape of a size that memory holds."""
    known = {entry.name: tensor_shape(entry) for entry in (*frame.graph.value_info, *frame.graph.output)}
    for node in frame.graph.node:
        shape = known.get(node.output[0], ())
        if not shape or min(shape) < 1:
            raise source.error(f"{describe(node)}: the shape {list(shape)} of its output is empty or not fixed")
        if prod(shape) > MOST_ELEMENTS:
            raise source.error(
                f"{describe(node)}: its output has {prod(shape)} elements a frame, {MOST_ELEMENTS} are possible"
            )


def _check_open_batch(source: OnnxFile, frame: ModelProto) -> None:
    """Reshapes, which move the time axis or flatten a map, leave the batch open."""
    known = {
        entry.name: tensor_shape(entry) for entry in (*frame.graph.value_info, *frame.graph.input, *frame.graph.output)
    }
    constants = {tensor.name: tensor for tensor in frame.graph.initializer}
    for node in frame.graph.node:
        if node.op_type != "Reshape" or node.input[1] not in constants:
            continue
        before, after = known.get(node.input[0], ()), known[node.output[0]]
        target = numpy_helper.to_array(constants[node.input[1]]).tolist()
        kind = reshape_kind(before, after)
        if target[1 if kind == "split" else 0] != -1 and not (kind == "flatten" and target[0] == 0):
            raise source.error(
                f"{describe(node)}: its shape {target} holds for a batch of one only; -1 must stand for the batch"
            )


def _check_constants(source: OnnxFile, frame: ModelProto, node: NodeProto) -> None:
    """Neurons and the read-out have one int32 of each kind per channel, in the shape that says so."""
    known = {entry.name: tensor_shape(entry) for entry in (*frame.graph.value_info, *frame.graph.input)}
    constants = {tensor.name: tensor for tensor in frame.graph.initializer}
    where, shape, timesteps = describe(node), known.get(node.input[0], ()), attribute(node, "timesteps")
    if shape[:2] != (timesteps, 1) or len(shape) < len("TNC"):
        raise source.error(
            f"{where}: its input {list(shape)} does not lead with its {timesteps} time steps of one frame"
        )
    wanted = (shape[2], *[1] * len(shape[3:]))
    for name in node.input[1:]:
        if name not in constants:
            raise source.error(f"{where}: {name!r} is not a constant")
        if constants[name].data_type != TensorProto.INT32 or tuple(constants[name].dims) != wanted:
            raise source.error(
                f"{where}: {name!r} is not int32 {list(wanted)}, one for each of its {shape[2]} channels"
            )


def _reason(error: Exception) -> str:
    """What shape inference found first, without its marks."""
    lines = [line for line in str(error).replace("[ShapeInferenceError]", "").splitlines() if line.strip()]
    return " ".join((lines or [type(error).__name__])[0].replace("Inference error(s):", "").split())


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values)) or "none"
