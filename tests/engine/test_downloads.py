"""Files as responses: how they are read, counted, sent by others, and always closed."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.downloads import (
    DirectSender,
    Offload,
    part_sent_elsewhere,
    send_file,
)
from entitlements_core.engine.files import CHUNK, OpenFile
from entitlements_core.http import ByteRange
from entitlements_core.policy.decide import NOT_FOUND
from entitlements_core.wsgi import Response
from tests.engine.two_files import (
    BIG,
    QUESTION,
    SMALL,
    Counter,
    asked,
    is_open,
    opened,
    sent,
)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (SMALL, None),
        (SMALL, (0, 10)),
        (SMALL, (1, None)),
        (BIG, None),
        (BIG, (0, 10)),
        (BIG, (7, CHUNK + 9)),
        (BIG, (CHUNK - 1, 2 * CHUNK + 1)),
        (BIG, (1, None)),
    ],
)
def test_a_stretch_is_sent_and_the_file_closed(
    two_files: Catalog, name: str, wanted: tuple[int, int | None] | None
) -> None:
    found = opened(two_files, name)
    descriptor, size = found.descriptor, found.file.size
    content = Path(found.file.path).read_bytes()
    extent = None if wanted is None else ByteRange(wanted[0], wanted[1] or size)

    response = sent(DirectSender(), found, extent)

    expected = content if extent is None else content[extent.start : extent.stop]
    assert b"".join(response.body) == expected
    assert dict(response.headers)["Content-Length"] == str(len(expected))
    assert response.status == (200 if extent is None else 206)
    assert not is_open(descriptor)


def test_a_client_that_leaves_leaves_nothing_open(two_files: Catalog) -> None:
    found = opened(two_files, BIG)
    descriptor = found.descriptor
    chunks = sent(DirectSender(), found).body
    reading = iter(chunks)
    assert len(next(reading)) == CHUNK
    assert is_open(descriptor)
    chunks.close()  # type: ignore[attr-defined]  # PEP 3333
    chunks.close()  # type: ignore[attr-defined]  # PEP 3333
    assert not is_open(descriptor)


def test_a_file_that_shrinks_meanwhile_ends_early(two_files: Catalog) -> None:
    found = opened(two_files, BIG)
    chunks = sent(DirectSender(), found).body
    os.truncate(found.file.path, CHUNK + 3)
    assert len(b"".join(chunks)) == CHUNK + 3


class Wrapper:
    """As a server's ``wsgi.file_wrapper``."""

    def __init__(self, stream: io.FileIO, size: int) -> None:
        self.stream, self.size = stream, size

    def __iter__(self) -> Iterator[bytes]:
        yield self.stream.read()

    def close(self) -> None:
        self.stream.close()


def test_the_server_sends_a_whole_large_file_itself(two_files: Catalog) -> None:
    found = opened(two_files, BIG)
    chunks = sent(DirectSender(), found, wrapper=Wrapper).body
    assert isinstance(chunks, Wrapper)
    descriptor = chunks.stream.fileno()
    found.close()  # the server's now
    assert is_open(descriptor)
    assert b"".join(chunks) == Path(found.file.path).read_bytes()
    chunks.close()
    assert not is_open(descriptor)


@pytest.mark.parametrize(("name", "wanted"), [(SMALL, None), (BIG, ByteRange(0, CHUNK + 9))])
def test_small_files_and_parts_are_read_here(
    two_files: Catalog, name: str, wanted: ByteRange | None
) -> None:
    found = opened(two_files, name)
    chunks = sent(DirectSender(), found, wanted, wrapper=Wrapper).body
    assert not isinstance(chunks, Wrapper)
    assert b"".join(chunks)


