"""The one look-up of the request path: from a secret's digest to the credential it opens.

No change is ever missed. What a secret opens is remembered only for as long as nothing at all was
committed to the store (`RawStore.version`). After that, one short statement gives the token and the
revisions of the token and its repository, which grow with every change of either; the credential of
those revisions was built once and is remembered under them.
"""

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Final

from packaging.utils import NormalizedName

from entitlements_core.errors import StoreError
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.package_tags import VendorTags
from entitlements_core.policy.query import PackageQuery
from entitlements_core.store.credential_rows import CREDENTIAL, Parse, credential_of
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.moments import to_micros
from entitlements_core.store.raw_store import RawStore
from entitlements_core.store.schema_revisions import KEY_QUESTION
from entitlements_core.store.versioned_cache import CAPACITY, VersionedCache

__all__ = ["CredentialReader"]

Opened = tuple[tuple[int | None, Credential], ...]
"""Credentials, each with the moment its secret ends (exclusive, microseconds) or None."""

Places = tuple[tuple[int | None, str], ...]
"""Names of repositories, each with the moment the secret ends there, as above."""

ATTEMPTS: Final = 5

_STATE: Final = "s.valid_until, s.former, t.id, r.id, t.revision, r.revision"
_BY_SECRET: Final = f"""
    SELECT {_STATE} FROM repositories r
    JOIN secrets s ON s.repository_id = r.id AND s.digest = ?
    JOIN tokens t ON t.id = s.token_id
    WHERE r.owner = ? AND r.slug = ?
"""  # noqa: S608 - only constants are put together
_BY_IDENTIFIER: Final = """
    SELECT NULL, NULL, t.id, r.id, t.revision, r.revision FROM tokens t
    JOIN grants g ON g.token_id = t.id
    JOIN repositories r ON r.id = g.repository_id
    WHERE t.identifier = ? AND r.owner = ? AND r.slug = ?
"""
_OPENED: Final = """
    SELECT s.valid_until, r.owner, r.slug FROM secrets s
    JOIN tokens t ON t.id = s.token_id AND t.state <> 'deleted'
    JOIN repositories r ON r.id = s.repository_id AND r.removed_at IS NULL
    WHERE s.digest = ?
"""
_REPOSITORY: Final = """
    SELECT 1 FROM repositories WHERE owner = ? AND slug = ? AND removed_at IS NULL
"""
_REVISION: Final = "SELECT revision FROM repositories WHERE owner = ? AND slug = ?"
_TAGS: Final = """
    SELECT r.revision, p.project, p.version, p.tag FROM repositories r
    LEFT JOIN package_tags p ON p.repository_id = r.id
    WHERE r.owner = ? AND r.slug = ?
"""
# The revision stands with every tag, and alone where there is none: one statement, one state.
_IS_OWN: Final = """
    SELECT CASE WHEN
        EXISTS (
            SELECT 1 FROM repositories o JOIN project_names n ON n.repository_id = o.id
            WHERE o.owner = r.owner AND n.name = ?
        )
        OR EXISTS (
            SELECT 1 FROM repositories o JOIN reserved_names n ON n.repository_id = o.id
            WHERE o.owner = r.owner AND n.text = CASE n.is_prefix WHEN 0 THEN CAST(? AS text)
            ELSE substr(CAST(? AS text), 1, length(n.text)) END
        )
    THEN 1 ELSE 0 END
    FROM repositories r WHERE r.owner = ? AND r.slug = ?
"""
# Downloads that were removed go on counting.
_DOWNLOADS: Final = """
    SELECT f.filename, CAST(sum(f.downloads) AS bigint)
    FROM repositories r JOIN (
        SELECT repository_id, filename, count(*) AS downloads FROM downloads
        GROUP BY repository_id, filename
        UNION ALL SELECT repository_id, filename, downloads FROM pruned_downloads
    ) f ON f.repository_id = r.id
    WHERE r.owner = ? AND r.slug = ?
    GROUP BY f.filename
"""


