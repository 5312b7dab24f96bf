"""What lies in a run folder is of one network and one folding, or a sentence names what is not and its command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from codegen.digests import file_digest, sources_digest
from codegen.errors import RunFolderError
from codegen.event_results import DensityResult, EventCyclesResult
from codegen.hardware_results import BitstreamResult, SynthesisResult
from codegen.results import (
    FoldingResult,
    HlsSimulationResult,
    OnnxResult,
    PredictionsResult,
    Result,
    RtlSimulationResult,
    SourcesResult,
    TogglesResult,
)
from codegen.run_folder import RunFolder
from sca_train.files import COMPACT_FILE

Made = Literal["graph.onnx", "hls", "rtl"]
"""What `make hls` makes and a later stage reads."""


@dataclass(frozen=True)
class Results:
    """What the stages of a run left; None where a stage has not been run."""

    onnx: OnnxResult | None = None
    folding: FoldingResult | None = None
    sources: SourcesResult | None = None
    csim: HlsSimulationResult | None = None
    rtl: RtlSimulationResult | None = None
    synth: SynthesisResult | None = None
    bitstream: BitstreamResult | None = None
    predictions: PredictionsResult | None = None
    toggles: TogglesResult | None = None
    density: DensityResult | None = None
    event_cycles: EventCyclesResult | None = None


@dataclass(frozen=True)
class _Origin:
    """A file or source tree of the run folder and the digest that a result says it had."""

    name: str
    recorded: str


def load_results(run: RunFolder) -> Results:
    """All results of a run, each measured on what lies in the run folder now.

    Raises RunFolderError naming the first that was measured on something else, or without which nothing says of which
    network or folding a later one is, and the command that makes it anew; the stage's error for a damaged one.
    """
    results = Results(
        OnnxResult.load(run),
        FoldingResult.load(run),
        SourcesResult.load(run),
        HlsSimulationResult.load(run),
        RtlSimulationResult.load(run),
        SynthesisResult.load(run),
        BitstreamResult.load(run),
        PredictionsResult.load(run),
        TogglesResult.load(run),
        DensityResult.load(run),
        EventCyclesResult.load(run),
    )
    _require_earlier(run, results)
    _check(run, _origins(results))
    if results.bitstream:
        _check_bitstream(run, results.bitstream)
    return results


def require_model(run: RunFolder) -> Path:
    """Path of model.onnx, which is of the trained network that is there, where there is one.

    Raises RunFolderError naming the command to run, and the stage's error for a damaged result.
    """
    model = run.require("model.onnx")
    if (run.path / COMPACT_FILE).exists():
        run.require("results/onnx.json")
        _check(run, (pair for pair in _origins(Results(onnx=OnnxResult.load(run))) if pair[1].name == COMPACT_FILE))
    return model


def require_made(run: RunFolder, name: Made) -> Path:
    """Path of what `make hls` made of the model and network that are there; errors as ``require_model``."""
    path = run.require(name)
    require_model(run)
    for result in ("folding", "sources"):
        run.require(f"results/{result}.json")
    results = Results(folding=FoldingResult.load(run), sources=SourcesResult.load(run))
    _check(run, (pair for pair in _origins(results) if pair[1].name in ("model.onnx", "graph.onnx", name)))
    return path


def require_density(run: RunFolder) -> DensityResult:
    """The densities of the model.onnx that is there; raises RunFolderError, or ExportError, that says to export."""
    run.require(f"results/{DensityResult.STAGE}.json")
    density = DensityResult.load(run)
    assert density is not None
    _check(run, _origins(Results(density=density)))
    return density


def density_is_current(run: RunFolder) -> bool:
    """Whether there are densities, of the model.onnx that is there."""
    density = DensityResult.load(run)
    return density is not None and density.model_sha256 == _digest(run, "model.onnx")


def _check(run: RunFolder, origins: Iterable[tuple[Result, _Origin]]) -> None:
    """Raise RunFolderError for the first result that was measured on something else than what is there."""
    found: dict[str, str] = {}
    for result, origin in origins:
        if origin.name not in found:
            found[origin.name] = _digest(run, origin.name)
        if found[origin.name] != origin.recorded:
            raise RunFolderError(_sentence(run, result, origin.name))


def _check_bitstream(run: RunFolder, result: BitstreamResult) -> None:
    """Raise RunFolderError where the bitstream is gone or is another one."""
    file = run.path / result.bitstream
    if not file.is_file() or file_digest(file) != result.bitstream_sha256:
        raise RunFolderError(_sentence(run, result, result.bitstream))


def _require_earlier(run: RunFolder, results: Results) -> None:
    """Raise RunFolderError where the result that ties a later one to the network is not there."""
    simulated = results.csim or results.rtl or results.toggles or results.event_cycles
    measured = simulated or results.synth or results.bitstream
    needs_sources = measured or (run.path / "rtl").exists()
    rendered = needs_sources or results.sources
    if rendered or results.folding or results.predictions or results.density:
        run.require("results/onnx.json")
    if rendered:
        run.require("results/folding.json")
    if needs_sources:
        run.require("results/sources.json")


def _origins(results: Results) -> Iterator[tuple[Result, _Origin]]:
    """What each result was measured on, in the order of the stages: the first that is stale is the one to make anew."""
    if results.onnx:
        if results.onnx.compact_sha256:  # a model.onnx that was imported was not exported from anything
            yield results.onnx, _Origin(COMPACT_FILE, results.onnx.compact_sha256)
        yield results.onnx, _Origin("model.onnx", results.onnx.model_sha256)
    if results.predictions:
        yield results.predictions, _Origin("model.onnx", results.predictions.model_sha256)
    if results.density:
        yield results.density, _Origin("model.onnx", results.density.model_sha256)
    if results.folding:
        yield results.folding, _Origin("model.onnx", results.folding.model_sha256)
        yield results.folding, _Origin("graph.onnx", results.folding.graph_sha256)
    if results.sources:
        yield results.sources, _Origin("graph.onnx", results.sources.graph_sha256)
        yield results.sources, _Origin("hls", results.sources.hls_sha256)
        yield results.sources, _Origin("rtl", results.sources.rtl_sha256)
    if results.csim:
        yield results.csim, _Origin("model.onnx", results.csim.model_sha256)
        yield results.csim, _Origin("hls", results.csim.sources_sha256)
    if results.rtl:
        yield results.rtl, _Origin("model.onnx", results.rtl.model_sha256)
        yield results.rtl, _Origin("rtl", results.rtl.sources_sha256)
    if results.toggles:
        yield results.toggles, _Origin("model.onnx", results.toggles.model_sha256)
        yield results.toggles, _Origin("rtl", results.toggles.sources_sha256)
    if results.event_cycles:
        yield results.event_cycles, _Origin("model.onnx", results.event_cycles.model_sha256)
        yield results.event_cycles, _Origin("rtl", results.event_cycles.sources_sha256)
    if results.synth:
        yield results.synth, _Origin("rtl", results.synth.sources_sha256)
    if results.bitstream:
        yield results.bitstream, _Origin(results.bitstream.impl, results.bitstream.sources_sha256)


def _digest(run: RunFolder, name: str) -> str:
    path = run.require(name)
    return sources_digest(path) if name in ("hls", "rtl") and path.is_dir() else file_digest(path)


def _sentence(run: RunFolder, result: Result, origin: str) -> str:
    if origin == COMPACT_FILE:
        return (
            f"run folder {run.path} was trained again after its export; run `{run.command('export')}` "
            "and the stages after it first"
        )
    return (
        f"results/{result.stage}.json of run folder {run.path} belongs to another {origin} than the one that is there "
        f"now; run `{run.command(result.COMMAND, **_options(result))}` again"
    )


def _options(result: Result) -> Mapping[str, str]:
    """The options without which the command would make another thing than the one that is stale."""
    if not isinstance(result, BitstreamResult):
        return result.OPTIONS
    return {"BOARD": result.board, "SHELL_FLOW": result.shell, "IMPL": result.impl}
