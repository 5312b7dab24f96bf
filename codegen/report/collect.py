"""The measured values of a run, gathered from the files that its stages left; None is what was not measured."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codegen.core import core_class
from codegen.core.core import LayerCore, StreamCore
from codegen.errors import RunFolderError
from codegen.export.golden import file_digest
from codegen.run_folder import RunFolder
from sca_train.config import TrainConfig, load_config
from sca_train.figures.runs import Epoch, epochs_of, scores_of

MHZ = 1_000_000
STAGES = ("float", "onnx", "csim", "rtl")


@dataclass(frozen=True)
class Reduction:
    """A count of the network before pruning and of the compact one."""

    dense: float | None
    compact: float | None


@dataclass(frozen=True)
class Cycles:
    """Clock cycles from first input word to last output word, and from frame to frame; bound is the analytic one."""

    latency: int | None
    interval: int | None
    bound: int | None
    clock_mhz: float | None
    fps: float | None


@dataclass(frozen=True)
class ResourceUse:
    """What synthesis counted (LUT6s, flip-flops, 36 Kb block RAMs, DSP slices), against what the board has."""

    lut: float | None
    ff: float | None
    bram36: float | None
    dsp: float | None
    tool: str | None
    board: str | None
    budget: dict[str, float | None]
    fits: bool | None


@dataclass(frozen=True)
class NodeFigures:
    """One node of the dataflow graph; ``sparsity`` is the share of zero bits in the spike trains it sends."""

    name: str
    op: str
    pe: int | None
    simd: int | None
    tp: int | None
    cycles: int | None
    lut: float | None
    bram36: float | None
    sparsity: float | None


PASSAGES = ("rates", "converted")
"""Of metrics.json's accuracies: those of a training that began with the rate-equivalent network."""


@dataclass(frozen=True)
class Report:
    """report.json; the field names are its keys (``as_json``)."""

    model: str
    dataset: str
    ratio: float
    timesteps: int
    weight_bits: int
    seed: int
    params: Reduction
    synops: Reduction
    channels: dict[str, list[int]]
    accuracy: dict[str, float | None]
    images: dict[str, int | None]
    mismatches: dict[str, int | None]
    cycles: Cycles
    resources: ResourceUse
    layers: list[NodeFigures]

    def as_json(self) -> dict[str, Any]:
        """The content of report.json: every key is there, null where nothing was measured."""
        return asdict(self)


@dataclass(frozen=True)
class Measured:
    """A report with what only the page shows: the training, its channel scores, and the speed of each simulator.

    ``shipped``: by stage, the share of the shipped images that are classified right, where a stage had no test set. The
    report says null for its accuracy then.
    """

    report: Report
    config: TrainConfig
    history: list[dict[str, Any]]
    epochs: tuple[Epoch, ...]
    scores: dict[str, tuple[float, ...]]
    training_seconds: float | None
    passages: dict[str, float]
    """Accuracy on the whole test set as rates, and converted to spikes before the last epochs; empty without rates."""
    images_per_second: dict[str, float | None]
    rtl_cycles_per_second: float | None
    shipped: dict[str, float | None]


def collect(run: RunFolder) -> Measured:
    """Read what the stages of a run left.

    Raises RunFolderError when the run has not been trained or a result file is damaged.
    """
    config = load_config(run.require("config.toml"))
    metrics = _read_json(run.require("metrics.json"))
    results = {stage: _load(run, stage) for stage in ("onnx", "csim", "rtl", "synth")}
    _check_current(run, results["onnx"].get("compact_sha256"))
    accuracy = {"float": metrics.get("accuracy"), **{stage: results[stage].get("accuracy") for stage in STAGES[1:]}}
    images = {"float": metrics.get("images"), **{stage: results[stage].get("images") for stage in STAGES[1:]}}
    manifest = _read_json(run.path / "rtl" / "nodes.json") if (run.path / "rtl" / "nodes.json").exists() else {}
    report = Report(
        model=config.model,
        dataset=config.dataset,
        ratio=metrics.get("ratio", config.ratio) if config.budget else config.ratio,
        timesteps=config.timesteps,
        weight_bits=config.weight_bits,
        seed=config.seed,
        params=_reduction(metrics.get("params")),
        synops=_reduction(metrics.get("synops")),
        channels=metrics.get("channels", {}),
        accuracy=accuracy,
        images=images,
        mismatches={stage: results[stage].get("mismatches") for stage in ("csim", "rtl")},
        cycles=_cycles(results["rtl"], _bound(manifest.get("nodes", [])), results["synth"].get("board")),
        resources=_resources(results["synth"]),
        layers=_layers(manifest.get("nodes", []), _load(run, "folding"), results["synth"], results["onnx"]),
    )
    return Measured(
        report=report,
        config=config,
        history=metrics.get("history", []),
        epochs=epochs_of(metrics.get("history", [])),
        scores=scores_of(metrics),
        training_seconds=metrics.get("seconds"),
        passages={key: value for key, value in metrics.get("accuracies", {}).items() if key in PASSAGES},
        images_per_second={stage: results[stage].get("images_per_second") for stage in STAGES[1:]},
        rtl_cycles_per_second=results["rtl"].get("cycles_per_second"),
        shipped={stage: results[stage].get("shipped_accuracy") for stage in STAGES[1:]},
    )


