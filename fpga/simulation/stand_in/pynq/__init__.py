"""A stand-in for PYNQ's package: what the driver uses of it, with a simulated board behind it.

Put the folder above on PYTHONPATH, and let the variable SPIKEFOLD_STAND_IN name a file as
``fpga.simulation.stand_in_board`` writes it: programs for a PYNQ board then run unchanged, one board to a process.
Names, parameters and defaults are those of pynq 4.0.0.
"""

from .buffer import PynqBuffer, allocate
from .mmio import MMIO
from .overlay import Overlay
from .pmbus import get_rails

__all__ = ["MMIO", "Overlay", "PynqBuffer", "allocate", "get_rails"]
__version__ = "4.0.0"
