"""`python -m bench.foldings`: the fastest folding within shares of a board, of kept networks and of shapes; seconds of
one core that the solver takes."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.command import run_command
from bench.networks import integer_layer, run_of
from codegen.dataflow.dataflow import load_model, to_dataflow
from codegen.dataflow.environment import quiet
from codegen.dataflow.folding.choose import FoldingRequest, choose_folding
from codegen.dataflow.folding.solver import plan_cycles, plan_resources
from codegen.errors import FoldingError
from codegen.fit import find_board
from codegen.network import IntegerLayer, IntegerNetwork
from codegen.pruning import Pruning
from sca_train.command_line import Parser
from sca_train.specs import IMAGE

SHARES = (0.15, 0.3, 0.5, 0.7)
KEPT = ("cnn-board", "cnn-dense", "cnn-half")
PART = "xc7z020clg400-1"
VGG16_HALF = ((32, 2), (64, 2), (128, 3), (256, 3), (256, 3))
"""The convolutions of VGG16 at RATIO=0.5, for ``shape``."""


def shape(size: int, channels: int, blocks: tuple[tuple[int, int], ...]) -> IntegerNetwork:
    """Random 3x3 convolutions, (channels, layers) between poolings, and a read-out of the map; T = 4, 4-bit weights."""
    rng = np.random.default_rng(0)
    layers: list[IntegerLayer] = []
    inputs, pixels = channels, size
    for width, depth in blocks:
        for position in range(depth):
            source, pool = layers[-1].name if layers else IMAGE, 2 if position == depth - 1 else 1
            layers.append(
                integer_layer(
                    rng, f"conv{len(layers)}", source, (width, inputs, 3, 3), padding=1, pool=pool,
                    bits=4 if layers else 8,
                )
            )  # fmt: skip
            inputs = width
        pixels //= 2
    layers.append(integer_layer(rng, "readout", layers[-1].name, (10, inputs * pixels**2), neuron="none"))
    return IntegerNetwork((size, size, channels), True, 4, 4, 10, tuple(layers))


def networks() -> Iterator[tuple[str, str, Path]]:
    """Name, board and model.onnx of each network; those of shapes are made in a folder that does not stay."""
    for name in KEPT:
        yield name, "Pynq-Z2", Path("zoo", name, "model.onnx")
    shapes = {
        "mini, RATIO=0.5": ("Pynq-Z2", shape(16, 1, ((8, 1), (16, 1), (32, 1)))),
        "vgg16, RATIO=0.5": ("ZCU102", shape(32, 3, VGG16_HALF)),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, (board, network) in shapes.items():
            yield name, board, run_of(network, Path(folder, name)).path / "model.onnx"


def main() -> None:
    Parser(prog="python -m bench.foldings", description=__doc__, formatter_class=argparse.HelpFormatter).parse_args()
    print("| network | board | share | cycles | LUT | BRAM36 | s |\n| --- | --- | --- | --- | --- | --- | --- |")
    for name, board, path in networks():
        with quiet():
            model = to_dataflow(load_model(path), "rtl", PART)
        for share in SHARES:
            request = FoldingRequest(find_board(board), None, None, share)
            start = time.process_time()
            try:
                plan = choose_folding(model, request, Pruning(0.0, 4)).plan
            except FoldingError as error:
                found = str(error)
            else:
                needed = plan_resources(plan)
                found = f"{plan_cycles(plan):,} | {needed.lut:,} | {needed.bram36:g}"
            seconds = time.process_time() - start
            print(f"| {name} | {board} | {share:g} | {found} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    raise SystemExit(run_command(main))
