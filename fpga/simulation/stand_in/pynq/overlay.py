"""Loading the simulated board's bitstream, as pynq/overlay.py does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .board import ACCELERATOR_BASE, ADDRESS_RANGE, DMA_BASE, board, content


class Overlay:
    """The overlay of a bitstream, whose .hwh file must lie beside it."""

    def __init__(
        self,
        bitfile_name: str,
        dtbo: str | None = None,
        download: bool = True,
        ignore_version: bool = False,
        device: Any = None,
        gen_cache: bool = False,
    ) -> None:
        path = Path(bitfile_name)
        if not path.is_file():
            raise OSError(f"Bitstream file {bitfile_name} does not exist.")
        if not path.with_suffix(".hwh").is_file():
            raise RuntimeError("Unable to find metadata for bitstream")
        self.bitfile_name = str(path.resolve())
        self.dtbo = dtbo
        options = content()["options"]
        self.ip_dict: dict[str, Any] = {
            "spikefold_axi_0": _ip("spikefold:ip:spikefold_axi:1.0", ACCELERATOR_BASE, {}),
            "axi_dma_0": _ip(
                "xilinx.com:ip:axi_dma:7.1",
                DMA_BASE,
                {"C_INCLUDE_SG": "0", "C_SG_LENGTH_WIDTH": str(options.get("length_bits", 26))},
            ),
        }
        self.ip_dict.update(content().get("ip_dict", {}))
        if download:
            self.download()

    def download(self, dtbo: str | None = None) -> None:
        """Load the bitstream: everything in the FPGA is reset."""
        board().reset()


def _ip(kind: str, base: int, parameters: dict[str, str]) -> dict[str, Any]:
    lower = {name.lower(): value for name, value in parameters.items()}
    return {"type": kind, "phys_addr": base, "addr_range": ADDRESS_RANGE, "parameters": lower}
