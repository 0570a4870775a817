"""A vendor's own backend as the source of a catalog: what it names is there, nothing else."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from entitlements_core.engine.scan import Listing, Problem, shown, told
from pypiserver_entitlements.pypiserver_api import IBackend

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

    notifies = False

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
            for package in self._backend.get_all_packages():
                _add(listing, package, wanted)
        except MemoryError:
            raise
        except Exception as error:
            # A vendor's own code may raise anything. Its files are withdrawn until it answers.
            log.exception("the backend could not say which packages there are")
            problem = Problem(ROOT, f"The backend failed: {told(error)}.", "See the log.")
            return Listing(available=False, problems=[problem])
        return listing


def _add(listing: Listing, package: Any, wanted: Callable[[str], bool]) -> None:  # noqa: ANN401 - a vendor's
    """Take in one package; whatever is odd about it concerns no other."""
    named: object = package
    try:
        path = _path(package)
        if path is None:
            return
        named = path
        relative = path.lstrip(ROOT)
        if wanted(relative):
            listing.take(path, relative, os.stat(path))  # noqa: PTH116 - a string, as it is listed
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - told, by its path
        reason = f"The backend names it, and it cannot be read: {told(error)}."
        listing.problems.append(Problem(shown(f"{named!s:.1000}"), reason))


def _path(package: Any) -> str | None:  # noqa: ANN401 - a vendor's
    if package.fn is not None:
        return str(Path(package.fn).absolute())
    if package.root is not None and package.relfn is not None:
        return str(Path(package.root, package.relfn).absolute())
    return None
