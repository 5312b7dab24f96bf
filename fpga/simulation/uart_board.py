"""A simulated board with a serial port: the program of uart_board_main.cpp behind a pseudo-terminal."""

from __future__ import annotations

import os
import subprocess
import tempfile
import tty
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fpga.simulation.axi_board import BoardError

DEFAULT_CLOCK_HZ = 25_000_000
DEFAULT_BAUD = 3_000_000
IDLE_CYCLES = 400_000
"""Cycles for which the clock goes on without a bit on either line: more than any accelerator of a test takes."""


@dataclass(frozen=True)
class UartBoardOptions:
    """clock_hz: of the board, which with the baud rate makes the cycles of a bit. baud: what the driver is to take."""

    clock_hz: int = DEFAULT_CLOCK_HZ
    baud: int = DEFAULT_BAUD
    idle_cycles: int = IDLE_CYCLES


class SimulatedUartBoard:
    """The board; use it in a ``with`` block, or call ``close``.

    ``port`` is a path that serial programs open as any port; it stays the same when the cable is plugged in again.
    """

    def __init__(self, program: str, working_folder: str, options: UartBoardOptions | None = None) -> None:
        self._program = program
        self._working_folder = working_folder
        self._options = options or UartBoardOptions()
        self._folder = tempfile.TemporaryDirectory(prefix="spikefold-port-")
        self.port = str(Path(self._folder.name) / "port")
        self.baud = self._options.baud
        self._process: subprocess.Popen[str] | None = None
        self.plug_in()

    def __enter__(self) -> SimulatedUartBoard:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the program and remove the port."""
        self.unplug()
        self._folder.cleanup()

    def plug_in(self) -> None:
        """Connect the board, which is as after its power came on."""
        master, slave = os.openpty()
        try:
            tty.setraw(slave)
            Path(self.port).symlink_to(os.ttyname(slave))
            options = self._options
            self._process = subprocess.Popen(
                [self._program, *map(str, (master, options.clock_hz, options.idle_cycles))],
                cwd=self._working_folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                pass_fds=(master,),
            )
        finally:
            # The program has the master; that no one has the slave is how it sees a port that is not open.
            os.close(master)
            os.close(slave)

    def unplug(self) -> None:
        """Take the port away, as by pulling the cable: programs that have it open get errors."""
        process, self._process = self._process, None
        if process is None:
            return
        Path(self.port).unlink()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        process.wait()

    def flip_rx(self, bit: int) -> None:
        """Invert the ``bit``-th data bit from now on the way to the board, 1 for the next."""
        self._command(f"flip-rx {bit}")

    def flip_tx(self, bit: int) -> None:
        """Invert the ``bit``-th data bit from now on the way from the board."""
        self._command(f"flip-tx {bit}")

    def drop_rx(self, byte: int) -> None:
        """Lose the ``byte``-th byte from now on the way to the board."""
        self._command(f"drop-rx {byte}")

    def reset(self) -> None:
        """The board's reset button."""
        self._command("reset")

    def cycles(self) -> int:
        """Cycles since the board was connected."""
        return int(self._command("cycles", answer=None))

    def _command(self, line: str, answer: str | None = "ok") -> str:
        if self._process is None:
            raise BoardError("the simulated board is unplugged")
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise BoardError("the simulated board ended") from error
        told = self._process.stdout.readline().strip()
        if not told or (answer is not None and told != answer):
            raise BoardError(f"the simulated board answers {line!r} with {told!r}")
        return told
