"""From a cell count to resources."""

import pytest

from codegen.errors import SynthesisError
from codegen.synthesis.cells import core_use


def statistics(estimated: int, **cells: int) -> dict[str, object]:
    return {"design": {"num_cells_by_type": cells, "estimated_num_lc": estimated}}


def test_every_kind_of_cell_is_counted_once() -> None:
    use = core_use(
        statistics(
            40,
            LUT6=30,
            LUT3=10,
            INV=2,
            RAM32M=3,
            SRLC32E=5,
            FDRE=7,
            FDSE=1,
            RAMB36E1=2,
            RAMB18E1=3,
            DSP48E1=4,
            CARRY4=6,
            MUXF7=9,
        )
    )
    assert use.resources.lut == 40 + 2 + 3 * 4 + 5
    assert use.memory_luts == 3 * 4 + 5
    assert use.resources.ff == 8
    assert use.resources.bram36 == 3.5
    assert use.resources.dsp == 4
    assert use.carry_bits == 24


def test_ultrascale_cells() -> None:
    use = core_use(statistics(0, RAM32M16=1, RAM64M8=1, RAMB36E2=1, RAMB18E2=1, DSP48E2=1, CARRY8=1))
    assert (use.resources.lut, use.resources.bram36, use.resources.dsp, use.carry_bits) == (16, 1.5, 1, 8)


def test_a_cell_of_unknown_size_is_an_error() -> None:
    with pytest.raises(SynthesisError, match=r"^the netlist holds cells whose size is not known: \$mul, URAM288$"):
        core_use(statistics(1, LUT6=1, URAM288=1, **{"$mul": 2}))


def test_ecp5_cells() -> None:
    use = core_use(
        {
            "design": {
                "num_cells_by_type": {
                    "LUT4": 30,
                    "CCU2C": 5,
                    "PFUMX": 7,
                    "L6MUX21": 3,
                    "TRELLIS_DPR16X4": 2,
                    "TRELLIS_FF": 11,
                    "DP16KD": 3,
                    "MULT18X18D": 4,
                }
            }
        },
        "ecp5",
    )
    assert use.resources.lut == 30 + 5 * 2 + 2 * 4
    assert (use.memory_luts, use.carry_bits) == (8, 10)
    assert (use.resources.ff, use.resources.bram36, use.resources.dsp) == (11, 1.5, 4)


def test_a_cell_of_another_family_is_an_error() -> None:
    with pytest.raises(SynthesisError, match=r"^the netlist holds cells whose size is not known: LUT6$"):
        core_use(statistics(1, LUT6=1), "ecp5")
