"""What several tests of the engine serve from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.files import CHUNK
from tests.factories import NOW, REPOSITORY
from tests.file_times import FileTimes
from tests.wheelhouse import build_wheel


@pytest.fixture
def two_files(tmp_path: Path) -> Iterator[Catalog]:
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
