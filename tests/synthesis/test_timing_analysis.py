"""The timing analysis on netlists of a few cells, whose delays are added up by hand, and on a chain of cores."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen.errors import SynthesisError
from codegen.render.manifest import RenderedEdge
from codegen.synthesis.timing.analysis import CoreTiming, ThroughPath, TimedPath, analyse
from codegen.synthesis.timing.delays import CellDelays, look_up_table, yosys_delays
from codegen.synthesis.timing.design import core_periods
from codegen.synthesis.timing.dsp import dsp48_delays
from codegen.synthesis.timing.families import FamilyTiming, Wires, ecp5_timing, xcup_timing
from codegen.synthesis.timing.netlist import Cell, Netlist, netlist_of, read_modules

CLOCK, D, CE = 1, ("D", 0), ("CE", 0)
REGISTER = CellDelays(launch={("Q", 0): 300}, setup={D: 40, CE: 110}, clocks=frozenset({"C"}))
TABLE = look_up_table(("I0", "I1", "I2"), (250, 200, 100), "O")
MODELS = {"FD": lambda cell: REGISTER, "LUT3": lambda cell: TABLE}
FAMILY = FamilyTiming("xc7", Wires(first=1000, doubling=200, direct=(("LUT", "FD", "D"),)), margin=50, models=MODELS)


def register(name: str, d: int, q: int, enable: int | None = None) -> Cell:
    inputs = {("C", 0): CLOCK, D: d} | ({} if enable is None else {CE: enable})
    return Cell(name, "FD", {}, inputs, {("Q", 0): q})


def table(name: str, inputs: tuple[int, ...], output: int) -> Cell:
    return Cell(name, "LUT3", {}, {(f"I{pin}", 0): bit for pin, bit in enumerate(inputs)}, {("O", 0): output})


def netlist(*cells: Cell, inputs: dict[str, tuple[int, ...]], outputs: dict[str, tuple[int, ...]]) -> Netlist:
    names = {bit: name for ports in (inputs, outputs) for name, bits in ports.items() for bit in bits}
    names |= {cell.outputs["Q", 0]: cell.name for cell in cells if cell.type == "FD"}
    return Netlist(cells, {"clock": (CLOCK,), **inputs}, outputs, names)


def test_delays_of_cells_and_wires_add_up() -> None:
    """Three registers into a table, which lies beside the register it goes to; the latest has the fastest place."""
    cells = (register("a_q", 2, 10), register("b_q", 10, 11), table("t", (10, 11, 12), 20), register("c_q", 20, 12, 2))
    timing = analyse(netlist(*cells, inputs={"in": (2,)}, outputs={"out": (20,)}), FAMILY)
    # a_q: 300 + 1200 + 100 (fastest of three, as it comes last); then 0 to D, 40 of setup and the margin.
    assert timing.inner == TimedPath(ns=1.69, start="a_q", end="c_q")
    # The port has two loads, and CE is the slower.
    assert timing.inputs["in"] == TimedPath(ns=round((1200 + 110 + 50) / 1000, 3), start="in", end="c_q")
    assert timing.outputs == {"out": TimedPath(ns=1.6, start="a_q", end="out")}
    assert timing.through == ()


def test_wires_grow_with_their_loads() -> None:
    one = (register("a_q", 2, 10), register("b_q", 10, 11))
    eight = (register("a_q", 2, 10), *(register(f"b{index}_q", 10, 11 + index) for index in range(8)))
    periods = [analyse(netlist(*cells, inputs={"in": (2,)}, outputs={}), FAMILY).inner for cells in (one, eight)]
    assert [period and period.ns for period in periods] == [1.39, 1.99]


def test_a_path_through_a_core_is_told_from_those_to_registers() -> None:
    cells = (table("t", (2, 3), 20), register("a_q", 20, 10))
    timing = analyse(netlist(*cells, inputs={"ready": (2,), "valid": (3,)}, outputs={"out": (20,)}), FAMILY)
    # Both come at the clock's edge along a wire of one load: one of them takes the second place.
    assert sorted(path.ns for path in timing.through) == [1.1, 1.2]
    assert {(path.input, path.output) for path in timing.through} == {("ready", "out"), ("valid", "out")}
    assert timing.inner is None


def test_loops_and_unknown_cells_are_refused() -> None:
    loop = netlist(table("t", (2, 21), 20), table("u", (20,), 21), inputs={"in": (2,)}, outputs={})
    with pytest.raises(SynthesisError, match="combinational loop"):
        analyse(loop, FAMILY)
    unknown = netlist(Cell("x", "URAM288", {}, {}, {("Q", 0): 5}), inputs={}, outputs={})
    with pytest.raises(SynthesisError, match="the delays of the cell URAM288 of xc7 are not known"):
        analyse(unknown, FAMILY)


@pytest.mark.parametrize("family", [xcup_timing(), ecp5_timing()])
def test_families_know_their_own_memories(family: FamilyTiming) -> None:
    """A block RAM with its output register is faster; a memory of look-up tables passes its addresses on."""
    name, port = {"xcup": ("RAMB18E2", "DOUTADOUT"), "ecp5": ("DP16KD", "DOA")}[family.name]
    plain = family.delays(Cell("m", name, {}, {("ADDRA", 0): 2}, {(port, 0): 3}))
    used = {"DOA_REG": "1", "REGMODE_A": "OUTREG"}
    registered = family.delays(Cell("m", name, used, {("ADDRA", 0): 2}, {(port, 0): 3}))
    assert plain.launch[port, 0] > 2 * registered.launch[port, 0] > 0
    memory, address = {"xcup": ("RAM32M16", "ADDRA"), "ecp5": ("TRELLIS_DPR16X4", "RAD")}[family.name]
    cell = Cell("m", memory, {}, {(address, 0): 2, ("WRE", 0): 4}, {("DO", 0): 3})
    delays = family.delays(cell)
    assert list(delays.through) == [((address, 0), ("DO", 0))] and list(delays.setup) == [("WRE", 0)]


def test_registers_of_a_multiplier_cut_its_paths() -> None:
    pins = {("A", 0): 2, ("B", 0): 3, ("CEP", 0): 4}

    def delays(**registers: str) -> CellDelays:
        none = dict.fromkeys(("AREG", "BREG", "CREG", "MREG", "PREG"), "0")
        return dsp48_delays(Cell("d", "DSP48E1", {**none, **registers}, pins, {("P", 0): 5}), 1.0)

    assert delays().through == {(("A", 0), ("P", 0)): 2823, (("B", 0), ("P", 0)): 2690} and not delays().launch
    assert delays(PREG="1").setup == {("A", 0): 2739, ("B", 0): 2608}
    assert delays(PREG="1", MREG="1").setup == {("A", 0): 1416, ("B", 0): 1285}
    assert delays(MREG="1").launch == {("P", 0): 1671} and delays(AREG="1").launch == {("P", 0): 2952}
    assert delays(USE_MULT="NONE").through[("A", 0), ("P", 0)] == 1523


def test_specify_blocks_are_read(tmp_path: Path) -> None:
    """What write_json makes of a carry, a register's clock to output and a setup time; x depends on parameters."""
    spec = {"T_RISE_MAX": format(271, "032b"), "FULL": "1"}
    rule = {"TYPE": "$setup", "T_LIMIT_MAX": format(109, "032b")}
    cells = {
        "a": {"type": "$specify2", "parameters": spec, "connections": {"SRC": [2, 3], "DST": [5]}},
        "b": {"type": "$specify3", "parameters": spec, "connections": {"SRC": [4], "DST": [6]}},
        "c": {"type": "$specrule", "parameters": rule, "connections": {"SRC": [3], "DST": [4]}},
        "d": {"type": "$specify2", "parameters": {"T_RISE_MAX": "x" * 32}, "connections": {"SRC": [2], "DST": [6]}},
    }
    ports = {name: {"bits": bits} for name, bits in {"A": [2, 3], "C": [4], "O": [5], "Q": [6]}.items()}
    found = yosys_delays({"CELL": {"ports": ports, "cells": cells}, "EMPTY": {"ports": {}, "cells": {}}})
    assert set(found) == {"CELL"}
    assert found["CELL"].through == {(("A", 0), ("O", 0)): 271, (("A", 1), ("O", 0)): 271}
    assert found["CELL"].launch == {("Q", 0): 271} and found["CELL"].setup == {("A", 1): 109}
    assert found["CELL"].clocks == {"C"}
    with pytest.raises(SynthesisError, match=r"Yosys left no netlist in none\.json"):
        read_modules(tmp_path / "none.json")


