"""Files on the disk, opened only if they are what the catalog says."""

import os
from pathlib import Path

import pytest

from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.content_cache import ContentCache
from entitlements_core.engine.downloads import DirectSender
from entitlements_core.engine.files import open_current
from entitlements_core.http import ByteRange
from tests.engine.two_files import BIG, SMALL, opened, sent


@pytest.mark.parametrize("change", ["removed", "touched", "truncated"])
def test_a_changed_file_is_not_opened_and_looked_at_again(
    two_files: Catalog, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: list[str] = []
    monkeypatch.setattr(two_files, "recheck", touched.append)
    closed: list[int] = []
    close = os.close

    def closing(descriptor: int) -> None:
        closed.append(descriptor)
        close(descriptor)

    monkeypatch.setattr(os, "close", closing)
    file = two_files.snapshot.file(SMALL)
    assert file is not None
    path = Path(file.path)
    if change == "removed":
        path.unlink()
    elif change == "touched":
        os.utime(path, ns=(1, 1))
    else:
        os.truncate(path, 5)

    assert open_current(two_files, file) is None
    assert touched == [str(path)]
    assert len(closed) == (change != "removed")


def test_closing_twice_closes_once(two_files: Catalog) -> None:
    found = opened(two_files, SMALL)
    found.close()
    assert found.descriptor == -1
    found.close()


def whole(
    two_files: Catalog, name: str, bodies: ContentCache, wanted: ByteRange | None = None
) -> bytes:
    file = two_files.snapshot.file(name)
    assert file is not None
    found = open_current(two_files, file, bodies)
    assert found is not None
    return b"".join(sent(DirectSender(), found, wanted).body)


@pytest.mark.parametrize("wanted", [None, ByteRange(0, 10), ByteRange(5, 77)])
def test_a_small_file_is_read_once(two_files: Catalog, wanted: ByteRange | None) -> None:
    bodies, file = ContentCache(), two_files.snapshot.file(SMALL)
    assert file is not None
    content = Path(file.path).read_bytes()
    assert whole(two_files, SMALL, bodies) == content
    assert bodies.get(file.facts.sha256) == content

    found = open_current(two_files, file, bodies)
    assert found is not None
    assert found.descriptor == -1
    stretch = content if wanted is None else content[wanted.start : wanted.stop]
    assert whole(two_files, SMALL, bodies, wanted) == stretch


def test_a_part_and_a_large_file_are_not_kept(two_files: Catalog) -> None:
    bodies = ContentCache()
    whole(two_files, SMALL, bodies, ByteRange(0, 10))
    whole(two_files, BIG, bodies)
    kept = [two_files.snapshot.file(name) for name in (SMALL, BIG)]
    assert [bodies.get(file.facts.sha256) for file in kept if file is not None] == [None, None]


@pytest.mark.parametrize("change", ["removed", "rewritten"])
def test_a_file_in_memory_is_not_there_when_the_disk_has_another(
    two_files: Catalog, change: str
) -> None:
    bodies, file = ContentCache(), two_files.snapshot.file(SMALL)
    assert file is not None
    whole(two_files, SMALL, bodies)
    Path(file.path).unlink() if change == "removed" else Path(file.path).write_bytes(b"other")

    assert open_current(two_files, file, bodies) is None
