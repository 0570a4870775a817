"""What reading any one file takes of memory and time, whatever it holds.

Each is read in a process of its own, whose peak the kernel keeps, once in a scan and once as an
upload.
"""

import gzip
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.metadata import parse_email

from entitlements_core.engine import tars
from entitlements_core.engine.core_metadata import read_fields
from entitlements_core.engine.distributions import Unservable, parse_filename
from entitlements_core.engine.sdists import sdist_pkg_info
from entitlements_core.engine.uploads import inspect_upload
from entitlements_core.engine.wheels import wheel_metadata
from entitlements_core.engine.zips import Found, read_member
from tests.engine.bombs import HEAD, PKG_INFO, REFUSED, TAKEN, Bomb, gzipped, header, padded
from tests.wheelhouse import age, build_wheel, wheel_bytes

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
MEMORY: Final = 200_000_000
SECONDS: Final = 10.0
"""Of the processor, for both readings together and the start of the process."""


def read_apart(what: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.engine.reading_apart", what, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def written(directory: Path, bomb: Bomb) -> Path:
    filename, data = bomb()
    directory.mkdir(exist_ok=True, parents=True)
    path = directory / filename
    path.write_bytes(data)
    return age(path)


@pytest.mark.parametrize("bomb", [pytest.param(made, id=name) for name, made in REFUSED.items()])
def test_a_bomb_is_refused_in_little_memory_and_time(tmp_path: Path, bomb: Bomb) -> None:
    took = read_apart("file", written(tmp_path, bomb))

    assert all(0 < len(reason) < 500 for reason in took["said"])
    assert took["peak"] < MEMORY
    assert took["processor"] < SECONDS


@pytest.mark.parametrize("bomb", [pytest.param(made, id=name) for name, made in TAKEN.items()])
def test_odd_files_are_read_in_little_memory_and_time(tmp_path: Path, bomb: Bomb) -> None:
    took = read_apart("file", written(tmp_path, bomb))

    assert took["said"] == ["", ""]
    assert took["peak"] < MEMORY
    assert took["processor"] < SECONDS


def test_a_folder_of_bombs_is_scanned_and_the_good_file_served(tmp_path: Path) -> None:
    for number, bomb in enumerate(REFUSED.values()):
        written(tmp_path / str(number), bomb)
    build_wheel(tmp_path, "lab-good", "1.0")

    took = read_apart("directory", tmp_path)

    assert took["said"] == ["lab_good-1.0-py3-none-any.whl", str(len(REFUSED))]
    assert took["peak"] < MEMORY
    assert took["processor"] < SECONDS * 4


FIELD_NAMES: Final = (
    "Name",
    "NAME",
    "Version",
    "Summary",
    "Requires-Dist",
    "License",
    "X",
    "",
    "é",
)
FIELD_LINES: Final = st.one_of(
    st.builds(
        "{}:{}{}".format,
        st.sampled_from(FIELD_NAMES),
        st.sampled_from(["", " ", "\t"]),
        st.text("ab: é\t\udcff", max_size=6),
    ),
    st.sampled_from(["", " folded", "\tfolded", "no field", "Name : x", "From me: x", ":x", " "]),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(FIELD_LINES, max_size=8), st.sampled_from(["\n", "\r\n", "\r"]))
def test_the_fields_are_those_that_installers_read(lines: list[str], end: str) -> None:
    metadata = (end.join(lines) + end).encode("utf-8", "surrogateescape")

    raw, _ = parse_email(metadata)

    fields = read_fields(metadata)
    for name, key in (("name", "name"), ("version", "version"), ("summary", "summary")):
        values = fields.get(name, [])
        assert (values[0].split() if len(values) == 1 else []) == str(raw.get(key, "")).split()
    required = [value.split() for value in fields.get("requires-dist", [])]
    assert required == [value.split() for value in raw.get("requires_dist", [])]


class Forward(io.BytesIO):
    """As a pipe: what is written to it has sizes behind the contents."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a/x", "a/PKG-INFO", "ü/y", "b/PKG-INFO"]), st.binary()),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    st.binary(max_size=20),
    st.sampled_from([io.BytesIO, Forward]),
)
def test_a_whole_zip_is_read_as_zipfile_does(
    files: dict[str, bytes], method: int, comment: bytes, kind: type[io.BytesIO]
) -> None:
    buffer = kind()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = comment
        for name, data in files.items():
            with archive.open(name, "w", force_zip64=kind is Forward) as member:
                member.write(data)
    named = [name for name in files if name.endswith("PKG-INFO")]

    found = sdist_pkg_info(io.BytesIO(buffer.getvalue()), "a-1.zip")

    assert found == (files[named[0]] if named else None)


def test_a_zip_of_very_many_files_has_another_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/filling", bytes(500))
        archive.writestr("a/PKG-INFO", b"x" * 150)
        archive.writestr("a/more", bytes(50))
    data = buffer.getvalue()
    assert b"PK\6\6" in data

    assert sdist_pkg_info(io.BytesIO(data), "a-1.zip") == b"x" * 150

    for at in (data.index(b"PK\6\6"), data.index(b"PK\6\7") + 8):
        with pytest.raises(Unservable, match="not a complete zip"):
            sdist_pkg_info(io.BytesIO(data[:at] + b"\xff" + data[at + 1 :]), "a-1.zip")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a/x", "a/PKG-INFO", "ü/PKG-INFO", "a" * 120 + "/PKG-INFO", "b/y"]),
            st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.LNKTYPE]),
            st.binary(max_size=1500),
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.integers(1, 4),
    st.integers(0, 700),
)
def test_a_whole_tar_is_read_as_tarfile_does(
    files: list[tuple[str, bytes, bytes]], form: int, streams: int, filling: int
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, pax_headers={"comment": "é"}) as made:
        for name, kind, data in files:
            member = tarfile.TarInfo(name)
            member.type, member.mtime, member.linkname = kind, 1.5, "a/" + "l" * 120
            member.size = len(data) if kind == tarfile.REGTYPE else 0
            made.addfile(member, io.BytesIO(data))
    size = len(buffer.getvalue()) // streams
    parts = [buffer.getvalue()[size * n : size * (n + 1)] for n in range(streams - 1)]
    parts.append(buffer.getvalue()[size * (streams - 1) :])
    packed = b"".join(gzip.compress(part) + bytes(filling) for part in parts)
    expected = [
        data for name, kind, data in files if kind == tarfile.REGTYPE and name.endswith("/PKG-INFO")
    ]

    with tarfile.open(fileobj=io.BytesIO(packed)) as whole:
        assert [member.name for member in whole] == [name for name, _, _ in files]
    found = sdist_pkg_info(io.BytesIO(packed), "a-1.tar.gz")

    assert found == (expected[0] if expected else None)


@pytest.mark.parametrize(
    "blocks",
    [
        pytest.param(header(b"x", 9) + padded(b"999 a=b\n"), id="a record that is too long"),
        pytest.param(header(b"x", 9) + padded(b"no record"), id="no record"),
        pytest.param(header(b"x", 9) + padded(b"0 path=x\n"), id="a record of nothing"),
        pytest.param(header(b"x", 9) + padded(b"9 size=x\n"), id="a size that is no number"),
        pytest.param(header(b"x", 900), id="a record that ends early"),
        pytest.param(header(b"0", 9999), id="a file that ends early"),
        pytest.param(header(b"0", -1), id="a file of a negative size"),
        pytest.param(header(b"0", 9999, "a/PKG-INFO"), id="PKG-INFO that ends early"),
        pytest.param(header(b"0", 0) + b"x" * 512, id="a header that is none"),
    ],
)
def test_a_damaged_tar_is_refused(blocks: bytes) -> None:
    with pytest.raises(Unservable, match=r"not a complete \.tar\.gz"):
        sdist_pkg_info(io.BytesIO(gzipped(blocks)), "a-1.tar.gz")


def test_a_size_in_a_record_goes_before_the_one_in_the_header() -> None:
    record = header(b"x", 10) + padded(b"10 size=5\n")
    data = record + header(b"0", 0, "a/PKG-INFO") + padded(b"12345") + bytes(1024)

    assert sdist_pkg_info(io.BytesIO(gzipped(data)), "a-1.tar.gz") == b"12345"


def test_a_file_name_is_bounded() -> None:
    end = "-1.0-py3-none-any.whl"
    parse_filename(end.rjust(255, "a"))
    tags = ".".join("abcdefgh" * 20)
    for odd in (end.rjust(256, "a"), f"lab_foo-1.0-{tags}-{tags}-{tags}.whl"):
        with pytest.raises(Unservable, match="more than 255"):
            parse_filename(odd)


def test_messages_repeat_little_of_a_file() -> None:
    odd = "lab_bar-1.0" + "x" * 60_000
    data = wheel_bytes("lab-foo", "1.0", dist_info=[odd])
    with pytest.raises(Unservable) as refused:
        wheel_metadata(io.BytesIO(data), parse_filename("lab_foo-1.0-py3-none-any.whl"))
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    "name",
    [
        "METADATA by deflate",
        "METADATA of a lie",
        "directory of a million",
        "two directories",
        "requirements without end",
        "a long requirement",
        "a long Requires-Python",
        "long name of gigabytes",
        "PAX header of gigabytes",
        "streams of gzip",
        "PKG-INFO of exabytes",
    ],
)
def test_an_upload_is_refused_and_rewound(name: str) -> None:
    filename, data = REFUSED[name]()
    archive = io.BytesIO(data)

    with pytest.raises(Unservable):
        inspect_upload(
            filename, archive, repository="acme/prod", now=datetime(2026, 1, 1, tzinfo=UTC)
        )

    assert archive.tell() == 0


def test_no_more_members_are_looked_at_than_a_source_can_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tars, "HEADERS", 3)
    few = header(b"0", 0) * 2 + PKG_INFO + bytes(1024)
    assert sdist_pkg_info(io.BytesIO(gzipped(few)), "a-1.tar.gz") == HEAD
    with pytest.raises(Unservable, match="more than 3 files"):
        sdist_pkg_info(io.BytesIO(gzipped(header(b"0", 0) + few)), "a-1.tar.gz")


def test_the_map_of_a_sparse_file_is_passed_over() -> None:
    block = bytearray(header(b"S", 512))
    block[482] = 1
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 32)
    more = bytearray(512)
    more[504] = 1
    sparse = bytes(block) + bytes(more) + bytes(512)
    data = sparse + b"x" * 512 + PKG_INFO + bytes(1024)
    assert sdist_pkg_info(io.BytesIO(gzipped(data)), "a-1.tar.gz") == HEAD
    with pytest.raises(Unservable, match="ends early"):
        sdist_pkg_info(io.BytesIO(gzipped(sparse[:1024])), "a-1.tar.gz")


@pytest.mark.parametrize(
    ("part", "at", "value"),
    [
        pytest.param(b"PK\5\6", 8, b"\x09\0\x09\0", id="number of files"),
        pytest.param(b"PK\5\6", 8, b"\x09\0", id="number of files on this disk"),
        pytest.param(b"PK\5\6", 12, b"\x09\0\0\0", id="size of the directory"),
        pytest.param(b"PK\5\6", 16, b"\0\0\0\0", id="place of the directory"),
        pytest.param(b"PK\1\2", 0, b"PK\1\3", id="signature of a file"),
        pytest.param(b"PK\1\2", 46, b"\0", id="name of a file"),
        pytest.param(b"PK\1\2", 30, b"\xff\xff", id="length of a field"),
    ],
)
def test_a_directory_that_contradicts_itself_is_damage(part: bytes, at: int, value: bytes) -> None:
    data = bytearray(wheel_bytes("lab-foo", "1.0"))
    at += data.rindex(part)
    data[at : at + len(value)] = value
    with pytest.raises(Unservable, match="not a complete zip"):
        wheel_metadata(io.BytesIO(data), parse_filename("lab_foo-1.0-py3-none-any.whl"))


def test_nothing_stands_before_or_behind_an_archive() -> None:
    whole = wheel_bytes("lab-foo", "1.0")
    for data in (b"before" + whole, whole + b"behind"):
        with pytest.raises(Unservable, match="not a complete zip"):
            wheel_metadata(io.BytesIO(data), parse_filename("lab_foo-1.0-py3-none-any.whl"))


def test_a_number_that_is_nowhere_is_damage() -> None:
    data = bytearray(wheel_bytes("lab-foo", "1.0"))
    entry = data.rindex(b"PK\1\2", 0, data.rindex(b"dist-info/METADATA"))
    data[entry + 42 : entry + 46] = b"\xff" * 4
    with pytest.raises(Unservable, match="not a complete zip"):
        wheel_metadata(io.BytesIO(data), parse_filename("lab_foo-1.0-py3-none-any.whl"))


def test_only_what_was_found_is_read() -> None:
    with pytest.raises(ValueError, match="No member"):
        read_member(io.BytesIO(), Found(0), 1)