def _check_current(run: RunFolder, exported: str | None) -> None:
    """Results of a network that has been trained anew since must not stand beside the new one's accuracy."""
    if exported is not None and exported != file_digest(run.require("compact.safetensors")):
        raise RunFolderError(
            f"run folder {run.path} was trained again after its export; run `make export RUN={run.name}` "
            "and the stages after it first"
        )


def _load(run: RunFolder, stage: str) -> dict[str, Any]:
    target = run.path / "results" / f"{stage}.json"
    return _read_json(target) if target.exists() else {}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} is damaged ({error}); run the stage that writes it again") from error
    if not isinstance(content, dict):
        raise RunFolderError(f"{path} holds no JSON object; run the stage that writes it again")
    return content


def _reduction(counts: dict[str, float] | None) -> Reduction:
    return Reduction(**counts) if counts else Reduction(None, None)


def _cycles(rtl: dict[str, Any], bound: int | None, board: str | None) -> Cycles:
    clock_mhz = _clock_mhz(board) if board else None
    interval = rtl.get("interval")
    return Cycles(
        latency=rtl.get("latency"),
        interval=interval,
        bound=bound,
        clock_mhz=clock_mhz,
        fps=clock_mhz * MHZ / interval if clock_mhz and interval else None,
    )


def _bound(nodes: list[dict[str, Any]]) -> int | None:
    """Cycles per frame of the slowest layer: what only moves elements is left out, so no interval can be shorter."""
    return max((node["cycles"] for node in nodes if not issubclass(core_class(node["op"]), StreamCore)), default=None)


def _clock_mhz(board: str) -> float:
    from fpga.boards import get_board

    return get_board(board).clock_mhz


def _resources(synth: dict[str, Any]) -> ResourceUse:
    total, budget = synth.get("total", {}), synth.get("budget", {})
    return ResourceUse(
        lut=total.get("lut"),
        ff=total.get("ff"),
        bram36=total.get("bram36"),
        dsp=total.get("dsp"),
        tool=synth.get("tool"),
        board=synth.get("board"),
        budget={kind: budget.get(kind) for kind in ("lut", "ff", "bram36", "dsp")},
        fits=synth.get("fits"),
    )


def _layers(
    nodes: list[dict[str, Any]], folding: dict[str, Any], synth: dict[str, Any], onnx: dict[str, Any]
) -> list[NodeFigures]:
    """The nodes of the accelerator in stream order; a node has the sparsity of the layer that it computes."""
    cores = {core["name"]: core for core in synth.get("cores", [])}
    layers = {node["name"]: node["layer"] for node in folding.get("nodes", [])}
    # The read-out sends logits and has no sparsity.
    sparsities = onnx.get("spike_sparsity", {})
    figures = []
    for node in nodes:
        parameters = node["parameters"]
        core = cores.get(node["name"], {})
        leads_layer = issubclass(core_class(node["op"]), LayerCore)
        figures.append(
            NodeFigures(
                name=node["name"],
                op=node["op"],
                pe=parameters.get("pe"),
                simd=parameters.get("simd"),
                tp=parameters.get("tp"),
                # FINN has no estimate for FIFOs and width converters and says 0.
                cycles=node["cycles"] or None,
                lut=core.get("lut"),
                bram36=core.get("bram36"),
                sparsity=sparsities.get(layers.get(node["name"])) if leads_layer else None,
            )
        )
    return figures
