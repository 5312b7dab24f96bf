"""model.onnx: the integer network as standard ONNX (opset 18) that stock ONNX Runtime runs and FINN passes recognise.

Graph input ``image`` uint8 [batch, H, W, C] (batch is symbolic), graph output ``logits`` int32 [batch, classes].
Inside, time is the leading axis, features are NCHW, every tensor between nodes is float32 holding integers, and nodes
carry these names and no others (i counts layers from 1, L is the layer's own name, T the time steps); the output tensor
of node ``X`` is ``X_out``, except for ``logits``::

    image_float      Cast(image) to float32
    image_nchw       Transpose perm 0,3,1,2                       [N, C, H, W]
    for every layer i:
      L_flatten      Reshape [-1, C*H*W]                          only a linear layer on a map; order (c, h, w)
      L              Conv(x, L_weights [out, in, kh, kw])         kernel_shape, strides, pads; no bias, group 1
                     or MatMul(x, L_weights [MW, MH])             weights transposed: column per output channel
      L_static       Unsqueeze axis 0                             layer 1 only: the image is the same at every step,
      L_steps        Expand [T, 1, 1(, 1, 1)]                     so its sums are computed once
                     or Reshape [T, -1, channels(, h, w)]         all other layers
      neuron{i}      spikefold::IF or ::LIF(L_steps, neuron{i}_bias, neuron{i}_threshold)   0/1 [T, N, channels(, h, w)]
      neuron{i}_fold Reshape [-1, channels(, h, w)]               time folded into the batch, T slowest
      pool{i}        MaxPool kernel_shape = strides = pool        only where pool > 1; floor, no padding
    logits           spikefold::ReadOut(L_steps, logits_bias) -> logits, in place of the last layer's neuron

Local functions, domain ``spikefold`` (version 1), their bodies unrolled over T with operators of opset 18:

- ``IF(current, bias, threshold)``, attributes ``timesteps``, ``frac_bits``, ``soft_reset`` (0 hard, 1 soft), all ints;
- ``LIF(current, bias, threshold)``, the same and ``leak_shift`` k (tau = 2^k);
- ``ReadOut(current, bias)``, attribute ``timesteps``: sum over t of ``int32(current_t) + bias``.

``bias`` and ``threshold`` are int32 initializers, [channels] after MatMul and [channels, 1, 1] after Conv, scaled by
2^frac_bits; the bias of ReadOut is per step and unscaled. QONNX datatypes (``finn_datatype`` quantization annotations)
are set on: image (UINT8), image_float_out, image_nchw_out, L_weights (INT2/INT4/INT8), biases and thresholds (INT of
their exact width), all spike tensors (BINARY). ``metadata_props`` of the model: timesteps, frac_bits, classes,
input_shape ("H,W,C") and weight_bits (comma-separated, one per layer).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codegen.errors import ExportError
from codegen.export.ranges import layer_widths, signed_bits, weight_matrix
from codegen.network import IntegerLayer, IntegerNetwork

OPSET = 18
IR_VERSION = 9
DOMAIN = "spikefold"
FLOAT_EXACT = 1 << 24
"""float32 holds every integer up to this magnitude."""


def build_model(network: IntegerNetwork) -> onnx.ModelProto:
    """The integer network as a checked ONNX model.

    Raises ExportError where float32 convolutions or int32 potentials could not hold every value exactly.
    """
    _check_exact(network)
    writer = _GraphWriter(network)
    graph = writer.graph()
    model = helper.make_model(
        graph,
        producer_name="spikefold",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)],
        functions=_functions(network),
    )
    helper.set_model_props(
        model,
        {
            "timesteps": str(network.timesteps),
            "frac_bits": str(network.frac_bits),
            "classes": str(network.classes),
            "input_shape": ",".join(str(size) for size in network.input_shape),
            "weight_bits": ",".join(str(layer.weight_bits) for layer in network.layers),
        },
    )
    onnx.checker.check_model(model)
    return model


def _check_exact(network: IntegerNetwork) -> None:
    for index, layer in enumerate(network.layers):
        matrix = weight_matrix(layer)
        largest_input = 255 if index == 0 else 1
        sums = np.abs(matrix).sum(axis=1) * largest_input
        if sums.max() >= FLOAT_EXACT:
            raise ExportError(
                f"layer {layer.name!r}: a sum of {int(sums.max())} is possible, but float32 is exact only below "
                f"{FLOAT_EXACT}; use fewer weight bits or fewer inputs"
            )
        widths = layer_widths(
            matrix,
            static_input=index == 0,
            input_bits=8,
            timesteps=network.timesteps,
            neuron=layer.neuron,
            leak_shift=layer.leak_shift,
            reset=layer.reset,
            frac_bits=network.frac_bits,
            bias=layer.bias,
            threshold=layer.threshold,
        )
        # The neuron body computes potential - threshold, one bit wider than both.
        needed = max(widths.potential_bits, widths.threshold_bits) + 1
        if needed > 32:
            raise ExportError(
                f"layer {layer.name!r}: its neuron needs {needed} bits, int32 has 32; use fewer fractional bits "
                f"(now {network.frac_bits}) or time steps (now {network.timesteps})"
            )


class _GraphWriter:
    """Collects nodes, initializers and datatype annotations of one graph."""

    def __init__(self, network: IntegerNetwork) -> None:
        self._network = network
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._datatypes: dict[str, str] = {}

    def graph(self) -> onnx.GraphProto:
        height, width, channels = self._network.input_shape
        self._datatypes["image"] = "UINT8"
        x = self._node("Cast", "image_float", ["image"], "UINT8", to=TensorProto.FLOAT)
        x = self._node("Transpose", "image_nchw", [x], "UINT8", perm=[0, 3, 1, 2])
        shape: tuple[int, ...] = (channels, height, width)
        for index, layer in enumerate(self._network.layers, start=1):
            x, shape = self._layer(index, layer, x, shape)
        names = [node.name for node in self._nodes]
        if len(set(names)) < len(names):
            taken = next(name for name in names if names.count(name) > 1)
            raise ExportError(f"two nodes of the graph would be called {taken!r}; give the layers other names")
        graph = helper.make_graph(
            self._nodes,
            "spikefold",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", height, width, channels])],
            [helper.make_tensor_value_info("logits", TensorProto.INT32, ["batch", self._network.classes])],
            self._initializers,
        )
        for tensor, datatype in self._datatypes.items():
            graph.quantization_annotation.append(_annotation(tensor, datatype))
        return graph

    def _layer(self, index: int, layer: IntegerLayer, x: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        """Append one layer that reads tensor ``x`` [batch or T*batch, *shape]; returns its output and shape."""
        timesteps = self._network.timesteps
        in_datatype = "UINT8" if index == 1 else "BINARY"
        weights = self._constant(f"{layer.name}_weights", _onnx_weights(layer), f"INT{layer.weight_bits}")
        if layer.kind == "conv":
            shape = conv_output_shape(layer, shape)
            x = self._node(
                "Conv",
                layer.name,
                [x, weights],
                kernel_shape=list(layer.weights.shape[2:]),
                strides=[layer.stride] * 2,
                pads=[layer.padding] * 4,
            )
        else:
            if len(shape) > 1:
                x = self._reshape(f"{layer.name}_flatten", x, [-1, int(np.prod(shape))], in_datatype)
            shape = (int(layer.weights.shape[0]),)
            x = self._node("MatMul", layer.name, [x, weights])
        if index == 1:
            axis = self._constant(f"{layer.name}_static_axes", np.array([0], np.int64))
            x = self._node("Unsqueeze", f"{layer.name}_static", [x, axis])
            steps = self._constant(f"{layer.name}_steps_shape", np.array([timesteps, 1, *[1] * len(shape)], np.int64))
            x = self._node("Expand", f"{layer.name}_steps", [x, steps])
        else:
            x = self._reshape(f"{layer.name}_steps", x, [timesteps, -1, *shape])
        if layer.neuron == "none":
            return self._read_out(layer, x), shape
        x = self._neuron(index, layer, x)
        x = self._reshape(f"neuron{index}_fold", x, [-1, *shape], "BINARY")
        if layer.pool > 1:
            window = [layer.pool] * 2
            x = self._node("MaxPool", f"pool{index}", [x], "BINARY", kernel_shape=window, strides=window)
            shape = (shape[0], *(size // layer.pool for size in shape[1:]))
        return x, shape

    def _neuron(self, index: int, layer: IntegerLayer, current: str) -> str:
        per_channel = (-1, 1, 1) if layer.kind == "conv" else (-1,)
        name = f"neuron{index}"
        attributes = {
            "timesteps": self._network.timesteps,
            "frac_bits": self._network.frac_bits,
            "soft_reset": int(layer.reset == "soft"),
        }
        if layer.neuron == "LIF":
            attributes["leak_shift"] = layer.leak_shift
        inputs = [current]
        for role, values in (("bias", layer.bias), ("threshold", layer.threshold)):
            inputs.append(
                self._constant(
                    f"{name}_{role}", values.astype(np.int32).reshape(per_channel), f"INT{signed_bits(values)}"
                )
            )
        return self._node(layer.neuron, name, inputs, "BINARY", domain=DOMAIN, **attributes)

    def _read_out(self, layer: IntegerLayer, current: str) -> str:
        bias = self._constant("logits_bias", layer.bias.astype(np.int32), f"INT{signed_bits(layer.bias)}")
        timesteps = self._network.timesteps
        node = helper.make_node(
            "ReadOut", [current, bias], ["logits"], name="logits", domain=DOMAIN, timesteps=timesteps
        )
        self._nodes.append(node)
        return "logits"

    def _node(
        self, op: str, name: str, inputs: list[str], datatype: str | None = None, domain: str = "", **attributes: Any
    ) -> str:
        output = f"{name}_out"
        self._nodes.append(helper.make_node(op, inputs, [output], name=name, domain=domain, **attributes))
        if datatype:
            self._datatypes[output] = datatype
        return output

    def _reshape(self, name: str, x: str, shape: list[int], datatype: str | None = None) -> str:
        return self._node("Reshape", name, [x, self._constant(f"{name}_shape", np.array(shape, np.int64))], datatype)

    def _constant(self, name: str, values: NDArray[np.generic], datatype: str | None = None) -> str:
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        if datatype:
            self._datatypes[name] = datatype
        return name


def conv_output_shape(layer: IntegerLayer, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(channels, height, width) of a convolution on a (channels, height, width) map, before pooling.

    Raises ExportError when the kernel does not fit the padded map.
    """
    if len(shape) != 3:
        raise ExportError(f"layer {layer.name!r}: a convolution needs a feature map, but its input is a vector")
    out_channels, _, kernel_h, kernel_w = layer.weights.shape
    height = (shape[1] + 2 * layer.padding - kernel_h) // layer.stride + 1
    width = (shape[2] + 2 * layer.padding - kernel_w) // layer.stride + 1
    if height < layer.pool or width < layer.pool:
        raise ExportError(
            f"layer {layer.name!r}: a {kernel_h}x{kernel_w} kernel and a pooling window of {layer.pool} do not fit "
            f"its {shape[1]}x{shape[2]} input"
        )
    return int(out_channels), height, width


