"""The import stage: somebody else's network becomes a run folder as a training leaves it, model.onnx included."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codegen.arithmetic.fold_batchnorm import fold_network
from codegen.dialect import DEFAULT_FRAC_BITS
from codegen.digests import file_digest
from codegen.errors import ImportingError
from codegen.export.foreign_model import completed_model
from codegen.export.onnx_properties import ModelProperties
from codegen.export.onnx_writer import build_model
from codegen.export.stage import WRITTEN, stale_behind, write_model
from codegen.importing.calibration import agreement
from codegen.importing.float_network import FloatNetwork
from codegen.importing.interpreter import run as run_float
from codegen.importing.options import NirOptions
from codegen.importing.quantise import quantise
from codegen.importing.trainable import image_side, imported_config, trainable
from codegen.importing.user_data import (
    DATA_FOLDER,
    DataOptions,
    ImageInput,
    UserData,
    load_user_data,
    save_copied,
)
from codegen.onnx_file import OnnxFile
from codegen.run_folder import RESULTS, RunFolder, made_aside, replace_in
from codegen.run_inputs import LabelledImages
from sca_train.config import CONFIG_FILE, IMPORTED, WEIGHT_BITS, TrainConfig, config_to_toml
from sca_train.describe import describe
from sca_train.errors import TrainError
from sca_train.files import (
    CHECKPOINT_FILE,
    COMPACT_FILE,
    METRICS_FILE,
    check_readable,
    only_writer,
    remove_unfinished,
    write_text,
)
from sca_train.made_again import was_imported
from sca_train.measure.measurement import first_layer_macs, measure
from sca_train.measure.metrics_file import read_metrics
from sca_train.network import Network
from sca_train.pruning.compact import parameter_count, save_compact
from sca_train.telling import say

MOST_COMPARED = 2048
"""Test images that the original network and the counts of the report are measured on."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_PLACES = (0, 512, 1024, 2048)
"""Where the signature of an HDF5 file may stand."""
_ONNX_START = b"\x08"
"""The first field of a model's protocol buffer, its IR version."""
_UNFINISHED = (CONFIG_FILE, METRICS_FILE, COMPACT_FILE, DATA_FOLDER, "made")


@dataclass(frozen=True)
class ImportOptions:
    """How a network becomes integers, and the data to try it on."""

    weight_bits: int = 8
    frac_bits: int = DEFAULT_FRAC_BITS
    data: DataOptions = field(default_factory=DataOptions)


@dataclass(frozen=True)
class Source:
    """Where a network came from: "nir", "onnx", "snntorch" or "spikingjelly", a file's name and its SHA-256."""

    kind: str
    file: str = ""
    sha256: str = ""

    @property
    def described(self) -> str:
        """What a sentence calls it."""
        return self.file or f"a {self.kind} network in memory"


@dataclass(frozen=True)
class ImportSummary:
    """What an import wrote and measured.

    Accuracies are shares of ``images`` labelled test images, None without any, and ``original`` None too where the
    file holds the integer network itself. ``agreement``: share of the images, random ones where there are no others, on
    which both decide for the same class.
    """

    run: Path
    images: int
    original: float | None
    integer: float | None
    agreement: float | None
    labelled: bool
    notes: tuple[str, ...]

    @property
    def outcome(self) -> str:
        """The figures in words."""
        images = f"{self.images} {'test' if self.labelled else 'random'} images"
        if self.agreement is None:
            return f"accuracy {self.integer:.4f} on {images}" if self.integer is not None else f"{images}, no accuracy"
        agreed = f"the same class as the original on {self.agreement:.4f} of {images}"
        if self.integer is None or self.original is None:
            return f"{agreed} (without labels: no accuracy)"
        return f"accuracy {self.integer:.4f}, original {self.original:.4f}; {agreed}"


def import_file(
    file: Path, run: Path, options: ImportOptions = ImportOptions(), nir: NirOptions | None = None
) -> ImportSummary:
    """A NIR file or an ONNX model in this project's form, told apart by their content, as a run folder.

    Raises ImportingError, one sentence, for a file that is neither, and as ``import_nir`` and ``import_onnx``.
    """
    try:
        check_readable(file)
        with file.open("rb") as stream:
            start = stream.read(max(_HDF5_PLACES) + len(_HDF5))
    except FileNotFoundError:
        raise ImportingError(f"there is no file {file}") from None
    if any(start[place : place + len(_HDF5)] == _HDF5 for place in _HDF5_PLACES):
        return import_nir(file, run, options, nir)
    if not start.startswith(_ONNX_START):
        raise ImportingError(f"{file} is neither a NIR file (HDF5) nor an ONNX model")
    return import_onnx(file, run, options)


