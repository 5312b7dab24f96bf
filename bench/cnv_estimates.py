"""`python -m bench.cnv_estimates`: FINN's CIFAR-10 examples by FINN's own flow and estimators, without vendor tools.

Topologies of Brevitas' bnn_pynq (untrained: neither cycles nor estimates depend on the weights), and the PE, SIMD and
memory styles that finn-examples publishes for a Pynq-Z1. What is next to them in docs/ is measured otherwise: Yosys
synthesises spikefold's cores, while FINN's estimators count no LUTs for pooling and the label.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from torch import Tensor, nn

from bench.command import run_command
from codegen.dataflow.environment import prepare_environment, quiet
from sca_train.command_line import Parser

PART = "xc7z020clg400-1"
CLOCK_NS = 10.0


@dataclass(frozen=True)
class Example:
    """Name in bnn_pynq; PE, SIMD and memory of each matrix-vector unit, first to last."""

    name: str
    units: tuple[tuple[int, int, str], ...]


EXAMPLES = {
    "CNV-w2a2": Example(
        "cnv_2w2a",
        (
            (8, 3, "auto"), (16, 16, "auto"), (8, 16, "auto"), (8, 16, "block"), (4, 8, "auto"), (1, 8, "auto"),
            (1, 2, "distributed"), (2, 2, "block"), (5, 1, "distributed"),
        ),
    ),
    "CNV-w1a1": Example(
        "cnv_1w1a",
        (
            (16, 3, "auto"), (32, 32, "auto"), (16, 32, "auto"), (16, 32, "auto"), (4, 32, "auto"), (1, 32, "auto"),
            (1, 4, "auto"), (1, 8, "auto"), (5, 1, "auto"),
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """Cycles a frame of the slowest node, whose name is ``slowest``, and FINN's sums over all nodes."""

    cycles: int
    slowest: str
    lut: int
    bram18: int
    dsp: int


class _Bytes(nn.Module):
    """What the examples put before the network: pixels of 0 to 255 to 0 to 1."""

    def forward(self, images: Tensor) -> Tensor:
        return images / 255


def estimate(example: Example) -> Estimate:
    """FINN's figures of an example with its published folding; the flow tells its progress to nobody."""
    prepare_environment()
    with quiet(), tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        return _estimate(_folded(_hardware(example.name, Path(folder)), example))


def _steps() -> ModuleType:
    """FINN's build steps. Their module wants Vivado's simulator to be imported; none of the steps here runs it."""
    import finn.xsi

    for name in finn.xsi._LAZY_NAMES:
        if name not in vars(finn.xsi):
            setattr(finn.xsi, name, type(name, (), {}))
    from finn.builder import build_dataflow_steps

    return build_dataflow_steps


def _hardware(name: str, folder: Path) -> ModelWrapper:
    """The dataflow graph of one of Brevitas' networks, from its image to its label."""
    from brevitas.export import export_qonnx
    from brevitas_examples.bnn_pynq.models import model_with_cfg
    from qonnx.transformation.insert_topk import InsertTopK
    from qonnx.transformation.merge_onnx_models import MergeONNXModels

    steps = _steps()
    config = steps.DataflowBuildConfig(
        output_dir=str(folder), synth_clk_period_ns=CLOCK_NS, generate_outputs=[], fpga_part=PART, board="Pynq-Z1"
    )
    torch.manual_seed(0)
    network, _ = model_with_cfg(name, pretrained=False)
    models = []
    for module in (network, _Bytes()):
        file = folder / "model.onnx"
        export_qonnx(module.eval(), torch.rand(1, 3, 32, 32), str(file))
        models.append(steps.step_tidy_up(steps.step_qonnx_to_finn(ModelWrapper(str(file)), config), config))
    model = models[0].transform(MergeONNXModels(models[1]))
    model.set_tensor_datatype(model.graph.input[0].name, DataType["UINT8"])
    model = steps.step_tidy_up(model.transform(InsertTopK(k=1)), config)
    for step in ("streamline", "convert_to_hw", "create_dataflow_partition", "specialize_layers"):
        model = getattr(steps, f"step_{step}")(model, config)
    return model


def _folded(model: ModelWrapper, example: Example) -> ModelWrapper:
    """The published folding: windows have the SIMD of their unit, all else the default."""
    from finn.transformation.fpgadataflow.minimize_accumulator_width import MinimizeAccumulatorWidth
    from finn.transformation.fpgadataflow.minimize_weight_bit_width import MinimizeWeightBitWidth
    from qonnx.custom_op.registry import getCustomOp

    units = iter(example.units)
    window = None
    for node in model.graph.node:
        instance = getCustomOp(node)
        if node.op_type.startswith("ConvolutionInputGenerator"):
            window = None if model.find_direct_successors(node)[0].op_type.startswith("Pool") else instance
            instance.set_nodeattr("ram_style", "distributed")
        elif node.op_type.startswith("MVAU"):
            pe, simd, memory = next(units)
            for name, value in (("PE", pe), ("SIMD", simd), ("ram_style", memory)):
                instance.set_nodeattr(name, value)
            if window is not None:
                window.set_nodeattr("SIMD", simd)
                window = None
    return model.transform(MinimizeWeightBitWidth()).transform(MinimizeAccumulatorWidth())


def _estimate(model: ModelWrapper) -> Estimate:
    from finn.analysis.fpgadataflow.exp_cycles_per_layer import exp_cycles_per_layer
    from finn.analysis.fpgadataflow.res_estimation import res_estimation

    cycles = model.analysis(exp_cycles_per_layer)
    nodes = res_estimation(model, PART).values()
    slowest = max(cycles, key=cycles.__getitem__)
    lut, bram, dsp = (round(sum(node[key] for node in nodes)) for key in ("LUT", "BRAM_18K", "DSP"))
    return Estimate(int(cycles[slowest]), slowest, lut, bram, dsp)


def main() -> None:
    Parser(
        prog="python -m bench.cnv_estimates", description=__doc__, formatter_class=argparse.HelpFormatter
    ).parse_args()
    print("| example | cycles a frame | LUT | BRAM18 | DSP |\n| --- | --- | --- | --- | --- |")
    for name, example in EXAMPLES.items():
        found = estimate(example)
        print(
            f"| {name} | {found.cycles:,} ({found.slowest}) | {found.lut:,} | {found.bram18} | {found.dsp} |",
            flush=True,
        )


if __name__ == "__main__":
    raise SystemExit(run_command(main))
