"""Use case: change when a file came into an index, which servers have recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from entitlements_core.errors import InvalidValue, NotFound
from entitlements_core.policy.actor import Actor
from entitlements_core.policy.instants import instant
from entitlements_core.services.operations import Operations

__all__ = ["UploadService", "Uploaded"]

_SHORTEST_DIGEST: Final = 8


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
        operations: begins the transactions.
    """

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def set(
        self, repository: str, filename: str, at: datetime, *, sha256: str = "", actor: Actor
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