def import_nir(
    file: Path, run: Path, options: ImportOptions = ImportOptions(), nir: NirOptions | None = None
) -> ImportSummary:
    """A NIR file as a run folder; raises ImportingError for one that cannot be read or lowered, and as
    ``import_network``."""
    from codegen.importing.lowering import lower
    from codegen.importing.nir_file import read_nir

    refuse_other_network(RunFolder(run), Source("nir", file.name))
    network = lower(read_nir(file), nir or NirOptions(classes=options.data.classes), file)
    return import_network(network, run, options, Source("nir", file.name, file_digest(file)))


def import_network(
    network: FloatNetwork, run: Path, options: ImportOptions = ImportOptions(), source: Source = Source("network")
) -> ImportSummary:
    """Quantise a float network and write all that a training and its export leave: configuration, compact network,
    metrics, model.onnx and results.

    Written aside and moved into the run folder when all of it is there. Raises ImportingError for a network that
    integers cannot follow, for data that is not its, and for a run folder that holds another network.
    """
    folder = RunFolder(run)
    refuse_other_network(folder, source)
    wanted = ImageInput(network.input_shape, 0 if network.static_input else network.timesteps, network.classes)
    with only_writer(run):
        named = replace(options.data, classes=options.data.classes or network.class_names)
        data = load_user_data(named, wanted, run, TrainConfig().cache)
        classes = data.classes
        quantised = quantise(network, options.weight_bits, data.calibration)
        base = TrainConfig(name=run.name, dataset=data.dataset, data=data.data, weight_bits=options.weight_bits)
        config = imported_config(quantised.description, base)
        trained = trainable(quantised, config)
        content = _serialised(trained, classes, options.frac_bits)
        compared = data.tests.first(MOST_COMPARED)
        original = run_float(network, np.array(compared.images))
        remove_unfinished(run, _UNFINISHED)
        with made_aside(folder) as made:
            save_compact(trained, classes, made.path / COMPACT_FILE)
            logits, _ = write_model(made, content, file_digest(made.path / COMPACT_FILE), data.tests)
            metrics = {
                **_measured(trained, compared, original),
                "classes": list(classes),
                "imported": _provenance(source, quantised.notes),
            }
            _put_in_place(folder, made, config, metrics, data, content, COMPACT_FILE)
    return ImportSummary(
        run=run,
        images=len(original),
        original=compared.accuracy(original),
        integer=compared.accuracy(logits[: len(original)]),
        agreement=agreement(logits[: len(original)], original),
        labelled=not compared.random,
        notes=quantised.notes,
    )


def import_onnx(file: Path, run: Path, options: ImportOptions = ImportOptions()) -> ImportSummary:
    """A model.onnx in the documented form as a run folder without a compact network: the integers are the file's own.

    Raises ModelError for a file of another form, and as ``import_network`` for data and run folder.
    """
    folder, source = RunFolder(run), Source("onnx", file.name)
    refuse_other_network(folder, source)
    model = completed_model(OnnxFile(file, "docs/bring-your-own-onnx.md says what is read"))
    properties, content = model.properties, model.proto.SerializeToString(deterministic=True)
    shape = properties.input_shape
    wanted = ImageInput(shape[-3:], shape[0] if len(shape) > 3 else 0, properties.classes)  # type: ignore[arg-type]
    digest = file_digest(file)
    with only_writer(run):
        data = load_user_data(options.data, wanted, run, TrainConfig().cache)
        config = _config_of(properties, data, run.name)
        notes = ("the integers are those of the file: nothing was quantised",)
        remove_unfinished(run, _UNFINISHED)
        with made_aside(folder) as made:
            logits, _ = write_model(made, content, "", data.tests)
            nothing: dict[str, Any] = {"accuracy": None, "images": 0, "params": None, "synops": None, "channels": {}}
            metrics = {
                **_untrained(),
                **nothing,
                "classes": list(properties.class_names),
                "imported": _provenance(Source("onnx", file.name, digest), notes),
            }
            _put_in_place(folder, made, config, metrics, data, content)
    tests = data.tests
    return ImportSummary(run, len(logits), None, tests.accuracy(logits), None, not tests.random, notes)


