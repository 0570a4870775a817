"""The project that a file's core metadata name, whatever else is wrong with the file.

A file that is not served may be renamed, or be the only trace of a project. The name inside it is
the vendor's as much as the one outside.
"""

import codecs
import re
import zlib
from contextlib import suppress
from typing import IO, Final

from packaging.utils import NormalizedName

from entitlements_core.engine.core_metadata import read_fields
from entitlements_core.engine.distributions import METADATA_LIMIT, Unservable, faults_of_one_file
from entitlements_core.engine.tars import Damaged, Excessive, TooLong, Unpacked, find_file
from entitlements_core.engine.zips import find_member, read_member
from entitlements_core.policy.project_names import cleaned

__all__ = ["stated_name"]

_TAR: Final = ".tar.gz"
_MEMBER: Final = re.compile(r"(?:\./)?(?:[^/]+\.dist-info/METADATA|(?:[^/]+/)?PKG-INFO)")
"""Of a wheel, an sdist or an egg."""
_MEMBER_BYTES: Final = re.compile(_MEMBER.pattern.encode())

_UNPACKED_LIMIT: Final = 256 * 1024 * 1024
"""Bytes of an sdist that are looked through, inclusive; PKG-INFO is mostly among the first."""


def stated_name(
    archive: IO[bytes], filename: str, limit: int = METADATA_LIMIT
) -> NormalizedName | None:
    """The name in the first core metadata of an archive; None where none can be read.

    Args:
        archive: seekable; read from its start.
        filename: says by its end which kind it is.
        limit: bytes that the core metadata may have, inclusive.
    """
    metadata = None
    with suppress(Unservable, OSError), faults_of_one_file():
        archive.seek(0)
        read = _in_tar if filename.lower().endswith(_TAR) else _in_zip
        metadata = read(archive, limit)
    names = read_fields((metadata or b"").removeprefix(codecs.BOM_UTF8)).get("name", [])
    return cleaned(names[0]) if names else None


def _in_zip(archive: IO[bytes], limit: int) -> bytes | None:
    found = find_member(archive, _MEMBER_BYTES.fullmatch)
    return read_member(archive, found, limit) if found.count else None


def _in_tar(archive: IO[bytes], limit: int) -> bytes | None:
    """It need not be whole: what comes before the damage is enough."""
    try:
        return find_file(Unpacked(archive, _UNPACKED_LIMIT), _MEMBER.fullmatch, limit)
    except (Damaged, Excessive, TooLong, zlib.error):
        return None
