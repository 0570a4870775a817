"""The one place where files of SQLite are opened, with one set of options."""

import os
import sqlite3
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

__all__ = ["connect"]

ConnectionT = TypeVar("ConnectionT", bound=sqlite3.Connection)


def connect(
    path: Path | str,
    factory: type[ConnectionT],
    *,
    timeout: float,
    mode: str = "rw",
    immutable: bool = False,
) -> ConnectionT:
    """A connection in autocommit mode, which threads may hand on to each other.

    Args:
        path: of the file.
        factory: the class of the connection.
        timeout: seconds for which a statement waits for another one's lock.
        mode: ``ro``, ``rw``, or ``rwc``, which makes a file that is missing.
        immutable: nobody writes to the file, so nothing is looked for or made beside it.

    Raises:
        sqlite3.Error: when it cannot be opened.
    """
    place = f"file:{quote(os.fsencode(Path(path).absolute()))}?mode={mode}"
    return sqlite3.connect(
        f"{place}&immutable=1" if immutable else place,
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
        factory=factory,
    )
