"""A file that somebody wants to upload: what its name and the metadata inside say of it.

An index decides on a file by its facts. Those of an upload are claims: its name is whatever the
client likes, and a restriction may ask for what stands in the metadata. So both must agree before
anybody is asked, and nothing is taken in that the catalog would refuse later.
"""

import hashlib
import os
from dataclasses import replace
from datetime import datetime
from typing import IO, Final

from entitlements_core.engine.distributions import (
    METADATA_LIMIT,
    Description,
    ParsedFilename,
    Unservable,
    describe,
    faults_of_one_file,
    parse_filename,
    requirements,
)
from entitlements_core.engine.sdists import sdist_pkg_info
from entitlements_core.engine.wheels import wheel_metadata
from entitlements_core.policy.facts import FileFacts, FileKind

__all__ = ["inspect_upload"]

_CHUNK: Final = 1 << 20


def inspect_upload(
    filename: str,
    archive: IO[bytes],
    *,
    repository: str,
    now: datetime,
    metadata_limit: int = METADATA_LIMIT,
) -> FileFacts:
    """Facts of a file that somebody wants to upload, as its name and the metadata inside say.

    The stream is read from its start, whatever its position, and is left there, also after an
    error. The file has none of the vendor's tags, and is not the latest of anything yet.

    Args:
        filename: as the client gave it; it decides the project, the version and the tags.
        archive: the contents, seekable.
        repository: ``owner/slug``.
        now: aware, UTC; when the file counts as uploaded.
        metadata_limit: bytes that its METADATA or PKG-INFO may have, inclusive.

    Raises:
        Unservable: the name is not that of a wheel or sdist, the archive is not whole, or its
            METADATA or PKG-INFO are missing, too large, unreadable or of another name or version.
    """
    try:
        with faults_of_one_file():
            return _inspect(filename, archive, repository, now, metadata_limit)
    finally:
        archive.seek(0)


def _inspect(
    filename: str, archive: IO[bytes], repository: str, now: datetime, limit: int
) -> FileFacts:
    identity = parse_filename(filename)
    archive.seek(0)
    said = _description(filename, archive, identity, limit)
    return replace(
        identity.facts(filename),
        size=archive.seek(0, os.SEEK_END),
        uploaded_at=now,
        sha256=_sha256(archive),
        requires_python=said.requires_python,
        license=said.license,
        summary=said.summary,
        dependencies=requirements(said.requires_dist),
        repository=repository,
    )


def _description(
    filename: str, archive: IO[bytes], identity: ParsedFilename, limit: int
) -> Description:
    if identity.kind is FileKind.WHEEL:
        return describe(wheel_metadata(archive, identity, limit).body, identity, source="METADATA")
    found = sdist_pkg_info(archive, filename, limit)
    if found is None:
        # The catalog serves old sdists without it. Nobody uploads one today, and what it is for
        # could not be checked.
        raise Unservable.misbuilt("The sdist has no PKG-INFO.")
    return describe(found, identity, source="PKG-INFO")


def _sha256(archive: IO[bytes]) -> str:
    digest = hashlib.sha256()
    archive.seek(0)
    while chunk := archive.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
