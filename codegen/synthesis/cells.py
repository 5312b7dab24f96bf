"""From the cells of a mapped netlist to the resources they occupy on the part.

On AMD's parts the LUT figure is the number of physical six-input LUTs: Yosys' "estimated number of LCs" (which packs
small LUTs in pairs into the two outputs of one LUT6), plus the LUTs that serve as memory and as shift registers, plus
one for each inverter that no LUT absorbed. Cell names and sizes: UG953 (7 series) and UG974 (UltraScale) libraries
guides.

On an ECP5 it is the number of LUT4s: those of logic, two for each two bits of a carry chain, and four for each 16x4
memory, as nextpnr counts them (TRELLIS_COMB); an embedded block RAM has 18 Kb and counts as half a 36 Kb one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codegen.errors import SynthesisError
from codegen.fit import Resources
from fpga.boards import Family

_LOGIC_LUTS = frozenset({"LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "LUT6_2"})

LUTS_OF_MEMORY = {
    "SRL16": 1,
    "SRL16E": 1,
    "SRLC16E": 1,
    "SRLC32E": 1,
    "RAM32X1S": 1,
    "RAM32X1D": 2,
    "RAM64X1S": 1,
    "RAM64X1D": 2,
    "RAM128X1S": 2,
    "RAM128X1D": 4,
    "RAM256X1S": 4,
    "RAM256X1D": 8,
    "RAM512X1S": 8,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "RAM64X8SW": 8,
}
_FLIP_FLOPS = frozenset({"FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1", "LDCE", "LDPE"})
_BLOCK_RAMS = {"RAMB36E1": 1.0, "RAMB36E2": 1.0, "RAMB18E1": 0.5, "RAMB18E2": 0.5}
_DSPS = frozenset({"DSP48E1", "DSP48E2"})
_CARRY_BITS = {"CARRY4": 4, "CARRY8": 8}
# Neither LUT, flip-flop, block RAM nor DSP: fixed parts of a slice, constants, clock buffers.
_FREE = frozenset({"MUXF7", "MUXF8", "MUXF9", "GND", "VCC", "BUFG", "$scopeinfo"})

_ECP5_LUTS = {"LUT4": 1, "CCU2C": 2}
_ECP5_LUTS_OF_MEMORY = {"TRELLIS_DPR16X4": 4}
_ECP5_CARRY_BITS = {"CCU2C": 2}
_ECP5_FLIP_FLOPS = frozenset({"TRELLIS_FF"})
_ECP5_BLOCK_RAMS = {"DP16KD": 0.5, "PDPW16KD": 0.5}
_ECP5_DSPS = frozenset({"MULT18X18D"})
# Multiplexers of a slice behind its LUTs; a 54-bit adder behind two multipliers.
_ECP5_FREE = frozenset({"PFUMX", "L6MUX21", "ALU54B", "$scopeinfo"})


@dataclass(frozen=True)
class CoreUse:
    """What one core uses; ``carry_bits`` and ``memory_luts`` (contained in the LUTs) tell what it consists of."""

    resources: Resources
    memory_luts: int
    carry_bits: int


def core_use(statistics: dict[str, Any], family: Family = "xc7") -> CoreUse:
    """Resources from the JSON of Yosys' ``stat -json`` (for AMD's families ``-tech xilinx``) over a flat design.

    Raises SynthesisError naming a cell type that is not known here, so that nothing is counted as nothing.
    """
    design = statistics["design"]
    cells: dict[str, int] = design["num_cells_by_type"]
    if family == "ecp5":
        return _ecp5_use(cells)
    memory_luts = _weighed(cells, LUTS_OF_MEMORY)
    inverters = cells.get("INV", 0)
    known = _LOGIC_LUTS | LUTS_OF_MEMORY.keys() | _FLIP_FLOPS | _BLOCK_RAMS.keys() | _DSPS | _CARRY_BITS.keys() | _FREE
    _check_known(cells, known | {"INV"})
    return CoreUse(
        resources=Resources(
            lut=int(design["estimated_num_lc"]) + inverters + memory_luts,
            ff=_count(cells, _FLIP_FLOPS),
            bram36=sum(share * cells.get(cell, 0) for cell, share in _BLOCK_RAMS.items()),
            dsp=_count(cells, _DSPS),
        ),
        memory_luts=memory_luts,
        carry_bits=_weighed(cells, _CARRY_BITS),
    )


def _ecp5_use(cells: dict[str, int]) -> CoreUse:
    kinds = (_ECP5_LUTS, _ECP5_LUTS_OF_MEMORY, _ECP5_BLOCK_RAMS, _ECP5_FLIP_FLOPS, _ECP5_DSPS, _ECP5_FREE)
    _check_known(cells, frozenset().union(*kinds))
    memory_luts = _weighed(cells, _ECP5_LUTS_OF_MEMORY)
    return CoreUse(
        resources=Resources(
            lut=_weighed(cells, _ECP5_LUTS) + memory_luts,
            ff=_count(cells, _ECP5_FLIP_FLOPS),
            bram36=sum(share * cells.get(cell, 0) for cell, share in _ECP5_BLOCK_RAMS.items()),
            dsp=_count(cells, _ECP5_DSPS),
        ),
        memory_luts=memory_luts,
        carry_bits=_weighed(cells, _ECP5_CARRY_BITS),
    )


def _check_known(cells: dict[str, int], known: frozenset[str]) -> None:
    unknown = sorted(cells.keys() - known)
    if unknown:
        raise SynthesisError(f"the netlist holds cells whose size is not known: {', '.join(unknown)}")


def _weighed(cells: dict[str, int], weights: dict[str, int]) -> int:
    return sum(weight * cells.get(kind, 0) for kind, weight in weights.items())


def _count(cells: dict[str, int], kinds: frozenset[str]) -> int:
    return sum(cells.get(kind, 0) for kind in kinds)