class CredentialReader:
    """Finds credentials in the store at an SQLAlchemy URL.

    Args:
        place: of the store: its `DatabaseURL`, or the text of one with the timeouts of requests.
        parse: reads a restriction; the default knows only the fields that need no plugin.
        eula_url: where a licence revision is accepted, with ``{identifier}`` in it, or empty.
        key_fingerprint: of the key whose store it is; a file of another key that takes the store's
            place is not read. None asks for none.
    """

    def __init__(
        self,
        place: str | DatabaseURL,
        *,
        parse: Parse = PackageQuery.parse,
        eula_url: str = "",
        key_fingerprint: str | None = None,
    ) -> None:
        self._store = RawStore(place, key_fingerprint=key_fingerprint)
        self._known = VersionedCache[tuple[bytes, str], Opened]()
        self._places = VersionedCache[bytes, Places]()
        self._tags = VersionedCache[str, VendorTags]()
        self._names = VersionedCache[tuple[str, NormalizedName], bool]()
        self._revised: dict[str, VendorTags] = {}
        # Many tokens have the same restriction, which is parsed once for all of them.
        parsed = lru_cache(maxsize=4096)(parse)

        # `_replacements` is there for the cache: what was read of a store that was replaced is not
        # used for the one that took its place.
        def load(_replacements: int, former: int | None, *state: int) -> Credential | None:
            row = self._store.read(CREDENTIAL, state)
            try:
                found = credential_of(row[0], parsed, eula_url) if row else None
            except ValueError as error:
                # A word of another version, a restriction whose plugin is gone: never open.
                raise StoreError(f"The token {row[0][1]} cannot be read: {error}") from error
            if found is None or former is None:
                return found
            return replace(found, former=former)

        self._load = lru_cache(maxsize=CAPACITY)(load)

    def find(self, digest: bytes, repository: str, now: datetime) -> Credential | None:
        """The credential that a secret opens in `repository` (``owner/slug``), or None.

        Raises:
            StoreError: when the store cannot be read.
        """
        version = self._store.version()
        opened = self._known.get((digest, repository), version)
        if opened is None:
            owner, _, slug = repository.partition("/")
            opened = self._open(_BY_SECRET, (digest, owner, slug))
            if opened:  # anybody could fill the cache with secrets that open nothing
                self._known.keep((digest, repository), version, opened)
        return _valid(opened, now)

    def repositories(self, digest: bytes, now: datetime) -> tuple[str, ...]:
        """The repositories (``owner/slug``, sorted) that a secret opens; empty for an unknown one.

        Those that were not removed, where the secret is the current one of a token that is not
        deleted, or a previous one that still overlaps.

        Raises:
            StoreError: when the store cannot be read.
        """
        version = self._store.version()
        places = self._places.get(digest, version)
        if places is None:
            rows = self._store.read(_OPENED, (digest,))
            places = tuple((until, f"{owner}/{slug}") for until, owner, slug in rows)
            if places:
                self._places.keep(digest, version, places)
        return tuple(sorted(name for until, name in places if _lives(until, now)))

    def by_identifier(self, identifier: str, repository: str) -> Credential | None:
        """The credential of a token's public name in `repository`, or None; whatever its state.

        Raises:
            StoreError: when the store cannot be read.
        """
        owner, _, slug = repository.partition("/")
        opened = self._open(_BY_IDENTIFIER, (identifier, owner, slug))
        return opened[0][1] if opened else None

    def has_repository(self, name: str) -> bool:
        """Whether the repository ``owner/slug`` exists, and was not removed.

        Raises:
            StoreError: when the store cannot be read.
        """
        owner, _, slug = name.partition("/")
        return bool(self._store.read(_REPOSITORY, (owner, slug)))

    def key_fingerprint(self) -> str | None:
        """Which key the store was made with; None before the first use.

        Raises:
            StoreError: when the store cannot be read.
        """
        rows = self._store.read(KEY_QUESTION)
        return rows[0][0] if rows else None

    def downloads(self, repository: str) -> dict[str, int]:
        """How often each file of `repository` was downloaded, by file name; 0 is left out.

        Raises:
            StoreError: when the store cannot be read.
        """
        owner, _, slug = repository.partition("/")
        return dict(self._store.read(_DOWNLOADS, (owner, slug)))

    def package_tags(self, repository: str) -> VendorTags:
        """The vendor's tags of the packages of `repository`; none where there is no such one.

        They are read again when the repository's revision is another one than that of the tags
        that were read last.

        Raises:
            StoreError: when the store cannot be read.
        """
        version = self._store.version()
        tags = self._tags.get(repository, version)
        if tags is None:
            tags = self._tags_of(repository)
            self._tags.keep(repository, version, tags)
        return tags

    def is_own(self, name: NormalizedName, repository: str) -> bool:
        """Whether a project name is the vendor's: a file has or had it, or it is reserved.

        In any repository of the same owner, since what one has others may depend on. True where
        there is no such repository.

        Raises:
            StoreError: when the store cannot be read.
        """
        version = self._store.version()
        known = self._names.get((repository, name), version)
        if known is None:
            owner, _, slug = repository.partition("/")
            rows = self._store.read(_IS_OWN, (name, name, name, owner, slug))
            known = not rows or bool(rows[0][0])
            self._names.keep((repository, name), version, known)
        return known

    def close(self) -> None:
        """Close the idle connections."""
        self._store.close()

    def _tags_of(self, repository: str) -> VendorTags:
        owner, _, slug = repository.partition("/")
        known = self._revised.get(repository)
        replacements = self._store.replacements
        if known is not None:
            revision = self._store.read(_REVISION, (owner, slug))
            if [known.state] == [(replacements, *row) for row in revision]:
                return known
        rows = self._store.read(_TAGS, (owner, slug))
        if not rows:
            return VendorTags()
        tagged = [(project, version, tag) for _, project, version, tag in rows if tag is not None]
        try:
            tags = VendorTags.of_rows(tagged, state=(replacements, rows[0][0]))
        except ValueError as error:
            raise StoreError(f"The tags of {repository} cannot be read: {error}.") from error
        self._revised[repository] = tags
        return tags

    def _open(self, statement: str, values: tuple[object, ...]) -> Opened:
        """The credentials of a look-up, each with the end of its secret."""
        for _ in range(ATTEMPTS):
            replacements = self._store.replacements
            states = self._store.read(statement, values)
            found = [(until, self._load(replacements, *state)) for until, *state in states]
            opened = tuple((until, one) for until, one in found if one is not None)
            if len(opened) == len(states) and replacements == self._store.replacements:
                return opened
            # A token changed between the two statements: look again.
        raise StoreError("The token keeps changing.", "Try again.")


def _valid(opened: Opened, now: datetime) -> Credential | None:
    """The credential whose secret is current, or one that is replaced but still overlaps."""
    for until, credential in opened:
        if _lives(until, now):
            return credential
    return None


def _lives(until: int | None, now: datetime) -> bool:
    return until is None or to_micros(now) < until
