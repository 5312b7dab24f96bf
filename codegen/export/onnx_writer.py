"""model.onnx: the integer network as standard ONNX (opset 18) that stock ONNX Runtime runs and FINN passes recognise.

Graph input ``image`` uint8 [batch, H, W, C], or [batch, T, H, W, C] of event frames (batch is symbolic), graph output
``logits`` int32 [batch, classes]. Inside, time is the leading axis, features are NCHW, every tensor between nodes is
float32 holding integers (but for additions), and nodes carry these names and no others (i counts layers from 1, L is
the layer's own name, T the time steps); the output tensor of node ``X`` is ``X_out``, except for ``logits``::

    image_float      Cast(image) to float32
    image_nchw       Transpose perm 0,3,1,2                       [N, C, H, W]
                     of event frames: image_steps, Transpose perm 1,0,4,2,3, and Reshape [-1, C, H, W]
    for every layer i, and every connection C of it (the only one of a layer is called L):
      C_map          ReduceSum axes 2, 3, keepdims 0              only a read-out that sums the map first
      C_flatten      Reshape [-1, C*H*W]                          only a linear connection on a map; order (c, h, w)
      C              Conv(x, C_weights [out, in, kh, kw])         kernel_shape, strides, pads; no bias, group 1
                     or MatMul(x, C_weights [MW, MH])             weights transposed: column per output channel
                     or nothing                                   an identity
      C_static       Unsqueeze axis 0                             a static image is the same at every step,
      C_steps        Expand [T, 1, 1(, 1, 1)]                     so its sums are computed once
                     or Reshape [T, -1, channels(, h, w)]         all other sources
    for a layer whose sum has several terms or other readers, all int32 (see below):
      C_int          Cast(C_steps) to int32
      C_scaled       Mul(C_int, C_factor [])                      only where the factor, a power of two, is not 1
      L_sum{j}       Add of the first j + 1 terms                 j from 1; the last one is called L_sum; the last
                                                                  term is the sum of layer ``residual``, if there is one
      L_signed       Mul(sum, L_sign [channels(, 1, 1)])          -1, 0, +1; only where not all are 1
    and then:
      neuron{i}      spikefold::IF, or another one of those below  0/1 [T, N, channels(, h, w)]
                     (current, neuron{i}_bias, neuron{i}_threshold)
                     the current is the last of the above, its name L, one of these suffixes, and _out
      neuron{i}_fold Reshape [-1, channels(, h, w)]               time folded into the batch, T slowest
      pool{i}        MaxPool kernel_shape = strides = pool        only where pool > 1; floor, no padding
                     or LpPool, p = 1, the same                   sum of spikes (average pooling without its factor)
    logits           spikefold::ReadOut(L_steps, logits_bias) -> logits, in place of the last layer's neuron

Local functions, domain ``spikefold`` (version 1), their bodies unrolled over T with operators of opset 18
(codegen.neurons, codegen.export.onnx_functions):

- ``IF(current, bias, threshold)``, attributes ``timesteps``, ``frac_bits``, ``soft_reset`` (0 hard, 1 soft), all ints;
- ``LIF(current, bias, threshold)``, the same and ``leak_shift`` k (tau = 2^k);
- ``DelayedLIF(current, bias, threshold)``, the attributes of LIF with ``soft_reset`` 1: the leak comes at the end of a
  step and takes its share of V as it was compared, V - (V >> k), from which a spike takes the threshold away;
- ``LateIF(current, bias, threshold)``, the attributes of IF with ``soft_reset`` 1: the first step adds what all do;
- all of them, where a layer of the network asks for it, with ``half_start``: 1 for V = ``threshold >> 1`` before the
  first step (of DelayedLIF less its leak, half - (half >> k)), 0 (as without the attribute) for V = 0;
- ``ReadOut(current, bias)``, attribute ``timesteps``: sum over t of ``int32(current_t) + bias``.

``bias`` and ``threshold`` are int32 initializers, [channels] after MatMul and [channels, 1, 1] on maps, scaled by
2^frac_bits; the bias of ReadOut is per step and unscaled. QONNX datatypes (``finn_datatype`` quantization annotations)
are set on: image (UINT8), image_float_out, image_nchw_out, C_weights (INT2/INT4/INT8), biases and thresholds (INT of
their exact width), L_sum_out (INT), all spike tensors (BINARY), their sums over a pooling window (UINT).
``metadata_props`` of the model: timesteps, frac_bits, classes, input_shape ("H,W,C"), weight_bits (comma-separated,
one per connection with weights), and class_names (a JSON list in the order of the logits) where the classes have names.

What is exact: Conv, MatMul and LpPool add integers below 2^24 in float32, which the export checks for each. Additions
are int32 throughout, since a factor can lift a sum beyond 2^24; the export checks that no partial sum leaves 32 bits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codegen.arithmetic.ranges import Interval, signed_bits, sum_ranges
from codegen.arithmetic.shapes import LayerShapes, network_shapes
from codegen.dialect import DOMAIN, INT_BITS, IR_VERSION, OPSET, READ_OUT, SUM_SUFFIX
from codegen.errors import ExportError
from codegen.export.exactness import check_exact, frame_of
from codegen.export.onnx_functions import local_functions
from codegen.network import IntegerConnection, IntegerLayer, IntegerNetwork
from codegen.neurons import Neuron
from sca_train.specs import IMAGE


def build_model(network: IntegerNetwork, class_names: tuple[str, ...] = ()) -> onnx.ModelProto:
    """The integer network as a checked ONNX model; ``class_names`` are those of its logits, or none.

    Raises ExportError where its parts do not fit together, or where float32 convolutions, int32 sums or int32
    potentials could not hold every value exactly.
    """
    shapes = network_shapes(network)
    sums = sum_ranges(network)
    graph = _GraphWriter(network, shapes, sums).graph()
    model = helper.make_model(
        graph,
        producer_name="spikefold",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)],
        functions=local_functions(network.neurons(), network.timesteps, network.has_half_starts),
    )
    if class_names and len(class_names) != network.classes:
        raise ExportError(f"{len(class_names)} class names were given for a network of {network.classes} classes")
    weighted = [c for layer in network.layers for c in layer.inputs if c.weights is not None]
    helper.set_model_props(
        model,
        {
            "timesteps": str(network.timesteps),
            "frac_bits": str(network.frac_bits),
            "classes": str(network.classes),
            "input_shape": ",".join(str(size) for size in network.input_shape),
            "weight_bits": ",".join(str(connection.weight_bits) for connection in weighted),
            **({"class_names": json.dumps(class_names, ensure_ascii=False)} if class_names else {}),
        },
    )
    onnx.checker.check_model(model)
    check_exact(frame_of(model).graph)
    return model


@dataclass(frozen=True)
class _Tensor:
    """A source as connections read it: [batch or T*batch, *shape] float32."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    static: bool = False
    """The same at every step: [batch, *shape]."""


