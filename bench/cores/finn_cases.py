"""Cases of the cores whose RTL is FINN's, drawn at random: padding, width converter and FIFO."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import codegen.dataflow  # noqa: F401 - FINN must be prepared before it is imported
from bench.cores.core_cases import Case
from bench.cores.port_cases import random_inputs
from bench.stream_luts import single_node
from codegen.cores import core_of

FRAMES = 4
MAX_WORD_BITS = 60


def random_padding(name: str, seed: int) -> Case:
    """Up to three rows and columns of zeros on each side; those before the first pixel need no input."""
    draw = random.Random(seed)
    height, width, simd, folds = draw.randint(1, 7), draw.randint(1, 7), draw.randint(1, 4), draw.randint(1, 3)
    while True:
        top, left, bottom, right = (draw.choice([0, 1, 1, 2, 3]) for _ in range(4))
        if top + left + bottom + right:
            break
    channels, bits = simd * folds, draw.choice([1, 3, 4, 8])
    case = _case(
        name,
        seed,
        "FMPadding_rtl",
        (1, height, width, channels),
        (1, top + height + bottom, left + width + right, channels),
        bits,
        ImgDim=[height, width],
        Padding=[top, left, bottom, right],
        NumChannels=channels,
        SIMD=simd,
        inputDataType=f"UINT{bits}",
        numInputVectors=1,
    )
    return replace(case, leading_words=(top * (left + width + right) + left) * folds)


def random_converter(name: str, seed: int) -> Case:
    """Between words of any two numbers of elements, a multiple of each other or not."""
    draw = random.Random(seed)
    bits = draw.choice([1, 3, 4, 8])
    most = MAX_WORD_BITS // bits
    source, target = draw.sample(range(1, min(16, most) + 1), 2)
    shape = (1, math.lcm(source, target) * draw.randint(1, 4))
    return _case(
        name,
        seed,
        "StreamingDataWidthConverter_rtl",
        shape,
        shape,
        bits,
        inShape=shape,
        outShape=shape,
        inWidth=source * bits,
        outWidth=target * bits,
        dataType=f"UINT{bits}",
    )


def random_fifo(name: str, seed: int) -> Case:
    """Depths of all three memories: shift registers, LUT RAM and block RAM."""
    draw = random.Random(seed)
    lanes, words, bits = draw.randint(1, 5), draw.randint(1, 60), draw.choice([1, 3, 4, 8])
    shape = (1, words * lanes)
    return _case(
        name,
        seed,
        "StreamingFIFO_rtl",
        shape,
        shape,
        bits,
        depth=draw.choice([2, 3, 8, 32, 33, 34, 100, 257, 258, 300]),
        folded_shape=[1, words, lanes],
        normal_shape=list(shape),
        dataType=f"UINT{bits}",
        ram_style=draw.choice(["auto", "block", "distributed"]),
    )


def _case(
    name: str,
    seed: int,
    op: str,
    in_shape: tuple[int, ...],
    out_shape: tuple[int, ...],
    bits: int,
    **attributes: object,
) -> Case:
    from finn.util.basic import getHWCustomOp

    node = single_node(op, in_shape, out_shape, bits, **attributes).graph.node[0]
    node.name = name
    return random_inputs(core_of(getHWCustomOp(node)), FRAMES, seed)
