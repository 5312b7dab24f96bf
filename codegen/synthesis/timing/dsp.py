"""Delays of DSP48E1 and DSP48E2 by the registers that are in use.

The picoseconds are those of Yosys' model of the DSP48E1 (functions in ``xilinx/cells_sim.v``), which depend on
parameters and are in no library that can be read without a design.
"""

from __future__ import annotations

from collections.abc import Callable

from codegen.synthesis.timing.delays import CellDelays
from codegen.synthesis.timing.netlist import Cell, Pin

_TO_OUTPUT = {"A": (2823, 1523), "B": (2690, 1509), "C": (1325, 1325), "PCIN": (1107, 1107)}
"""From an input that has no register, with the multiplier and without it."""
_TO_P_REGISTER = {"A": (2739, 1441), "B": (2608, 1428), "C": (1244, 1244), "PCIN": (1025, 1025)}
_TO_OWN_REGISTER = {"A": 254, "B": 324, "C": 168}
_TO_M_REGISTER = {"A": 1416, "B": 1285}
_FROM_REGISTER = {"A": (2952, 1632), "B": (2813, 1616), "C": (1687, 1687)}
_FROM_M_REGISTER = 1671
_FROM_P_REGISTER = 329
_OUTPUTS = ("P", "PCOUT")


def dsp48_delays(cell: Cell, scale: float) -> CellDelays:
    """Delays of a DSP slice without pre-adder, times ``scale``."""

    def has(register: str) -> bool:
        return "1" in cell.parameters.get(register, "1")

    multiplied = 0 if cell.parameters.get("USE_MULT", "MULTIPLY").strip() != "NONE" else 1
    multiplier_register = not multiplied and has("MREG")
    outputs = [pin for pin in cell.outputs if pin[0] in _OUTPUTS]
    through: dict[tuple[Pin, Pin], int] = {}
    setup: dict[Pin, int] = {}
    for pin in cell.inputs:
        port = pin[0]
        if port in _TO_OWN_REGISTER and has(f"{port}REG"):
            setup[pin] = _TO_OWN_REGISTER[port]
        elif port in _TO_M_REGISTER and multiplier_register:
            setup[pin] = _TO_M_REGISTER[port]
        elif port in _TO_OUTPUT and has("PREG"):
            setup[pin] = _TO_P_REGISTER[port][multiplied]
        elif port in _TO_OUTPUT:
            through |= {(pin, output): _TO_OUTPUT[port][multiplied] for output in outputs}
    launch: dict[Pin, int] = {}
    latest = _launch(has, multiplied, multiplier_register)
    if latest:
        launch = dict.fromkeys(outputs, round(latest * scale))
    return CellDelays(
        through={arc: round(delay * scale) for arc, delay in through.items()},
        launch=launch,
        setup={pin: round(delay * scale) for pin, delay in setup.items()},
        clocks=frozenset({"CLK"}),
    )


def _launch(has: Callable[[str], bool], multiplied: int, multiplier_register: bool) -> int:
    """The latest that the outputs come after the clock, 0 where no register is before them."""
    if has("PREG"):
        return _FROM_P_REGISTER
    found = [_FROM_M_REGISTER] if multiplier_register else []
    for port, delays in _FROM_REGISTER.items():
        if has(f"{port}REG") and not (multiplier_register and port in _TO_M_REGISTER):
            found.append(delays[multiplied])
    return max(found, default=0)
