"""An sdist: whether it is whole, and its PKG-INFO where it has one."""

import gzip
import re
import tarfile
import zlib
from typing import IO, cast

from entitlements_core.engine.distributions import METADATA_LIMIT, Unservable
from entitlements_core.engine.wheels import open_zip, read_member

__all__ = ["UNPACKED_LIMIT", "sdist_pkg_info"]

UNPACKED_LIMIT = 4 * 1024 * 1024 * 1024
"""Bytes that an sdist may unpack to, inclusive; it is read to its end to know that it is whole."""

_PKG_INFO = re.compile(r"(?:\./)?[^/]+/PKG-INFO")
_CHUNK = 1 << 16


class _Counted:
    """A stream that refuses to give more than `UNPACKED_LIMIT` bytes."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream = stream
        self._left = limit

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise Unservable.misbuilt("The sdist unpacks to more than an index should hold.")
        return data


def sdist_pkg_info(archive: IO[bytes], filename: str) -> bytes | None:
    """The PKG-INFO of an sdist, None where it has none; at most `METADATA_LIMIT` bytes.

    A ``.tar.gz`` is read to its end: half a file must not pass for a whole one.

    Raises:
        Unservable: the archive is truncated or damaged, or too large.
    """
    return _from_zip(archive) if filename.endswith(".zip") else _from_tar(archive)


def _from_zip(archive: IO[bytes]) -> bytes | None:
    with open_zip(archive) as sdist:
        found = [name for name in sdist.namelist() if _PKG_INFO.fullmatch(name)]
        return read_member(sdist, found[0]) if found else None


def _from_tar(archive: IO[bytes]) -> bytes | None:
    try:
        with gzip.GzipFile(fileobj=archive) as unpacked:
            stream = _Counted(cast("IO[bytes]", unpacked), UNPACKED_LIMIT)
            found = _pkg_info(stream)
            while stream.read(_CHUNK):  # the checksum of gzip comes last
                pass
            return found
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError) as error:
        raise Unservable.incomplete(f"It is not a complete .tar.gz archive: {error}.") from error


def _pkg_info(stream: _Counted) -> bytes | None:
    found = None
    # mode "r|" reads forward only, so nothing is unpacked twice and nothing is kept
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|", bufsize=_CHUNK) as sdist:
        for member in sdist:
            if found is None and member.isfile() and _PKG_INFO.fullmatch(member.name):
                found = _contents(sdist, member)
    return found


def _contents(sdist: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > METADATA_LIMIT:
        raise Unservable.misbuilt(f"{member.name} has more than {METADATA_LIMIT} bytes.")
    opened = sdist.extractfile(member)
    return b"" if opened is None else opened.read()
