"""What is met in a directory, on a real file system."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entitlements_core.engine.scan import (
    Listing,
    Notes,
    is_passed_over,
    list_file,
    list_tree,
    modified_at,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / ".hidden").mkdir()
    for name in (
        "a-1.tar.gz",
        "sub/b-1-py3-none-any.whl",
        "sub/deep/c-1.zip",
        "old-1.egg",
        ".hidden/d-1.tar.gz",
        ".e-1.tar.gz",
        "f-1.tar.gz.part",
        "g-1.tar.gz~",
        "index.html",
        "packages.json",
        "README",
    ):
        (root / name).write_bytes(b"12345")
    return root


def listed(root: Path, below: str = "") -> Listing:
    return list_tree(str(root), below)


def test_only_finished_distributions_are_listed(root: Path) -> None:
    found = listed(root)
    assert set(found.files) == {
        "a-1.tar.gz",
        "sub/b-1-py3-none-any.whl",
        "sub/deep/c-1.zip",
        "old-1.egg",
    }
    assert found.files["a-1.tar.gz"].size == 5
    assert found.files["a-1.tar.gz"].mtime_ns == (root / "a-1.tar.gz").stat().st_mtime_ns
    assert found.available
    assert not found.problems


def test_a_directory_or_a_file_is_listed_by_itself(root: Path) -> None:
    assert set(listed(root, "sub").files) == {"sub/b-1-py3-none-any.whl", "sub/deep/c-1.zip"}
    assert listed(root, "gone").files == {}
    one = list_file(str(root), "sub/deep/c-1.zip")
    assert one.files == {"sub/deep/c-1.zip": listed(root).files["sub/deep/c-1.zip"]}
    assert list_file(str(root), "gone.zip").files == {}
    assert list_file(str(root), "README").files == {}
    assert list_file(str(root / "nowhere"), "a-1.tar.gz").files == {}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.whl", False),
        ("a/b.whl", False),
        (".a.whl", True),
        (".a/b.whl", True),
        ("a/.b/c.whl", True),
        ("a.whl.tmp", True),
        ("a.part/b.whl", True),
        ("a.whl~", True),
    ],
)
def test_hidden_and_unfinished_names(path: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_passed_over(path) is expected


def test_notes_are_read_with_a_limit(root: Path) -> None:
    (root / "a-1.tar.gz.yanked").write_bytes(b" broken \xff\r\n")
    (root / "a-1.tar.gz.provenance").write_text("https://index.example/a.provenance\n")
    (root / "sub/deep/c-1.zip.yanked").write_bytes(b"x" * 10_000)
    found = listed(root)
    assert found.notes["a-1.tar.gz"] == Notes("broken \ufffd", "https://index.example/a.provenance")
    assert found.notes["sub/deep/c-1.zip"] == Notes("x" * 4096)
    assert list_file(str(root), "a-1.tar.gz").notes == {"a-1.tar.gz": found.notes["a-1.tar.gz"]}


def test_a_provenance_note_without_a_url_is_reported(root: Path) -> None:
    (root / "a-1.tar.gz.provenance").write_text('{"version": 1}')
    found = listed(root)
    assert found.notes == {}
    assert [problem.path for problem in found.problems] == [str(root / "a-1.tar.gz.provenance")]
    assert found.problems[0].remedy


def test_links_inside_are_followed_to_files_but_not_out(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret-1.tar.gz").write_bytes(b"secret")
    (outside / "reason").write_text("a secret")
    (root / "link-1.tar.gz").symlink_to("sub/deep/c-1.zip")
    (root / "up-1.tar.gz").symlink_to(outside / "secret-1.tar.gz")
    (root / "relative-1.tar.gz").symlink_to("../outside/secret-1.tar.gz")
    (root / "nowhere-1.tar.gz").symlink_to("gone")
    (root / "out").symlink_to(outside)
    (root / "inner").symlink_to("sub")
    (root / "loop").symlink_to(".")
    (root / "a-1.tar.gz.yanked").symlink_to(outside / "reason")
    (root / "sub/reason.yanked").write_text("shared")
    (root / "old-1.egg.yanked").symlink_to("sub/reason.yanked")
    found = listed(root)
    assert "link-1.tar.gz" in found.files
    assert not {"up-1.tar.gz", "relative-1.tar.gz", "nowhere-1.tar.gz"} & set(found.files)
    assert not [path for path in found.files if path.startswith(("out/", "inner/", "loop/"))]
    assert {Path(problem.path).name for problem in found.problems} == {
        "up-1.tar.gz",
        "relative-1.tar.gz",
        "out",
        "a-1.tar.gz.yanked",
    }
    assert found.notes["old-1.egg"] == Notes("shared")
    assert "a-1.tar.gz" not in found.notes
    for linked in ("out/secret-1.tar.gz", "inner/b-1-py3-none-any.whl", "up-1.tar.gz"):
        assert list_file(str(root), linked).files == {}
    assert listed(root, "out").files == {}
    assert listed(root, "inner").files == {}


def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(root)
    assert listed(tmp_path / "current").files == listed(root).files


def test_what_is_no_plain_file_is_passed_over(root: Path) -> None:
    os.mkfifo(root / "pipe-1.tar.gz")
    os.mkfifo(root / "a-1.tar.gz.yanked")
    (root / "directory-1.tar.gz").mkdir()
    found = listed(root)
    assert not {"pipe-1.tar.gz", "directory-1.tar.gz"} & set(found.files)
    assert found.notes == {}


def test_a_name_that_is_not_utf8_is_reported_in_printable_form(root: Path) -> None:
    (root / os.fsdecode(b"caf\xe9-1.tar.gz")).write_bytes(b"x")
    (problem,) = listed(root).problems
    assert problem.path.endswith("caf\\xe9-1.tar.gz")


def test_a_root_that_is_not_there_is_told_from_an_empty_one(root: Path, tmp_path: Path) -> None:
    gone = listed(tmp_path / "gone")
    assert not gone.available
    assert gone.problems[0].path == str(tmp_path / "gone")
    assert not listed(root / "a-1.tar.gz").available


def test_a_directory_that_cannot_be_read_is_reported(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = listed(root)
    assert set(found.files) == {"a-1.tar.gz", "sub/b-1-py3-none-any.whl", "old-1.egg"}
    assert [problem.path for problem in found.problems] == [str(root / "sub/deep")]


def test_times_that_no_calendar_has_become_the_nearest_that_it_has() -> None:
    assert modified_at(1_767_323_045_000_678_999) == datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
    assert modified_at(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert modified_at(2**80) == datetime.max.replace(tzinfo=UTC)
    assert modified_at(-(2**80)) == datetime.min.replace(tzinfo=UTC)
