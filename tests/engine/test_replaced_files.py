"""A file that took another one's place is never served under its hash, however alike they look."""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from entitlements_core.engine import files
from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.catalog_cache import SCHEMA_VERSION, CatalogCache
from entitlements_core.engine.content_cache import ContentCache
from entitlements_core.engine.files import open_current
from tests.factories import NOW, REPOSITORY
from tests.file_times import FileTimes
from tests.wheelhouse import wheel_bytes

NAME: Final = "lab_foo-1.0-py3-none-any.whl"
ONE: Final = wheel_bytes("lab-foo", "1.0", summary="One")
OTHER: Final = next(
    data
    for data in (wheel_bytes("lab-foo", "1.0", summary=f"{number:x}") for number in range(16**3))
    if len(data) == len(ONE) and data != ONE
)
MOMENT: Final = (1_600_000_000_123_456_789, 1_600_000_000_123_456_789)


def renamed(path: Path) -> None:
    """As a tool does that writes to a temporary name and keeps times."""
    fresh = path.with_name("fresh.tmp")
    fresh.write_bytes(OTHER)
    os.utime(fresh, ns=MOMENT)
    fresh.replace(path)


def in_place(path: Path) -> None:
    """As ``rsync --inplace --times`` does."""
    path.write_bytes(OTHER)
    os.utime(path, ns=MOMENT)


def removed_and_made(path: Path) -> None:
    path.unlink()
    in_place(path)


def linked(path: Path) -> None:
    """A hard link to a file that has lain there for long."""
    beside = path.with_name("beside.tmp")
    in_place(beside)
    path.unlink()
    path.hardlink_to(beside)


def swapped(path: Path) -> None:
    """A symbolic link that leads elsewhere now."""
    in_place(path.parent / "two.tmp")
    path.unlink()
    path.symlink_to("two.tmp")


WAYS: Final = (renamed, in_place, removed_and_made, linked, swapped)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    path = tmp_path / "files" / NAME
    path.write_bytes(ONE)
    os.utime(path, ns=MOMENT)
    return path


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[], Catalog]]:
    made = []

    def make() -> Catalog:
        catalog = Catalog(
            [tmp_path / "files"],
            repository=REPOSITORY,
            cache=tmp_path / "catalog.db",
            clock=lambda: NOW,
            uploads=FileTimes(),
        )
        made.append(catalog)
        return catalog

    yield make
    for catalog in made:
        catalog.close()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_the_two_differ_in_nothing_but_their_contents() -> None:
    assert len(ONE) == len(OTHER)
    assert ONE != OTHER


@pytest.mark.parametrize("replace", WAYS)
@pytest.mark.parametrize("in_memory", [False, True])
def test_it_is_not_served_under_the_former_hash(
    make: Callable[[], Catalog],
    path: Path,
    replace: Callable[[Path], None],
    in_memory: bool,  # noqa: FBT001 - a table
) -> None:
    catalog = make()
    catalog.refresh()
    file = catalog.snapshot.files[NAME]
    bodies = ContentCache()
    if in_memory:
        bodies.keep(file.facts.sha256, ONE)
    replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (file.size, file.mtime_ns)
    assert open_current(catalog, file, bodies) is None
    assert catalog.snapshot.files[NAME].facts.sha256 == digest(OTHER)


@pytest.mark.parametrize("replace", WAYS)
def test_a_look_at_everything_and_a_start_from_the_cache_find_it(
    make: Callable[[], Catalog], path: Path, replace: Callable[[Path], None]
) -> None:
    running = make()
    running.refresh()
    replace(path)
    running.refresh()
    assert running.snapshot.files[NAME].facts.sha256 == digest(OTHER)
    path.unlink()
    path.write_bytes(ONE)
    os.utime(path, ns=MOMENT)
    running.refresh()
    running.close()
    replace(path)
    started = make()
    assert started.refresh().read == 1
    assert started.snapshot.files[NAME].facts.sha256 == digest(OTHER)


def chmod(path: Path) -> None:
    path.chmod(0o640)


def backed_up(path: Path) -> None:
    path.with_name("backup.tmp").hardlink_to(path)


def restored(path: Path) -> None:
    path.unlink()
    path.write_bytes(ONE)
    os.utime(path, ns=MOMENT)


@pytest.mark.parametrize("change", [chmod, backed_up, restored])
def test_the_same_contents_are_served_without_a_break(
    make: Callable[[], Catalog],
    path: Path,
    change: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such as by ``chown -R`` over everything, or by a backup of hard links."""
    catalog = make()
    catalog.refresh()
    file = catalog.snapshot.files[NAME]
    touched: list[str] = []
    monkeypatch.setattr(catalog, "recheck", touched.append)
    change(path)
    found = open_current(catalog, file)
    assert found is not None
    assert os.pread(found.descriptor, len(ONE), 0) == ONE
    found.close()
    assert touched == [str(path)], "it is read again, so that it need not be hashed for everybody"
    assert catalog.refresh().read == 1
    assert catalog.verify(catalog.snapshot.files[NAME], path.stat())
    assert catalog.refresh().read == 0


def test_a_large_one_waits_until_it_was_read(
    make: Callable[[], Catalog], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = make()
    catalog.refresh()
    file = catalog.snapshot.files[NAME]
    chmod(path)
    monkeypatch.setattr(files, "REHASHED", len(ONE) - 1)
    assert open_current(catalog, file) is None
    found = open_current(catalog, catalog.snapshot.files[NAME])
    assert found is not None
    found.close()


def test_one_that_cannot_be_hashed_is_not_there(
    make: Callable[[], Catalog], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = make()
    catalog.refresh()
    chmod(path)

    def fail(*_: Any) -> bytes:  # noqa: ANN401 - whatever is asked
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    assert open_current(catalog, catalog.snapshot.files[NAME]) is None


def test_a_cache_of_the_former_format_is_made_anew(
    make: Callable[[], Catalog], path: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "catalog.db"
    former = "path, size, mtime_ns, problem, remedy, name, version, python_tags, platform_tags"
    with closing(sqlite3.connect(cache)) as link:
        link.executescript(
            f"CREATE TABLE file (root TEXT NOT NULL, {former}, PRIMARY KEY (root, path));"
            "CREATE TABLE metadata (sha256 TEXT PRIMARY KEY, body BLOB NOT NULL);"
            f"PRAGMA user_version = {SCHEMA_VERSION - 1};"
        )
    catalog = make()
    assert catalog.refresh().read == 1
    with closing(CatalogCache(cache)) as opened:
        row = opened.get(str(tmp_path / "files"), NAME)
    assert row is not None
    assert (row.inode, row.ctime_ns) == (path.stat().st_ino, path.stat().st_ctime_ns)
