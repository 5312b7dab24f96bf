"""The foldable layers of a specialised dataflow graph: each SpikingMVAU with the padding, window and pool around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from finn.custom_op.fpgadataflow.hwcustomop import HWCustomOp
from finn.util.basic import getHWCustomOp
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from codegen.core.spike_pool import SpikePoolSpec
from codegen.core.spiking_mvau import SpikingMVAUSpec
from codegen.finn.ops.spike_pool import SpikePool
from codegen.finn.ops.spiking_mvau import SpikingMVAU


@dataclass(frozen=True)
class Window:
    """A sliding window before a SpikingMVAU: [height, width, channels] (padded) in, one kernel window per output."""

    node: str
    height: int
    width: int
    channels: int
    kernel: int
    stride: int
    out_height: int
    out_width: int
    element_bits: int
    padding_node: str | None
    padding: int
    """Zero rows above and below, columns left and right, already in height and width."""

    def fill_cycles(self, simd: int) -> int:
        """Cycles from the first word of a frame to its first window; frames do not overlap inside FINN's generator."""
        return ((self.kernel - 1) * self.width + self.kernel) * (self.channels // simd)

    def cycles(self, simd: int) -> int:
        """Cycles per frame of FINN's ConvolutionInputGenerator_rtl, addressable buffer (its get_exp_cycles)."""
        fold = self.channels // simd
        write = self.out_width * self.kernel * self.kernel * fold
        read = self.stride * self.width * fold
        return self.fill_cycles(simd) + self.out_height * max(write, read)


@dataclass(frozen=True)
class Layer:
    """One SpikingMVAU as it stands (its spec holds the current folding) and the nodes folded with it."""

    name: str
    """The layer's name in model.onnx."""
    node: str
    mvau: SpikingMVAUSpec
    window: Window | None
    pool: SpikePoolSpec | None


def read_layers(model: ModelWrapper) -> tuple[Layer, ...]:
    """The layers of a graph from input to output; nodes must have unique names."""
    layers: list[Layer] = []
    padding: HWCustomOp | None = None
    window: HWCustomOp | None = None
    for node in model.graph.node:
        instance = getHWCustomOp(node)
        if isinstance(instance, SpikingMVAU):
            found = _window(window, padding) if window else None
            name = instance.text("layer") or node.name
            layers.append(Layer(name=name, node=node.name, mvau=instance.spec(), window=found, pool=None))
            padding = window = None
        elif isinstance(instance, SpikePool):
            last = layers[-1]
            layers[-1] = Layer(last.name, last.node, last.mvau, last.window, instance.spec())
        elif is_op(node, "FMPadding"):
            padding = instance
        elif is_op(node, "ConvolutionInputGenerator"):
            window = instance
    return tuple(layers)


def is_op(node: NodeProto, generic: str) -> bool:
    """Whether the node is that FINN operator, in any of its variants."""
    return node.op_type == generic or node.op_type.rpartition("_")[0] == generic


def _window(window: HWCustomOp, padding: HWCustomOp | None) -> Window:
    def ints(name: str) -> list[int]:
        return cast(list[int], window.get_nodeattr(name))

    height, width = ints("IFMDim")
    out_height, out_width = ints("OFMDim")
    pads = cast(list[int], padding.get_nodeattr("Padding")) if padding else [0]
    channels: Any = window.get_nodeattr("IFMChannels")
    return Window(
        node=window.onnx_node.name,
        height=height,
        width=width,
        channels=int(channels),
        kernel=ints("ConvKernelDim")[0],
        stride=ints("Stride")[0],
        out_height=out_height,
        out_width=out_width,
        element_bits=window.get_input_datatype().bitwidth(),
        padding_node=padding.onnx_node.name if padding else None,
        padding=pads[0],
    )
