"""Whose the files are that root makes in a directory of somebody else's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from entitlements_core.services.home import make_home, make_private, write_private
from entitlements_core.services.keyring import Keyring
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.ownership import belong_together, make_folders, open_or_make

SERVICE = 54_321
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
as_root = pytest.mark.skipif(not IS_ROOT, reason="root alone gives files away")

MAKERS: dict[str, Callable[[Path], object]] = {
    "make_private": make_private,
    "write_private": lambda path: write_private(path, "text"),
    "open_or_make": lambda path: os.close(open_or_make(path)),
    "make_home": make_home,
    "a home further below": lambda path: make_home(path / "a" / "b"),
    "make_folders": lambda path: make_folders(path / "a" / "b"),
    "key": Keyring.make,
    "store": lambda path: DatabaseURL.parse(f"sqlite:///{path}").make_sqlite(),
    "store further below": lambda path: DatabaseURL.parse(f"sqlite:///{path}/a/b.db").make_sqlite(),
}


@as_root
@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("owner", [SERVICE, 0])
def test_what_is_made_belongs_to_whom_its_directory_belongs(
    tmp_path: Path, maker: str, owner: int
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    os.chown(folder, owner, owner)
    MAKERS[maker](folder / "made")
    made = list(folder.rglob("*"))
    assert made
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(owner, owner)}


@as_root
def test_what_was_there_keeps_its_owner(tmp_path: Path) -> None:
    os.chown(tmp_path, SERVICE, SERVICE)
    path = tmp_path / "there"
    path.touch()
    make_folders(tmp_path)
    os.close(open_or_make(path))
    make_private(path)
    assert path.stat().st_uid == 0
    assert not belong_together(path, tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic links"):
        open_or_make(tmp_path / "link")
    assert not (tmp_path / "other").exists()


def test_nobody_else_gives_files_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(os, "geteuid", lambda: SERVICE)
    monkeypatch.setattr(os, "fchown", fail)
    os.close(open_or_make(tmp_path / "made"))
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o600


def test_one_that_another_process_made_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "made"
    true_open = os.open

    def late(name: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_EXCL and not path.exists():
            path.touch()
        return true_open(name, flags, mode)

    monkeypatch.setattr(os, "open", late)
    os.close(open_or_make(path))


def test_files_that_are_not_there_belong_to_nobody(tmp_path: Path) -> None:
    assert not belong_together(tmp_path, tmp_path / "none")
