"""Small files that would take gigabytes or minutes from a reader that believes them."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Final

from tests.wheelhouse import core_metadata, wheel_bytes

WHEEL: Final = "lab_foo-1.0-py3-none-any.whl"
SDIST: Final = "lab_foo-1.0.tar.gz"
MEMBER: Final = "lab_foo-1.0.dist-info/METADATA"
MIB: Final = 1 << 20
HEAD: Final = b"Metadata-Version: 2.1\nName: lab-foo\nVersion: 1.0\n"


def packed_wheel(method: int, size: int = 128 * MIB) -> bytes:
    """METADATA of blanks, by any method of zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive, archive.open(MEMBER, "w") as member:
        for _ in range(size // MIB):
            member.write(b" " * MIB)
    return buffer.getvalue()


def lying_wheel(size: int, *, stated: int) -> bytes:
    """Deflated METADATA that unpack to more than the archive states."""
    data = deflated(b" " * MIB, size // MIB)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(data), stated, 30, 0)
    entry = struct.pack(
        *("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0),
        *(len(data), stated, 30, 0, 0, 0, 0, 0, 0),
    )
    return ended(local + MEMBER.encode() + data, entry + MEMBER.encode(), 1)


def crowded_wheel(members: int) -> bytes:
    """A wheel and a directory of very many files of no contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(MEMBER, HEAD)
    data = buffer.getvalue()
    at = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, *[0] * 7, 8, *[0] * 6)
    many = b"".join(entry + b"%08d" % number for number in range(members))
    return ended(data[:at], data[at:end] + many, members + 1)


def ended(contents: bytes, directory: bytes, members: int) -> bytes:
    """A zip archive of its parts."""
    count = members & 0xFFFF
    where = len(directory), len(contents)
    return contents + directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, *where, 0)


def hiding_wheel() -> bytes:
    """The comment of one archive holds the directory of another."""
    inner = wheel_bytes("lab-foo", "1.0")
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr(MEMBER, core_metadata("lab-foo", "1.0", requires=["evil"]))
        archive.writestr("filling.bin", bytes(len(inner)))
    at, data = inner.index(b"PK\1\2"), outer.getvalue()
    directory, end = inner[at : inner.index(b"PK\5\6")], inner[inner.index(b"PK\5\6") :]
    start = struct.pack("<L", len(data))
    comment = directory + end[:16] + start + end[20:]
    return data[:-2] + struct.pack("<H", len(comment)) + comment


def described_wheel(metadata: bytes) -> bytes:
    """A whole wheel with odd METADATA."""
    return wheel_bytes("lab-foo", "1.0", metadata=metadata)


def deflated(piece: bytes, times: int, head: bytes = b"", tail: bytes = b"") -> bytes:
    """A raw deflate stream of a head, a piece that is repeated and a tail; not all is packed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)]
    again = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"".join([*parts, again * times, packer.compress(tail), packer.flush()])


def zipped(piece: bytes, times: int, head: bytes = b"", tail: bytes = b"") -> bytes:
    """The same as a gzip file, whose checksum is none."""
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + deflated(piece, times, head, tail) + bytes(8)


def header(kind: bytes, size: int, name: str = "lab_foo-1.0/x") -> bytes:
    """One block of a tar archive."""
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


def padded(data: bytes) -> bytes:
    """Filled up to whole blocks of a tar archive."""
    return data + bytes(-len(data) % 512)


PKG_INFO: Final = header(b"0", len(HEAD), "lab_foo-1.0/PKG-INFO") + padded(HEAD)


def sparse() -> bytes:
    """The map of a sparse file that goes on for half a gigabyte."""
    block = bytearray(header(b"S", 0))
    block[482] = 1
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 32)
    more = bytearray(b"%011o\0" % 1 * 42 + bytes(8))
    more[504] = 1
    return zipped(bytes(more) * 2048, 512, bytes(block))


def pax(record: bytes, times: int) -> bytes:
    """A PAX header of one record that is repeated."""
    size = len(record) * times
    return header(b"x", size) + padded(record * times)


def sparse_map() -> bytes:
    """A sparse file described by millions of numbers in one PAX record."""
    value = b"GNU.sparse.map=" + b"0,0," * 5_000_000 + b"0,0\n"
    record = b"%d %s" % (len(value) + 9, value)
    return header(b"x", len(record)) + padded(record) + PKG_INFO + bytes(1024)


def gzipped(data: bytes) -> bytes:
    """A whole gzip file, packed fast."""
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return packer.compress(data) + packer.flush()


