"""The core metadata inside a wheel (PEP 427): the one file of it that an index serves."""

import re
from typing import IO

from entitlements_core.engine.distributions import Identity, Unservable, same_release
from entitlements_core.engine.zips import find_member, read_member

__all__ = ["wheel_metadata"]

_METADATA = re.compile(rb"[^/]+\.dist-info/METADATA")


def wheel_metadata(archive: IO[bytes], identity: Identity) -> bytes:
    """The METADATA file of a wheel, at most `METADATA_LIMIT` bytes.

    Raises:
        Unservable: the archive is damaged, or does not hold exactly one top-level
            ``*.dist-info/METADATA`` in a directory named after the file.
    """
    found = find_member(archive, _METADATA.fullmatch)
    if found.count != 1:
        raise Unservable.misbuilt(
            f"The wheel has {found.count} files *.dist-info/METADATA, not one."
        )
    path = found.name.decode("utf-8", "backslashreplace")
    name, _, version = path.removesuffix(".dist-info/METADATA").partition("-")
    if not same_release(name, version, identity):
        raise Unservable.misbuilt(
            f"The wheel holds {path[:200]!r}, its file name says "
            f"'{identity.name} {identity.version}'."
        )
    return read_member(archive, found)