def test_bits_have_the_names_of_their_registers() -> None:
    module = {
        "ports": {"in": {"direction": "input", "bits": [2, "x"]}},
        "cells": {
            "c": {
                "type": "FD",
                "connections": {"D": [2], "Q": [3]},
                "port_directions": {"D": "input", "Q": "output"},
            },
            "scope": {"type": "$scopeinfo", "connections": {}, "port_directions": {}},
        },
        "netnames": {
            "i_core.sum_q": {"hide_name": 0, "bits": ["0", 3]},
            "i_core.i_next.data_i": {"hide_name": 0, "bits": [3]},
            "$abc$1": {"hide_name": 1, "bits": [2]},
        },
    }
    read = netlist_of(module)
    assert read.names == {3: "i_core.sum_q[1]"} and read.inputs == {"in": (2,)}
    assert [(cell.type, cell.inputs, cell.outputs) for cell in read.cells] == [("FD", {D: 2}, {("Q", 0): 3})]


def edge(producer: str | None, consumer: str | None) -> RenderedEdge:
    return RenderedEdge(producer=producer, output=0, consumer=consumer, input=0)


def passing(ns: float, port_in: str = "out0_V_TREADY", port_out: str = "in0_V_TREADY") -> CoreTiming:
    """A core whose ready follows its reader's, with a short path of its own."""
    ready = TimedPath(ns=1.0, start=port_in, end="own_q")
    return CoreTiming(TimedPath(2.0, "own_q", "own_q"), {port_in: ready}, {}, (ThroughPath(port_in, port_out, ns),))


