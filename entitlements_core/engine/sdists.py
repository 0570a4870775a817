"""An sdist: whether it is whole, and its PKG-INFO where it has one."""

import io
import re
import zlib
from typing import IO

from entitlements_core.engine.distributions import METADATA_LIMIT, TooLarge, Unservable
from entitlements_core.engine.tars import Damaged, Excessive, TooLong, Unpacked, find_file
from entitlements_core.engine.zips import find_member, read_member

__all__ = ["sdist_pkg_info"]

UNPACKED_LIMIT = 4 * 1024 * 1024 * 1024
"""Bytes that an sdist may unpack to, inclusive; it is read to its end to know that it is whole."""

_UNPACKED_LEAST = 256 * 1024 * 1024
_UNPACKED_RATIO = 20
"""So many bytes any sdist may unpack to, and so many more for each of its own: what reading a file
costs grows with what was sent, and not with what it claims. Sources pack to a fifth."""

_PKG_INFO = re.compile(r"(?:\./)?[^/]+/PKG-INFO")
_PKG_INFO_BYTES = re.compile(_PKG_INFO.pattern.encode())


def sdist_pkg_info(archive: IO[bytes], filename: str, limit: int = METADATA_LIMIT) -> bytes | None:
    """The PKG-INFO of an sdist, None where it has none.

    A ``.tar.gz`` is read to its end: half a file must not pass for a whole one.

    Args:
        archive: seekable; read from its start.
        filename: says which kind it is.
        limit: bytes that PKG-INFO may have, inclusive.

    Raises:
        TooLarge: PKG-INFO has more.
        Unservable: the archive is truncated or damaged, or too large.
    """
    if filename.endswith(".zip"):
        return _from_zip(archive, limit)
    return _from_tar(archive, limit)


def _from_zip(archive: IO[bytes], limit: int) -> bytes | None:
    found = find_member(archive, _PKG_INFO_BYTES.fullmatch)
    return read_member(archive, found, limit) if found.count else None


def _from_tar(archive: IO[bytes], limit: int) -> bytes | None:
    size = archive.seek(0, io.SEEK_END)
    archive.seek(0)
    unpacked = Unpacked(archive, min(UNPACKED_LIMIT, _UNPACKED_LEAST + _UNPACKED_RATIO * size))
    try:
        found = find_file(unpacked, _PKG_INFO.fullmatch, limit)
        unpacked.drain()
    except (Damaged, zlib.error, OSError) as error:
        raise Unservable.incomplete(f"It is not a complete .tar.gz archive: {error}.") from error
    except TooLong as error:
        raise TooLarge(error.name, limit, error.size) from error
    except Excessive as error:
        raise Unservable.misbuilt(str(error)) from error
    return found
