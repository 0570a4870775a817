"""When files came into repositories, read and recorded without SQLAlchemy, for servers."""

import logging
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from packaging.utils import NormalizedName

from entitlements_core.interfaces import UploadKey
from entitlements_core.policy.project_names import names_in
from entitlements_core.store.connection_stack import Rows
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.moments import from_micros, to_micros
from entitlements_core.store.raw_store import RawStore

__all__ = ["KnownUploads", "UploadRegister"]

_log = logging.getLogger("entitlements.store")

_FEW: Final = 50
"""Up to so many files are asked for one by one, more all at once."""

_REVISION: Final = """
    SELECT revision FROM repositories WHERE owner = ? AND slug = ? AND removed_at IS NULL
"""
_REPOSITORY: Final = """
    SELECT id, adopted_at FROM repositories WHERE owner = ? AND slug = ? AND removed_at IS NULL
"""
_ALL: Final = """
    SELECT u.filename, u.sha256, u.at FROM uploads u JOIN repositories r ON r.id = u.repository_id
    WHERE r.owner = ? AND r.slug = ?
"""
_ONE: Final = f"{_ALL} AND u.filename = ? AND u.sha256 = ?"
_RECORD: Final = """
    INSERT INTO uploads (repository_id, filename, sha256, at) VALUES (?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
_NAME: Final = """
    INSERT INTO project_names (repository_id, name) VALUES (?, ?) ON CONFLICT DO NOTHING
"""
_HAS_NAME: Final = """
    SELECT 1 FROM project_names n JOIN repositories r ON r.id = n.repository_id
    WHERE r.owner = ? AND r.slug = ? AND n.name = ?
"""
_ADOPT: Final = "UPDATE repositories SET adopted_at = ? WHERE id = ? AND adopted_at IS NULL"


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


class UploadRegister:
    """The upload times in the store at an SQLAlchemy URL; may be shared by threads, and by forks.

    A file is its name and its contents, and is never forgotten.

    Args:
        place: of the store: its `DatabaseURL`, or the text of one with the timeouts of requests.
        key_fingerprint: which key the store belongs to.
    """

    def __init__(self, place: str | DatabaseURL, *, key_fingerprint: str | None = None) -> None:
        self._store = RawStore(place, key_fingerprint=key_fingerprint)

    def revision(self, repository: str) -> Hashable:
        """Another value after a time was set by hand, and after other changes of the repository.

        Raises:
            StoreError: when the store cannot be read.
        """
        owner, _, slug = repository.partition("/")
        rows = self._store.read(_REVISION, (owner, slug))
        return self._store.replacements, *(row[0] for row in rows)

    def known(self, repository: str, files: Collection[UploadKey]) -> KnownUploads:
        """What is recorded of `files` of a repository (``owner/slug``).

        Raises:
            StoreError: when the store cannot be read.
        """
        owner, _, slug = repository.partition("/")
        state = self._store.read(_REPOSITORY, (owner, slug))
        times = _times(self._store.read, (owner, slug), files)
        return KnownUploads(bool(state), bool(state) and state[0][1] is not None, times)

    def record(
        self,
        repository: str,
        found: Mapping[UploadKey, datetime],
        now: datetime,
        *,
        complete: bool,
    ) -> dict[UploadKey, datetime]:
        """Record the files that are new, and give the times of all; the first record counts.

        The names of their projects are the repository's from then on, see `policy.project_names`.

        A repository that was never looked at is adopted: what lies in it counts as uploaded when
        it was last modified, `now` at the latest. Everything after that is uploaded `now`. Nothing
        is recorded, and nothing given, of a repository that is not there.

        Args:
            repository: ``owner/slug``.
            found: the files, with their modification times.
            now: aware, UTC.
            complete: there are no others, so that from now on the repository is adopted.

        Raises:
            StoreError: when the store cannot be written; nothing is recorded then.
        """
        owner, _, slug = repository.partition("/")
        with self._store.transaction() as transaction:
            row = transaction.locked(_REPOSITORY, (owner, slug))
            if row is None:
                return {}
            number, adopted = row
            transaction.run_many(
                _RECORD,
                [
                    (number, *upload, to_micros(min(modified, now) if adopted is None else now))
                    for upload, modified in found.items()
                ],
            )
            names = sorted({name for filename, _ in found for name in names_in(filename)})
            transaction.run_many(_NAME, [(number, name) for name in names])
            if complete and adopted is None:
                transaction.run_many(_ADOPT, [(to_micros(now), number)])
            times = _times(transaction.rows, (owner, slug), found)
        return {upload: times[upload] for upload in found if upload in times}

    def keep_names(self, repository: str, names: Collection[NormalizedName]) -> None:
        """Make names the repository's from now on; of one that is not there nothing is kept.

        Args:
            repository: ``owner/slug``.
            names: of projects, whatever files of them there are.

        Raises:
            StoreError: when the store cannot be read or written.
        """
        owner, _, slug = repository.partition("/")
        read = self._store.read
        new = [name for name in sorted(names) if not read(_HAS_NAME, (owner, slug, name))]
        if not new:
            return
        with self._store.transaction() as transaction:
            row = transaction.locked(_REPOSITORY, (owner, slug))
            if row is not None:
                transaction.run_many(_NAME, [(row[0], name) for name in new])

    def close(self) -> None:
        """Close the idle connections."""
        self._store.close()


def _times(
    ask: Callable[[str, tuple[str, ...]], Rows],
    repository: tuple[str, str],
    files: Collection[UploadKey],
) -> dict[UploadKey, datetime]:
    if len(files) > _FEW:
        rows = ask(_ALL, repository)
    else:
        rows = [row for file in files for row in ask(_ONE, (*repository, *file))]
    return dict(_readable(rows))


def _readable(rows: Rows) -> Iterator[tuple[UploadKey, datetime]]:
    """The rows whose time can be read; the time of other files is not known."""
    for filename, sha256, at in rows:
        try:
            yield (filename, sha256), from_micros(at)
        except (ArithmeticError, ValueError, TypeError):
            _log.warning("The upload time of %s in the store is none: %r", filename, at)
