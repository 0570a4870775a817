"""The core metadata inside a wheel (PEP 427): the one file of it that an index serves."""

import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from entitlements_core.engine.distributions import (
    METADATA_LIMIT,
    Identity,
    Unservable,
    same_release,
)

__all__ = ["open_zip", "read_member", "wheel_metadata"]

_METADATA = re.compile(r"([^/]+)\.dist-info/METADATA")

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,  # a name that is not UTF-8, an offset before the start
    NotImplementedError,  # a compression method that nobody else reads either
    RuntimeError,  # an encrypted member
    OverflowError,
)


def wheel_metadata(archive: IO[bytes], identity: Identity) -> bytes:
    """The METADATA file of a wheel, at most `METADATA_LIMIT` bytes.

    Raises:
        Unservable: the archive is damaged, or does not hold exactly one top-level
            ``*.dist-info/METADATA`` in a directory named after the file.
    """
    with open_zip(archive) as wheel:
        found = [name for name in wheel.namelist() if _METADATA.fullmatch(name)]
        if len(found) != 1:
            raise Unservable.misbuilt(
                f"The wheel has {len(found)} files *.dist-info/METADATA, not one."
            )
        directory = found[0].removesuffix(".dist-info/METADATA")
        name, _, version = directory.partition("-")
        if not same_release(name, version, identity):
            raise Unservable.misbuilt(
                f"The wheel holds {found[0]!r}, its file name says "
                f"'{identity.name} {identity.version}'."
            )
        return read_member(wheel, found[0])


@contextmanager
def open_zip(archive: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive; whatever is wrong with it becomes `Unservable`."""
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except _DAMAGE as error:
        raise Unservable.incomplete(f"It is not a complete zip archive: {error}.") from error


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read one member, but never more than `METADATA_LIMIT` bytes, whatever its header says.

    Raises:
        Unservable: it is larger.
    """
    with archive.open(name) as member:
        data = member.read(METADATA_LIMIT + 1)
    if len(data) > METADATA_LIMIT:
        raise Unservable.misbuilt(f"{name} has more than {METADATA_LIMIT} bytes.")
    return data
