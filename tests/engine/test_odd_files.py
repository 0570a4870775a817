"""Whatever goes wrong with one file, or one directory, leaves out that one and says why."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from entitlements_core import simple
from entitlements_core.engine import (
    catalog_cache,
    distributions,
    file_reader,
    indexer,
    scan,
    sdists,
    snapshot,
    snapshot_builder,
    wheels,
)
from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.catalog_cache import CatalogCache, CatalogRow
from entitlements_core.engine.files import open_current
from entitlements_core.engine.scan import FileStat, Listing, list_tree, modified_at
from entitlements_core.interfaces import UploadKey
from tests.factories import REPOSITORY
from tests.file_times import FileTimes
from tests.wheelhouse import build_sdist, build_wheel, core_metadata

Make = Callable[..., Catalog]
GOOD: Final = "lab_foo-1.0-py3-none-any.whl"
ODD: Final = "odd-1.0-py3-none-any.whl"
SECOND: Final = 1_000_000_000

TIMES: Final = {
    "before the epoch": -1,
    "1677, before 64 bits": -(2**63) - 1,
    "of a negative year": -(2**40) * SECOND,
    "2038": 2**31 * SECOND,
    "2262, the last of 64 bits": 2**63 - 1,
    "2262, one more": 2**63,
    "2446, ext4's last": 15_032_385_535 * SECOND,
    "10000, after all calendars": 253_402_300_800 * SECOND,
    "of 63 bits of seconds": (2**63 - 1) * SECOND,
}


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - compared with the times of real files


def scratches() -> list[Path]:
    """A directory on each file system that there is to write to: they keep other times."""
    memory = Path("/dev/shm")  # noqa: S108 - not for anybody's secrets
    return [Path(tempfile.gettempdir()), *([memory] if os.access(memory, os.W_OK) else [])]


@pytest.fixture(params=scratches(), ids=str)
def root(request: pytest.FixtureRequest) -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(dir=request.param))
    yield root
    subprocess.run(["rm", "-rf", str(root)], check=True)  # which `rmtree` cannot if it is too deep


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made = []

    def make(*roots: Path, **more: Any) -> Catalog:  # noqa: ANN401 - passed on
        cache = tmp_path / "catalog.db"
        given = {"clock": now, "uploads": FileTimes(), **more}
        catalog = Catalog(roots, repository=REPOSITORY, cache=cache, **given)
        made.append(catalog)
        return catalog

    yield make
    for catalog in made:
        catalog.close()


def served(catalog: Catalog) -> set[str]:
    return set(catalog.snapshot.files)


def problems(catalog: Catalog) -> dict[str, str]:
    return {Path(problem.path).name: problem.reason for problem in catalog.problems}


@pytest.mark.parametrize("moment", TIMES.values(), ids=TIMES)
def test_whatever_time_a_file_has_it_is_served_and_known_again(
    make: Make, root: Path, moment: int
) -> None:
    build_wheel(root, "lab-foo", "1.0")
    odd = build_wheel(root, "odd", "1.0")
    os.utime(odd, ns=(moment, moment))
    for expected in (2, 0):
        catalog = make(root)
        assert catalog.refresh().read == expected
        assert served(catalog) == {GOOD, ODD}
        assert catalog.problems == ()
        file = catalog.snapshot.files[ODD]
        assert catalog.verify(file, odd.stat())
        assert b"upload-time" in file.json
        opened = open_current(catalog, file)
        assert opened is not None
        opened.close()


@settings(deadline=None)  # it makes files
@given(
    size=st.integers(0, 2**63 - 1),
    mtime=st.integers(-(2**93), 2**93),
    inode=st.integers(0, 2**64 - 1),
    ctime=st.integers(-(2**93), 2**93),
)
@example(size=0, mtime=2**63, inode=2**64 - 1, ctime=-(2**63) - 1)
def test_any_stat_can_be_kept_and_compared(size: int, mtime: int, inode: int, ctime: int) -> None:
    found = os.stat_result(
        (0o100644, inode, 0, 1, 0, 0, size, 0, 0, 0),
        {"st_mtime_ns": mtime, "st_ctime_ns": ctime},
    )
    look = FileStat.of(found)
    row = CatalogRow("a.whl", *look)
    assert row.is_of(FileStat.of(found))
    with tempfile.TemporaryDirectory() as folder, closing(CatalogCache(Path(folder, "c"))) as cache:
        cache.store("/r", [row], {})
        assert cache.get("/r", "a.whl") == row
    assert modified_at(look.mtime_ns).utcoffset() == timedelta(0)
    others = FileStat.of(
        os.stat_result(
            (0o100644, (inode + 1) % 2**64, 0, 1, 0, 0, size, 0, 0, 0),
            {"st_mtime_ns": mtime, "st_ctime_ns": ctime},
        )
    )
    assert not row.is_of(others)


def test_a_time_to_come_does_not_pass_for_one_long_ago() -> None:
    present = now()
    for name, moment in TIMES.items():
        assert (modified_at(FileStat.of(stat_of(moment)).mtime_ns) > present) is (
            moment > present.timestamp() * SECOND
        ), name


def stat_of(mtime: int) -> os.stat_result:
    times = {"st_mtime_ns": mtime, "st_ctime_ns": 0}
    return os.stat_result((0o100644, 1, 0, 1, 0, 0, 5, 0, 0, 0), times)


NAMES: Final = (
    b"caf\xe9-1.0-py3-none-any.whl",
    b"\xff\xfe-1.0.tar.gz",
    b"lab_foo-1.0-py3-none-any.whl\xed\xa0\x80.zip",
    b"new\nline-1.0.tar.gz",
    b"tab\t\x1b[31m-1.0.zip",
    "ｗｉｄｅ-1.0-py3-none-any.whl".encode(),  # noqa: RUF001 - on purpose
    b"-1.0.tar.gz",
    b"x" * 248 + b".whl",
    b"a-" + b"9" * 240 + b".tar.gz",
    b"a-1-" + b".".join([b"py3"] * 50) + b"-none-any.whl",
    b"a-1!1+\xc2\xb2-py3-none-any.whl",
)


def test_no_name_keeps_back_the_others(make: Make, root: Path) -> None:
    build_wheel(root, "lab-foo", "1.0")
    strange = os.fsencode(root) + b"/latin-1 caf\xe9"
    os.mkdir(strange)  # noqa: PTH102 - bytes
    for name in NAMES:
        for directory in (os.fsencode(root), strange):
            with open(directory + b"/" + name, "wb") as file:  # noqa: PTH123 - bytes
                file.write(b"no archive")
        os.symlink("/", os.fsencode(root) + b"/a-link-" + name[:200])  # noqa: PTH211 - bytes
        with suppress(OSError):  # too long
            Path(os.fsdecode(os.fsencode(root) + b"/" + name + b".provenance")).touch()
    for _ in range(2):
        catalog = make(root)
        catalog.refresh()
        assert served(catalog) == {GOOD}
        assert len(catalog.problems) >= len(NAMES)
        for problem in catalog.problems:
            said = problem.path + problem.reason + problem.remedy
            assert said.encode().decode().isprintable()


def test_a_root_whose_name_is_not_text_is_served_and_cached(make: Make, root: Path) -> None:
    named = Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9"))
    build_wheel(named, "lab-foo", "1.0")
    build_wheel(named, "cut", "1.0", metadata=b"")
    for expected in (2, 0):
        catalog = make(named)
        assert catalog.refresh().read == expected
        assert served(catalog) == {GOOD}
        assert "cut-1.0-py3-none-any.whl" in problems(catalog)
        for problem in catalog.problems:
            problem.path.encode()
        assert catalog.metadata(catalog.snapshot.files[GOOD]) == core_metadata("lab-foo", "1.0")
    shutil.rmtree(named)
    catalog.refresh()
    assert served(catalog) == set()


def test_directories_without_end_are_walked(make: Make, root: Path) -> None:
    """More of them in each other than Python lets calls be nested."""
    build_wheel(root, "lab-foo", "1.0")
    here = os.open(root, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    catalog = make(root)
    catalog.refresh()
    assert served(catalog) == {GOOD}


def test_links_without_end_are_one_problem(make: Make, root: Path) -> None:
    build_wheel(root, "lab-foo", "1.0")
    (root / "self-1.0.zip").symlink_to("self-1.0.zip")
    (root / f"{GOOD}.yanked").symlink_to(f"{GOOD}.yanked")
    target = "nowhere.zip"
    for number in range(1500):
        name = f"chain{number}-1.0.zip"
        os.symlink(target, root / name)  # noqa: PTH211 - many
        target = name
    catalog = make(root)
    with patch.object(os, "readlink", side_effect=os.readlink) as followed:
        catalog.refresh()
    assert served(catalog) == {GOOD}
    assert {"self-1.0.zip", "chain1499-1.0.zip"} <= set(problems(catalog))
    # As far as the system follows one, and no further: 1,500 would be a million.
    assert followed.call_count < 40 * 50


class _Scanned:
    """Entries of a directory, one of which the file system cannot tell anything of."""

    def __init__(self, entries: list[Any]) -> None:
        self._entries = entries

    def __enter__(self) -> list[Any]:
        return [_Odd(entry) if "odd" in entry.name else entry for entry in self._entries]

    def __exit__(self, *_: object) -> None: ...


class _Odd:
    def __init__(self, entry: os.DirEntry[str]) -> None:
        self.name, self.path = entry.name, entry.path

    def is_dir(self, *, follow_symlinks: bool) -> bool:
        raise OSError(5, "Input/output error", self.path)


def test_an_entry_that_cannot_be_told_is_left_out(
    make: Make, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_wheel(root, "lab-foo", "1.0")
    build_wheel(root, "odd", "1.0")
    scandir = os.scandir

    def scanned(path: str) -> _Scanned:
        with scandir(path) as found:
            return _Scanned(list(found))

    monkeypatch.setattr(os, "scandir", scanned)
    catalog = make(root)
    catalog.refresh()
    assert served(catalog) == {GOOD}
    assert problems(catalog) == {ODD: "It cannot be read: Input/output error."}


@pytest.mark.parametrize("call", ["stat", "realpath"])
def test_a_file_that_may_not_be_looked_at_is_named(
    make: Make, root: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    build_wheel(root, "lab-foo", "1.0")
    build_wheel(root / "sub", "odd", "1.0", filename="target.whl")
    (root / ODD).symlink_to("sub/target.whl")
    module = os if call == "stat" else os.path
    known = getattr(module, call)

    def refuse(path: Any, **more: Any) -> Any:  # noqa: ANN401 - passed on
        if str(path).endswith(ODD):
            raise PermissionError(13, "Permission denied", path)
        return known(path, **more)

    monkeypatch.setattr(module, call, refuse)
    catalog = make(root)
    catalog.refresh()
    assert served(catalog) == {GOOD}
    assert problems(catalog)[ODD] == "It cannot be read: Permission denied."
    catalog.examine([str(root / ODD)])
    assert problems(catalog)[ODD] == "It cannot be read: Permission denied."


def test_a_yanked_file_whose_note_cannot_be_read_stays_yanked(
    make: Make, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = build_wheel(root, "lab-foo", "1.0")
    for end in (".yanked", ".provenance"):
        path.with_name(path.name + end).write_text("https://index.example/reason")
    opened = os.open

    def refuse(path: Any, *more: Any, **named: Any) -> int:  # noqa: ANN401 - passed on
        if str(path).endswith((".yanked", ".provenance")):
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *more, **named)

    monkeypatch.setattr(os, "open", refuse)
    catalog = make(root)
    catalog.refresh()
    assert catalog.snapshot.files[GOOD].facts.yanked == ""
    assert set(problems(catalog)) == {f"{GOOD}.yanked", f"{GOOD}.provenance"}


def test_a_directory_that_cannot_be_listed_keeps_back_no_other(
    make: Make, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_wheel(root / "a", "lab-foo", "1.0")
    build_wheel(root / "closed", "odd", "1.0")
    catalog = make(root)
    catalog.refresh()
    assert served(catalog) == {GOOD, ODD}
    scandir = os.scandir

    def refuse(path: str) -> Any:  # noqa: ANN401 - passed on
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    with monkeypatch.context() as closed:
        closed.setattr(os, "scandir", refuse)
        catalog.examine([str(root / "closed")])
        assert served(catalog) == {GOOD}
        assert problems(catalog) == {"closed": "It cannot be read: Permission denied."}
    catalog.examine([str(root / "closed")])
    assert served(catalog) == {GOOD, ODD}
    assert catalog.problems == ()


class _Breaking:
    """A source that breaks for one of two roots."""

    notifies = False

    def list_tree(self, root: str, below: str = "") -> Listing:
        if root.endswith("odd"):
            raise RecursionError("too deep")
        return list_tree(root, below)

    def list_file(self, root: str, relative: str) -> Listing:
        raise LookupError(f"{root} has no {relative}")


def test_a_root_that_cannot_be_listed_keeps_back_no_other(
    make: Make, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build_wheel(root / "odd", "odd", "1.0")
    build_wheel(root / "good", "lab-foo", "1.0")
    catalog = make(root / "odd", root / "good", source=_Breaking())
    catalog.refresh()
    assert served(catalog) == {GOOD}
    assert "RecursionError('too deep')" in "".join(problems(catalog).values())
    assert "cannot be listed" in caplog.text
    catalog.examine([str(root / "good" / GOOD)])
    assert served(catalog) == set(), "what cannot be listed is not there"
    catalog.refresh()
    assert served(catalog) == {GOOD}


FIELDS: Final = ("Summary", "License", "Requires-Python", "Requires-Dist", "Author", "X-Other")
NESTED: Final = "x; " + "(" * 1500 + "os_name == 'x'" + ")" * 1500


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.sampled_from(FIELDS),
    st.one_of(
        st.binary(max_size=80),
        st.sampled_from([b"(", b"[", b"x[", b"x; (", b"not ", b"x @ ", b"!"]).map(
            lambda part: part * 900
        ),
    ),
)
@example("Requires-Dist", NESTED.encode())
def test_whatever_a_field_says_the_others_are_served(header: str, value: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "files")
        build_wheel(root, "lab-foo", "1.0")
        head = b"Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n"
        build_wheel(root, "odd", "1.0", metadata=head + header.encode() + b": " + value + b"\n\n")
        build_sdist(
            root,
            "odd",
            "2.0",
            pkg_info=head.replace(b"1.0", b"2.0") + header.encode() + b": " + value,
        )
        for _ in range(2):
            with closing(
                Catalog(
                    [root],
                    repository=REPOSITORY,
                    cache=Path(folder, "c"),
                    clock=now,
                    uploads=FileTimes(),
                )
            ) as catalog:
                catalog.refresh()
                assert GOOD in served(catalog)
                assert {Path(one.path).name for one in catalog.problems} | served(catalog) == {
                    GOOD,
                    ODD,
                    "odd-2.0.tar.gz",
                }
                for file in catalog.snapshot.files.values():
                    str(file.facts.dependencies)
                    hash(file.facts.dependencies)


ERRORS: Final = (
    ValueError("odd"),
    RecursionError("too deep"),
    KeyError("odd"),
    OverflowError("too large"),
    UnicodeEncodeError("utf-8", "\ud800" * 5000, 0, 1, "surrogates not allowed"),
    ZeroDivisionError(),
    AssertionError("a library's own"),
    OSError(5, "Input/output error"),
    StopIteration(),
    type("Hostile", (Exception,), {"__repr__": lambda _: "\ud800\0\n" * 999})(),
)
CALLS: Final = [
    (file_reader, "parse_filename"),
    (file_reader, "wheel_metadata"),
    (file_reader, "describe"),
    (file_reader, "is_announceable"),
    (file_reader, "html_fragment"),
    (file_reader, "json_fragment"),
    (file_reader, "file_url"),
    (wheels, "find_member"),
    (wheels, "read_member"),
    (wheels, "canonicalize_name"),
    (sdists, "find_file"),
    (distributions, "parse_wheel_filename"),
    (distributions, "canonicalize_name"),
    (distributions, "read_fields"),
    (distributions, "Version"),
    (snapshot, "requirements"),
    (snapshot, "FileFacts"),
    (snapshot, "_version"),
    (distributions, "Requirement"),
]


def mentions_odd(*what: Any, **named: Any) -> bool:  # noqa: ANN401 - whatever is passed
    return any("odd" in repr(value)[:2000] for value in (*what, *named.values()))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("module", "name"), CALLS, ids=lambda part: getattr(part, "__name__", part)
)
def test_whatever_is_raised_for_one_file_is_told_of_that_file(
    make: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,  # noqa: ANN401 - a module
    name: str,
    error: Exception,
) -> None:
    """The library that is called fails while one of the files is read, or listed."""
    root = tmp_path / "files"
    build_wheel(root, "lab-foo", "1.0")
    build_wheel(root, "odd", "1.0", requires=["odd-requirement"])
    build_sdist(root, "odd", "2.0", requires=["odd-requirement"])
    known = getattr(module, name)
    distributions.requirements.cache_clear()
    distributions._requirement.cache_clear()
    snapshot._version.cache_clear()

    # What does not know the name of the file is given it by the order of calls.
    reader = file_reader.read_file

    def read(path: str, *more: Any) -> Any:  # noqa: ANN401 - passed on
        if "odd" not in path:
            return reader(path, *more)
        with monkeypatch.context() as broken:
            if hasattr(module, "read_file") or module is not snapshot:
                broken.setattr(module, name, fail)
            return reader(path, *more)

    def fail(*_: Any, **__: Any) -> Any:  # noqa: ANN401 - whatever is asked
        raise error

    def fail_for_odd(*what: Any, **named: Any) -> Any:  # noqa: ANN401 - passed on
        if mentions_odd(*what, **named):
            raise error
        return known(*what, **named)

    monkeypatch.setattr(file_reader, "_THREADS", 1)
    if module is snapshot or name == "Requirement":
        if name == "_version":
            monkeypatch.setattr(module, name, lambda text: fail() if text == "2.0" else known(text))
        else:
            monkeypatch.setattr(module, name, fail_for_odd)
    else:
        monkeypatch.setattr(file_reader, "read_file", read)
    catalog = make(root)
    catalog.refresh()
    assert GOOD in served(catalog)
    left = {ODD, "odd-2.0.tar.gz"} - served(catalog)
    assert left <= set(problems(catalog))
    for problem in catalog.problems:
        (problem.path + problem.reason).encode()
        assert len(problem.reason) < 1000
    assert make(root).refresh().waiting == 0


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt(), SystemExit()], ids=repr)
@pytest.mark.parametrize(
    ("module", "name"),
    [
        (file_reader, "wheel_metadata"),
        (snapshot_builder, "build_project"),
        (scan, "_add"),
        (indexer, "annotate"),
    ],
)
def test_what_says_nothing_of_the_file_goes_on(
    make: Make,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,  # noqa: ANN401 - a module
    name: str,
    error: BaseException,
) -> None:
    path = build_wheel(root, "lab-foo", "1.0")
    catalog = make(root)
    if name == "annotate":
        catalog.refresh()
        path.with_name(path.name + ".yanked").touch()

    def fail(*_: Any, **__: Any) -> Any:  # noqa: ANN401 - whatever is asked
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(module, name, fail)
        with pytest.raises(type(error)):
            catalog.refresh()
    catalog.refresh()
    assert served(catalog) == {GOOD}


def test_a_note_that_cannot_be_rendered_leaves_out_its_file(
    make: Make, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_wheel(root, "lab-foo", "1.0")
    odd = build_wheel(root, "odd", "1.0")
    catalog = make(root)
    catalog.refresh()
    odd.with_name(odd.name + ".yanked").write_text("odd")
    known = simple.html_fragment

    def fail(entry: Any) -> Any:  # noqa: ANN401 - passed on
        if entry.yanked:
            raise ArithmeticError("odd")
        return known(entry)

    monkeypatch.setattr(file_reader, "html_fragment", fail)
    catalog.refresh()
    assert served(catalog) == {GOOD}
    assert "ArithmeticError" in problems(catalog)[ODD]


def test_a_row_that_the_cache_cannot_hold_leaves_out_that_row(tmp_path: Path) -> None:
    good, odd = CatalogRow("good", 1, 2), CatalogRow("odd", 1, 2)
    odds = [
        odd._replace(license="\ud800"),
        odd._replace(path="\udce9"),
        odd._replace(size=2**63),
        odd._replace(ctime_ns=-(2**63) - 1),
    ]
    with closing(CatalogCache(tmp_path / "c")) as cache:
        cache.store("/r", [odds[0], good, *odds[1:]], {"m": b"x"})
        assert cache.load("/r") == {"good": good}
        assert cache.get("/r", "\udce9") is None
        cache.forget("/r", ["\udce9"])
        assert cache.load("/r\udce9") == {}
        assert cache.metadata("\udce9") is None


def test_a_cache_with_text_that_is_none_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "c"
    with closing(CatalogCache(path)) as cache:
        cache.store("/r", [CatalogRow("good", 1, 2)], {})
    with closing(sqlite3.connect(path)) as link, link:
        link.execute("UPDATE file SET license = CAST(x'ff' AS TEXT)")
    with closing(CatalogCache(path)) as cache:
        assert cache.load("/r") == {}
        cache.store("/r", [CatalogRow("good", 1, 2)], {})
        assert cache.load("/r") == {"good": CatalogRow("good", 1, 2)}


@pytest.mark.parametrize("column", ["version", "name", "python_tags", "requires_dist", "html"])
@pytest.mark.parametrize("value", [None, "", "\0", "no version", 7, b"\xff"])
def test_whatever_the_cache_says_of_one_file_the_others_are_served(
    make: Make,
    root: Path,
    tmp_path: Path,
    column: str,
    value: Any,  # noqa: ANN401 - a table
) -> None:
    build_wheel(root, "lab-foo", "1.0")
    build_wheel(root, "odd", "1.0")
    make(root).refresh()
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as link, link:
        link.execute(f"UPDATE file SET {column} = ? WHERE path = ?", (value, ODD))  # noqa: S608 - a table
    catalog = make(root)
    catalog.refresh()
    assert GOOD in served(catalog)
    assert ODD in served(catalog) | set(problems(catalog))


class _OddTimes(FileTimes):
    def of(self, found: Any, *, complete: bool) -> dict[UploadKey, datetime]:  # noqa: ANN401 - passed on
        raise OverflowError("a time that is none")


def test_times_that_cannot_be_had_keep_back_no_file(
    make: Make, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build_wheel(root, "lab-foo", "1.0")
    catalog = make(root, uploads=_OddTimes())
    catalog.refresh()
    assert served(catalog) == {GOOD}
    assert catalog.snapshot.files[GOOD].facts.uploaded_at is None
    assert "not known yet" in caplog.text
    assert "entitlements.engine" in {record.name for record in caplog.records}


def test_a_pipe_in_the_place_of_a_file_holds_up_nobody(make: Make, root: Path) -> None:
    path = build_wheel(root, "lab-foo", "1.0")
    catalog = make(root)
    catalog.refresh()
    file = catalog.snapshot.files[GOOD]
    path.unlink()
    os.mkfifo(path)
    assert open_current(catalog, file) is None
    assert file_reader.read_file(str(path), GOOD, file.look, scan.NO_NOTES) is None
    assert served(catalog) == set()


def test_raising_or_lowering_the_bound_is_noticed_by_the_cache(make: Make, root: Path) -> None:
    build_wheel(root, "lab-foo", "1.0")
    build_wheel(root, "odd", "1.0", metadata=core_metadata("odd", "1.0") + b"x" * 9999)
    for limit, expected in (
        (5000, {GOOD}),
        (5000, {GOOD}),
        (20_000, {GOOD, ODD}),
        (5000, {GOOD, ODD}),
    ):
        catalog = make(root, metadata_limit=limit)
        catalog.refresh()
        assert served(catalog) == expected, limit


def test_metadata_that_are_not_utf8_are_told_of_and_the_file_is_served(
    make: Make, root: Path
) -> None:
    build_wheel(root, "lab-foo", "1.0")
    build_wheel(root, "odd", "1.0", metadata=core_metadata("odd", "1.0") + b"caf\xe9")
    for _ in range(2):
        catalog = make(root)
        catalog.refresh()
        assert served(catalog) == {GOOD, ODD}
        assert "not UTF-8" in problems(catalog)[ODD]
        file = catalog.snapshot.files[ODD]
        assert catalog.metadata(file) is None
        assert b"metadata" not in file.html
        assert b"metadata" not in file.json
    build_wheel(root, "odd", "1.0")
    catalog.refresh()
    assert catalog.problems == ()
    assert catalog_cache.SCHEMA_VERSION >= 3
