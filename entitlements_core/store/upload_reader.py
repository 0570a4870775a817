"""Reads when files came into repositories, without SQLAlchemy: servers start with it."""

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from entitlements_core.interfaces import UploadKey
from entitlements_core.store.moments import from_micros
from entitlements_core.store.statements import Statements

__all__ = ["KnownUploads", "UploadReader"]

_FEW: Final = 50
"""Up to so many files are asked for one by one, more all at once."""

_REVISION: Final = """
    SELECT revision FROM repositories WHERE owner = ? AND slug = ? AND removed_at IS NULL
"""
_ADOPTED: Final = """
    SELECT adopted_at FROM repositories WHERE owner = ? AND slug = ? AND removed_at IS NULL
"""
_ALL: Final = """
    SELECT u.filename, u.sha256, u.at FROM uploads u JOIN repositories r ON r.id = u.repository_id
    WHERE r.owner = ? AND r.slug = ?
"""
_ONE: Final = f"{_ALL} AND u.filename = ? AND u.sha256 = ?"


@dataclass(frozen=True, slots=True)
class KnownUploads:
    """What is recorded of some files.

    Attributes:
        exists: there is such a repository.
        is_adopted: everything that lay in it at first was recorded.
        times: of the files that are known, aware, UTC.
    """

    exists: bool
    is_adopted: bool
    times: dict[UploadKey, datetime]


class UploadReader:
    """Reads from the store at an SQLAlchemy URL; may be shared by threads, and by forks.

    Args:
        url: of the store.
        key_fingerprint: which key the store belongs to.
    """

    def __init__(self, url: str, *, key_fingerprint: str | None = None) -> None:
        self._statements = Statements(url, key_fingerprint=key_fingerprint)

    def revision(self, repository: str) -> Hashable:
        """Another value after a time was set by hand, and after other changes of the repository.

        Raises:
            StoreError: when the store cannot be read.
        """
        owner, _, slug = repository.partition("/")
        rows = self._statements.read(_REVISION, (owner, slug))
        return self._statements.replacements, *(row[0] for row in rows)

    def known(self, repository: str, files: Collection[UploadKey]) -> KnownUploads:
        """What is recorded of `files` of a repository (``owner/slug``).

        Raises:
            StoreError: when the store cannot be read.
        """
        owner, _, slug = repository.partition("/")
        state = self._statements.read(_ADOPTED, (owner, slug))
        if len(files) > _FEW:
            rows = self._statements.read(_ALL, (owner, slug))
        else:
            rows = [
                row for file in files for row in self._statements.read(_ONE, (owner, slug, *file))
            ]
        times = {(filename, sha256): from_micros(at) for filename, sha256, at in rows}
        return KnownUploads(bool(state), bool(state) and state[0][0] is not None, times)

    def close(self) -> None:
        """Close the idle connections."""
        self._statements.close()
