"""Whether a devpi-server runs over a directory: each keeps a lock there while it does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # pragma: no cover - only where there is no flock
    fcntl = None  # type: ignore[assignment]  # then nothing tells, as before there was a lock

__all__ = ["LEFT", "occupied", "occupy"]

NAME: Final = ".serverversion"
"""devpi-server writes it when the directory is made, and never replaces it while one runs."""


LEFT: Final = ".entitlements-left"
"""In a server directory: which indexes are open since `entitlements devpi leave`, one a line. A
server that is just starting, or started with the plugin later, would serve them to everybody."""


def occupy(serverdir: Path) -> int | None:
    """Say that a server runs here, until the descriptor that is returned is closed.

    None where that cannot be said: the directory is new, or its file system has no locks.

    Raises:
        BlockingIOError: a command has the directory to itself.
    """
    return _locked(serverdir, shared=True)


@contextmanager
def occupied(serverdir: Path) -> Iterator[bool]:
    """Whether a server runs here; if not, none starts for the length of the block."""
    try:
        descriptor = _locked(serverdir, shared=False)
    except BlockingIOError:
        yield True
        return
    try:
        yield False
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _locked(serverdir: Path, *, shared: bool) -> int | None:
    if fcntl is None:  # pragma: no cover - only where there is no flock
        return None
    try:
        descriptor = os.open(serverdir / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return descriptor