@pytest.mark.parametrize(
    ("header", "location", "expected"),
    [
        ("X-Accel-Redirect", "/internal", f"/internal/deep%20dir/{BIG}"),
        ("X-Accel-Redirect", "/internal/", f"/internal/deep%20dir/{BIG}"),
        ("X-Sendfile", "/srv/files", f"/srv/files/deep%20dir/{BIG}"),
    ],
)
def test_a_server_in_front_is_told_where(
    two_files: Catalog, header: str, location: str, expected: str
) -> None:
    found = opened(two_files, BIG)
    descriptor = found.descriptor
    response = sent(Offload(header, (location,)), found, ByteRange(5, 10))
    headers = response.headers
    assert list(response.body) == []
    assert dict(headers)[header] == expected
    assert [value for name, value in headers if name == "Content-Length"] == ["0"]
    assert "Content-Range" not in dict(headers)
    assert dict(headers)["ETag"] == found.etag
    assert not is_open(descriptor)


def test_who_reads_the_conditions_of_a_range() -> None:
    assert DirectSender().elsewhere is False
    assert Offload("X-Sendfile", ("/",)).elsewhere is True


def test_the_whole_of_an_empty_file_is_sent(tmp_path: Path) -> None:
    empty = tmp_path / "empty-1.0.tar.gz"
    empty.touch()
    stored = StoredEmpty(path=str(empty))
    response = sent(DirectSender(), OpenFile(stored, os.open(empty, os.O_RDONLY), '"x"'))
    assert response.status == 200
    assert b"".join(response.body) == b""


@dataclass(frozen=True)
class StoredEmpty:
    """A file of no bytes."""

    path: str
    size: int = 0
    relative: str = "empty-1.0.tar.gz"
    root_index: int = 0


# One sequence: whatever can fail, then the count, then the first byte.


class Failing(DirectSender):
    """A sender that ends in an error."""

    def send(
        self, opened: OpenFile, part: ByteRange, head: Response, environ: dict[str, Any]
    ) -> Response:
        raise OSError("the disk is gone")


def test_what_cannot_be_sent_is_given_back(two_files: Catalog) -> None:
    found, counter = opened(two_files, SMALL), Counter()
    descriptor = found.descriptor
    with pytest.raises(OSError, match="the disk is gone"):
        sent(Failing(), found, counter=counter)
    assert (len(counter.parts), counter.released) == (1, 1)
    assert not is_open(descriptor)


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("HEAD", {}, 200),
        ("GET", {"HTTP_IF_NONE_MATCH": "*"}, 304),
        ("GET", {"HTTP_RANGE": "bytes=99999999-"}, 416),
    ],
)
def test_nothing_is_counted_of_what_has_no_byte(
    two_files: Catalog, method: str, headers: dict[str, Any], status: int
) -> None:
    found, counter = opened(two_files, SMALL), Counter()
    descriptor = found.descriptor
    response = sent(DirectSender(), found, counter=counter, method=method, **headers)
    assert response.status == status
    assert counter.parts == []
    assert not is_open(descriptor)


def test_a_limit_is_the_answer(two_files: Catalog) -> None:
    found = opened(two_files, BIG)
    descriptor, counter = found.descriptor, Counter(denies=NOT_FOUND)
    denied = send_file(found, QUESTION, asked(), gate=counter, sender=DirectSender())
    assert denied is NOT_FOUND
    assert not is_open(descriptor)


@pytest.mark.parametrize(
    ("headers", "part"),
    [
        ({}, (0, 100)),
        ({"HTTP_RANGE": "bytes=2-5"}, (2, 6)),
        ({"HTTP_RANGE": "bytes=2-5", "HTTP_IF_RANGE": '"x"'}, (0, 100)),
        ({"HTTP_RANGE": "bytes=2-5", "HTTP_ACCEPT_ENCODING": "gzip"}, (0, 100)),
        ({"HTTP_RANGE": "bytes=500-"}, (0, 100)),
    ],
)
def test_what_another_server_sends(headers: dict[str, str], part: tuple[int, int]) -> None:
    assert part_sent_elsewhere(asked(**headers), 100) == ByteRange(*part)
