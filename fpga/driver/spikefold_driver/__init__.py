"""Driver of spikefold accelerators: open one, classify images on it."""

from __future__ import annotations

from .accelerator import Accelerator, Classification, Measurement, SelfTest
from .description import Description, read_description
from .errors import (
    AcceleratorTimeoutError,
    BitstreamError,
    CoreResetError,
    DescriptionError,
    DmaError,
    DriverError,
    FrameError,
    ImageError,
    LengthError,
    LinkLostError,
    LongFrameError,
    MissingPackageError,
    OutOfMemoryError,
    OverlayError,
    SelfTestError,
    SetupError,
    ShortFrameError,
    WeightReadError,
    WeightsError,
    WireError,
    WrongBoardError,
    WrongNetworkError,
)

__all__ = [
    "Accelerator",
    "AcceleratorTimeoutError",
    "BitstreamError",
    "Classification",
    "CoreResetError",
    "Description",
    "DescriptionError",
    "DmaError",
    "DriverError",
    "FrameError",
    "ImageError",
    "LengthError",
    "LinkLostError",
    "LongFrameError",
    "Measurement",
    "MissingPackageError",
    "OutOfMemoryError",
    "OverlayError",
    "SelfTest",
    "SelfTestError",
    "SetupError",
    "ShortFrameError",
    "WeightReadError",
    "WeightsError",
    "WireError",
    "WrongBoardError",
    "WrongNetworkError",
    "read_description",
]
__version__ = "0.1.0"
