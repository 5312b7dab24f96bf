"""One zip archive with all that a board needs to classify images with a network, and to show that it does so right.

runs/<name>/package/<name>-<board>.zip
    network.json       what the driver knows of the network (fpga/deployment/description.py)
    *.bit, *.hwh       bitstream, and for PYNQ its hardware description; or no-bitstream.txt
    weights.bin        weights that lie in the board's memory, where not all are on the chip
    driver/*.whl       the driver (fpga/driver)
    golden.npz         images uint8 [N, ...], logits int32 [N, classes] of ONNX Runtime, and labels int32 [N] where
                       the images are of a test set
    class_names.txt    one a line, in the order of the logits
    notebook.ipynb     for PYNQ's Jupyter
    README.md LICENSES.md LICENSE SHA256SUMS
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codegen.current import load_results
from codegen.hardware_results import BitstreamResult
from codegen.run_folder import RunFolder, only_stage
from codegen.run_inputs import LabelledImages, load_test_set
from codegen.verify.golden import golden_logits
from fpga.boards import Board
from fpga.boards.ecp5 import Ecp5Board
from fpga.deployment.archive import archive
from fpga.deployment.description import DESCRIPTION_FILE, DeployedNetwork, Shell, network_description
from fpga.deployment.driver_wheel import driver_wheel
from fpga.deployment.notebook import NOTEBOOK_FILE, notebook
from fpga.deployment.texts import licences, no_bitstream, readme
from fpga.errors import BuildError
from sca_train.files import write_bytes
from sca_train.shipped import shipped

PACKAGES = "package"
GOLDEN_FILE = "golden.npz"
GOLDEN_IMAGES = 100
"""Enough to see a wrong bit, and seconds on the slowest wire."""
CLASS_NAMES_FILE = "class_names.txt"
PLACEHOLDER_FILE = "no-bitstream.txt"
_LICENCE = shipped("LICENSE")


@dataclass(frozen=True)
class _Loaded:
    """What the board is configured with: ``files`` are the bitstream, and its hardware description for PYNQ."""

    shell: Shell
    clock_mhz: float
    files: tuple[Path, ...]

    @property
    def bitstream(self) -> Path | None:
        return self.files[0] if self.files else None


def package_file(run: RunFolder, board: Board) -> Path:
    """Where the package of a run for a board lies."""
    return run.path / PACKAGES / f"{run.name.replace('/', '-')}-{board.name}.zip"


def make_package(run: RunFolder, board: Board, data: Path | None = None) -> Path:
    """Write the package of a run for a board and return its path; the same run gives the same bytes.

    ``data``: where the test images lie, as for the simulations. Without a bitstream for the board the package says so
    in its place. Raises RunFolderError naming the stage to run for what is missing or stale, BuildError for a
    bitstream of another shell than the driver's.
    """
    with only_stage(run):
        result = load_results(run).bitstream
        loaded = _loaded(run, board, result)
        network = network_description(run, board, loaded.bitstream, loaded.shell, loaded.clock_mhz)
        images = load_test_set(run, data)
        wheel_name, wheel = driver_wheel()
        files = {file.name: file.read_bytes() for file in loaded.files}
        if not files:
            files[PLACEHOLDER_FILE] = no_bitstream(network, run.make_option).encode()
        if network.weights is not None:
            files[network.weights.file] = (run.path / "rtl" / network.weights.file).read_bytes()
        files |= {
            DESCRIPTION_FILE: network.to_json().encode(),
            GOLDEN_FILE: _golden(run, images),
            CLASS_NAMES_FILE: "".join(f"{name}\n" for name in network.class_names).encode(),
            f"driver/{wheel_name}": wheel,
            NOTEBOOK_FILE: notebook(network).encode(),
            "README.md": readme(network, board, run.make_option, images.kind).encode(),
            "LICENSES.md": licences(network, run.path / "rtl").encode(),
            "LICENSE": _LICENCE.read_bytes(),
        }
        target = package_file(run, board)
        target.parent.mkdir(exist_ok=True)
        write_bytes(target, archive(files))
    return target


def _loaded(run: RunFolder, board: Board, result: BitstreamResult | None) -> _Loaded:
    shell: Shell = "uart" if isinstance(board, Ecp5Board) else "dma"
    if result is None or result.board != board.name:
        return _Loaded(shell, board.clock_mhz, ())
    if result.shell != shell:
        raise BuildError(
            f"the bitstream of {run.name} for {board.name} has the shell {result.shell}, and the driver is for "
            f"{shell}; run `{run.command('bitstream', BOARD=board.name, SHELL_FLOW=shell)}` again"
        )
    bitstream = run.path / result.bitstream
    if shell == "uart":
        return _Loaded(shell, result.clock_mhz, (bitstream,))
    description = bitstream.with_suffix(".hwh")
    if not description.is_file():
        raise BuildError(
            f"{description} is missing, which PYNQ reads beside the bitstream; "
            f"run `{run.command('bitstream', BOARD=board.name)}` again"
        )
    return _Loaded(shell, result.clock_mhz, (bitstream, description))


def current_network(run: RunFolder, board: Board) -> DeployedNetwork:
    """What network.json of a package made now would say; errors as ``make_package``."""
    loaded = _loaded(run, board, load_results(run).bitstream)
    return network_description(run, board, loaded.bitstream, loaded.shell, loaded.clock_mhz)


def _golden(run: RunFolder, everything: LabelledImages) -> bytes:
    """golden.npz: as many images of each class as of any other where the test set allows it, in its order."""
    logits = golden_logits(run, everything.images)
    labels = everything.labels.astype(np.int32)
    # The first of every class, then the second of every class ...: a sorted test set would begin with one class.
    seen = {label: np.cumsum(labels == label) for label in np.unique(labels)}
    turn = np.array([seen[label][index] for index, label in enumerate(labels)])
    chosen = np.sort(np.argsort(turn, kind="stable")[:GOLDEN_IMAGES])
    stream = io.BytesIO()
    if everything.shipped or everything.random:
        np.savez(stream, images=everything.images[chosen], logits=logits[chosen])
    else:
        np.savez(stream, images=everything.images[chosen], logits=logits[chosen], labels=labels[chosen])
    return stream.getvalue()
