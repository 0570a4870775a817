"""The cache is only a cache: whatever happens to its file, the catalog goes on."""

import os
import pwd
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from entitlements_core.engine.catalog_cache import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    CatalogCache,
    CatalogRow,
)
from entitlements_core.errors import StoreError

ROW = CatalogRow(
    "sub/a-1.tar.gz", 5, 7, name="a", version="1", sha256="0" * 64, html=b"<a>", json=b"{}"
)
WHEEL = CatalogRow("b.whl", 5, 7, name="b", version="1", python_tags="py3", metadata_sha256="m1")
BROKEN = CatalogRow("c.whl", 5, 7, problem="It is broken.", remedy="Mend it.")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


@pytest.fixture
def cache(path: Path) -> Iterator[CatalogCache]:
    with closing(CatalogCache(path)) as opened:
        yield opened


def test_rows_come_back_as_they_were_stored(cache: CatalogCache) -> None:
    cache.store("/one", [ROW, WHEEL, BROKEN], {"m1": b"Metadata"})
    cache.store("/two", [ROW], {})
    assert cache.load("/one") == {row.path: row for row in (ROW, WHEEL, BROKEN)}
    assert cache.load("/two") == {ROW.path: ROW}
    assert cache.load("/three") == {}
    assert cache.get("/one", "b.whl") == WHEEL
    assert cache.get("/two", "b.whl") is None
    assert cache.metadata("m1") == b"Metadata"
    assert cache.metadata("m2") is None


def test_equal_texts_are_one_object(cache: CatalogCache) -> None:
    rows = [ROW._replace(path=path, license="A long licence text") for path in ("x", "y")]
    cache.store("/one", rows, {})
    found = cache.load("/one")
    assert found["x"].license is found["y"].license


def test_forgotten_files_take_their_metadata_along_unless_others_need_them(
    cache: CatalogCache,
) -> None:
    cache.store("/one", [WHEEL, WHEEL._replace(path="copy.whl")], {"m1": b"Metadata"})
    cache.forget("/one", ["b.whl"])
    assert cache.metadata("m1") == b"Metadata"
    cache.forget("/one", ["copy.whl", "unknown"])
    assert cache.metadata("m1") is None
    assert cache.load("/one") == {}


def test_what_was_stored_is_there_after_a_restart(path: Path) -> None:
    with closing(CatalogCache(path)) as first:
        first.store("/one", [ROW], {})
    with closing(CatalogCache(path)) as second:
        assert second.load("/one") == {ROW.path: ROW}


def write_garbage(path: Path) -> None:
    path.write_bytes(b"this is not a database " * 1000)


def write_half(path: Path) -> None:
    with closing(CatalogCache(path)) as cache:
        cache.store("/one", [ROW._replace(path=f"{n}") for n in range(500)], {})
    path.write_bytes(path.read_bytes()[:6000])


def write_older(path: Path) -> None:
    with closing(sqlite3.connect(path)) as link:
        link.executescript(
            "CREATE TABLE file (root, path, size, mtime_ns, problem, remedy, other);"
            " CREATE TABLE metadata (sha256, body); PRAGMA user_version = 4"
        )


def write_newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as link:
        link.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


def write_other_columns(path: Path) -> None:
    with closing(sqlite3.connect(path)) as link:
        link.executescript(
            f"CREATE TABLE file (x); PRAGMA user_version = {SCHEMA_VERSION};"
            f" PRAGMA application_id = {APPLICATION_ID}"
        )


@pytest.mark.parametrize(
    "spoil", [write_garbage, write_half, write_older, write_newer, write_other_columns]
)
def test_a_cache_that_is_damaged_or_of_another_version_is_made_anew(
    path: Path, spoil: object
) -> None:
    assert callable(spoil)
    spoil(path)
    with closing(CatalogCache(path)) as cache:
        cache.load("/one")
        cache.store("/one", [ROW], {})
        assert cache.get("/one", ROW.path) == ROW


