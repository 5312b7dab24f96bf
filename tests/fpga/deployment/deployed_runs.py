"""Run folders as all stages leave them, and results of stages that are too long for here."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

from codegen.digests import file_digest, sources_digest
from codegen.run_folder import RunFolder
from fpga.boards import Board
from fpga.deployment.archive import CHECKSUMS, archive

ROOT = Path(__file__).parents[3]
_TRAINING = ("--epochs", 1, "--finetune", 1, "--ratio", 0.8, "--timesteps", 2)
LATENCY, INTERVAL = 7000, 4600


def make_run(folder: Path) -> RunFolder:
    """Train, export and generate a small network; what `make rtlsim` measures is made up."""
    _command("sca_train", "--config", ROOT / "configs" / "mini.toml", *_TRAINING, "--run", folder)
    _command("codegen", "export", folder)
    _command("codegen", "hls", folder, "--board", "Pynq-Z2", "--target-cycles", 5000)
    run = RunFolder(folder)
    write_simulated(run)
    return run


def write_simulated(run: RunFolder) -> None:
    """What `make rtlsim` leaves, made up."""
    folder = run.path
    result = {
        "accuracy": 0.5, "shipped_accuracy": None, "images": 2, "mismatches": 0, "seconds": 1.0,
        "images_per_second": None, "model_sha256": file_digest(folder / "model.onnx"),
        "sources_sha256": sources_digest(folder / "rtl"), "latency": LATENCY, "interval": INTERVAL,
        "interval_max": INTERVAL, "cycles": 9, "cycles_per_second": 9.0, "stall_in": 0.0, "stall_out": 0.0, "seed": 0,
    }  # fmt: skip
    (folder / "results" / "rtl.json").write_text(json.dumps(result))


def add_bitstream(run: RunFolder, board: Board, shell: str = "dma", content: bytes = b"bitstream") -> Path:
    """What `make bitstream` leaves, with ``content`` for a bitstream."""
    file = run.path / "bitstream" / f"{board.name}-{shell}-rtl" / "spikefold.bit"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    file.with_suffix(".hwh").write_text("<EDKSYSTEM/>\n")
    result = {
        "tool": "Vivado 2022.1", "board": board.name, "part": board.part, "shell": shell, "impl": "rtl",
        "clock_mhz": 100.0, "fmax_mhz": 110.0, "slack_ns": 0.9, "timing_met": True, "critical_path": None,
        "lut": 1, "ff": 1, "bram": 0.5,
        "dsp": 0, "power_w": None, "cores": None, "bitstream": str(file.relative_to(run.path)),
        "bitstream_sha256": file_digest(file),
        "sources_sha256": sources_digest(run.path / "rtl"),
    }  # fmt: skip
    (run.path / "results" / "bitstream.json").write_text(json.dumps(result))
    return file


def repack(package: Path, changes: dict[str, bytes]) -> None:
    """Replace files of a package, with the checksums of what it then holds."""
    with zipfile.ZipFile(package) as source:
        files = {name: source.read(name) for name in source.namelist() if name != CHECKSUMS}
    package.write_bytes(archive({**files, **changes}))


def _command(*arguments: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
