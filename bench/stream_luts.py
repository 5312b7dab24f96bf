"""`python -m bench.stream_luts`: padding, window, converter and FIFO over sizes in Yosys, and the estimates' errors.

Renders each node alone, synthesises it for 7 series, writes the measurements to
bench/stream_luts.csv and prints how far the estimates of the cores are from them. With ``--keep`` the error is
computed from the measurements in the file.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from bench.command import positive, run_command
from codegen.cores import fifo, padding, sliding_window, width_converter
from codegen.dataflow.environment import prepare_environment, quiet
from codegen.dialect import DATAFLOW_DOMAIN
from codegen.fit import Resources
from sca_train.command_line import Parser

if TYPE_CHECKING:
    from qonnx.core.modelwrapper import ModelWrapper

MEASUREMENTS = Path(__file__).with_suffix(".csv")
LIMIT_SECONDS = 900.0
OPERATORS = (
    "FMPadding_rtl",
    "ConvolutionInputGenerator_rtl",
    "StreamingDataWidthConverter_rtl",
    "StreamingFIFO_rtl",
)
"""In the order of the file."""

# (height = width, channels, SIMD, element bits) of the map
MAPS = ((8, 8, 1, 4), (8, 8, 8, 4), (16, 32, 1, 8), (16, 32, 8, 4), (32, 64, 4, 4), (32, 64, 32, 4), (34, 3, 3, 8))
WINDOW_MAPS = (*MAPS[:5], (18, 64, 16, 4), (34, 32, 32, 4), (34, 3, 3, 8), (6, 256, 4, 4), (10, 16, 2, 16))
CONVERTERS = ((4, 16), (4, 64), (16, 32), (32, 128), (16, 4), (64, 4), (32, 16), (128, 32), (12, 8), (24, 32), (40, 48))
FIFOS = ((8, 4), (16, 16), (32, 32), (64, 32), (16, 64), (32, 128), (32, 256), (8, 256), (16, 512), (32, 1024))


@dataclass(frozen=True)
class Measurement:
    """One node: its op, its sizes (0 where the op has none) and what Yosys used for it."""

    op: str
    in_bits: int
    out_bits: int
    depth: int
    lut: int
    ff: int
    bram36: float
    memory_luts: int


def main() -> None:
    """Measure (or read), write the file, print the errors."""
    parser = Parser(prog="python -m bench.stream_luts", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="use the measurements in bench/stream_luts.csv")
    parser.add_argument(
        "--only", metavar="OP", choices=OPERATORS, help="measure the nodes of this operator again, and keep the others"
    )
    parser.add_argument("--jobs", type=positive, default=2)
    options = parser.parse_args()
    if not options.keep:
        others = [row for row in read() if row.op != options.only] if options.only else []
        write(sorted([*measure(options.jobs, options.only), *others], key=lambda row: OPERATORS.index(row.op)))
    print_errors(read())


def measure(jobs: int, only: str | None) -> list[Measurement]:
    """Every node of the tables above, or those of one operator."""
    from codegen.render.graph import from_model
    from codegen.render.render_rtl import render_rtl
    from codegen.synthesis.yosys import CoreSources, start_yosys, synthesise_core

    prepare_environment()
    start_yosys()
    models = [*map(padding_model, MAPS), *map(window_model, WINDOW_MAPS)]
    models += [*map(converter_model, CONVERTERS), *map(fifo_model, FIFOS)]
    graphs = [from_model(model) for model in models if only in (None, model.graph.node[0].op_type)]
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(jobs) as pool:
        pending = []
        for index, graph in enumerate(graphs):
            folder = Path(name) / str(index)
            folder.mkdir()
            with quiet():
                node = render_rtl(graph, folder, lambda _name: None).nodes[0]
            sources = CoreSources(node.op, node.module, folder, (*node.files, *node.data_files))
            pending.append((graph.nodes[0], pool.submit(synthesise_core, sources, "xc7", LIMIT_SECONDS)))
        rows = []
        for node, future in tqdm(pending, unit="node"):
            use = future.result().use
            rows.append(
                Measurement(
                    op=node.op,
                    in_bits=node.input.bits,
                    out_bits=node.output.bits,
                    depth=getattr(node.core, "depth", 0),
                    lut=use.resources.lut,
                    ff=use.resources.ff,
                    bram36=use.resources.bram36,
                    memory_luts=use.memory_luts,
                )
            )
    return rows


def padding_model(sizes: tuple[int, int, int, int]) -> ModelWrapper:
    """Zero padding of one pixel on each side; sizes as in MAPS."""
    height, channels, simd, bits = sizes
    shape, padded = (1, height, height, channels), (1, height + 2, height + 2, channels)
    return single_node(
        "FMPadding_rtl",
        shape,
        padded,
        bits,
        ImgDim=[height, height],
        Padding=[1, 1, 1, 1],
        NumChannels=channels,
        SIMD=simd,
        inputDataType=f"UINT{bits}",
        numInputVectors=1,
    )


def window_model(sizes: tuple[int, int, int, int]) -> ModelWrapper:
    """A 3x3 sliding window; sizes as in MAPS."""
    height, channels, simd, bits = sizes
    out = height - 2
    return single_node(
        "ConvolutionInputGenerator_rtl",
        (1, height, height, channels),
        (1, out, out, 9 * channels),
        bits,
        ConvKernelDim=[3, 3],
        IFMChannels=channels,
        IFMDim=[height, height],
        OFMDim=[out, out],
        SIMD=simd,
        Stride=[1, 1],
        Dilation=[1, 1],
        inputDataType=f"UINT{bits}",
        outputDataType=f"UINT{bits}",
        depthwise=0,
        parallel_window=0,
        ram_style="auto",
    )


def converter_model(sizes: tuple[int, int]) -> ModelWrapper:
    """A converter between words of two widths in bits, both multiples of 4."""
    in_bits, out_bits = sizes
    # Elements of 4 bits; a frame is a whole number of words of both widths.
    shape = (1, in_bits * out_bits // 4)
    return single_node(
        "StreamingDataWidthConverter_rtl",
        shape,
        shape,
        4,
        inShape=shape,
        outShape=shape,
        inWidth=in_bits,
        outWidth=out_bits,
        dataType="UINT4",
    )


def fifo_model(sizes: tuple[int, int]) -> ModelWrapper:
    """A FIFO of a word width in bits and a depth in words."""
    bits, depth = sizes
    lanes = bits // 4
    return single_node(
        "StreamingFIFO_rtl",
        (1, 4 * lanes),
        (1, 4 * lanes),
        4,
        depth=depth,
        folded_shape=[1, 4, lanes],
        normal_shape=[1, 4 * lanes],
        dataType="UINT4",
        ram_style="auto",
    )


def single_node(
    op: str, in_shape: tuple[int, ...], out_shape: tuple[int, ...], bits: int, **attributes: object
) -> ModelWrapper:
    """A model of one FINN node between tensors of UINT{bits}."""
    from onnx import TensorProto, helper
    from qonnx.core.datatype import DataType
    from qonnx.core.modelwrapper import ModelWrapper

    source = helper.make_tensor_value_info("in", TensorProto.FLOAT, in_shape)
    target = helper.make_tensor_value_info("out", TensorProto.FLOAT, out_shape)
    node = helper.make_node(op, ["in"], ["out"], name=op, domain=f"{DATAFLOW_DOMAIN}.rtl")
    attributes["backend"] = "fpgadataflow"
    node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
    model = ModelWrapper(helper.make_model(helper.make_graph([node], op, [source], [target])))
    for tensor in ("in", "out"):
        model.set_tensor_datatype(tensor, DataType[f"UINT{bits}"])
    return model


def write(rows: list[Measurement]) -> None:
    """Replace the file of measurements."""
    with MEASUREMENTS.open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(Measurement.__dataclass_fields__), lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(row) for row in rows)


def read() -> list[Measurement]:
    """The file of measurements."""
    with MEASUREMENTS.open(newline="") as stream:
        return [
            Measurement(
                op=row["op"],
                in_bits=int(row["in_bits"]),
                out_bits=int(row["out_bits"]),
                depth=int(row["depth"]),
                lut=int(row["lut"]),
                ff=int(row["ff"]),
                bram36=float(row["bram36"]),
                memory_luts=int(row["memory_luts"]),
            )
            for row in csv.DictReader(stream)
        ]


def estimate(row: Measurement) -> Resources:
    """What the folding solver assumes for the same node (its memory in block RAM where Yosys put it there)."""
    match row.op:
        case "FMPadding_rtl":
            return padding.padding_resources(row.in_bits)
        case "ConvolutionInputGenerator_rtl":
            return sliding_window.window_resources(row.in_bits, row.depth, "block" if row.bram36 else "distributed")
        case "StreamingDataWidthConverter_rtl":
            return width_converter.converter_resources(row.in_bits, row.out_bits)
        case _:
            return fifo.fifo_resources(row.in_bits, row.depth)


def print_errors(rows: list[Measurement]) -> None:
    """Measured and estimated LUTs of each node, and the mean and largest error per op."""
    print(f"{'op':<34}{'in':>5}{'out':>5}{'depth':>6}{'LUT':>7}{'est.':>7}{'BRAM36':>8}{'est.':>7}")
    for op in dict.fromkeys(row.op for row in rows):
        errors = []
        for row in (row for row in rows if row.op == op):
            guess = estimate(row)
            errors.append(abs(guess.lut - row.lut))
            print(
                f"{row.op:<34}{row.in_bits:>5}{row.out_bits:>5}{row.depth:>6}{row.lut:>7}{guess.lut:>7}"
                f"{row.bram36:>8g}{guess.bram36:>7g}"
            )
        mean = sum(errors) / len(errors)
        print(f"{op}: mean error {mean:.0f} LUT, largest {max(errors)} LUT over {len(errors)} sizes\n")


if __name__ == "__main__":
    sys.exit(run_command(main))
