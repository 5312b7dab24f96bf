"""The plan of this project's own shell: one DMA, the accelerator as an IP core, a block design, Vivado's steps."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath
from typing import Literal

from codegen.cores.core import Stream
from codegen.cores.rendering import environment
from codegen.current import require_made
from codegen.digests import sources_digest
from codegen.render.manifest import HLS_STREAMS, Manifest, read_hls_streams, read_manifest
from codegen.run_folder import RunFolder
from fpga.boards import Board
from fpga.build.folder import NS_TIMES_MHZ, build_folder
from fpga.build.plan import BuildPlan, Content, Step
from fpga.build.tools import VITIS_HLS, VIVADO, VIVADO_VERSIONS
from fpga.build.vivado_common import (
    BIT_FILE,
    BUILD_FILE,
    HANDOFF_FILE,
    JOBS,
    REPORTS,
    Build,
    settings_text,
    tcl_scripts,
    vivado_command,
)
from fpga.build.zynq import processing_system
from fpga.errors import BuildError
from fpga.shells import TOPS, Shell, stream_bytes, write_shell

DMA_LENGTH_BITS = 26
"""Of the DMA's length registers, the most it has (PG021): one transfer is shorter than 64 MiB."""
_BLOCK_DESIGN = "project/spikefold.srcs/sources_1/bd/spikefold/spikefold.bd"
_CHECKPOINT = "project/spikefold.runs/synth_1/spikefold_wrapper.dcp"
_HLS_IP = "hls/accelerator_hls/solution/impl/ip"
_HLS_SOURCES = ("*.cpp", "*.hpp", "include/*", "nodes/*", "csim/*")
_INTERFACES = ("s_axi", "slave", "s_axis", "slave", "m_axis", "master")
_WEIGHT_INTERFACE = ("m_axi_weights", "master")
_ACCELERATOR_INTERFACES = ("acc_s_axis", "master", "acc_m_axis", "slave")


def dma_plan(run: RunFolder, board: Board, impl: Literal["rtl", "hls"]) -> BuildPlan:
    """The plan of the DMA shell; errors as ``vivado_plan``."""
    system = processing_system(board)
    rtl = require_made(run, "rtl")
    manifest = read_manifest(rtl)
    input_bytes, output_bytes = stream_bytes(manifest.input), stream_bytes(manifest.output)
    core: Shell = "axi-hls" if impl == "hls" else "axi"
    ip = TOPS[core]
    with tempfile.TemporaryDirectory() as folder:
        shell = {path.name: path.read_text(encoding="utf-8") for path in write_shell(rtl, core, Path(folder))}
    sources, memories = _core_files(rtl, manifest, shell, impl)
    build = Build(
        board=board.name,
        part=board.part,
        shell="dma",
        impl=impl,
        clock_mhz=board.clock_mhz,
        port_bits=system.port_bits,
        input_bits=8 * input_bytes,
        output_bits=8 * output_bytes,
        input_frame_bytes=_frame_bytes("input", manifest.input, input_bytes),
        output_frame_bytes=_frame_bytes("output", manifest.output, output_bytes),
        cores=tuple(node.name for node in manifest.nodes) if impl == "rtl" else (),
        sources_sha256=sources_digest(require_made(run, impl)),
    )
    hls = impl == "hls"
    settings = settings_text(
        {
            "vivado_versions": VIVADO_VERSIONS,
            "part": board.part,
            "clock_mhz": board.clock_mhz,
            "processing_system": system.core,
            "port_bits": system.port_bits,
            "impl": impl,
            "ip": ip,
            "ip_repositories": ("ip", _HLS_IP) if hls else ("ip",),
            "sources": tuple(sources),
            "memories": tuple(memories),
            "interfaces": (
                *_INTERFACES,
                *(_ACCELERATOR_INTERFACES if hls else ()),
                *(_WEIGHT_INTERFACE if manifest.weights else ()),
            ),
            "weights": int(bool(manifest.weights)),
            "resets": ("aresetn", "acc_aresetn") if hls else ("aresetn",),
            "input_bits": 8 * input_bytes,
            "output_bits": 8 * output_bytes,
            # The memory side is as wide as its port, and never narrower than the stream (PG021).
            "mm2s_bits": max(system.port_bits, 8 * input_bytes),
            "s2mm_bits": max(system.port_bits, 8 * output_bytes),
            "dma_length_bits": DMA_LENGTH_BITS,
            "jobs": JOBS,
        }
    )
    files: dict[str, Content] = {BUILD_FILE: build.text, "tcl/settings.tcl": settings, **tcl_scripts()}
    files.update({f"ip/{ip}/src/{name}": content for name, content in {**sources, **memories}.items()})
    steps = _steps(ip, hls)
    if hls:
        files.update(_hls_files(run, board))
        steps = (_hls_step(), *steps)
    return BuildPlan(build_folder(run, board, "dma", impl), files, steps, (VIVADO, VITIS_HLS) if hls else (VIVADO,))