def test_a_path_through_cores_counts_where_it_ends() -> None:
    last = CoreTiming(None, {}, {"in0_V_TREADY": TimedPath(0.7, "full_q", "in0_V_TREADY")}, ())
    edges = (edge(None, "a"), edge("a", "b"), edge("b", "c"), edge("c", None))
    periods = core_periods({"a": passing(0.4), "b": passing(0.5), "c": last}, edges)
    assert set(periods) == {"a", "b"}
    assert (periods["a"].ns, periods["a"].start, periods["a"].end) == (2.2, "c: full_q", "own_q")
    assert (periods["b"].ns, periods["b"].start) == (2.0, "own_q")


def test_a_loop_through_cores_is_refused() -> None:
    looped = CoreTiming(None, {}, {}, (ThroughPath("in0_V_TVALID", "in0_V_TREADY", 0.1),))
    sender = CoreTiming(None, {}, {}, (ThroughPath("out0_V_TREADY", "out0_V_TVALID", 0.1),))
    with pytest.raises(SynthesisError, match="go in a loop through cores"):
        core_periods({"a": sender, "b": looped}, (edge("a", "b"),))


def test_ultrascale_plus_has_delays_for_what_yosys_maps_to() -> None:
    """Adders are CARRY4 there too."""
    tables = {f"LUT{inputs}" for inputs in range(1, 7)} | {"INV", "MUXF7", "MUXF8", "CARRY4", "CARRY8"}
    memories = {"FDRE", "FDSE", "SRL16E", "SRLC32E", "RAM32M16", "RAM64M8", "RAMB18E2", "RAMB36E2", "DSP48E2"}
    assert tables | memories <= xcup_timing().models.keys()
