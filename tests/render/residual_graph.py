"""A residual block as an unfolded dataflow graph: a fork, a convolution beside a shortcut, their sum, neurons."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from codegen.arithmetic.ranges import (
    Interval,
    LayerWidths,
    acc_range,
    layer_widths,
    signed_bits,
    sum_widths,
    widths_of_sum,
)
from codegen.cores import core_class
from codegen.cores.core import Frame
from codegen.dialect import DATAFLOW_DOMAIN
from codegen.neurons import IF, LIF, SUMS, Constants
from codegen.render.graph import DataflowGraph

SIZE, CHANNELS, TIMESTEPS = 6, 4, 4
MAP = (1, SIZE, SIZE)
NEURON = IF(reset="hard", frac_bits=4)
LEAKY = LIF(reset="soft", frac_bits=4, leak_shift=2, half_start=True)


class GraphBuilder:
    """Appends nodes, each with its output tensors; those of our own cores are of a backend, "rtl" or "hls"."""

    def __init__(self, back_end: str) -> None:
        self._back_end = back_end
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, tuple[NDArray[Any], str]] = {}
        self._tensors: dict[str, tuple[tuple[int, ...], str]] = {}

    def tensor(self, name: str, shape: tuple[int, ...], datatype: str) -> str:
        self._tensors[name] = (shape, datatype)
        return name

    def constant(self, name: str, values: NDArray[Any], datatype: str) -> str:
        self._constants[name] = (values, datatype)
        return name

    def node(self, op: str, name: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        back_end = self._back_end if core_class(op).attributes else "rtl"
        proto = helper.make_node(
            f"{op}_{back_end}",
            inputs,
            outputs,
            name=name,
            domain=f"{DATAFLOW_DOMAIN}.{back_end}",
            backend="fpgadataflow",
            **attributes,
        )
        self._nodes.append(proto)

    def model(self, first: str, last: str) -> ModelWrapper:
        infos = {
            name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, (shape, _) in self._tensors.items()
        }
        inner = [info for name, info in infos.items() if name not in (first, last)]
        graph = helper.make_graph(self._nodes, "graph", [infos[first]], [infos[last]], value_info=inner)
        model = ModelWrapper(helper.make_model(graph))
        for name, (values, datatype) in self._constants.items():
            model.set_initializer(name, values.astype(np.float32))
            model.set_tensor_datatype(name, DataType[datatype])
        for name, (_, datatype) in self._tensors.items():
            model.set_tensor_datatype(name, DataType[datatype])
        return model


def _mvau(
    builder: GraphBuilder,
    name: str,
    source: str,
    target: str,
    weights: NDArray[np.int64],
    widths: LayerWidths,
    neuron_constants: tuple[NDArray[np.int64], ...] = (),
    image: bool = False,
) -> None:
    """Neurons with these constants, bias and threshold, or without any the sums."""
    mw = weights.shape[1]
    bits = (widths.bias_bits, widths.threshold_bits)
    named = zip(("bias", "threshold"), neuron_constants, bits, strict=False)
    if neuron_constants:
        builder.tensor(target, (*MAP, CHANNELS), f"UINT{TIMESTEPS}")
    else:
        builder.tensor(target, (*MAP, CHANNELS * TIMESTEPS), f"INT{widths.acc_bits}")
    builder.node(
        "SpikingMVAU",
        name,
        [
            source,
            builder.constant(f"{name}_weights", weights.T, "INT4"),
            *(builder.constant(f"{name}_{label}", values, f"INT{width}") for label, values, width in named),
        ],
        [target],
        MW=mw,
        MH=CHANNELS,
        SIMD=1,
        PE=1,
        T=TIMESTEPS,
        TP=TIMESTEPS,
        inputDataType="UINT8" if image else f"UINT{TIMESTEPS}",
        weightDataType="INT4",
        outputDataType=f"UINT{TIMESTEPS}" if neuron_constants else f"INT{widths.acc_bits}",
        accBits=widths.acc_bits,
        potentialBits=widths.potential_bits,
        biasBits=widths.bias_bits,
        thresholdBits=widths.threshold_bits,
        neuron=NEURON.kind if neuron_constants else SUMS,
        fracBits=NEURON.frac_bits,
        staticInput=int(image),
        inputShape=[*MAP, mw],
        numInputVectors=list(MAP),
        layer=name,
    )


def residual_graph(seed: int = 0, back_end: str = "rtl") -> ModelWrapper:
    """Image, 1x1 convolution with neurons, fork to a 3x3 convolution and a shortcut, 2 * the convolution's sums + the
    shortcut's spikes, neurons with signs."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder(back_end)
    train = f"UINT{TIMESTEPS}"
    builder.tensor("image", (*MAP, 3), "UINT8")
    # Thresholds that the positive weights alone would reach in every step.
    weights = rng.integers(-5, 8, (CHANNELS, 3))
    threshold = weights.clip(0).sum(axis=1) * (8 * 256)
    bias = threshold // 3
    widths = layer_widths(Constants(weights, bias, threshold), largest_input=255, timesteps=TIMESTEPS, neuron=NEURON)
    _mvau(builder, "stem", "image", "stem_out", weights, widths, (bias, threshold), image=True)
    for name in ("branch_in", "shortcut"):
        builder.tensor(name, (*MAP, CHANNELS), train)
    builder.node(
        "StreamFork", "fork", ["stem_out"], ["branch_in", "shortcut"],
        NumChannels=CHANNELS, PE=1, NumOutputStreams=2, inputDataType=train, numInputVectors=list(MAP),
    )  # fmt: skip
    builder.tensor("padded", (1, SIZE + 2, SIZE + 2, CHANNELS), train)
    builder.node(
        "FMPadding", "padding", ["branch_in"], ["padded"],
        ImgDim=[SIZE, SIZE], Padding=[1, 1, 1, 1], NumChannels=CHANNELS, SIMD=1, inputDataType=train,
    )  # fmt: skip
    builder.tensor("windows", (*MAP, 9 * CHANNELS), train)
    builder.node(
        "ConvolutionInputGenerator", "window", ["padded"], ["windows"],
        ConvKernelDim=[3, 3], IFMChannels=CHANNELS, IFMDim=[SIZE + 2, SIZE + 2], OFMDim=[SIZE, SIZE], SIMD=1,
        Stride=[1, 1], Dilation=[1, 1], inputDataType=train, outputDataType=train, depthwise=0,
    )  # fmt: skip
    weights = rng.integers(-5, 8, (CHANNELS, 9 * CHANNELS))
    conv = sum_widths(weights, 1)
    _mvau(builder, "conv", "windows", "branch", weights, conv)
    branch = acc_range(weights, 1)
    total = Interval(2 * branch.low, 2 * branch.high + 1)
    sums = f"INT{signed_bits(total.low, total.high)}"
    builder.tensor("sums", (*MAP, CHANNELS * TIMESTEPS), sums)
    builder.node(
        "ResidualAdd", "add", ["branch", "shortcut"], ["sums"],
        NumChannels=CHANNELS, PE=1, T=TIMESTEPS, firstDataType=f"INT{conv.acc_bits}", secondDataType="UINT1",
        factors=[2, 1], outputDataType=sums, numInputVectors=list(MAP),
    )  # fmt: skip
    # Thresholds that the sums reach now and then, and every sign.
    sign = np.array([1, -1, 1, 0])
    bias, threshold = np.array([60, 500, 50, 20]), np.array([400, 200, 1200, 33])
    bank = widths_of_sum(total.times(sign), TIMESTEPS, LEAKY, bias, threshold)
    constants = (("bias", bias, bank.bias_bits), ("threshold", threshold, bank.threshold_bits), ("sign", sign, 2))
    inputs = [builder.constant(f"bank_{label}", values, f"INT{bits}") for label, values, bits in constants]
    builder.tensor("spikes", (*MAP, CHANNELS), train)
    builder.node(
        "NeuronBank", "bank", ["sums", *inputs], ["spikes"],
        NumChannels=CHANNELS, PE=1, T=TIMESTEPS, TP=1, inputDataType=sums, signs=1,
        potentialBits=bank.potential_bits, biasBits=bank.bias_bits, thresholdBits=bank.threshold_bits,
        neuron=LEAKY.kind, leakShift=LEAKY.leak_shift, resetMode=LEAKY.reset, fracBits=LEAKY.frac_bits,
        halfStart=int(LEAKY.half_start), numInputVectors=list(MAP),
    )  # fmt: skip
    return builder.model("image", "spikes")


def evaluate(graph: DataflowGraph, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """[N, elements] that the reference models of a graph's cores give, composed along its edges."""
    results = []
    for image in images:
        stream = graph.input
        frames: dict[int, Frame] = {0: image.astype(np.int64).reshape(stream.words, stream.lanes)}
        for node in graph.nodes:
            given = node.core.reference(*(frames[edge] for edge in graph.inputs_of(node)))
            frames.update(zip(graph.outputs_of(node), given, strict=True))
        results.append(frames[graph.output_edge].reshape(-1))
    return np.array(results)
