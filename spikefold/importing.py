"""Other people's networks as Python calls: files and float networks into run folders, and ours as NIR."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from codegen.dialect import DEFAULT_FRAC_BITS
from codegen.importing.options import NirOptions
from codegen.importing.stage import ImportOptions, ImportSummary, Source
from codegen.importing.user_data import DataOptions
from codegen.zoo import open_run
from sca_train.cli import quiet_torch
from sca_train.telling import ProgressCallback, SayCallback, listening
from spikefold.api import AnyPath

if TYPE_CHECKING:
    import nir

    from codegen.importing.float_network import FloatNetwork

InputForm = Literal["static", "spikes", "counts"]
DEFAULT_WEIGHT_BITS = 8


def import_nir(
    file: AnyPath,
    run: AnyPath,
    *,
    weight_bits: int = DEFAULT_WEIGHT_BITS,
    frac_bits: int = DEFAULT_FRAC_BITS,
    dt: float | None = None,
    reset: Literal["hard", "soft", "delayed"] | None = None,
    compare: Literal["ge", "gt"] | None = None,
    timesteps: int = 4,
    input: InputForm = "static",
    input_scale: float = 1.0,
    input_shape: tuple[int, int, int] | None = None,
    data: DataOptions | None = None,
    progress: ProgressCallback | None = None,
    say: SayCallback | None = None,
) -> ImportSummary:
    """Turn a NIR file into a run folder with ``model.onnx``, as ``spikefold import``; ``generate`` goes on from there.

    Args:
        file: the NIR file.
        run: the run folder to write.
        weight_bits: 2, 4 or 8.
        frac_bits: fractional bits of biases and thresholds.
        dt: seconds of a time step; None: the file's.
        reset: what a spike leaves of the potential; None: what the file says.
        compare: whether a neuron spikes at its threshold (``"ge"``) or above it (``"gt"``); None: what the file says,
            else ``"gt"``.
        timesteps: time steps T.
        input: one image at every step, or a frame per step.
        input_scale: what one unit of a uint8 counts as; 1/255 for networks trained on 0..1.
        input_shape: height, width and channels of the image, where the file has a vector.
        data: labelled images to measure on and images to calibrate on; None: random ones, without an accuracy.

    Raises:
        ImportingError: for a file that is damaged, hostile or beyond what the hardware computes, before anything is
            written.
    """
    from codegen.importing.stage import import_nir as import_into

    options = ImportOptions(weight_bits, frac_bits, data or DataOptions())
    told = NirOptions(dt, reset, compare, timesteps, input, input_scale, input_shape, options.data.classes)
    with listening(progress, say), quiet_torch():
        return import_into(Path(file), Path(run), options, told)


def import_onnx(
    file: AnyPath,
    run: AnyPath,
    *,
    data: DataOptions | None = None,
    progress: ProgressCallback | None = None,
    say: SayCallback | None = None,
) -> ImportSummary:
    """Turn an ONNX file in the documented form into a run folder, its integers as they are.

    Args:
        file: the ONNX file.
        run: the run folder to write.
        data: labelled images to measure on; None: random ones, without an accuracy.

    Raises:
        ModelError: for a file of another form.
    """
    from codegen.importing.stage import import_onnx as import_into

    with listening(progress, say), quiet_torch():
        return import_into(Path(file), Path(run), ImportOptions(data=data or DataOptions()))


def import_network(
    network: FloatNetwork,
    run: AnyPath,
    *,
    weight_bits: int = DEFAULT_WEIGHT_BITS,
    frac_bits: int = DEFAULT_FRAC_BITS,
    data: DataOptions | None = None,
    source: str = "network",
    progress: ProgressCallback | None = None,
    say: SayCallback | None = None,
) -> ImportSummary:
    """Quantise what ``from_snntorch`` or ``from_spikingjelly`` returned into a run folder.

    Args:
        network: the float network.
        run: the run folder to write.
        weight_bits: 2, 4 or 8.
        frac_bits: fractional bits of biases and thresholds.
        data: labelled images to measure on and images to calibrate on; None: random ones, without an accuracy.
        source: what the report says it came from, such as ``"snntorch"``.

    Raises:
        ImportingError: for a network that integers cannot follow.
    """
    from codegen.importing.stage import import_network as import_into

    options = ImportOptions(weight_bits, frac_bits, data or DataOptions())
    with listening(progress, say), quiet_torch():
        return import_into(network, Path(run), options, Source(source))


def to_nir(run: AnyPath) -> nir.NIRGraph:
    """The compact network of a run folder as a NIR graph, for other simulators; ``nir.write`` makes a file of it.

    Args:
        run: the run folder, or a kept network.

    Raises:
        ImportingError: for what NIR has no node for.
    """
    from codegen.importing.doors import to_nir as graph_of

    with listening(), quiet_torch():
        return graph_of(open_run(Path(run)).path)
