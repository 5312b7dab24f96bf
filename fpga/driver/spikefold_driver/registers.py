"""The registers of an accelerator, the same behind AXI-Lite and UART: 32 bits each, byte offsets."""

from __future__ import annotations

CONTROL = 0x00
STATUS = 0x04
FRAMES = 0x08
FRAMES_IN = 0x0C
FRAMES_OUT = 0x10
LATENCY = 0x14
INTERVAL = 0x18
MAGIC = 0x1C
VERSION = 0x20
NETWORK = 0x24
IN_WORDS = 0x28
IN_BYTES = 0x2C
OUT_WORDS = 0x30
OUT_BYTES = 0x34
BUSY_CYCLES = 0x38
WIRE_ERRORS = 0x3C

MAGIC_VALUE = 0x53504B46
VERSION_VALUE = 1

CONTROL_START = 1 << 0
CONTROL_RESET = 1 << 1

STATUS_BUSY = 1 << 0
STATUS_SHORT = 1 << 1
STATUS_LONG = 1 << 2
STATUS_RESETTING = 1 << 3

MAX_FRAMES = 65535
"""Of one packet."""