def _steps(ip: str, hls: bool) -> tuple[Step, ...]:
    component = f"ip/{ip}/component.xml"
    cores = (component, f"{_HLS_IP}/component.xml") if hls else (component,)
    common = ("tcl/common.tcl", "tcl/settings.tcl")
    systems = tuple(name for name in tcl_scripts() if name.endswith(("system7.tcl", "ps_e.tcl")))
    return (
        Step(
            "package",
            vivado_command("tcl/package_ip.tcl"),
            outputs=(component,),
            inputs=(*common, "tcl/package_ip.tcl", f"ip/{ip}/src"),
        ),
        Step(
            "design",
            vivado_command("tcl/block_design.tcl"),
            outputs=(HANDOFF_FILE, _BLOCK_DESIGN),
            inputs=(*common, "tcl/block_design.tcl", *systems, *cores),
        ),
        Step(
            "synthesis",
            vivado_command("tcl/synthesis.tcl"),
            outputs=(_CHECKPOINT,),
            inputs=(*common, "tcl/synthesis.tcl", HANDOFF_FILE, f"ip/{ip}/src"),
        ),
        Step(
            "implementation",
            vivado_command("tcl/implementation.tcl"),
            outputs=(BIT_FILE, *REPORTS),
            inputs=(*common, "tcl/implementation.tcl", _CHECKPOINT),
        ),
    )


def _hls_step() -> Step:
    return Step(
        "hls",
        ("vitis_hls", "-f", "run_hls.tcl"),
        outputs=(f"{_HLS_IP}/component.xml",),
        inputs=("hls/run_hls.tcl", "hls/include", "hls/nodes", "hls/accelerator.cpp", "hls/accelerator.hpp"),
        folder="hls",
    )


def _core_files(
    rtl: Path, manifest: Manifest, shell: dict[str, str], impl: str
) -> tuple[dict[str, Content], dict[str, Content]]:
    """Sources of the IP core in compile order, and its memory files, by their names in the core's one folder.

    Raises BuildError where two have the same name.
    """
    paths = list(manifest.files) if impl == "rtl" else []
    data = dict.fromkeys(file for node in manifest.nodes for file in node.data_files) if impl == "rtl" else {}
    names = [PurePosixPath(path).name for path in (*paths, *data)] + list(shell)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BuildError(f"two sources of the accelerator are named {twice[0]}; an IP core has them in one folder")
    sources: dict[str, Content] = {PurePosixPath(path).name: rtl / path for path in paths}
    return {**sources, **shell}, {PurePosixPath(path).name: rtl / path for path in data}


def _frame_bytes(name: str, stream: Stream, word_bytes: int) -> int:
    total = stream.words * word_bytes
    if total >= 1 << DMA_LENGTH_BITS:
        raise BuildError(
            f"an {name} frame has {total:,} bytes, and one transfer of the DMA is shorter than {1 << DMA_LENGTH_BITS:,}"
        )
    return total


def _hls_files(run: RunFolder, board: Board) -> dict[str, Content]:
    """The HLS tree for Vitis HLS, its script for this board's part and clock."""
    tree = require_made(run, "hls")
    streams = read_hls_streams(tree / HLS_STREAMS)
    script = environment("hls").get_template("run_hls.tcl.j2")
    text = script.render(
        part=board.part,
        clock_ns=NS_TIMES_MHZ / board.clock_mhz,
        max_width=streams.max_width,
        input=streams.input,
        output=streams.output,
        weights=False,  # a network with weights outside the chip has no HLS shell
    )
    found = sorted({path for pattern in _HLS_SOURCES for path in tree.glob(pattern) if path.is_file()})
    files: dict[str, Content] = {f"hls/{path.relative_to(tree).as_posix()}": path for path in found}
    return {**files, "hls/run_hls.tcl": text}
