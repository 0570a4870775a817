"""Files that have to be on the disk when somebody is told that they are."""

import os
from pathlib import Path

from entitlements_core.store.failures import DatabaseFull

__all__ = ["make_durable", "unwritten"]


def make_durable(folder: Path) -> None:
    """Let what was made, renamed or removed in a folder survive a power cut.

    Raises:
        OSError: when that cannot be.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritten(path: Path, error: OSError) -> DatabaseFull:
    """The error for a file that cannot be written, or a folder in which none can be."""
    return DatabaseFull(
        f"{path} cannot be written: {error.strerror}.", "Choose a directory with room that is ours."
    )
