"""Standard input, output and error as a shell may hand them over: closed, full, in any encoding."""

import contextlib
import errno
import io
import os
import sys
from typing import TextIO

__all__ = ["prepare", "silence"]


def prepare() -> None:
    """Make the three streams fit for use.

    Raises:
        OSError: when the output is closed. What a command does could then be told to nobody, the
            secret of a new token least of all.
    """
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    for name in closed:
        # Else the next file that is opened would be that stream, the store for example.
        setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: PTH123, SIM115 - for as long as the process runs
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name may hold what the terminal cannot show, or no text at all.
        sys.stdout.reconfigure(errors="backslashreplace")
    if "stdout" in closed:
        raise OSError(errno.EBADF, "It is closed", "Standard output")


def silence(stream: TextIO) -> None:
    """Let a stream go nowhere, so that the interpreter's last flush fails no more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
