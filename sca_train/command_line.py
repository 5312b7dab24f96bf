"""What all command lines share: arguments, exit codes, and errors in one sentence. Imports nothing that takes time."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import NoReturn

USER_ERROR = 2
INTERRUPTED = 130
READER_GONE = 141
"""What a shell says of a command that SIGPIPE ended."""
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one sentence, like every other error here."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence and exit with USER_ERROR."""
        self.exit(USER_ERROR, f"error: {one_line(message)}; see `{self.prog} --help`\n")


def guarded(
    command: Callable[[], int],
    errors: tuple[type[Exception], ...],
    interrupted: str = "interrupted",
    silent: bool = False,
) -> int:
    """The exit code of a command, with one sentence on the error output for what may end it.

    ``errors``: those that carry a sentence of their own, beside what the system refuses and torch's way to be out of
    memory. ``interrupted``: what Ctrl-C says. ``silent``: say nothing, as another process says it. A reader that goes
    away (``| head``) ends the command without a word.
    """
    known: tuple[type[Exception], ...] = (*errors, OSError, MemoryError)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names may hold what the locale's encoding does not
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would raise the same error once more at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except known as error:
        if not silent:
            print_error(error)
        return USER_ERROR
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        if not silent:
            print_error(error)
        return USER_ERROR
    except KeyboardInterrupt:
        if not silent:
            print(interrupted, file=sys.stderr)
        return INTERRUPTED
    return code


def one_line(text: str) -> str:
    """The text with line breaks and control characters escaped: names of files and options may hold them."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def print_error(error: BaseException) -> None:
    """Say on the error output in one sentence what ended a command."""
    print(f"error: {one_line(sentence(error))}", file=sys.stderr)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch says by an error that it got no memory: on the CPU it has no class of its own for that."""
    return any(words in str(error) for words in ("allocate memory", "out of memory"))


def sentence(error: BaseException) -> str:
    """What an error says to a user: of the system's errors which file and why, of others their own sentence.

    RuntimeError stands for torch's way to be out of memory (``is_out_of_memory``).
    """
    if isinstance(error, MemoryError | RuntimeError):
        return "there is not enough memory for this; smaller images, batches or networks need less"
    if not isinstance(error, OSError):
        return str(error)
    reason = error.strerror or str(error) or type(error).__name__
    where = error.filename or "a file"
    if error.errno in _NO_SPACE:
        return f"{where} cannot be written: no space is left on the disk ({reason})"
    return f"{where} cannot be read or written: {reason}"
