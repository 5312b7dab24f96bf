"""The delays of each family's cells and wires, in picoseconds, all of the slowest speed grade that its boards have.

- xc7: cells by Yosys' own models, of speed grade -1 (project X-Ray's measurements of Artix-7); wires by 153 critical
  paths of ten designs on Artix-7, Spartan-7 and Zynq-7000 of grade -1, whose routed timing reports are public.
- xcup: cells and wires by the public routed reports of 27 small designs on an XCZU3EG of grade -1; what these do not
  show (memories, multipliers) is that of 7 series times the share that the others have.
- ecp5: what nextpnr writes into its delay files for speed grade 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import log2
from typing import Any

from codegen.errors import SynthesisError
from codegen.synthesis.cells import LUTS_OF_MEMORY
from codegen.synthesis.timing.delays import CellDelays, look_up_table, yosys_delays
from codegen.synthesis.timing.dsp import dsp48_delays
from codegen.synthesis.timing.netlist import Cell, Pin
from fpga.boards import Family

MODEL_VERSION = 1
"""Of all delays and of the analysis: kept results of another one are not used."""

SPEED_GRADES: Mapping[Family, str] = {"xc7": "1", "xcup": "1", "ecp5": "6"}
"""Whose delays these are, for every part of a family."""

Model = Callable[[Cell], CellDelays]


@dataclass(frozen=True)
class Wires:
    """A wire to a pin takes ``first`` with one load and ``doubling`` more whenever the loads double, but nothing where
    driver and pin lie in one slice: ``direct`` has (driver's type, pin's cell type, port), with prefixes of types."""

    first: int
    doubling: int
    direct: tuple[tuple[str, str, str], ...]

    def delay(self, driver: str | None, cell: str, port: str, loads: int) -> int:
        for source, sink, pin in self.direct:
            if driver is not None and driver.startswith(source) and cell.startswith(sink) and port.startswith(pin):
                return 0
        return round(self.first + self.doubling * log2(loads))


@dataclass(frozen=True)
class FamilyTiming:
    """What the analysis asks of a family. ``margin``: of every period, for skew and uncertainty of the clock."""

    name: Family
    wires: Wires
    margin: int
    models: Mapping[str, Model]

    def delays(self, cell: Cell) -> CellDelays:
        """Delays of a cell; raises SynthesisError naming a type that is not known here."""
        model = self.models.get(cell.type)
        if model is None:
            raise SynthesisError(f"the delays of the cell {cell.type} of {self.name} are not known")
        return model(cell)

    def wire(self, driver: str | None, cell: str, port: str, loads: int) -> int:
        return self.wires.delay(driver, cell, port, loads)


_SLICE = (
    ("CARRY", "CARRY", "CI"),
    ("LUT", "CARRY", "S"),
    ("LUT", "CARRY", "DI"),
    ("INV", "CARRY", "S"),
    ("INV", "CARRY", "DI"),
    ("LUT", "FD", "D"),
    ("INV", "FD", "D"),
    ("CARRY", "FD", "D"),
    ("MUXF", "FD", "D"),
    ("LUT", "MUXF7", "I"),
    ("MUXF7", "MUXF8", "I"),
    ("MUXF8", "MUXF9", "I"),
    ("DSP", "DSP", "PCIN"),
    ("DSP", "DSP", "ACIN"),
    ("DSP", "DSP", "BCIN"),
)
_ECP5_SLICE = (
    ("CCU2C", "CCU2C", "CIN"),
    ("LUT4", "PFUMX", "ALUT"),
    ("LUT4", "PFUMX", "BLUT"),
    ("PFUMX", "L6MUX21", "D"),
    ("L6MUX21", "L6MUX21", "D"),
    ("LUT4", "TRELLIS_FF", "DI"),
    ("PFUMX", "TRELLIS_FF", "DI"),
    ("L6MUX21", "TRELLIS_FF", "DI"),
    ("CCU2C", "TRELLIS_FF", "DI"),
)
_XC7_WIRES = Wires(first=570, doubling=170, direct=_SLICE)
_XC7_MARGIN = 200
_XCUP_WIRES = Wires(first=190, doubling=55, direct=_SLICE)
_XCUP_MARGIN = 100
_ECP5_WIRES = Wires(first=600, doubling=90, direct=_ECP5_SLICE)

_LUT_PINS = ("I0", "I1", "I2", "I3", "I4", "I5")
_XCUP_LUT = (178, 148, 115, 100, 63, 39)
"""Of a LUT6 by its inputs, the slowest first; smaller ones have the fastest of them."""


def family_timing(name: Family, library: dict[str, Any]) -> FamilyTiming:
    """What is known of a family; ``library``: of xc7, the modules of its cell library as Yosys read it."""
    return {"xc7": lambda: xc7_timing(library), "xcup": xcup_timing, "ecp5": ecp5_timing}[name]()


def xc7_timing(library: dict[str, Any]) -> FamilyTiming:
    """7 series, by the cell library as Yosys read it (modules of ``netlist.read_modules``)."""
    known = yosys_delays(library)
    models: dict[str, Model] = {name: _constant(delays) for name, delays in known.items()}
    for name in ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "INV"):
        models[name] = _constant(CellDelays(through=known[name].through, swappable=True))
    block_ram = _BlockRam(launch=2454, registered=882, setup={"ADDR": 566, "DI": 737, "WE": 532, "EN": 443, "REG": 360})
    models |= {"RAMB18E1": block_ram, "RAMB36E1": block_ram, "DSP48E1": partial(dsp48_delays, scale=1.0)}
    lut_memory = _LutMemory(read=642, launch=1188, setup=453)
    models |= dict.fromkeys(LUTS_OF_MEMORY.keys() - known.keys(), lut_memory)
    return FamilyTiming("xc7", _XC7_WIRES, _XC7_MARGIN, models)


def xcup_timing() -> FamilyTiming:
    """UltraScale+."""
    models: dict[str, Model] = {"INV": _constant(look_up_table(("I",), _XCUP_LUT[-1:], "O"))}
    for inputs in range(1, len(_LUT_PINS) + 1):
        models[f"LUT{inputs}"] = _constant(look_up_table(_LUT_PINS[:inputs], _XCUP_LUT[-inputs:], "O"))
    multiplexer = _constant(CellDelays({((pin, 0), ("O", 0)): 82 for pin in ("I0", "I1", "S")}))
    models |= dict.fromkeys(("MUXF7", "MUXF8", "MUXF9"), multiplexer)
    setup = {("D", 0): -27, ("CE", 0): 43} | {(pin, 0): 72 for pin in ("R", "S", "CLR", "PRE")}
    register = CellDelays(launch={("Q", 0): 96}, setup=setup, clocks=frozenset({"C"}))
    models |= {f"FD{kind}{edge}": _constant(register) for kind in ("RE", "SE", "CE", "PE") for edge in ("", "_1")}
    models |= {"CARRY8": _constant(_xcup_carry(8)), "CARRY4": _constant(_xcup_carry(4))}
    models |= dict.fromkeys(LUTS_OF_MEMORY, _LutMemory(read=115, launch=700, setup=180))
    block_ram = _BlockRam(launch=1150, registered=400, setup={"ADDR": 280, "DI": 370, "WE": 270, "EN": 220, "REG": 180})
    models |= {"RAMB18E2": block_ram, "RAMB36E2": block_ram}
    models |= dict.fromkeys(("DSP48E1", "DSP48E2"), partial(dsp48_delays, scale=0.68))
    return FamilyTiming("xcup", _XCUP_WIRES, _XCUP_MARGIN, models)


def ecp5_timing() -> FamilyTiming:
    """ECP5."""
    register = CellDelays(launch={("Q", 0): 525}, setup={("LSR", 0): 423}, clocks=frozenset({"CLK"}))
    paths = {("C0", 256), ("ALUT", 165), ("BLUT", 165)}
    models: dict[str, Model] = {
        "LUT4": _constant(look_up_table(("A", "B", "C", "D"), (236, 236, 236, 236), "Z")),
        "PFUMX": _constant(CellDelays({((pin, 0), ("Z", 0)): delay for pin, delay in paths})),
        "L6MUX21": _constant(CellDelays({((pin, 0), ("Z", 0)): 240 for pin in ("D0", "D1", "SD")})),
        "CCU2C": _constant(_ccu2c()),
        "TRELLIS_FF": _constant(register),
        "TRELLIS_DPR16X4": _LutMemory(read=236, launch=525, setup=0),
    }
    block_ram = _BlockRam(launch=5830, registered=1000, setup={"AD": 251, "CE": 340})
    models |= {"DP16KD": block_ram, "PDPW16KD": block_ram, "MULT18X18D": _product, "ALU54B": _product}
    return FamilyTiming("ecp5", _ECP5_WIRES, 0, models)


def _constant(delays: CellDelays) -> Model:
    return lambda cell: delays


@dataclass(frozen=True)
class _LutMemory:
    """Look-up tables as memory or shift register: addresses pass through, whatever else is written."""

    read: int
    launch: int
    setup: int

    def __call__(self, cell: Cell) -> CellDelays:
        addresses = [pin for pin in cell.inputs if pin[0].startswith(("A", "DPRA", "RAD"))]
        clocks = frozenset({"CLK", "WCLK", "WCK"})
        written = [pin for pin in cell.inputs if pin not in addresses and pin[0] not in clocks]
        return CellDelays(
            through={(address, output): self.read for address in addresses for output in cell.outputs},
            launch=dict.fromkeys(cell.outputs, self.launch),
            setup=dict.fromkeys(written, self.setup),
            clocks=clocks,
        )


@dataclass(frozen=True)
class _BlockRam:
    """A block RAM; ``registered``: from the clock where its own output register is used. ``setup``: by the beginning of
    a port's name, else 0."""

    launch: int
    registered: int
    setup: Mapping[str, int]

    def __call__(self, cell: Cell) -> CellDelays:
        return CellDelays(
            launch={pin: self.registered if _has_register(cell, pin) else self.launch for pin in cell.outputs},
            setup={pin: self._setup(pin) for pin in cell.inputs},
            clocks=frozenset(port for port, _ in cell.inputs if port.startswith("CLK")),
        )

    def _setup(self, pin: Pin) -> int:
        return next((delay for port, delay in self.setup.items() if pin[0].startswith(port)), 0)


