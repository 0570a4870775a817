"""The catalog without its watcher: what is served after a look at the directories."""

import hashlib
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from entitlements_core.engine import distributions, file_reader
from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.catalog_cache import CatalogCache
from entitlements_core.engine.scan import NO_NOTES, FileStat, modified_at
from entitlements_core.policy.facts import FileKind
from tests.factories import NOW, REPOSITORY, left_at_default
from tests.file_times import FileTimes
from tests.wheelhouse import age, build_sdist, build_wheel, core_metadata, truncate, yank

Make = Callable[..., Catalog]
WHEEL = "lab_foo-1.0-py3-none-any.whl"


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - compared with the times of real files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def make(tmp_path: Path, root: Path) -> Iterator[Make]:
    made = []

    def make(*roots: Path) -> Catalog:
        cache = tmp_path / "catalog.db"
        catalog = Catalog(
            roots or [root], repository="acme/main", cache=cache, clock=now, uploads=FileTimes()
        )
        made.append(catalog)
        return catalog

    yield make
    for catalog in made:
        catalog.close()


@pytest.fixture
def catalog(make: Make) -> Catalog:
    return make()


def served(catalog: Catalog) -> set[str]:
    return set(catalog.snapshot.files)


def reasons(catalog: Catalog) -> dict[str, str]:
    return {Path(problem.path).name: problem.reason for problem in catalog.problems}


def test_nothing_is_served_before_the_first_look(catalog: Catalog, root: Path) -> None:
    build_wheel(root, "lab-foo", "1.0")
    assert catalog.snapshot.serial == 0
    assert served(catalog) == set()
    assert catalog.snapshot.file(WHEEL) is None


def test_a_wheel_is_served_with_all_its_facts(catalog: Catalog, root: Path) -> None:
    path = build_wheel(
        root / "sub",
        "lab-foo",
        "1.0",
        requires=["requests>=2", "numpy; extra == 'x'"],
        requires_python=">=3.9",
        summary="A lab",
    )
    yank(path, 'has "bugs" <here>')
    path.with_name(f"{WHEEL}.provenance").write_text("https://index.example/p")
    report = catalog.refresh()
    assert (report.read, report.reused, report.removed, report.waiting) == (1, 0, 0, 0)
    file = catalog.snapshot.file(WHEEL)
    assert file is not None
    facts, data = file.facts, path.read_bytes()
    assert (facts.filename, facts.name, facts.version) == (WHEEL, "lab-foo", Version("1.0"))
    assert facts.kind is FileKind.WHEEL
    assert facts.python_tags == {"py3"}
    assert facts.platform_tags == {"any"}
    assert facts.size == file.size == len(data)
    assert facts.sha256 == hashlib.sha256(data).hexdigest()
    assert facts.uploaded_at == modified_at(path.stat().st_mtime_ns)
    assert facts.uploaded_at.utcoffset() is not None
    assert (facts.requires_python, facts.yanked) == (">=3.9", 'has "bugs" <here>')
    assert (facts.license, facts.summary) == ("MIT", "A lab")
    assert [requirement.name for requirement in facts.dependencies] == ["requests", "numpy"]
    assert facts.tags == {"latest"}
    assert (facts.repository, dict(facts.extra)) == ("acme/main", {})
    assert (file.path, file.root, file.root_index) == (str(path), str(root), 0)
    assert file.relative == f"sub/{WHEEL}"
    assert catalog.verify(file, path.stat())
    entry = json.loads(file.json)
    assert entry["url"] == f"../../packages/{WHEEL}"
    assert entry["provenance"] == "https://index.example/p"
    assert entry["core-metadata"] == {"sha256": file.metadata_sha256}
    assert b'data-yanked="has &quot;bugs&quot; &lt;here&gt;"' in file.html


def test_only_wheels_have_core_metadata(catalog: Catalog, root: Path) -> None:
    build_wheel(root, "lab-foo", "1.0")
    build_sdist(root, "lab-foo", "1.0", requires_python=">=3.8")
    build_sdist(root, "lab-old", "1.0", pkg_info=b"")
    catalog.refresh()
    wheel, sdist = catalog.snapshot.projects["lab-foo"].files  # type: ignore[index] # a normalised name
    assert catalog.metadata(wheel) == core_metadata("lab-foo", "1.0")
    assert wheel.metadata_sha256 == hashlib.sha256(core_metadata("lab-foo", "1.0")).hexdigest()
    assert catalog.metadata(sdist) is None
    assert sdist.facts.kind is FileKind.SDIST
    assert sdist.facts.requires_python == ">=3.8"
    assert served(catalog) >= {"lab_old-1.0.tar.gz"}


