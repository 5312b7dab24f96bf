"""What can go wrong on a board: each class says what happened and what to do next."""

from __future__ import annotations


class DriverError(Exception):
    """Base of all errors of this package.

    ``what`` happened and what to do as ``next_step``; the message is both, and a command line prints it as it is.
    """

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(f"{what}; {next_step}")
        self.what = what
        self.next_step = next_step

    def change(self, what: str, next_step: str | None = None) -> None:
        """Say more of what happened, and perhaps something else to do."""
        self.what = what
        self.next_step = next_step or self.next_step
        self.args = (f"{self.what}; {self.next_step}",)


class DescriptionError(DriverError):
    """network.json is missing, damaged, or of another format."""


class ImageError(DriverError):
    """Images of another shape or type than the network takes, or a file that holds none."""


class MissingPackageError(DriverError):
    """A package that the chosen transport or image file needs is not installed."""


class SetupError(DriverError):
    """Base of what is found before the first image: the wrong thing is loaded, or nothing."""


class WrongBoardError(SetupError):
    """The bitstream was built for another board than this one."""


class BitstreamError(SetupError):
    """The bitstream is missing, or its SHA-256 is not the one in network.json."""


class OverlayError(SetupError):
    """The overlay has no accelerator of this project, or no AXI DMA, or one that answers with something else."""


class WrongNetworkError(SetupError):
    """The loaded accelerator computes another network than network.json describes."""


class WeightsError(SetupError):
    """The file of the weights in memory is missing or another one, or the accelerator does not take their place."""


class OutOfMemoryError(DriverError):
    """The board has no contiguous memory left for the DMA's buffers, or for weights."""


class FrameError(DriverError):
    """Base of what happens to images under way. DMA and accelerator have been reset: the next image is right."""


class DmaError(FrameError):
    """The AXI DMA stopped with an error bit (internal, slave or decode error)."""


class WeightReadError(FrameError):
    """The memory answered a read of weights with an error."""


class LengthError(FrameError):
    """The AXI DMA ended a transfer with more or fewer bytes than the batch has."""


class ShortFrameError(FrameError):
    """The accelerator saw the end of the packet before the last word of the last image."""


class LongFrameError(FrameError):
    """The accelerator saw no end of the packet at the last word of the last image."""


class AcceleratorTimeoutError(FrameError):
    """The accelerator, or the DMA, did not end within the deadline."""


class CoreResetError(FrameError):
    """The accelerator was reset by someone else while images were under way."""


class WireError(FrameError):
    """A packet on the serial line was damaged, or was none."""


class LinkLostError(FrameError):
    """The serial port is gone (unplugged), or could not be opened."""


class SelfTestError(DriverError):
    """The golden images give other logits than the golden ones."""


def first_line(error: BaseException) -> str:
    """What another package's error says, as a part of a sentence."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
