"""Changes are seen within a second, told by the system or found by polling.

A test waits for a condition until a deadline, generous for busy machines; the time a change may
take is asserted in one place.
"""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entitlements_core.engine import watch
from entitlements_core.engine.catalog import Catalog
from tests.file_times import FileTimes
from tests.wheelhouse import build_sdist, build_wheel, truncate, wheel_bytes, yank

WHEEL = "lab_foo-1.0-py3-none-any.whl"


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - compared with the times of real files


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> float:
    """The seconds it took until the condition held."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it did not happen in time"
        time.sleep(0.005)
    return time.monotonic() - started


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture(params=[False, True], ids=["told", "polling"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path, root: Path) -> Iterator[Catalog]:
    build_sdist(root, "first", "1.0")
    made = Catalog(
        [root],
        repository="acme/main",
        cache=tmp_path / "catalog.db",
        clock=now,
        uploads=FileTimes(),
    )
    made.watch(polling=request.param)
    wait_until(lambda: "first-1.0.tar.gz" in made.snapshot.files)
    yield made
    made.close()


def test_what_happens_is_seen_within_a_second(catalog: Catalog, root: Path) -> None:
    def has(filename: str) -> bool:
        return filename in catalog.snapshot.files

    path = build_wheel(root, "lab-foo", "1.0", settled=False)
    took = [wait_until(lambda: has(WHEEL))]
    before = catalog.snapshot.files[WHEEL].facts.sha256
    path.write_bytes(wheel_bytes("lab-foo", "1.0", padding=500))
    took.append(
        wait_until(lambda: has(WHEEL) and catalog.snapshot.files[WHEEL].facts.sha256 != before)
    )
    yank(path, "bad")
    took.append(wait_until(lambda: catalog.snapshot.files[WHEEL].facts.yanked == "bad"))
    path.rename(root / "lab_foo-1.0-2-py3-none-any.whl")
    took.append(wait_until(lambda: has("lab_foo-1.0-2-py3-none-any.whl") and not has(WHEEL)))
    (root / "lab_foo-1.0-2-py3-none-any.whl").unlink()
    took.append(wait_until(lambda: not has("lab_foo-1.0-2-py3-none-any.whl")))
    assert sorted(took)[2] < 1.0, took  # the median: a busy machine may hold up one


def test_directories_come_and_go(catalog: Catalog, root: Path, tmp_path: Path) -> None:
    build_sdist(tmp_path / "elsewhere" / "deep", "moved", "1.0")
    (tmp_path / "elsewhere").rename(root / "sub")
    wait_until(lambda: "moved-1.0.tar.gz" in catalog.snapshot.files)
    build_sdist(root / "sub" / "deeper" / "still", "late", "1.0", settled=False)
    wait_until(lambda: "late-1.0.tar.gz" in catalog.snapshot.files)
    (root / "sub").rename(root / ".sub")
    wait_until(lambda: set(catalog.snapshot.files) == {"first-1.0.tar.gz"})
    (root / ".sub").rename(root / "again")
    wait_until(lambda: len(catalog.snapshot.files) == 3)
    shutil.rmtree(root / "again")
    wait_until(lambda: set(catalog.snapshot.files) == {"first-1.0.tar.gz"})


def test_a_file_that_is_still_being_written_is_never_served(catalog: Catalog, root: Path) -> None:
    data = wheel_bytes("lab-foo", "1.0", padding=20_000)
    complete = threading.Event()
    seen_early: list[str] = []

    def look() -> None:
        while not complete.is_set():
            seen_early.extend(name for name in catalog.snapshot.files if name == WHEEL)
            time.sleep(0.002)

    observer = threading.Thread(target=look)
    observer.start()
    with (root / WHEEL).open("wb") as upload:
        for at in range(0, len(data), 2000):
            upload.write(data[at : at + 2000])
            upload.flush()
            time.sleep(0.08)  # the pace of the upload, not a wait for an effect
            if at + 4000 > len(data):
                complete.set()
    observer.join()
    assert seen_early == []
    wait_until(lambda: WHEEL in catalog.snapshot.files)
    assert catalog.snapshot.files[WHEEL].size == len(data)


def test_a_broken_file_is_reported_and_mended(catalog: Catalog, root: Path) -> None:
    path = truncate(build_wheel(root, "lab-foo", "1.0"))
    wait_until(lambda: [problem.path for problem in catalog.problems] == [str(path)])
    assert WHEEL not in catalog.snapshot.files
    build_wheel(root, "lab-foo", "1.0")
    wait_until(lambda: WHEEL in catalog.snapshot.files and not catalog.problems)


def test_a_root_that_goes_is_emptied_and_taken_in_again_when_it_returns(
    catalog: Catalog, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root.rename(root.with_name("away"))
    wait_until(lambda: not catalog.snapshot.files)
    wait_until(lambda: "cannot be read" in caplog.text)
    root.with_name("away").rename(root)
    wait_until(lambda: "first-1.0.tar.gz" in catalog.snapshot.files)
    shutil.rmtree(root)
    wait_until(lambda: not catalog.snapshot.files)
    build_sdist(root, "second", "1.0")
    wait_until(lambda: set(catalog.snapshot.files) == {"second-1.0.tar.gz"})
    build_sdist(root, "third", "1.0")
    wait_until(lambda: len(catalog.snapshot.files) == 2)
    assert "listed every" not in caplog.text


def test_a_linked_root_that_is_switched_is_noticed(tmp_path: Path) -> None:
    build_sdist(tmp_path / "r1", "old", "1.0")
    build_sdist(tmp_path / "r2", "new", "1.0")
    current = tmp_path / "current"
    current.symlink_to("r1")
    cache = tmp_path / "catalog.db"
    catalog = Catalog(
        [current], repository="acme/main", cache=cache, clock=now, uploads=FileTimes()
    )
    catalog.watch()
    wait_until(lambda: set(catalog.snapshot.files) == {"old-1.0.tar.gz"})
    (tmp_path / "next").symlink_to("r2")
    (tmp_path / "next").rename(current)
    wait_until(lambda: set(catalog.snapshot.files) == {"new-1.0.tar.gz"})
    build_sdist(tmp_path / "r2", "newer", "1.0")
    wait_until(lambda: len(catalog.snapshot.files) == 2)
    catalog.close()


def test_a_file_that_the_server_found_changed_is_looked_at(catalog: Catalog, root: Path) -> None:
    path = root / "first-1.0.tar.gz"
    before = catalog.snapshot.files[path.name]
    build_sdist(root, "first", "1.0", padding=77)
    assert not catalog.verify(before, path.stat())
    catalog.recheck(str(path))
    wait_until(lambda: catalog.verify(catalog.snapshot.files.get(path.name, before), path.stat()))


def test_many_files_at_once_are_all_seen(catalog: Catalog, root: Path) -> None:
    for n in range(300):
        build_sdist(root / f"d{n % 9}", "many", f"1.{n}", settled=False)
    wait_until(lambda: len(catalog.snapshot.files) == 301)


def test_watching_twice_is_watching_once_and_stops_at_once(catalog: Catalog) -> None:
    before = watching()
    catalog.watch()
    assert watching() == before
    started = time.monotonic()
    catalog.close()
    assert time.monotonic() - started < 5
    # Not none: what other tests served in this process may still be watched.
    assert len(before - watching()) == 1


def watching() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "catalog-watch"}


class Record:
    """What the watcher told, for tests of the watcher alone."""

    def __init__(self) -> None:
        self.paths: set[str] = set()
        self.rescans = 0
        self.fail = False

    def examine(self, paths: Iterable[str]) -> None:
        self.paths |= set(paths)
        if self.fail:
            raise RuntimeError("no good")

    def rescan(self) -> None:
        self.rescans += 1


@pytest.fixture
def record() -> Record:
    return Record()


def test_a_watch_that_fails_becomes_polling_and_says_so(
    root: Path,
    record: Record,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: object, **__: object) -> Iterator[object]:
        raise OSError(28, "No space left on device: too many watches")

    monkeypatch.setattr(watch, "watch", refuse)
    watcher = watch.Watcher([str(root)], record)
    wait_until(lambda: record.rescans > 2)
    watcher.recheck("asked")
    wait_until(lambda: "asked" in record.paths)
    watcher.stop()
    assert "too many watches" in caplog.text
    assert caplog.text.count("listed every") == 1


def test_a_root_that_goes_just_before_it_is_watched_is_not_a_failure(
    root: Path,
    record: Record,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def gone(*_: object, **__: object) -> Iterator[object]:
        root.rmdir()
        raise FileNotFoundError(root)

    monkeypatch.setattr(watch, "watch", gone)
    watcher = watch.Watcher([str(root)], record)
    wait_until(lambda: record.rescans > 1)
    watcher.stop()
    assert caplog.text == ""


def test_a_change_that_cannot_be_taken_in_is_logged_and_the_next_is_seen(
    root: Path, record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    watcher = watch.Watcher([str(root)], record)
    wait_until(lambda: record.rescans > 0)
    record.fail = True
    (root / "a").touch()
    wait_until(lambda: "no good" in caplog.text)
    record.fail = False
    (root / "b").touch()
    wait_until(lambda: str(root / "b") in record.paths)
    watcher.stop()
    assert "could not take in a change" in caplog.text


def test_everything_is_looked_at_again_from_time_to_time(
    root: Path, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_RESCAN_SECONDS", 0.2)
    watcher = watch.Watcher([str(root)], record)
    wait_until(lambda: record.rescans > 3)
    watcher.stop()


def test_one_of_two_roots_may_be_missing_at_first(tmp_path: Path, root: Path) -> None:
    late = tmp_path / "late"
    cache = tmp_path / "catalog.db"
    catalog = Catalog(
        [root, late], repository="acme/main", cache=cache, clock=now, uploads=FileTimes()
    )
    catalog.watch()
    build_sdist(root, "here", "1.0")
    wait_until(lambda: len(catalog.snapshot.files) == 1)
    build_sdist(late, "there", "1.0")
    wait_until(lambda: len(catalog.snapshot.files) == 2)
    os.utime(late / "there-1.0.tar.gz")
    build_sdist(late, "more", "1.0")
    wait_until(lambda: len(catalog.snapshot.files) == 3)
    catalog.close()


def test_odd_names_and_times_do_not_keep_back_what_comes_after(
    catalog: Catalog, root: Path
) -> None:
    odd = os.fsencode(root) + b"/caf\xe9"
    os.mkdir(odd)  # noqa: PTH102 - bytes
    for name in (b"/caf\xe9-1.0.tar.gz", b"/lab_odd-1.0-py3-none-any.whl"):
        with open(odd + name, "wb") as file:  # noqa: PTH123 - bytes
            file.write(b"no archive")
    late = build_wheel(root, "late", "1.0")
    os.utime(late, ns=(2**63, 2**63))
    build_wheel(root, "lab-foo", "1.0")
    expected = {WHEEL, late.name, "first-1.0.tar.gz"}
    wait_until(lambda: set(catalog.snapshot.files) == expected)
    wait_until(lambda: len(catalog.problems) == 2)
    shutil.rmtree(odd)
    wait_until(lambda: not catalog.problems)
    assert set(catalog.snapshot.files) == expected