def _product(cell: Cell) -> CellDelays:
    """A multiplier, or the adder behind two, of an ECP5 without its registers, which Yosys does not use."""
    return CellDelays(through={(pin, output): 4500 for pin in cell.inputs for output in cell.outputs})


def _has_register(cell: Cell, output: Pin) -> bool:
    """Whether the output register of a block RAM's port is used, by AMD's parameters and by Lattice's."""
    port = "B" if output[0].startswith(("DOB", "DOPB", "DOUTB", "DOUTPB")) else "A"
    used = cell.parameters.get(f"DO{port}_REG", "0")
    return "1" in used or cell.parameters.get(f"REGMODE_{port}", "NOREG") == "OUTREG"


def _xcup_carry(bits: int) -> CellDelays:
    """A CARRY8 of UltraScale+, or a CARRY4, to which Yosys maps its adders too: half of one."""
    through: dict[tuple[Pin, Pin], int] = {}
    for end in range(bits):
        last = end == bits - 1
        through[("CI", 0), ("O", end)] = 72 + 10 * end
        through[("CI", 0), ("CO", end)] = 3 * bits if last else 60 + 8 * end
        through[("CYINIT", 0), ("O", end)] = 214 + 14 * end
        through[("CYINIT", 0), ("CO", end)] = 188 + 8 * end
        for start in range(end + 1):
            for port in ("S", "DI"):
                through[(port, start), ("CO", end)] = 180 + 8 * (end - start)
                if start < end:
                    through[(port, start), ("O", end)] = 200 + 14 * (end - start)
        through[("S", end), ("O", end)] = 90
    return CellDelays(through)


def _ccu2c() -> CellDelays:
    """Two bits of a carry chain, with the look-up tables before it."""
    carry, table, into_carry, out_of_carry = 71, 236, 447, (443, 403)
    through: dict[tuple[Pin, Pin], int] = {(("CIN", 0), ("COUT", 0)): carry}
    for bit in (0, 1):
        through[("CIN", 0), (f"S{bit}", 0)] = out_of_carry[bit]
        for port in "ABCD":
            through[(f"{port}{bit}", 0), (f"S{bit}", 0)] = table
            through[(f"{port}{bit}", 0), ("COUT", 0)] = into_carry
    for port in "ABCD":
        through[(f"{port}0", 0), ("S1", 0)] = into_carry + out_of_carry[1]
    return CellDelays(through)
