"""The shells around an accelerator: what turns its two streams into a core with registers, a transport and a top.

Logic lies in the plain SystemVerilog files of this folder; the two templates only write widths and wiring.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from codegen.cores.core import Stream
from codegen.digests import sources_digest
from codegen.render.manifest import Manifest, read_manifest
from codegen.render.weight_image import image_bytes
from codegen.weight_bus import BURST_BEATS, BUS_BITS, OUTSTANDING_BURSTS
from fpga.errors import BuildError
from sca_train.files import write_text

Shell = Literal["axi", "axi-hls", "uart"]
"""AXI with the accelerator inside, AXI for an accelerator of Vitis HLS beside it, UART with the accelerator inside."""

SHELL_DIR = Path(__file__).parent
RULE_DIR = SHELL_DIR / "rules"
_STREAM_RULES = ("axi_stream_rules.sv", "shell_rules.sv")
_LITE_RULES = ("axi_lite_rules.sv", "register_rules.sv")
_READ_RULES = ("axi_read_rules.sv", "weight_rules.sv")
TOPS: dict[Shell, str] = {"axi": "spikefold_axi", "axi-hls": "spikefold_axi_shell", "uart": "spikefold_uart"}
"""The top module of each shell, which lies in the file of that name."""
NETWORK_DIGITS = 8
"""Hexadecimal digits of the sources' digest that the register NETWORK shows."""
MAX_STREAM_BYTES = 128
"""The widest stream of an AXI DMA."""

_COMMON = ("stream_register.sv", "word_counter.sv", "frame_clock.sv", "frame_shell.sv")
_SOURCES: dict[Shell, tuple[str, ...]] = {
    "axi": (*_COMMON, "axi_lite_registers.sv"),
    "axi-hls": (*_COMMON, "axi_lite_registers.sv"),
    "uart": (
        *_COMMON,
        "word_ram.sv",
        "frame_store.sv",
        "crc32.sv",
        "uart_receiver.sv",
        "uart_transmitter.sv",
        "uart_requests.sv",
        "uart_replies.sv",
        "uart_shell.sv",
    ),
}
_WEIGHT_PORT = "weight_port.sv"
"""Of a shell whose accelerator reads weights from memory."""
_WITHOUT_MEMORY: dict[str, tuple[str, str]] = {
    "finn": ("FINN's shell", "build it with SHELL_FLOW=dma"),
    "axi-hls": ("the shell of an accelerator of Vitis HLS", "build it with IMPL=rtl"),
    "uart": ("a board with a UART", "make the sources again with WEIGHTS=chip"),
}
"""Shells that read no weights, and what to do instead."""
_TEMPLATES: dict[Shell, str] = {
    "axi": "spikefold_axi.v.j2",
    "axi-hls": "spikefold_axi.v.j2",
    "uart": "spikefold_uart.v.j2",
}


def stream_bytes(stream: Stream) -> int:
    """Bytes of a stream's word on its way to or from a DMA: the smallest power of two that holds it.

    Raises BuildError where that is more than a DMA moves.
    """
    width = 1 << (stream.bytes - 1).bit_length()
    if width > MAX_STREAM_BYTES:
        raise BuildError(
            f"a word of the accelerator has {stream.bytes} bytes, but a DMA moves at most {MAX_STREAM_BYTES}; fold the "
            "first or last layer over more cycles (a smaller SIMD or PE)"
        )
    return width


def require_memory_port(manifest: Manifest, shell: Shell | Literal["finn"]) -> None:
    """Raise BuildError where the accelerator reads weights from memory, through a port that the shell has not."""
    if manifest.weights and shell in _WITHOUT_MEMORY:
        what, instead = _WITHOUT_MEMORY[shell]
        nodes = ", ".join(region.node for region in manifest.weights)
        raise BuildError(f"weights of {nodes} are outside the chip, and {what} has no memory port for them; {instead}")


def network_digits(rtl: Path) -> str:
    """What the register NETWORK of a bitstream shows: the first hexadecimal digits of the digest of rtl/."""
    return sources_digest(rtl)[:NETWORK_DIGITS]


def write_shell(run_rtl: Path, shell: Shell, folder: Path) -> tuple[Path, ...]:
    """Write the files of a shell for the accelerator in a run's rtl/; returns them in compile order, the top last.

    The accelerator's own files are not among them: they are those of rtl/files.txt, and go before. The top's name is
    that of ``TOPS``.
    Raises BuildError for an unknown shell, too wide a stream or weights in memory that a shell cannot read, and
    RenderError where rtl/ is damaged.
    """
    if shell not in get_args(Shell):
        raise BuildError(f"there is no shell {shell}; there are {', '.join(get_args(Shell))}")
    manifest = read_manifest(run_rtl)
    require_memory_port(manifest, shell)
    values = {
        "module": TOPS[shell],
        "accelerator": shell != "axi-hls",
        "input": manifest.input,
        "output": manifest.output,
        "network": network_digits(run_rtl),
        "weight_bytes": image_bytes(manifest.weights),
        "bus_bits": BUS_BITS,
        "burst_beats": BURST_BEATS,
        "outstanding": OUTSTANDING_BURSTS,
    }
    if shell != "uart":
        values["input_stream_bytes"] = stream_bytes(manifest.input)
        values["output_stream_bytes"] = stream_bytes(manifest.output)
    folder.mkdir(parents=True, exist_ok=True)
    sources = (*_SOURCES[shell], *((_WEIGHT_PORT,) if manifest.weights else ()))
    files = [Path(shutil.copyfile(SHELL_DIR / name, folder / name)) for name in sources]
    environment = Environment(loader=FileSystemLoader(SHELL_DIR), undefined=StrictUndefined, keep_trailing_newline=True)
    top = folder / f"{TOPS[shell]}.v"
    write_text(top, environment.get_template(_TEMPLATES[shell]).render(values))
    return (*files, top)


def rule_files(shell: Shell, weights: bool = False) -> tuple[Path, ...]:
    """Assertions of the AXI rules, bound to a shell's modules: a simulator takes them beside the shell's files.

    ``weights``: whether the accelerator reads some from memory.
    """
    names = _STREAM_RULES if shell == "uart" else (*_STREAM_RULES, *_LITE_RULES)
    names = (*names, *_READ_RULES) if weights else names
    return tuple(RULE_DIR / name for name in names)