def test_metadata_that_the_cache_lost_are_read_again(
    catalog: Catalog, root: Path, tmp_path: Path
) -> None:
    path = build_wheel(root, "lab-foo", "1.0")
    catalog.refresh()
    file = catalog.snapshot.files[WHEEL]
    catalog.close()
    assert catalog.metadata(file) == core_metadata("lab-foo", "1.0")
    build_wheel(root, "lab-foo", "1.0", summary="Another")
    assert catalog.metadata(file) is None
    path.unlink()
    assert catalog.metadata(file) is None


def broken_files(root: Path) -> dict[str, str]:
    """Builds one of each; returns what the reason must hold, by file name."""
    truncate(build_wheel(root, "cut-wheel", "1.0"))
    truncate(build_sdist(root, "cut-sdist", "1.0", padding=5000))
    build_wheel(root, "none", "1.0", dist_info=[])
    build_wheel(root, "two", "1.0", dist_info=["two-1.0", "other-1.0"])
    build_wheel(root, "renamed", "1.0", filename="lab_foo-1.0-py3-none-any.whl")
    build_wheel(root, "liar", "1.0", overrides={"Name": "lab-foo"})
    build_wheel(root, "liar", "2.0", overrides={"Version": "9"})
    build_sdist(root, "liar", "3.0", pkg_info=core_metadata("lab-foo", "3.0"))
    build_wheel(root, "big", "1.0", metadata=b"x" * (3 << 20))
    build_sdist(root, "evil\r\nX-Injected: y", "1.0")
    build_wheel(root, "noversion", "one")
    (root / "empty-1.0.zip").touch()
    age(root / "empty-1.0.zip")
    age(build_sdist(root, "old", "1.0", filename="old-1.0.tar.bz2"))
    return {
        "cut_wheel-1.0-py3-none-any.whl": "not a complete zip",
        "cut_sdist-1.0.tar.gz": "not a complete .tar.gz",
        "none-1.0-py3-none-any.whl": "has 0 files",
        "two-1.0-py3-none-any.whl": "has 2 files",
        "lab_foo-1.0-py3-none-any.whl": "holds 'renamed-1.0.dist-info",
        "liar-1.0-py3-none-any.whl": "METADATA is of 'lab-foo 1.0'",
        "liar-2.0-py3-none-any.whl": "METADATA is of 'liar 9'",
        "liar-3.0.tar.gz": "PKG-INFO is of 'lab-foo 3.0'",
        "big-1.0-py3-none-any.whl": "more than",
        # A line break in a name would add a line to logs and reports.
        r"evil\x0d\x0aX_Injected: y-1.0.tar.gz": "characters",
        "noversion-one-py3-none-any.whl": "not valid",
        "empty-1.0.zip": "not a complete zip",
        "old-1.0.tar.bz2": "no longer take",
    }


def test_what_is_broken_is_reported_and_not_served(make: Make, root: Path) -> None:
    expected = broken_files(root)
    build_wheel(root, "fine", "1.0")
    for catalog in (make(), make()):  # read, then from the cache
        report = catalog.refresh()
        found = reasons(catalog)
        assert found.keys() == expected.keys()
        for name, reason in expected.items():
            assert reason in found[name], name
        assert served(catalog) == {"fine-1.0-py3-none-any.whl"}
        assert all(problem.remedy for problem in report.problems)
        assert report.problems == catalog.problems


def test_a_broken_file_is_looked_at_again_when_it_changes(catalog: Catalog, root: Path) -> None:
    path = truncate(build_wheel(root, "lab-foo", "1.0"))
    catalog.refresh()
    assert catalog.refresh().reused == 1
    build_wheel(root, "lab-foo", "1.0")
    catalog.refresh()
    assert served(catalog) == {WHEEL}
    assert catalog.problems == ()
    truncate(path)
    catalog.refresh()
    assert served(catalog) == set()
    path.unlink()
    catalog.refresh()
    assert catalog.problems == ()


