"""When files came into an index: recorded when they are first seen, changed only by command.

A customer may be entitled to what was released until a day. Copying a file again, touching it or
restoring it from a backup is no release, and a build that writes old times into its files is one.
"""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from packaging.utils import NormalizedName

from entitlements_core.errors import InvalidValue, NotFound
from entitlements_core.interfaces import Clock, UploadKey
from entitlements_core.policy.instants import instant
from entitlements_core.services.operations import Operations
from entitlements_core.store.upload_register import KnownUploads, UploadRegister

if TYPE_CHECKING:  # the request path does without SQLAlchemy until it needs it
    from entitlements_core.store.database import Database

__all__ = ["RecordedUploads", "UploadService", "Uploaded"]

_SHORTEST_DIGEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUploads:
    """The upload times of one repository, an `interfaces.UploadTimes`.

    Who only looks gets the times that a server has recorded or would record now.

    Attributes:
        repository: ``owner/slug``.
        register: where they are recorded.
        clock: tells when a file is first seen.
        records: record what is new.
    """

    repository: str
    register: UploadRegister
    clock: Clock
    records: bool = True

    def revision(self) -> Hashable:
        """See `interfaces.UploadTimes`."""
        return self.register.revision(self.repository)

    def keep_names(self, names: Collection[NormalizedName]) -> None:
        """See `interfaces.UploadTimes`. Who only looks keeps none.

        Raises:
            EntitlementsError: when the store cannot be read or written.
        """
        if self.records:
            self.register.keep_names(self.repository, names)

    def of(
        self, found: Mapping[UploadKey, datetime], *, complete: bool
    ) -> Mapping[UploadKey, datetime]:
        """See `interfaces.UploadTimes`. Nobody knows the times of a repository that is not there.

        Raises:
            EntitlementsError: when the store cannot be read or written.
        """
        known = self.register.known(self.repository, found)
        new = {upload: at for upload, at in found.items() if upload not in known.times}
        if not known.exists or not (new or (complete and not known.is_adopted)):
            return known.times
        if not self.records:
            return {**known.times, **self._foresee(known, new)}
        added = self.register.record(self.repository, new, self.clock(), complete=complete)
        return {**known.times, **added}

    def _foresee(
        self, known: KnownUploads, new: Mapping[UploadKey, datetime]
    ) -> Mapping[UploadKey, datetime]:
        now = self.clock()
        return {upload: now if known.is_adopted else min(at, now) for upload, at in new.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A file that was uploaded.

    Attributes:
        filename: as served.
        sha256: of its contents, lower-case hexadecimal.
        at: when it came into the repository, aware, UTC.
    """

    filename: str
    sha256: str
    at: datetime


class UploadService:
    """Use case: say when a file was uploaded. Running servers see it within a second.

    Args:
        database: the store.
        clock: tells the time.
    """

    def __init__(self, *, database: "Database", clock: Clock) -> None:
        self._operations = Operations(database=database, clock=clock)

    def set(
        self, repository: str, filename: str, at: datetime, *, sha256: str = "", actor: str
    ) -> Uploaded:
        """Change the upload time of a file that was seen.

        Args:
            repository: ``owner/slug``.
            filename: without directories.
            at: aware; not in the future.
            sha256: at least the first 8 characters, of the contents that are meant where there
                were several of that name.
            actor: who asks.

        Raises:
            NotFound: when there is no such repository, or no such file was seen in it.
            InvalidValue: when the time is in the future, or it is not clear which file is meant.
        """
        with self._operations.begin(actor) as operation:
            if at > operation.now:
                raise InvalidValue(
                    "uploaded_at",
                    f"{instant(at)} is in the future; no file was uploaded then.",
                    "Give the time at which the file was released.",
                )
            times = operation.unit.upload_times.of(repository, filename)
            digest = _chosen(repository, filename, times, sha256.lower())
            if times[digest] != at:
                operation.unit.upload_times.put(repository, (filename, digest), at)
                file = {"file": filename, "sha256": digest}
                operation.record(
                    "package.uploaded",
                    repository,
                    before={**file, "uploaded_at": instant(times[digest])},
                    after={**file, "uploaded_at": instant(at)},
                )
        return Uploaded(filename=filename, sha256=digest, at=at)


def _chosen(repository: str, filename: str, times: Mapping[str, datetime], begin: str) -> str:
    """The digest that is meant."""
    if not times:
        raise NotFound(
            f"No server has seen a file {filename!r} in {repository}.",
            f"`entitlements package list --repo {repository} --dir DIR` lists what is there. A file"
            " is seen when a server, or `entitlements index`, looks at its directory; devpi-server"
            " keeps the times of its own files.",
        )
    if begin and len(begin) < _SHORTEST_DIGEST:
        raise InvalidValue(
            "sha256",
            f"{begin!r} is too short.",
            f"Give at least the first {_SHORTEST_DIGEST} characters.",
        )
    fitting = [digest for digest in times if digest.startswith(begin)]
    if len(fitting) == 1:
        return fitting[0]
    seen = ", ".join(f"{digest[:12]} ({instant(at)})" for digest, at in times.items())
    count = "None" if not fitting else "More than one"
    raise InvalidValue(
        "sha256",
        f"{count} of the files that were called {filename} in {repository} is meant: {seen}.",
        "Say which one with --sha256.",
    )