@pytest.mark.parametrize("part", [0.0, 0.5, 0.9])
def test_damage_found_later_is_mended_too(
    cache: CatalogCache, path: Path, caplog: pytest.LogCaptureFixture, part: float
) -> None:
    cache.store("/one", [ROW._replace(path=f"{n}" * 50) for n in range(2000)], {})
    cache.close()
    with closing(CatalogCache(path)) as other:
        data = bytearray(path.read_bytes())
        pages = len(data) // 4096
        for page in range(max(2, int(part * pages)), pages):
            data[page * 4096 : page * 4096 + 64] = b"\xee" * 64
        path.write_bytes(data)
        assert other.load("/one") == {}
        assert "failed" in caplog.text
        other.store("/one", [ROW], {})
        assert other.load("/one") == {ROW.path: ROW}
    assert path.with_name("catalog.db.damaged").exists()


def test_a_cache_that_fails_is_logged_and_knows_nothing(
    cache: CatalogCache, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.store("/one", [ROW], {"m1": b"Metadata"})
    cache.close()
    assert cache.get("/one", ROW.path) is None
    assert cache.metadata("m1") is None
    cache.store("/one", [WHEEL], {})
    assert caplog.text.count("failed") == 3


def test_a_failed_write_leaves_nothing_half_done(cache: CatalogCache) -> None:
    def rows() -> Iterator[CatalogRow]:
        yield ROW
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.store("/one", rows(), {"m1": b"Metadata"})
    assert cache.load("/one") == {}
    assert cache.metadata("m1") is None


def test_a_cache_that_cannot_be_made_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"gone/catalog\.db cannot be opened") as refused:
        CatalogCache(tmp_path / "gone" / "catalog.db")
    assert refused.value.remedy
    odd = tmp_path / "odd"
    Path(f"{odd}.lock").write_text("another kind of file, whose owner and mode are as they should")
    with pytest.raises(StoreError, match="not a database") as refused:
        CatalogCache(odd)
    assert refused.value.remedy.endswith(f"Move away {odd}.lock")
    (tmp_path / "directory").mkdir()
    with pytest.raises(StoreError):
        CatalogCache(tmp_path / "directory")


@pytest.mark.parametrize("suffix", ["", ".lock"])
def test_a_file_that_may_not_be_opened_is_named_with_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / "catalog.db"
    CatalogCache(path).close()
    closed = Path(f"{path}{suffix}")
    closed.chmod(0o400)

    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr("entitlements_core.engine.catalog_cache.sqlite3.connect", fail)
    monkeypatch.setattr(os, "access", lambda one, _: one != closed)
    with pytest.raises(StoreError) as refused:
        CatalogCache(path)
    user = pwd.getpwuid(os.geteuid()).pw_name
    assert f"{closed} belongs to {user}, mode 400" in refused.value.problem
    assert refused.value.remedy == f"Run: chmod u+rw {closed}"


def test_several_threads_and_connections_write_at_once(path: Path) -> None:
    def write(worker: int) -> None:
        with closing(CatalogCache(path)) as cache:
            for step in range(10):
                cache.store("/one", [ROW._replace(path=f"{worker}-{step}")], {f"{step}": b"x"})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    with closing(CatalogCache(path)) as cache:
        assert len(cache.load("/one")) == 40


@pytest.mark.parametrize("suffix", ["", ".lock", "-wal", "-shm"])
@pytest.mark.parametrize("there", [True, False])
def test_links_are_not_followed(tmp_path: Path, suffix: str, *, there: bool) -> None:
    home, target = tmp_path / "home", tmp_path / "app.db"
    home.mkdir()
    if there:
        target.write_bytes(b"of somebody else")
        target.chmod(0o644)
    Path(f"{home}/catalog.db{suffix}").symlink_to(target)
    with pytest.raises(StoreError, match="symbolic link") as refused:
        CatalogCache(home / "catalog.db")
    assert f"catalog.db{suffix}" in refused.value.remedy
    assert target.exists() is there
    assert not there or (target.read_bytes(), target.stat().st_mode & 0o777) == (
        b"of somebody else",
        0o644,
    )


@pytest.mark.parametrize(
    "tables",
    [
        "CREATE TABLE customers (name)",
        "CREATE TABLE file (name); CREATE TABLE metadata (body)",
        f"CREATE TABLE file (root, path); PRAGMA user_version = {SCHEMA_VERSION}",
        "CREATE TABLE file (x); PRAGMA application_id = 1",
    ],
)
def test_the_database_of_another_program_is_left_alone(tmp_path: Path, tables: str) -> None:
    path = tmp_path / "catalog.db"
    with closing(sqlite3.connect(path)) as link:
        link.executescript(tables)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="of another program"):
        CatalogCache(path)
    assert path.read_bytes() == before
