"""From the cells of a mapped netlist to the resources they occupy on the part.

The LUT figure is the number of physical six-input LUTs: Yosys' "estimated number of LCs" (which packs small LUTs in
pairs into the two outputs of one LUT6), plus the LUTs that serve as memory and as shift registers, plus one for each
inverter that no LUT absorbed. Cell names and sizes: UG953 (7 series) and UG974 (UltraScale) libraries guides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codegen.errors import SynthesisError
from codegen.fit import Resources

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


@dataclass(frozen=True)
class CoreUse:
    """What one core uses; ``carry_bits`` and ``memory_luts`` (contained in the LUTs) tell what it consists of."""

    resources: Resources
    memory_luts: int
    carry_bits: int


def core_use(statistics: dict[str, Any]) -> CoreUse:
    """Resources from the JSON of Yosys' ``stat -tech xilinx -json`` over a flat design.

    Raises SynthesisError naming a cell type that is not known here, so that nothing is counted as nothing.
    """
    design = statistics["design"]
    cells: dict[str, int] = design["num_cells_by_type"]
    memory_luts = sum(LUTS_OF_MEMORY.get(cell, 0) * count for cell, count in cells.items())
    inverters = cells.get("INV", 0)
    known = _LOGIC_LUTS | LUTS_OF_MEMORY.keys() | _FLIP_FLOPS | _BLOCK_RAMS.keys() | _DSPS | _CARRY_BITS.keys() | _FREE
    unknown = sorted(cells.keys() - known - {"INV"})
    if unknown:
        raise SynthesisError(f"the netlist holds cells whose size is not known: {', '.join(unknown)}")
    return CoreUse(
        resources=Resources(
            lut=int(design["estimated_num_lc"]) + inverters + memory_luts,
            ff=_count(cells, _FLIP_FLOPS),
            bram36=sum(share * cells.get(cell, 0) for cell, share in _BLOCK_RAMS.items()),
            dsp=_count(cells, _DSPS),
        ),
        memory_luts=memory_luts,
        carry_bits=sum(bits * cells.get(cell, 0) for cell, bits in _CARRY_BITS.items()),
    )


def _count(cells: dict[str, int], kinds: frozenset[str]) -> int:
    return sum(cells.get(kind, 0) for kind in kinds)
