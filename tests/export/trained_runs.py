"""A run folder as training leaves it, without a training, and what tests of the command line read of it."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from codegen.cores.core import Stream
from codegen.digests import file_digest, sources_digest
from codegen.fit import NO_RESOURCES
from codegen.render.manifest import Manifest, write_manifest
from codegen.results import FoldingResult, SourcesResult
from codegen.run_folder import RunFolder

TEST_IMAGES = 70


@dataclass(frozen=True)
class Trained:
    """A run folder as training leaves it, its description and its test set."""

    run: RunFolder
    images: np.ndarray
    labels: np.ndarray


def say_made(run):
    """hls/ and rtl/ without a node, and what `make hls` says of them."""
    for folder in ("hls", "rtl"):
        (run.path / folder).mkdir()
    stream = Stream(lanes=1, element_bits=4, signed=False, words=16)
    write_manifest(Manifest("accelerator", 1, stream, stream, (), (), ()), run.path / "rtl")
    (run.path / "graph.onnx").write_bytes(b"a graph")
    model, graph = (file_digest(run.path / file) for file in ("model.onnx", "graph.onnx"))
    FoldingResult(None, NO_RESOURCES, bound=1, nodes=(), model_sha256=model, graph_sha256=graph).save(run)
    SourcesResult(graph, *(sources_digest(run.path / folder) for folder in ("hls", "rtl"))).save(run)


def saved_result(run, stage):
    """Content of results/<stage>.json."""
    return json.loads((run.path / "results" / f"{stage}.json").read_text())


def error_of(capsys):
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and captured.err.startswith("error: "), captured.err
    return captured.err