def refuse_other_network(run: RunFolder, source: Source) -> None:
    """Raise ImportingError where the run folder holds a network that was trained, or imported from something else."""
    if not run.path.exists():
        return
    if not run.path.is_dir():
        raise ImportingError(f"{run.path} is no folder; give another run")
    held = [name for name in (CHECKPOINT_FILE, COMPACT_FILE, METRICS_FILE, "model.onnx") if (run.path / name).exists()]
    if not held:
        return
    advice = f"give another run (RUN=...), or remove {run.path}"
    if CHECKPOINT_FILE not in held and METRICS_FILE not in held and was_imported(run.path):
        raise ImportingError(
            f"run folder {run.path} has no {METRICS_FILE}, which says whose network it holds; {advice}"
        )
    if CHECKPOINT_FILE in held or METRICS_FILE not in held:
        raise ImportingError(f"run folder {run.path} holds a network that was trained there ({held[0]}); {advice}")
    try:
        imported = read_metrics(run.path).imported
    except TrainError:
        unknown = f"{METRICS_FILE} of run folder {run.path} is damaged, which says whose network it holds"
        raise ImportingError(f"{unknown}; {advice}") from None
    if imported is None or (imported.kind, imported.file) != (source.kind, source.file):
        other = "a training" if imported is None else Source(imported.kind, imported.file).described
        raise ImportingError(
            f"run folder {run.path} holds another network, of {other}, not of {source.described}; {advice}"
        )


def _put_in_place(
    folder: RunFolder,
    made: RunFolder,
    config: TrainConfig,
    metrics: dict[str, Any],
    data: UserData,
    content: bytes,
    *networks: str,
) -> None:
    """Write what is left to write into ``made``, and move all of it into the run folder."""
    write_text(made.path / CONFIG_FILE, config_to_toml(config))
    write_text(made.path / METRICS_FILE, json.dumps(metrics, indent=2) + "\n")
    files = [CONFIG_FILE, *networks]
    if data.copied:
        save_copied(data, made.path / DATA_FOLDER)
        files.append(DATA_FOLDER)
    stale = [*stale_behind(folder, content), *(() if data.copied else (DATA_FOLDER,))]
    stale += [] if COMPACT_FILE in networks else [COMPACT_FILE]
    (folder.path / RESULTS).mkdir(exist_ok=True)
    # The metrics say whose network it is: with them the next import knows that it may replace what a killed one left.
    replace_in(folder, made, (METRICS_FILE, *files, *WRITTEN), tuple(stale))


def _serialised(network: Network, classes: tuple[str, ...], frac_bits: int) -> bytes:
    model = build_model(fold_network(describe(network), frac_bits), classes)
    return model.SerializeToString(deterministic=True)


def _untrained() -> dict[str, Any]:
    """What metrics.json says of a network that no training here made."""
    return {"history": [], "ratio": 0.0, "accuracies": {}, "seconds": 0.0, "scores": {}, "init": "", "teacher": ""}


def _measured(network: Network, tests: LabelledImages, original: NDArray[np.float64]) -> dict[str, Any]:
    """Counts of the network, and of the images where they are some that mean something."""
    from torch import device

    count = parameter_count(network)
    synops = None
    if not tests.random:
        total = measure(network, np.array(tests.images), tests.labels, device("cpu"), "").total_synops
        synops = {"dense": total, "compact": total}
    return {
        **_untrained(),
        "accuracy": tests.accuracy(original),
        "images": 0 if tests.random else len(original),
        "params": {"dense": count, "compact": count},
        "synops": synops,
        "first_layer_macs": first_layer_macs(network),
        "channels": {spec.name: [spec.channels, spec.channels] for spec in network.specs},
    }


def _provenance(source: Source, notes: tuple[str, ...]) -> dict[str, Any]:
    return {"kind": source.kind, "file": source.file, "sha256": source.sha256, "notes": list(notes)}


def _config_of(properties: ModelProperties, data: UserData, name: str) -> TrainConfig:
    """The options of a run whose network is a model.onnx: those that later stages and the report read."""
    most = max(properties.weight_bits, default=WEIGHT_BITS[-1])
    bits = next((bits for bits in WEIGHT_BITS if bits >= most), WEIGHT_BITS[-1])
    return TrainConfig(
        name=name,
        model=IMPORTED,
        dataset=data.dataset,
        data=data.data,
        image_size=image_side(properties.input_shape),
        timesteps=properties.timesteps,
        weight_bits=bits,
        ratio=0.0,
        epochs=0,
        finetune=0,
    )


def tell(summary: ImportSummary) -> None:
    """Say what was decided and measured."""
    for note in summary.notes:
        say(f"note: {note}")
    say(f"{summary.run}: {summary.outcome}")