def test_what_cannot_be_opened_is_reported(
    catalog: Catalog, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_wheel(root, "lab-foo", "1.0")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(file_reader, "_read", refuse)
    catalog.refresh()
    assert reasons(catalog) == {WHEEL: "It cannot be read: Permission denied."}


def test_a_file_is_read_once_and_known_after_a_restart(make: Make, root: Path) -> None:
    for n in range(300):
        build_wheel(root / f"d{n % 7}", f"lab-{n % 30}", f"1.{n}")
    calls: list[tuple[int, int]] = []
    first = make()
    assert first.refresh(lambda done, total: calls.append((done, total))).read == 300
    assert calls == [(n, 300) for n in range(1, 301)]
    assert first.refresh().reused == 300
    assert first.snapshot.serial == 1
    second = make()
    report = second.refresh(lambda done, total: calls.append((done, total)))
    assert (report.read, report.reused) == (0, 300)
    assert len(calls) == 300
    assert second.snapshot.files == first.snapshot.files
    assert second.snapshot.projects == first.snapshot.projects


def test_files_that_went_while_nobody_looked_leave_the_cache(make: Make, root: Path) -> None:
    path = build_wheel(root, "lab-foo", "1.0")
    first = make()
    first.refresh()
    file = first.snapshot.files[WHEEL]
    path.unlink()
    make().refresh()
    assert first.metadata(file) is None


def test_files_and_versions_stand_in_order_and_projects_by_name(
    catalog: Catalog, root: Path
) -> None:
    for name, version in (("b", "1.10"), ("b", "1.9"), ("a", "1"), ("b", "1.9.0"), ("c", "2")):
        build_sdist(root, name, version)
    build_wheel(root, "b", "1.9")
    catalog.refresh()
    assert list(catalog.snapshot.projects) == ["a", "b", "c"]
    project = catalog.snapshot.projects["b"]  # type: ignore[index] # a normalised name
    assert [file.facts.filename for file in project.files] == [
        "b-1.9-py3-none-any.whl",
        "b-1.9.0.tar.gz",
        "b-1.9.tar.gz",
        "b-1.10.tar.gz",
    ]
    assert project.versions == ("1.9", "1.10")
    snapshot = catalog.snapshot
    assert snapshot.facts_of("b") == [file.facts for file in project.files]
    assert {facts.filename for facts in snapshot.facts_of(None)} == {*snapshot.files}
    assert snapshot.facts_of("d") == []
    assert (project.html, project.json) == (b'<a href="b/">b</a><br>\n', b'{"name":"b"}')


@pytest.mark.parametrize(
    ("versions", "yanked", "latest"),
    [
        (["1.0", "2.0", "10.0"], [], "10.0"),
        (["1.0", "2.0rc1", "2.0.dev1"], [], "1.0"),
        (["1.0rc1", "1.0rc2", "1.0.dev9"], [], "1.0rc2"),
        (["1.0", "2.0"], ["2.0"], "1.0"),
        (["1.0", "2.0"], ["1.0", "2.0"], "2.0"),
        (["1.0rc1", "2.0"], ["2.0"], "1.0rc1"),
        (["1.0", "1.0.post1"], [], "1.0.post1"),
    ],
)
def test_latest_is_the_highest_final_version(
    catalog: Catalog, root: Path, versions: list[str], yanked: list[str], latest: str
) -> None:
    for version in versions:
        path = build_sdist(root, "lab", version)
        if version in yanked:
            yank(path)
    catalog.refresh()
    tagged = {
        str(file.facts.version)
        for file in catalog.snapshot.files.values()
        if "latest" in file.facts.tags
    }
    assert tagged == {latest}


def test_a_version_counts_as_long_as_one_of_its_files_is_not_yanked(
    catalog: Catalog, root: Path
) -> None:
    build_sdist(root, "lab", "1.0")
    yank(build_sdist(root, "lab", "2.0"))
    build_wheel(root, "lab", "2.0")
    catalog.refresh()
    assert catalog.snapshot.files["lab-2.0.tar.gz"].facts.tags == {"latest"}
    assert catalog.snapshot.files["lab-1.0.tar.gz"].facts.tags == frozenset()


def test_latest_moves_when_a_version_comes_or_goes(catalog: Catalog, root: Path) -> None:
    build_sdist(root, "lab", "1.0")
    catalog.refresh()
    path = build_sdist(root, "lab", "2.0")
    catalog.refresh()
    assert catalog.snapshot.files["lab-1.0.tar.gz"].facts.tags == frozenset()
    path.unlink()
    assert catalog.refresh().removed == 1
    assert catalog.snapshot.files["lab-1.0.tar.gz"].facts.tags == {"latest"}


def test_of_two_files_of_one_name_the_first_root_wins(
    make: Make, root: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    first, second = build_wheel(root, "lab-foo", "1.0"), build_wheel(other, "lab-foo", "1.0")
    catalog = make(root, other)
    catalog.refresh()
    assert catalog.snapshot.files[WHEEL].path == str(first)
    assert [problem.path for problem in catalog.problems] == [str(second)]
    assert str(first) in catalog.problems[0].reason
    first.unlink()
    catalog.refresh()
    assert catalog.snapshot.files[WHEEL].path == str(second)
    assert catalog.snapshot.files[WHEEL].root_index == 1
    assert catalog.problems == ()


def test_of_two_files_of_one_name_in_one_root_the_first_path_wins(
    catalog: Catalog, root: Path
) -> None:
    build_wheel(root / "b", "lab-foo", "1.0", summary="B")
    build_wheel(root / "a", "lab-foo", "1.0", summary="A")
    catalog.refresh()
    assert catalog.snapshot.files[WHEEL].facts.summary == "A"
    assert reasons(catalog).keys() == {WHEEL}


def test_yanking_and_unyanking_reads_no_archive(catalog: Catalog, root: Path) -> None:
    path = build_wheel(root, "lab-foo", "1.0")
    catalog.refresh()
    note = yank(path, "bad")
    assert catalog.refresh().read == 0
    file = catalog.snapshot.files[WHEEL]
    assert file.facts.yanked == "bad"
    assert b'"yanked":"bad"' in file.json
    note.unlink()
    catalog.refresh()
    assert catalog.snapshot.files[WHEEL].facts.yanked is None


def test_a_changed_note_is_in_the_cache_too(make: Make, root: Path) -> None:
    path = build_wheel(root, "lab-foo", "1.0")
    first = make()
    first.refresh()
    yank(path, "bad")
    first.refresh()
    second = make()
    assert second.refresh().read == 0
    assert second.snapshot.files[WHEEL].facts.yanked == "bad"


def test_an_overwritten_file_has_another_hash(catalog: Catalog, root: Path) -> None:
    path = build_wheel(root, "lab-foo", "1.0")
    catalog.refresh()
    before = catalog.snapshot.files[WHEEL]
    build_wheel(root, "lab-foo", "1.0", padding=10)
    assert not catalog.verify(before, path.stat())
    catalog.recheck(str(path))
    after = catalog.snapshot.files[WHEEL]
    assert after.facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert after.facts.sha256 != before.facts.sha256
    assert catalog.verify(after, path.stat())


def test_a_young_file_is_taken_at_the_second_look(catalog: Catalog, root: Path) -> None:
    path = build_wheel(root, "lab-foo", "1.0", settled=False)
    catalog.rescan()
    assert served(catalog) == set()
    assert catalog.problems == ()
    report = catalog.refresh()
    assert (report.read, report.waiting) == (1, 0)
    assert served(catalog) == {WHEEL}
    build_wheel(root, "lab-foo", "1.0", settled=False, padding=99)
    catalog.examine([str(path)])
    assert served(catalog) == set(), "what is being written again is no longer served"
    catalog.refresh()
    assert served(catalog) == {WHEEL}


def test_a_file_that_changes_while_it_is_read_waits(
    catalog: Catalog, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = build_wheel(root, "lab-foo", "1.0")
    whole = path.read_bytes()
    read = file_reader._read

    def grow(*what: object) -> object:
        found = read(*what)  # type: ignore[arg-type] # passed through
        monkeypatch.setattr(file_reader, "_read", read)
        path.write_bytes(whole + b"more")
        return found

    monkeypatch.setattr(file_reader, "_read", grow)
    catalog.rescan()
    assert served(catalog) == set()
    path.write_bytes(whole)
    age(path)
    catalog.examine([])
    assert served(catalog) == {WHEEL}


def test_a_file_that_trips_the_reader_does_not_take_the_others_along(
    catalog: Catalog, root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    describe = distributions.describe

    def trip(*what: Any, **named: Any) -> Any:  # noqa: ANN401 - passed through
        if b"Name: bad" in what[0]:
            raise RecursionError("too deep")
        return describe(*what, **named)

    monkeypatch.setattr(file_reader, "describe", trip)
    build_wheel(root, "bad", "1.0")
    build_wheel(root, "lab-foo", "1.0")
    catalog.refresh()
    assert served(catalog) == {WHEEL}
    assert "too deep" in reasons(catalog)["bad-1.0-py3-none-any.whl"]
    assert "too deep" in caplog.text


@given(st.binary(max_size=60), st.sampled_from(["Summary", "License", "Requires-Python", "X"]))
def test_any_header_is_stored_and_served(value: bytes, header: str) -> None:
    with TemporaryDirectory() as directory, closing(CatalogCache(Path(directory) / "db")) as cache:
        metadata = b"Name: lab-foo\nVersion: 1.0\n" + header.encode() + b": " + value
        path = build_wheel(Path(directory), "lab-foo", "1.0", metadata=metadata + b"\n\n")
        look = FileStat.of(path.stat())
        found = file_reader.read_file(str(path), path.name, look, NO_NOTES)
        assert found is not None
        cache.store("/root", [found.row], {})
        assert cache.load("/root") == {path.name: found.row}


def test_a_file_that_goes_while_it_is_read_is_nothing(
    catalog: Catalog, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise FileNotFoundError

    build_wheel(root, "lab-foo", "1.0")
    monkeypatch.setattr(file_reader, "_read", gone)
    assert catalog.refresh().waiting == 1
    (root / WHEEL).unlink()
    assert catalog.refresh().waiting == 0


def test_only_the_paths_named_are_looked_at(catalog: Catalog, root: Path) -> None:
    catalog.refresh()
    build_sdist(root / "x" / "y", "a", "1")
    build_sdist(root / "x", "b", "1")
    build_sdist(root, "c", "1")
    build_sdist(root / ".hidden", "d", "1")
    hidden = root / ".hidden" / "d-1.tar.gz"
    catalog.examine([str(root / "x" / "y" / "a-1.tar.gz"), str(hidden), "/elsewhere/e-1.tar.gz"])
    assert served(catalog) == {"a-1.tar.gz"}
    catalog.examine([str(root / "x"), str(root / "x" / "y"), str(root / "README")])
    assert served(catalog) == {"a-1.tar.gz", "b-1.tar.gz"}
    (root / "x").rename(root / "z")
    catalog.examine([str(root / "x")])
    assert served(catalog) == set()
    catalog.examine([str(root / "z" / f"{n}.tar.gz") for n in range(300)])
    assert served(catalog) == {"a-1.tar.gz", "b-1.tar.gz", "c-1.tar.gz"}
    catalog.examine([str(root)])
    serial = catalog.snapshot.serial
    catalog.examine([])
    assert catalog.snapshot.serial == serial


def test_problems_of_a_directory_go_when_it_is_mended(
    catalog: Catalog, root: Path, tmp_path: Path
) -> None:
    (root / "x").mkdir()
    (root / "x2").mkdir()
    for directory in ("x", "x2"):
        (root / directory / "out").symlink_to(tmp_path)
    build_sdist(root, "a", "1")
    (root / "a-1.tar.gz.provenance").write_text("none")
    catalog.refresh()
    assert len(catalog.problems) == 3
    (root / "x" / "out").unlink()
    catalog.examine([str(root / "x")])
    assert len(catalog.problems) == 2
    (root / "a-1.tar.gz.provenance").unlink()
    catalog.examine([str(root / "a-1.tar.gz.provenance")])
    assert [problem.path for problem in catalog.problems] == [str(root / "x2" / "out")]


def test_another_process_has_read_it_already(make: Make, root: Path) -> None:
    first, second = make(), make()
    first.refresh()
    second.refresh()
    for n in range(150):
        build_sdist(root, "lab", f"1.{n}")
    first.examine([str(root / f"lab-1.{n}.tar.gz") for n in range(3)])
    second.examine([str(root / f"lab-1.{n}.tar.gz") for n in range(3)])
    assert first.refresh().read == 147
    assert second.refresh().read == 0
    assert first.snapshot.files == second.snapshot.files


def test_a_root_that_goes_and_returns_is_not_read_again(
    catalog: Catalog, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(3):
        build_sdist(root, "lab", f"1.{n}")
    catalog.refresh()
    root.rename(root.with_name("away"))
    assert catalog.refresh().removed == 3
    catalog.refresh()
    assert served(catalog) == set()
    assert [problem.path for problem in catalog.problems] == [str(root)]
    root.with_name("away").rename(root)
    report = catalog.refresh()
    assert (report.read, report.reused) == (0, 3)
    assert len(served(catalog)) == 3
    assert catalog.problems == ()
    assert [record.message.removeprefix(str(root)) for record in caplog.records] == [
        " cannot be read; its files are withdrawn until it is back",
        " is back",
    ]


def test_a_snapshot_in_hand_never_changes(catalog: Catalog, root: Path) -> None:
    build_sdist(root, "lab", "1.0")
    catalog.refresh()
    before = catalog.snapshot
    project = before.projects["lab"]  # type: ignore[index] # a normalised name
    build_sdist(root, "other", "1.0")
    catalog.refresh()
    assert list(before.projects) == ["lab"]
    assert catalog.snapshot.serial == before.serial + 1
    assert catalog.snapshot.projects["lab"] is project  # type: ignore[index] # a normalised name
    with pytest.raises(TypeError):
        before.files["x"] = project.files[0]  # type: ignore[index] # what is tested


def test_reading_the_snapshot_waits_for_nobody(catalog: Catalog, root: Path) -> None:
    build_sdist(root, "lab", "1.0")
    catalog.refresh()
    build_sdist(root, "lab", "2.0")
    reading_now, go_on = threading.Event(), threading.Event()

    def wait(done: int, total: int) -> None:
        reading_now.set()
        assert go_on.wait(20)

    thread = threading.Thread(target=catalog.refresh, args=(wait,))
    thread.start()
    assert reading_now.wait(20)
    assert served(catalog) == {"lab-1.0.tar.gz"}
    go_on.set()
    thread.join()
    assert served(catalog) == {"lab-1.0.tar.gz", "lab-2.0.tar.gz"}


def build_catalog(root: str, cache: str, queue: "multiprocessing.Queue[tuple[int, str]]") -> None:
    """Runs in a process of its own."""
    catalog = Catalog(
        [Path(root)], repository="acme/main", cache=Path(cache), clock=now, uploads=FileTimes()
    )
    catalog.refresh()
    file = catalog.snapshot.files["lab-1.7.tar.gz"]
    queue.put((len(catalog.snapshot.files), file.facts.sha256))
    catalog.close()


def test_two_processes_build_one_cache_at_once(make: Make, root: Path, tmp_path: Path) -> None:
    for n in range(60):
        build_sdist(root, "lab", f"1.{n}")
    cache = tmp_path / "catalog.db"
    cache.write_bytes(b"damaged before both start")
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[tuple[int, str]] = context.Queue()
    arguments = (str(root), str(cache), queue)
    workers = [context.Process(target=build_catalog, args=arguments) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    digest = hashlib.sha256((root / "lab-1.7.tar.gz").read_bytes()).hexdigest()
    assert found == [(60, digest)] * 2
    assert make().refresh().reused == 60


def test_a_forked_child_goes_on_with_connections_of_its_own(catalog: Catalog, root: Path) -> None:
    build_wheel(root, "lab-foo", "1.0")
    catalog.refresh()
    child = os.fork()
    if not child:
        code = 1
        try:
            build_sdist(root, "lab", "2.0")
            catalog.refresh()
            file = catalog.snapshot.files[WHEEL]
            catalog.watch()
            good = catalog.metadata(file) == core_metadata("lab-foo", "1.0")
            code = 0 if good and len(served(catalog)) == 2 else 2
            catalog.close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    report = catalog.refresh()
    assert (report.read, report.reused) == (0, 2)


def test_no_fact_that_a_file_states_is_left_at_its_default(tmp_path: Path) -> None:
    """A fact that is not read would be empty and not unknown, and NOT would open files by it."""
    path = build_wheel(
        tmp_path / "files",
        "lab-foo",
        "1.0",
        requires=["lab-bar"],
        requires_python=">=3.8",
        tag="cp311-cp311-manylinux_2_17_x86_64",
    )
    yank(path, "broken")
    made = Catalog(
        [tmp_path / "files"],
        repository=REPOSITORY,
        cache=tmp_path / "cache.db",
        clock=lambda: NOW,
        uploads=FileTimes(),
    )
    made.refresh()
    file = made.snapshot.file(path.name)
    made.close()
    assert file is not None
    # These come from the store and from plugins.
    assert left_at_default(file.facts) == {"downloads", "extra"}
