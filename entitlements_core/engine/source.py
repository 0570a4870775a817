"""Who says which files are in a directory: the file system, or a host that keeps account of it."""

from typing import Protocol

from entitlements_core.engine.scan import Listing, list_file, list_tree

__all__ = ["Directories", "Source"]


class Source(Protocol):
    """Lists the files of a catalog's roots. Their contents are then read at their paths.

    Attributes:
        notifies: the file system reports every change of what is listed. Otherwise the catalog
            polls.
    """

    notifies: bool

    def list_tree(self, root: str, below: str = "") -> Listing:
        """What is in a root, or in the directory `below` in it (relative, no ``/`` at its end)."""
        ...

    def list_file(self, root: str, relative: str) -> Listing:
        """One file that may be a distribution, with its notes; empty when it is not there."""
        ...


class Directories:
    """The file system: everything that lies in the roots and looks like a distribution."""

    notifies = True

    def list_tree(self, root: str, below: str = "") -> Listing:
        """See `Source.list_tree`."""
        return list_tree(root, below)

    def list_file(self, root: str, relative: str) -> Listing:
        """See `Source.list_file`."""
        return list_file(root, relative)
