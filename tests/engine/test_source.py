"""A catalog of what a host says is there, and not of what lies in the directory."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.scan import FileStat, Listing
from tests.file_times import FileTimes
from tests.wheelhouse import build_wheel

NOW = datetime(2100, 1, 1, tzinfo=UTC)


class Shelf:
    """Names files one by one."""

    notifies = False

    def __init__(self) -> None:
        self.paths: list[Path] = []

    def list_tree(self, root: str, below: str = "") -> Listing:
        listing = Listing()
        for path in self.paths:
            found = path.stat()
            relative = str(path.relative_to(root))
            if relative.startswith(below):
                listing.files[relative] = FileStat.of(found)
        return listing

    def list_file(self, root: str, relative: str) -> Listing:
        return self.list_tree(root, relative)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def catalog(tmp_path: Path, shelf: Shelf) -> Iterator[Catalog]:
    opened = Catalog(
        [Path("/")],
        repository="acme/prod",
        cache=tmp_path / "catalog.db",
        clock=lambda: NOW,
        uploads=FileTimes(),
        source=shelf,
    )
    yield opened
    opened.close()


def test_only_what_the_source_names_is_there(
    catalog: Catalog, shelf: Shelf, tmp_path: Path
) -> None:
    named = build_wheel(tmp_path / "a", "lab-foo", "1.0")
    build_wheel(tmp_path / "a", "lab-bar", "1.0")
    shelf.paths = [named]

    catalog.refresh()

    assert set(catalog.snapshot.projects) == {"lab-foo"}
    (file,) = catalog.snapshot.files.values()
    assert file.path == str(named)
    assert catalog.metadata(file) is not None


def test_a_source_that_is_not_told_of_changes_is_asked_again(
    catalog: Catalog, shelf: Shelf, tmp_path: Path
) -> None:
    catalog.refresh()
    catalog.watch()
    shelf.paths = [build_wheel(tmp_path / "elsewhere", "lab-foo", "1.0")]

    deadline = time.monotonic() + 60
    while "lab-foo" not in catalog.snapshot.projects:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_single_file_is_looked_for_at_the_source(
    catalog: Catalog, shelf: Shelf, tmp_path: Path
) -> None:
    path = build_wheel(tmp_path, "lab-foo", "1.0")
    shelf.paths = [path]
    catalog.examine([str(path)])
    assert set(catalog.snapshot.projects) == {"lab-foo"}

    shelf.paths = []
    catalog.examine([str(path)])

    assert not catalog.snapshot.projects
