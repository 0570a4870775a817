"""A vendor's own backend as the source of a catalog: what it names is there, nothing else."""

from __future__ import annotations

import logging
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from entitlements_core.engine.scan import Listing, Look, Problem
from pypiserver_entitlements.upstream import IBackend

__all__ = ["ROOT", "BackendSource"]

log: Final = logging.getLogger("entitlements.pypiserver")

ROOT: Final = "/"
"""The one root of such a catalog: a backend may keep its files anywhere."""


class BackendSource:
    """Asks a backend which packages there are.

    The interface of pypiserver names paths and has no way to give contents; pypiserver itself reads
    them from the disk at these paths, and so do we.

    Args:
        backend: a vendor's, not the guarded one.
    """

    is_told = False

    def __init__(self, backend: IBackend) -> None:
        self._backend = backend

    def list_tree(self, root: str, below: str = "") -> Listing:  # noqa: ARG002 - there is but one
        """See `Source.list_tree`."""
        return self._list(lambda relative: not below or relative.startswith(f"{below}/"))

    def list_file(self, root: str, relative: str) -> Listing:  # noqa: ARG002 - there is but one
        """See `Source.list_file`."""
        return self._list(relative.__eq__)

    def _list(self, wanted: Callable[[str], bool]) -> Listing:
        listing = Listing()
        try:
            for path in self._paths():
                if wanted(_relative(path)):
                    _add(listing, path)
        except Exception as error:
            # A vendor's own code may raise anything. Its files are withdrawn until it answers.
            log.exception("the backend could not say which packages there are")
            problem = Problem(ROOT, f"The backend failed: {error!r}.", "See the log.")
            return Listing(available=False, problems=[problem])
        return listing

    def _paths(self) -> Iterator[Path]:
        for package in self._backend.get_all_packages():
            if package.fn is not None:
                yield Path(package.fn).absolute()
            elif package.root is not None and package.relfn is not None:
                yield Path(package.root, package.relfn).absolute()


def _add(listing: Listing, path: Path) -> None:
    try:
        found = path.stat()
    except OSError as error:
        reason = f"The backend names it, and it cannot be read: {error.strerror}."
        listing.problems.append(Problem(str(path), reason))
        return
    if stat.S_ISREG(found.st_mode):
        listing.files[_relative(path)] = Look(found.st_size, found.st_mtime_ns)


def _relative(path: Path) -> str:
    return str(path).lstrip(ROOT)