class _GraphWriter:
    """Collects nodes, initializers and datatype annotations of one graph."""

    def __init__(self, network: IntegerNetwork, shapes: dict[str, LayerShapes], sums: dict[str, Interval]) -> None:
        self._network = network
        self._shapes = shapes
        self._ranges = sums
        self._sources: dict[str, _Tensor] = {}
        self._sums: dict[str, str] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._datatypes: dict[str, str] = {}

    def graph(self) -> onnx.GraphProto:
        self._sources[IMAGE] = self._image()
        for index, layer in enumerate(self._network.layers, start=1):
            current = self._current(layer)
            neuron = layer.dynamics(self._network.frac_bits)
            if neuron is None:
                self._read_out(layer, current)
            else:
                self._sources[layer.name] = self._spikes(index, layer, neuron, current)
        names = [node.name for node in self._nodes]
        if len(set(names)) < len(names):
            taken = next(name for name in names if names.count(name) > 1)
            raise ExportError(f"two nodes of the graph would be called {taken!r}; give the layers other names")
        frame = list(self._network.input_shape)
        image_shape = frame if self._network.static_input else [self._network.timesteps, *frame]
        graph = helper.make_graph(
            self._nodes,
            "spikefold",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", *image_shape])],
            [helper.make_tensor_value_info("logits", TensorProto.INT32, ["batch", self._network.classes])],
            self._initializers,
        )
        for tensor, datatype in self._datatypes.items():
            graph.quantization_annotation.append(_annotation(tensor, datatype))
        return graph

    def _image(self) -> _Tensor:
        height, width, channels = self._network.input_shape
        shape = (channels, height, width)
        self._datatypes["image"] = "UINT8"
        x = self._node("Cast", "image_float", ["image"], "UINT8", to=TensorProto.FLOAT)
        if self._network.static_input:
            x = self._node("Transpose", "image_nchw", [x], "UINT8", perm=[0, 3, 1, 2])
        else:
            x = self._node("Transpose", "image_steps", [x], "UINT8", perm=[1, 0, 4, 2, 3])
            x = self._reshape("image_nchw", x, [-1, *shape], "UINT8")
        return _Tensor(x, shape, "UINT8", self._network.static_input)

    def _current(self, layer: IntegerLayer) -> str:
        """Append the connections of a layer and their sum; returns what goes into its neuron, [T, batch, ...]."""
        single = len(layer.inputs) == 1
        shape = self._shapes[layer.name].sum
        unsigned = bool((layer.sign == 1).all())
        read_again = layer.name in self._network.added_to()
        if single and not layer.residual and not read_again and unsigned and layer.inputs[0].factor == 1:
            return self._steps(layer.inputs[0], layer.name, shape, layer.map_pixels)
        terms = [
            self._integer(connection, layer.name if single else connection.name, shape) for connection in layer.inputs
        ]
        if layer.residual:
            terms.append(self._sums[layer.residual])
        total = terms[0]
        for index, term in enumerate(terms[1:], start=1):
            last = index == len(terms) - 1
            total = self._node(
                "Add", f"{layer.name}{SUM_SUFFIX}" if last else f"{layer.name}{SUM_SUFFIX}{index}", [total, term]
            )
        bounds = self._ranges[layer.name]
        self._datatypes[total] = f"INT{signed_bits(bounds.low, bounds.high)}"
        self._sums[layer.name] = total
        if unsigned:
            return total
        sign = self._constant(f"{layer.name}_sign", _per_channel(layer.sign.astype(np.int32), shape), "INT2")
        return self._node("Mul", f"{layer.name}_signed", [total, sign])

    def _steps(self, connection: IntegerConnection, name: str, shape: tuple[int, ...], map_pixels: int = 1) -> str:
        """One connection's weighted input [T, batch, *shape] float32, before its factor."""
        source = self._sources[connection.source]
        if map_pixels > 1:
            source = self._summed_map(name, source, self._network.largest_values()[connection.source] * map_pixels)
        x = source.name
        if connection.weights is not None:
            weights = self._constant(f"{name}_weights", _onnx_weights(connection), f"INT{connection.weight_bits}")
            if connection.kind == "conv":
                x = self._node(
                    "Conv",
                    name,
                    [x, weights],
                    kernel_shape=list(connection.weights.shape[2:]),
                    strides=[connection.stride] * 2,
                    pads=list(connection.sides),
                )
            else:
                if len(source.shape) > 1:
                    x = self._reshape(f"{name}_flatten", x, [-1, int(np.prod(source.shape))], source.datatype)
                x = self._node("MatMul", name, [x, weights])
        timesteps = self._network.timesteps
        if not source.static:
            return self._reshape(f"{name}_steps", x, [timesteps, -1, *shape])
        axis = self._constant(f"{name}_static_axes", np.array([0], np.int64))
        x = self._node("Unsqueeze", f"{name}_static", [x, axis])
        steps = self._constant(f"{name}_steps_shape", np.array([timesteps, 1, *[1] * len(shape)], np.int64))
        return self._node("Expand", f"{name}_steps", [x, steps])

    def _summed_map(self, name: str, source: _Tensor, largest: int) -> _Tensor:
        """A source with its map summed to one value per channel, at most ``largest``."""
        axes = self._constant(f"{name}_map_axes", np.array([2, 3], np.int64))
        datatype = f"UINT{largest.bit_length()}"
        x = self._node("ReduceSum", f"{name}_map", [source.name, axes], datatype, keepdims=0)
        return _Tensor(x, source.shape[:1], datatype, source.static)

    def _integer(self, connection: IntegerConnection, name: str, shape: tuple[int, ...]) -> str:
        """One connection as the term of an addition: int32, times its factor."""
        x = self._node("Cast", f"{name}_int", [self._steps(connection, name, shape)], to=TensorProto.INT32)
        if connection.factor == 1:
            return x
        factor = self._constant(f"{name}_factor", np.array(connection.factor, np.int32))
        return self._node("Mul", f"{name}_scaled", [x, factor])

    def _spikes(self, index: int, layer: IntegerLayer, neuron: Neuron, current: str) -> _Tensor:
        """Append neuron and pooling of a layer."""
        shapes = self._shapes[layer.name]
        x = self._neuron(f"neuron{index}", layer, neuron, current, shapes.sum)
        x = self._reshape(f"neuron{index}_fold", x, [-1, *shapes.sum], "BINARY")
        datatype = "BINARY"
        if layer.pool > 1:
            window = [layer.pool] * 2
            if layer.pool_kind == "avg":
                datatype = f"UINT{layer.largest_output.bit_length()}"
                x = self._node("LpPool", f"pool{index}", [x], datatype, p=1, kernel_shape=window, strides=window)
            else:
                x = self._node("MaxPool", f"pool{index}", [x], datatype, kernel_shape=window, strides=window)
        return _Tensor(x, shapes.output, datatype)

    def _neuron(self, name: str, layer: IntegerLayer, neuron: Neuron, current: str, shape: tuple[int, ...]) -> str:
        attributes = {"timesteps": self._network.timesteps, **neuron.attributes()}
        if self._network.has_half_starts:
            attributes["half_start"] = int(neuron.half_start)
        inputs = [current]
        for role, values in (("bias", layer.bias), ("threshold", layer.threshold)):
            constant = _per_channel(self._int32(layer, role, values), shape)
            inputs.append(self._constant(f"{name}_{role}", constant, f"INT{signed_bits(values)}"))
        return self._node(neuron.kind, name, inputs, "BINARY", domain=DOMAIN, **attributes)

    def _read_out(self, layer: IntegerLayer, current: str) -> None:
        constant = self._int32(layer, "bias", layer.bias)
        bias = self._constant("logits_bias", constant, f"INT{signed_bits(layer.bias)}")
        timesteps = self._network.timesteps
        node = helper.make_node(
            READ_OUT, [current, bias], ["logits"], name="logits", domain=DOMAIN, timesteps=timesteps
        )
        self._nodes.append(node)

    def _int32(self, layer: IntegerLayer, role: str, values: NDArray[np.int64]) -> NDArray[np.int32]:
        if signed_bits(values) > INT_BITS:
            raise ExportError(
                f"layer {layer.name!r}: a {role} needs {signed_bits(values)} bits, int32 has {INT_BITS}; use fewer "
                f"fractional bits (now {self._network.frac_bits})"
            )
        return values.astype(np.int32)

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
        # ascontiguousarray would make a vector of a scalar.
        self._initializers.append(numpy_helper.from_array(np.array(values, order="C"), name))
        if datatype:
            self._datatypes[name] = datatype
        return name


def _per_channel(values: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """[channels] for vectors, [channels, 1, 1] for maps."""
    return values.reshape(-1, *[1] * (len(shape) - 1))


def _onnx_weights(connection: IntegerConnection) -> NDArray[np.float32]:
    assert connection.weights is not None
    weights = connection.weights.astype(np.float32)
    return weights if connection.kind == "conv" else weights.T


def _annotation(tensor: str, datatype: str) -> onnx.TensorAnnotation:
    annotation = onnx.TensorAnnotation(tensor_name=tensor)
    annotation.quant_parameter_tensor_names.append(onnx.StringStringEntryProto(key="finn_datatype", value=datatype))
    return annotation