def lines(line: bytes) -> bytes:
    """METADATA of nearly two megabytes of one line, or of lines that are numbered."""
    room = 2 * MIB - len(HEAD) - 100
    numbered = (line % number if b"%" in line else line for number in range(room // 11))
    return HEAD + b"".join(numbered)[:room] + b"\n\nText\n"


Bomb = Callable[[], tuple[str, bytes]]

REFUSED: Final[dict[str, Bomb]] = {
    "METADATA by bzip2": lambda: (WHEEL, packed_wheel(zipfile.ZIP_BZIP2)),
    "METADATA by lzma": lambda: (WHEEL, packed_wheel(zipfile.ZIP_LZMA)),
    "METADATA by deflate": lambda: (WHEEL, packed_wheel(zipfile.ZIP_DEFLATED)),
    "stored METADATA": lambda: (WHEEL, packed_wheel(zipfile.ZIP_STORED, 64 * MIB)),
    "METADATA of a lie": lambda: (WHEEL, lying_wheel(1024 * MIB, stated=100)),
    "METADATA of gigabytes": lambda: (WHEEL, lying_wheel(1024 * MIB, stated=1024 * MIB)),
    "directory of a million": lambda: (WHEEL, crowded_wheel(1_000_000)),
    "two directories": lambda: (WHEEL, hiding_wheel()),
    "requirements without end": lambda: (WHEEL, described_wheel(lines(b"Requires-Dist:a\n"))),
    "a long requirement": lambda: (
        WHEEL,
        described_wheel(HEAD + b"Requires-Dist: a" + b">=1," * 500_000 + b"\n"),
    ),
    "a long Requires-Python": lambda: (
        WHEEL,
        described_wheel(HEAD + b"Requires-Python: " + b">=1," * 500_000 + b"\n"),
    ),
    "a version of a million digits": lambda: (
        WHEEL,
        described_wheel(b"Name: lab-foo\nVersion: " + b"1" * MIB + b"\n"),
    ),
    "a name of a million letters": lambda: (
        WHEEL,
        described_wheel(b"Name: " + b"a-_." * (MIB // 4) + b"\nVersion: 1.0\n"),
    ),
    "PAX header of gigabytes": lambda: (
        SDIST,
        zipped(bytes(MIB), 2048, header(b"x", 2048 * MIB) + b"2147483648 comment="),
    ),
    "long name of gigabytes": lambda: (SDIST, zipped(b"a" * MIB, 2048, header(b"L", 2048 * MIB))),
    "long link of gigabytes": lambda: (SDIST, zipped(b"a" * MIB, 2048, header(b"K", 2048 * MIB))),
    "global header of gigabytes": lambda: (
        SDIST,
        zipped(bytes(MIB), 2048, header(b"g", 2048 * MIB)),
    ),
    "members without end": lambda: (SDIST, zipped(header(b"0", 0) * 2048, 512)),
    "headers of headers": lambda: (SDIST, zipped(pax(b"11 mtime=1\n", 1) * 1024, 512)),
    "PAX records without end": lambda: (SDIST, zipped(pax(b"4 =\n", 200_000), 64)),
    "map of a sparse file": lambda: (SDIST, sparse()),
    "map in a PAX record": lambda: (SDIST, gzipped(sparse_map())),
    "streams of gzip": lambda: (SDIST, gzipped(PKG_INFO + bytes(1024)) + gzipped(b"") * 400_000),
    "gigabytes behind PKG-INFO": lambda: (SDIST, zipped(bytes(MIB), 8192, PKG_INFO)),
    "PKG-INFO of exabytes": lambda: (
        SDIST,
        gzipped(header(b"0", 1 << 62, "lab_foo-1.0/PKG-INFO") + bytes(MIB)),
    ),
}
"""What no index can take."""

TAKEN: Final[dict[str, Bomb]] = {
    "as many fields as fit": lambda: (WHEEL, described_wheel(lines(b"%08x:\n"))),
    "as many lines as fit": lambda: (
        WHEEL,
        described_wheel(HEAD + b"Summary: x\n" + b" \n" * (MIB - 99)),
    ),
    "nested parentheses": lambda: (
        WHEEL,
        described_wheel(HEAD + b"Requires-Dist: a; " + b"(" * 4000 + b"\n"),
    ),
    "as many requirements as are allowed": lambda: (
        WHEEL,
        described_wheel(
            HEAD + b"".join(b"Requires-Dist: a%d; python_version<'3'\n" % n for n in range(10_000))
        ),
    ),
    "100,000 files": lambda: (WHEEL, crowded_wheel(100_000)),
}
"""What can be read, however odd."""
