"""Bodies: how they are read, sent by others, and always closed."""

import io
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from entitlements_core.engine import files
from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.content_cache import ContentCache
from entitlements_core.engine.files import (
    CHUNK,
    DirectSender,
    Offload,
    OpenFile,
    open_current,
    plan,
)
from entitlements_core.http import ByteRange
from tests.factories import NOW, REPOSITORY
from tests.file_times import FileTimes
from tests.wheelhouse import build_wheel

BIG = "big-1.0-py3-none-any.whl"
SMALL = "small-1.0-py3-none-any.whl"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A small file, and one of more than three chunks."""
    build_wheel(tmp_path / "files", "small", "1.0")
    build_wheel(tmp_path / "files" / "deep dir", "big", "1.0", padding=3 * CHUNK + 5)
    catalog = Catalog(
        [tmp_path / "files"],
        repository=REPOSITORY,
        cache=tmp_path / "catalog.db",
        clock=lambda: NOW,
        uploads=FileTimes(),
    )
    catalog.refresh()
    yield catalog
    catalog.close()


def opened(catalog: Catalog, name: str) -> OpenFile:
    file = catalog.snapshot.file(name)
    assert file is not None
    found = open_current(catalog, file)
    assert found is not None
    return found


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


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
    catalog: Catalog, name: str, wanted: tuple[int, int | None] | None
) -> None:
    found = opened(catalog, name)
    descriptor, size = found.descriptor, found.file.size
    content = Path(found.file.path).read_bytes()
    extent = None if wanted is None else ByteRange(wanted[0], wanted[1] or size)

    body = plan(found, extent)
    headers, chunks = DirectSender().send(found, body, {})

    expected = content if extent is None else content[extent.start : extent.stop]
    assert b"".join(chunks) == expected
    assert dict(headers)["Content-Length"] == str(len(expected))
    assert body.status == (200 if extent is None else 206)
    assert not is_open(descriptor)


def test_a_client_that_leaves_leaves_nothing_open(catalog: Catalog) -> None:
    found = opened(catalog, BIG)
    descriptor = found.descriptor
    _, chunks = DirectSender().send(found, plan(found, None), {})
    reading = iter(chunks)
    assert len(next(reading)) == CHUNK
    assert is_open(descriptor)
    chunks.close()  # type: ignore[attr-defined]  # PEP 3333
    chunks.close()  # type: ignore[attr-defined]  # PEP 3333
    assert not is_open(descriptor)


def test_a_file_that_shrinks_meanwhile_ends_early(catalog: Catalog) -> None:
    found = opened(catalog, BIG)
    _, chunks = DirectSender().send(found, plan(found, None), {})
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


def test_the_server_sends_a_whole_large_file_itself(catalog: Catalog) -> None:
    found = opened(catalog, BIG)
    _, chunks = DirectSender().send(found, plan(found, None), {"wsgi.file_wrapper": Wrapper})
    assert isinstance(chunks, Wrapper)
    descriptor = chunks.stream.fileno()
    found.close()  # the server's now
    assert is_open(descriptor)
    assert b"".join(chunks) == Path(found.file.path).read_bytes()
    chunks.close()
    assert not is_open(descriptor)


@pytest.mark.parametrize(("name", "wanted"), [(SMALL, None), (BIG, ByteRange(0, CHUNK + 9))])
def test_small_files_and_parts_are_read_here(
    catalog: Catalog, name: str, wanted: ByteRange | None
) -> None:
    found = opened(catalog, name)
    _, chunks = DirectSender().send(found, plan(found, wanted), {"wsgi.file_wrapper": Wrapper})
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
    catalog: Catalog, header: str, location: str, expected: str
) -> None:
    found = opened(catalog, BIG)
    descriptor = found.descriptor
    body = plan(found, ByteRange(5, 10))
    headers, chunks = Offload(header, (location,)).send(found, body, {})
    assert list(chunks) == []
    assert dict(headers)[header] == expected
    assert [value for name, value in headers if name == "Content-Length"] == ["0"]
    assert "Content-Range" not in dict(headers)
    assert dict(headers)["ETag"] == found.etag
    assert not is_open(descriptor)


def test_who_reads_the_conditions_of_a_range() -> None:
    assert DirectSender().elsewhere is False
    assert Offload("X-Sendfile", ("/",)).elsewhere is True


@pytest.mark.parametrize("change", ["removed", "touched", "truncated"])
def test_a_changed_file_is_not_opened_and_looked_at_again(
    catalog: Catalog, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: list[str] = []
    monkeypatch.setattr(catalog, "touch", touched.append)
    closed: list[int] = []
    close = os.close

    def closing(descriptor: int) -> None:
        closed.append(descriptor)
        close(descriptor)

    monkeypatch.setattr(os, "close", closing)
    file = catalog.snapshot.file(SMALL)
    assert file is not None
    path = Path(file.path)
    if change == "removed":
        path.unlink()
    elif change == "touched":
        os.utime(path, ns=(1, 1))
    else:
        os.truncate(path, 5)

    assert open_current(catalog, file) is None
    assert touched == [str(path)]
    assert len(closed) == (change != "removed")


def test_closing_twice_closes_once(catalog: Catalog) -> None:
    found = opened(catalog, SMALL)
    found.close()
    assert found.descriptor == -1
    found.close()


def test_the_whole_of_an_empty_file_is_planned(catalog: Catalog) -> None:
    small = catalog.snapshot.file(SMALL)
    assert small is not None
    empty = replace(small, facts=replace(small.facts, size=0))
    body = plan(files.OpenFile(empty, -1, '"x"'), None)
    assert (body.status, body.start, body.length) == (200, 0, 0)


def whole(
    catalog: Catalog, name: str, bodies: ContentCache, wanted: ByteRange | None = None
) -> bytes:
    file = catalog.snapshot.file(name)
    assert file is not None
    found = open_current(catalog, file, bodies)
    assert found is not None
    _, chunks = DirectSender().send(found, plan(found, wanted), {})
    return b"".join(chunks)


@pytest.mark.parametrize("wanted", [None, ByteRange(0, 10), ByteRange(5, 77)])
def test_a_small_file_is_read_once(catalog: Catalog, wanted: ByteRange | None) -> None:
    bodies, file = ContentCache(), catalog.snapshot.file(SMALL)
    assert file is not None
    content = Path(file.path).read_bytes()
    assert whole(catalog, SMALL, bodies) == content
    assert bodies.get(file.facts.sha256) == content

    found = open_current(catalog, file, bodies)
    assert found is not None
    assert found.descriptor == -1
    stretch = content if wanted is None else content[wanted.start : wanted.stop]
    assert whole(catalog, SMALL, bodies, wanted) == stretch


def test_a_part_and_a_large_file_are_not_kept(catalog: Catalog) -> None:
    bodies = ContentCache()
    whole(catalog, SMALL, bodies, ByteRange(0, 10))
    whole(catalog, BIG, bodies)
    kept = [catalog.snapshot.file(name) for name in (SMALL, BIG)]
    assert [bodies.get(file.facts.sha256) for file in kept if file is not None] == [None, None]


@pytest.mark.parametrize("change", ["removed", "rewritten"])
def test_a_file_in_memory_is_not_there_when_the_disk_has_another(
    catalog: Catalog, change: str
) -> None:
    bodies, file = ContentCache(), catalog.snapshot.file(SMALL)
    assert file is not None
    whole(catalog, SMALL, bodies)
    Path(file.path).unlink() if change == "removed" else Path(file.path).write_bytes(b"other")

    assert open_current(catalog, file, bodies) is None
