"""Graphs for the accelerator tests: chains of stream infrastructure, and a tiny network with every kind of node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from codegen.export.onnx_writer import build_model
from codegen.network import IntegerConnection, IntegerLayer, IntegerNetwork, PoolKind
from codegen.neurons import NO_NEURON, ResetKind
from codegen.run_folder import RunFolder
from sca_train.specs import IMAGE

CLASS_NAMES = ("one", "two", "three", "four", "the fifth")
RTL_DOMAIN = "finn.custom_op.fpgadataflow.rtl"


class StreamChain:
    """Builds a chain of FINN's stream infrastructure and computes in numpy what it must give."""

    def __init__(self, shape: tuple[int, int, int], element_bits: int, simd: int) -> None:
        self.input_shape = shape
        self.element_bits = element_bits
        self.shape = shape
        self.simd = simd
        self._datatype = f"UINT{element_bits}"
        self._nodes: list[onnx.NodeProto] = []
        self._shapes = [(1, *shape)]
        self._models: list = []

    def pad(self, top: int, left: int, bottom: int, right: int) -> StreamChain:
        height, width, channels = self.shape
        self._add(
            "FMPadding_rtl",
            (top + height + bottom, left + width + right, channels),
            ImgDim=[height, width],
            Padding=[top, left, bottom, right],
            NumChannels=channels,
            SIMD=self.simd,
            inputDataType=self._datatype,
        )
        self._models.append(lambda x: np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0))))
        return self

    def windows(self, kernel: tuple[int, int], stride: tuple[int, int]) -> StreamChain:
        height, width, channels = self.shape
        rows, columns = (height - kernel[0]) // stride[0] + 1, (width - kernel[1]) // stride[1] + 1
        self._add(
            "ConvolutionInputGenerator_rtl",
            (rows, columns, kernel[0] * kernel[1] * channels),
            ConvKernelDim=list(kernel),
            IFMChannels=channels,
            IFMDim=[height, width],
            OFMDim=[rows, columns],
            SIMD=self.simd,
            Stride=list(stride),
            Dilation=[1, 1],
            inputDataType=self._datatype,
            outputDataType=self._datatype,
            depthwise=0,
            parallel_window=0,
        )

        def model(x: NDArray[np.int64]) -> NDArray[np.int64]:
            taps = [
                x[:, i : i + stride[0] * (rows - 1) + 1 : stride[0], j : j + stride[1] * (columns - 1) + 1 : stride[1]]
                for i in range(kernel[0])
                for j in range(kernel[1])
            ]
            return np.concatenate(taps, axis=-1)

        self._models.append(model)
        return self

    def convert(self, simd: int) -> StreamChain:
        shape = list(self._shapes[-1])
        self._add(
            "StreamingDataWidthConverter_rtl",
            self.shape,
            inShape=shape,
            outShape=shape,
            inWidth=self.simd * self.element_bits,
            outWidth=simd * self.element_bits,
            dataType=self._datatype,
        )
        self.simd = simd
        self._models.append(lambda x: x)
        return self

    def fifo(self, depth: int, ram_style: str = "auto") -> StreamChain:
        height, width, channels = self.shape
        self._add(
            "StreamingFIFO_rtl",
            self.shape,
            depth=depth,
            ram_style=ram_style,
            folded_shape=[1, height, width, channels // self.simd, self.simd],
            normal_shape=list(self._shapes[-1]),
            dataType=self._datatype,
        )
        self._models.append(lambda x: x)
        return self

    def expect(self, images: NDArray[np.integer]) -> NDArray[np.int64]:
        """[N, elements] that the chain must give for images [N, H, W, C]."""
        x = images.astype(np.int64)
        for model in self._models:
            x = model(x)
        return x.reshape(len(x), -1)

    def save(self, folder: Path) -> RunFolder:
        """A run folder with this chain as its graph.onnx."""
        tensors = [
            helper.make_tensor_value_info(f"t{index}", TensorProto.FLOAT, shape)
            for index, shape in enumerate(self._shapes)
        ]
        graph = helper.make_graph(self._nodes, "chain", tensors[:1], tensors[-1:], value_info=tensors[1:-1])
        model = ModelWrapper(helper.make_model(graph))
        for index in range(len(self._shapes)):
            model.set_tensor_datatype(f"t{index}", DataType[self._datatype])
        folder.mkdir(parents=True, exist_ok=True)
        model.save(str(folder / "graph.onnx"))
        return RunFolder(folder)

    def _add(self, op: str, shape: tuple[int, int, int], **attributes: object) -> None:
        index = len(self._nodes)
        self._nodes.append(
            helper.make_node(
                op,
                [f"t{index}"],
                [f"t{index + 1}"],
                domain=RTL_DOMAIN,
                backend="fpgadataflow",
                name=f"{op.split('_')[0].lower()}_{index}",
                **attributes,
            )
        )
        self.shape = shape
        self._shapes.append((1, *shape))


def random_chain(seed: int) -> StreamChain:
    """Two paddings, two window generators and converters in between, of random shapes and folds, 8-bit elements."""
    rng = np.random.default_rng(seed)
    channels = int(rng.choice([1, 2, 3, 4, 6]))
    chain = StreamChain((int(rng.integers(2, 7)), int(rng.integers(2, 7)), channels), 8, _divisor(rng, channels))
    for _ in range(2):
        chain.pad(*(int(n) for n in rng.integers(0, 3, 4)))
        kernel = tuple(int(rng.integers(1, min(3, size) + 1)) for size in chain.shape[:2])
        stride = tuple(int(rng.integers(1, min(3, size) + 1)) for size in chain.shape[:2])
        chain.windows(kernel, stride)
        chain.convert(_divisor(rng, chain.shape[2]))
        chain.fifo(int(rng.choice([2, 5, 40, 300])))
    return chain


def _divisor(rng: np.random.Generator, number: int) -> int:
    return int(rng.choice([n for n in range(1, number + 1) if number % n == 0]))


@dataclass(frozen=True)
class TinyNetwork:
    """A run folder with model.onnx, and images for it."""

    run: RunFolder
    images: NDArray[np.uint8]


def tiny_network(folder: Path, count: int) -> TinyNetwork:
    """Static image layer, pooled IF convolution, LIF convolution with stride, read-out; ``count`` random images."""
    rng = np.random.default_rng(5)
    layers = (
        _layer(
            rng, "conv1", IMAGE, (4, 1, 3, 3), bits=8, neuron="IF", reset="hard", pool=2, reach=900, half_start=True
        ),
        _layer(
            rng, "conv2", "conv1", (6, 4, 3, 3), bits=4, neuron="LIF", reset="soft", pool=1, reach=12, half_start=True
        ),
        _layer(rng, "readout", "conv2", (5, 6 * 4 * 4), bits=4, neuron=NO_NEURON, reset="hard", pool=1, reach=12),
    )
    network = IntegerNetwork(
        input_shape=(8, 8, 1), static_input=True, timesteps=4, frac_bits=4, classes=5, layers=layers
    )
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(build_model(network, CLASS_NAMES), str(folder / "model.onnx"))
    images = rng.integers(0, 256, (count, *network.input_shape)).astype(np.uint8)
    return TinyNetwork(RunFolder(folder), images)


def event_network(folder: Path, count: int) -> TinyNetwork:
    """Event frames in 20 steps, kernels 5, 1 and 3, strides 2 and 1, both poolings, a read-out that sums counts."""
    rng = np.random.default_rng(6)
    spikes = {"neuron": "IF", "reset": "hard"}
    layers = (
        _layer(rng, "conv1", IMAGE, (4, 2, 5, 5), bits=8, pool=2, reach=4000, stride=2, pool_kind="avg", **spikes),
        _layer(rng, "conv2", "conv1", (6, 4, 1, 1), bits=4, neuron="LIF", reset="soft", pool=1, reach=12),
        _layer(rng, "conv3", "conv2", (6, 6, 3, 3), bits=4, pool=2, reach=12, half_start=True, **spikes),
        _layer(rng, "conv4", "conv3", (8, 6, 3, 3), bits=2, pool=2, reach=8, pool_kind="avg", **spikes),
        _layer(rng, "readout", "conv4", (5, 8), bits=4, neuron=NO_NEURON, reset="hard", pool=1, reach=12, map_pixels=4),
    )
    network = IntegerNetwork(
        input_shape=(34, 33, 2), static_input=False, timesteps=20, frac_bits=4, classes=5, layers=layers
    )
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(build_model(network), str(folder / "model.onnx"))
    frames = rng.integers(0, 256, (count, 20, *network.input_shape)) * (rng.random((count, 20, 34, 33, 2)) < 0.2)
    return TinyNetwork(RunFolder(folder), frames.astype(np.uint8))


def _layer(
    rng: np.random.Generator,
    name: str,
    source: str,
    shape: tuple[int, ...],
    *,
    bits: int,
    neuron: str,
    reset: ResetKind,
    pool: int,
    reach: int,
    half_start: bool = False,
    stride: int = 1,
    pool_kind: PoolKind = "max",
    map_pixels: int = 1,
) -> IntegerLayer:
    largest = 2 ** (bits - 1) - 1
    out = shape[0]
    threshold = np.zeros(out, np.int64) if neuron == NO_NEURON else rng.integers(1, reach, out) << 4
    weights = rng.integers(-largest, largest + 1, shape)
    kind, padding = ("conv", shape[-1] // 2) if len(shape) == 4 else ("linear", 0)
    return IntegerLayer(
        name=name,
        inputs=(IntegerConnection(name, source, kind, weights, bits, stride, padding),),
        residual="",
        sign=np.ones(out, np.int64),
        neuron=neuron,
        leak_shift=2 if neuron == "LIF" else 0,
        reset=reset,
        half_start=half_start,
        bias=rng.integers(-reach, reach + 1, out),
        threshold=threshold,
        pool=pool,
        pool_kind=pool_kind,
        map_pixels=map_pixels,
    )