def _onnx_weights(layer: IntegerLayer) -> NDArray[np.float32]:
    weights = layer.weights.astype(np.float32)
    return weights if layer.kind == "conv" else weights.T


def _annotation(tensor: str, datatype: str) -> onnx.TensorAnnotation:
    annotation = onnx.TensorAnnotation(tensor_name=tensor)
    annotation.quant_parameter_tensor_names.append(onnx.StringStringEntryProto(key="finn_datatype", value=datatype))
    return annotation


def _functions(network: IntegerNetwork) -> list[onnx.FunctionProto]:
    used = {layer.neuron for layer in network.layers}
    functions = [_neuron_function(kind, network.timesteps) for kind in ("IF", "LIF") if kind in used]
    return [*functions, _read_out_function()]


def _neuron_function(kind: str, timesteps: int) -> onnx.FunctionProto:
    """IF or LIF over T steps: current [T, ...] float32 -> spikes [T, ...] float32, integer arithmetic in int32."""
    nodes: list[onnx.NodeProto] = []

    def node(op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def attribute(name: str) -> str:
        """The int attribute of the calling node as an int32 scalar."""
        constant = helper.make_node("Constant", [], [f"{name}_64"])
        constant.attribute.append(
            onnx.AttributeProto(name="value_int", ref_attr_name=name, type=onnx.AttributeProto.INT)
        )
        nodes.append(constant)
        return node("Cast", [f"{name}_64"], name, to=TensorProto.INT32)

    node("Constant", [], "zero", value=numpy_helper.from_array(np.array(0, np.int32)))
    node("Constant", [], "two", value=numpy_helper.from_array(np.array(2, np.int32)))
    node("Pow", ["two", attribute("frac_bits")], "one")
    attribute("soft_reset")
    if kind == "LIF":
        node("Pow", ["two", attribute("leak_shift")], "tau")
    node("Cast", ["current"], "acc", to=TensorProto.INT32)
    node("Mul", ["acc", "one"], "scaled")
    node("Add", ["scaled", "bias"], "drive")
    drives = [f"drive_{t}" for t in range(timesteps)]
    if timesteps == 1:
        node("Identity", ["drive"], drives[0])
    else:
        nodes.append(helper.make_node("Split", ["drive"], drives, axis=0, num_outputs=timesteps))
    carried = ""
    for t in range(timesteps):
        if t == 0:
            potential = drives[0]
        else:
            if kind == "LIF":
                # V >> k is (V - Mod(V, 2^k)) / 2^k: Mod takes the sign of the divisor, so it rounds down.
                node("Mod", [carried, "tau"], f"remainder_{t}")
                node("Sub", [carried, f"remainder_{t}"], f"multiple_{t}")
                node("Div", [f"multiple_{t}", "tau"], f"leak_{t}")
                carried = node("Sub", [carried, f"leak_{t}"], f"leaked_{t}")
            potential = node("Add", [carried, drives[t]], f"potential_{t}")
        node("Sub", [potential, "threshold"], f"excess_{t}")
        node("GreaterOrEqual", [f"excess_{t}", "zero"], f"spike_{t}")
        # Soft reset leaves V - threshold, hard reset leaves 0.
        node("Mul", [f"excess_{t}", "soft_reset"], f"reset_{t}")
        carried = node("Where", [f"spike_{t}", f"reset_{t}", potential], f"carried_{t}")
    node("Concat", [f"spike_{t}" for t in range(timesteps)], "train", axis=0)
    node("Cast", ["train"], "spikes", to=TensorProto.FLOAT)
    attributes = ["timesteps", "frac_bits", "soft_reset"] + (["leak_shift"] if kind == "LIF" else [])
    return helper.make_function(
        DOMAIN,
        kind,
        ["current", "bias", "threshold"],
        ["spikes"],
        nodes,
        [helper.make_opsetid("", OPSET)],
        attributes=attributes,
    )


def _read_out_function() -> onnx.FunctionProto:
    nodes = [
        helper.make_node("Cast", ["current"], ["acc"], to=TensorProto.INT32),
        helper.make_node("Add", ["acc", "bias"], ["drive"]),
        helper.make_node("Constant", [], ["axes"], value=numpy_helper.from_array(np.array([0], np.int64))),
        helper.make_node("ReduceSum", ["drive", "axes"], ["logits"], keepdims=0),
    ]
    return helper.make_function(
        DOMAIN,
        "ReadOut",
        ["current", "bias"],
        ["logits"],
        nodes,
        [helper.make_opsetid("", OPSET)],
        attributes=["timesteps"],
    )
