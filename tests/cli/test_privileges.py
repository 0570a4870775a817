"""Root's commands over the home of another user have that user's rights."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from entitlements_core.cli import privileges, program
from entitlements_core.cli.privileges import home_owner, take_rights
from entitlements_core.cli.program import OWN_PROCESS
from entitlements_core.cli.session import Session
from entitlements_core.errors import ConfigurationError

ROOT: Final = Path(__file__).parents[2]
SYSTEM: Final = Path("/usr/bin/python3")
IS_ROOT: Final = os.geteuid() == 0
NOBODY: Final = pwd.getpwnam("nobody")
pytestmark = pytest.mark.skipif(not IS_ROOT, reason="root alone has rights to give up")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A directory that everybody may enter; pytest's own is for this user alone."""
    found = Path(tempfile.mkdtemp(prefix="rights-", dir="/tmp"))
    found.chmod(0o755)
    yield found
    shutil.rmtree(found)


def give(path: Path) -> Path:
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)
    return path


def test_who_keeps_a_home(tmp_path: Path) -> None:
    kept = NOBODY.pw_uid, NOBODY.pw_gid
    (tmp_path / "own").mkdir()
    (tmp_path / "others").mkdir()
    give(tmp_path / "others")
    (tmp_path / "others" / "root's").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "own")
    give(tmp_path / "link")
    assert home_owner(tmp_path / "own") is None
    assert home_owner(tmp_path / "own" / "not" / "yet") is None
    assert home_owner(tmp_path / "others") == kept
    assert home_owner(tmp_path / "others" / "not" / "yet") == kept
    assert home_owner(tmp_path / "others" / "root's") is None
    assert home_owner(tmp_path / "link") == kept  # who may lead root anywhere by it
    assert home_owner(Path("\0")) is None


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """What the system is asked for, which this process has to be spared."""
    asked: list[tuple[str, object]] = []
    for name in ("setgroups", "setegid", "seteuid", "setgid", "setuid"):
        monkeypatch.setattr(os, name, lambda value, name=name: asked.append((name, value)))
    return asked


@pytest.mark.parametrize("user", [NOBODY.pw_uid, 54_321])
def test_rights_are_given_up_for_good(taken: list[tuple[str, object]], user: int) -> None:
    take_rights(user, NOBODY.pw_gid, Path("/home"))
    assert taken[-2:] == [("setgid", NOBODY.pw_gid), ("setuid", user)]
    assert taken[0] == ("setgroups", [NOBODY.pw_gid])


def test_who_may_not_change_users_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setgroups", refuse)
    take_rights(NOBODY.pw_uid, NOBODY.pw_gid, Path("/home"))
    assert os.geteuid() == 0


def test_a_python_that_the_user_may_not_read(
    taken: list[tuple[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    with pytest.raises(ConfigurationError, match="may not read this Python"):
        take_rights(NOBODY.pw_uid, NOBODY.pw_gid, Path("/home"))
    assert taken[-2:] == [("seteuid", 0), ("setegid", 0)]


def test_only_a_process_of_its_own_gives_them_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Session] = []
    monkeypatch.setattr(program, "_take_owners_rights", found.append)
    words = ["--home", str(tmp_path / "home"), "init"]
    for given in (None, OWN_PROCESS):
        with pytest.raises(SystemExit) as ended:
            program.app(words, obj=given)
        assert not ended.value.code
    assert [one.settings.home for one in found] == [tmp_path / "home"]


@pytest.mark.parametrize("elsewhere", [True, False])
def test_the_keeper_of_a_store_elsewhere_counts_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, elsewhere: bool
) -> None:
    asked: list[tuple[int, int, Path]] = []
    monkeypatch.setattr(privileges, "take_rights", lambda *what: asked.append(what))
    store = tmp_path / "others"
    store.mkdir()
    give(store)
    url = f"sqlite:///{store}/store.db" if elsewhere else "postgresql://user@host/name"
    words = ["--home", str(tmp_path / "home"), "--database-url", url, "doctor"]
    with pytest.raises(SystemExit):
        program.app(words, obj=OWN_PROCESS)
    assert asked == ([(NOBODY.pw_uid, NOBODY.pw_gid, store)] if elsewhere else [])


def readable() -> bool:
    """Whether Debian's Python and this checkout can be used by everybody."""
    folders = (ROOT, *ROOT.parents, Path(sys.prefix), *Path(sys.prefix).parents)
    return (
        SYSTEM.exists()
        and sys.version_info[:2] == (3, 11)
        and SYSTEM.resolve().name == "python3.11"
        and all(one.stat().st_mode & 0o005 == 0o005 for one in folders)
    )


@pytest.mark.functional
@pytest.mark.skipif(not readable(), reason="there is no Python here that everybody may read")
def test_a_command_of_root_is_one_of_the_keeper(open_folder: Path) -> None:
    home = give(Path(tempfile.mkdtemp(dir=open_folder)))
    closed = open_folder / "root's"
    closed.mkdir(mode=0o700)
    libraries = Path(sys.prefix, "lib", "python3.11", "site-packages")
    plugins = [str(one) for one in (ROOT / "plugins").iterdir() if one.is_dir()]
    path = os.pathsep.join([str(libraries), str(ROOT), *plugins])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(SYSTEM), "-m", "entitlements_core.cli", "--home", str(home), *words]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    assert run("init").returncode == 0
    assert run("repo", "add", "acme/prod").returncode == 0
    refused = run("backup", str(closed / "copy.db"))
    audited = json.loads(run("audit", "--json").stdout)
    assert {one.stat().st_uid for one in (home, *home.iterdir())} == {NOBODY.pw_uid}
    assert refused.returncode == 1
    assert "Permission denied" in refused.stderr
    assert {one["actor"] for one in audited} == {"nobody"}
