"""The parameters of FINN's plumbing nodes as core specs, from their node attributes."""

from __future__ import annotations

from codegen.accel.graph import Node
from codegen.core.fifo import FifoSpec
from codegen.core.padding import PaddingSpec
from codegen.core.sliding_window import SlidingWindowSpec
from codegen.core.width_converter import WidthConverterSpec
from codegen.errors import RenderError

PlumbingSpec = PaddingSpec | SlidingWindowSpec | WidthConverterSpec | FifoSpec


def plumbing_spec(node: Node) -> PlumbingSpec:
    """The core spec of one of FINN's plumbing nodes.

    Raises RenderError for a variant of the FINN op that has no HLS counterpart.
    """
    get = node.custom_op.get_nodeattr
    if node.op == "FMPadding_rtl":
        height, width = get("ImgDim")
        top, left, bottom, right = get("Padding")
        return PaddingSpec(
            name=node.name,
            height=height,
            width=width,
            channels=get("NumChannels"),
            top=top,
            left=left,
            bottom=bottom,
            right=right,
            simd=get("SIMD"),
            element_bits=node.input.element_bits,
        )
    if node.op == "ConvolutionInputGenerator_rtl":
        if get("depthwise") or get("parallel_window"):
            raise RenderError(
                f"sliding window {node.name!r} is depthwise or has a parallel window; only one pixel fold per cycle "
                "in dense order is rendered"
            )
        height, width = get("IFMDim")
        folds = get("IFMChannels") // get("SIMD")
        return SlidingWindowSpec(
            name=node.name,
            height=height,
            width=width,
            channels=get("IFMChannels"),
            kernel=tuple(get("ConvKernelDim")),
            stride=tuple(get("Stride")),
            dilation=tuple(get("Dilation")),
            simd=get("SIMD"),
            element_bits=node.input.element_bits,
            # FINN's 1x1 window keeps two words whatever the folds; the HLS core keeps the folds of a pixel.
            depth=max(node.custom_op.get_buffer_depth(), folds),
        )
    if node.op == "StreamingDataWidthConverter_rtl":
        return WidthConverterSpec(
            name=node.name, in_bits=node.input.bits, out_bits=node.output.bits, in_words=node.input.words
        )
    if node.op == "StreamingFIFO_rtl":
        return FifoSpec(
            name=node.name,
            depth=get("depth"),
            word_bits=node.input.bits,
            words=node.input.words,
            ram_style=get("ram_style"),
        )
    raise RenderError(f"{node.name!r} ({node.op}) is not a plumbing node")
