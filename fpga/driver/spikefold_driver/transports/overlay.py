"""Before the first image on a PYNQ board: is it the right board, bitstream and overlay; and the DMA transport to it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from ..description import Description
from ..errors import BitstreamError, MissingPackageError, OverlayError, WrongBoardError, first_line
from ..power import rails_power
from ..weights import read_weights
from .dma import ADDRESS_BITS, LENGTH_BITS, DmaTransport
from .transport import SLACK_SECONDS

_DEVICE_TREE_NAME = Path("/proc/device-tree/chosen/pynq_board")
_IMAGE_BOARDS = {"ultra96v2": "ultra96"}
"""Boards whose PYNQ image calls them otherwise."""


def open_dma(description: Description, *, download: bool = True, slack_s: float = SLACK_SECONDS) -> DmaTransport:
    """Load the overlay of a package by PYNQ and find the accelerator and its DMA in it.

    download: False where the bitstream is already in the FPGA. Raises SetupError or MissingPackageError.
    """
    try:
        import pynq
    except ImportError:
        raise MissingPackageError(
            "the package pynq is not installed", "run this in the Python of a PYNQ image (`pip install pynq`)"
        ) from None
    check_board(description)
    bitfile = check_bitstream(description)
    weights = read_weights(description)
    try:
        overlay = pynq.Overlay(str(bitfile), download=download)
    except Exception as error:  # PYNQ raises whatever its parsers, drivers and the kernel raise
        raise OverlayError(
            f"PYNQ does not load {bitfile} ({first_line(error)})",
            "run as root, with the package's .hwh file beside it",
        ) from error
    core = _find(overlay.ip_dict, ":spikefold_axi", "accelerator")
    dma = _find(overlay.ip_dict, "xilinx.com:ip:axi_dma:", "AXI DMA")
    parameters = {str(name).lower(): value for name, value in dma.get("parameters", {}).items()}
    if int(parameters.get("c_include_sg", 0)):
        raise OverlayError("the overlay's AXI DMA is in scatter-gather mode", "configure it for simple mode")
    return DmaTransport(
        description,
        pynq.MMIO(core["phys_addr"], core["addr_range"]),
        pynq.MMIO(dma["phys_addr"], dma["addr_range"]),
        pynq.allocate,
        weights=weights,
        length_bits=int(parameters.get("c_sg_length_width", LENGTH_BITS)),
        address_bits=int(parameters.get("c_addr_width", ADDRESS_BITS)),
        slack_s=slack_s,
        power=rails_power(pynq),
        keep=overlay,
    )


def board_name() -> str | None:
    """What PYNQ's image calls this board: the variable BOARD, or the device tree's entry; None where neither says."""
    name = os.environ.get("BOARD")
    if name:
        return name
    try:
        return _DEVICE_TREE_NAME.read_bytes().decode("ascii", "replace").strip("\0\n ") or None
    except OSError:
        return None


def check_board(description: Description) -> None:
    """Raise WrongBoardError where this board has another name than the bitstream's; one without a name passes."""
    name = board_name()
    if name is not None and _plain(name) != _plain(description.board):
        raise WrongBoardError(
            f"the bitstream is built for {description.board}, and this board is a {name}",
            f"build it with `make bitstream BOARD=...` for this board (the variable BOARD says {name})",
        )


def _plain(name: str) -> str:
    plain = "".join(character for character in name.lower() if character.isalnum())
    return _IMAGE_BOARDS.get(plain, plain)


def check_bitstream(description: Description) -> Path:
    """The bitstream of a package; raises BitstreamError unless it is there and has the digest of network.json."""
    if description.bitstream is None:
        raise BitstreamError(
            "the package holds a placeholder for the bitstream", "build it with `make bitstream`, then package again"
        )
    file = description.folder / description.bitstream
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            for piece in iter(lambda: stream.read(1 << 20), b""):
                digest.update(piece)
    except OSError as error:
        raise BitstreamError(
            f"bitstream {file} cannot be read ({error.strerror or error})", "copy the whole package again"
        ) from None
    if digest.hexdigest() != description.bitstream_sha256:
        raise BitstreamError(
            f"bitstream {file} is damaged: its SHA-256 is {digest.hexdigest()[:16]}..., "
            f"and network.json says {str(description.bitstream_sha256)[:16]}...",
            "it was not loaded; copy the whole package again",
        )
    return file


def _find(ip_dict: Any, kind: str, name: str) -> Any:
    found = [ip for ip in ip_dict.values() if kind in str(ip.get("type", ""))]
    if len(found) != 1:
        raise OverlayError(
            f"the overlay has {len(found)} IP cores that are the {name}, and 1 is needed",
            "load the overlay of the package, with its own .hwh file",
        )
    return found[0]
