"""What is made in a home is the server's alone from the first moment, whatever the umask."""

import fcntl
import json
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from entitlements_core.engine.catalog_cache import CatalogCache
from entitlements_core.services.core import Core
from entitlements_core.services.doctor import Health, Patient, check_home
from entitlements_core.services.home import make_home, make_private, protect_home, write_private
from entitlements_core.services.initialization import initialize
from entitlements_core.services.settings import Settings
from tests.wheelhouse import build_wheel

UMASKS: Final = (0o000, 0o002, 0o022, 0o027, 0o077, 0o177)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


COMMANDS: Final = """
import os, stat, sys
umask, home, packages, out = int(sys.argv[1], 8), *sys.argv[2:]
os.umask(umask)
from entitlements_core.cli import main

def watch(event, words):
    # A file that Python or SQLite is about to make must be there already, closed to others, or be
    # made with a mode that closes it: "open" tells only of those that Python itself makes.
    if event == "sqlite3.connect":
        path = os.fsdecode(words[0]).removeprefix("file:").partition("?")[0]
        if path.startswith(home) or path.startswith(out):
            found = stat.S_IMODE(os.stat(path).st_mode)
            assert found == 0o600, (path, oct(found))
    elif event == "open" and isinstance(words[0], str) and words[0].startswith((home, out)):
        path, how, flags = words
        if flags & os.O_CREAT and not os.path.exists(path):
            name = os.path.basename(path)
            assert name.startswith(".") or name.endswith(".lock"), path

sys.addaudithook(watch)

def run(*words):
    sys.argv = ["entitlements", "--home", home, *words, "--json"]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, (words, ended.code)

run("init")
run("repo", "add", "acme/prod")
run("index", packages, "--repo", "acme/prod")
run("token", "create", "--repo", "acme/prod", "--name", "one")
run("doctor", packages, "--repo", "acme/prod")
run("package", "list", "--repo", "acme/prod", "--dir", packages)
run("backup", out + "/copy.db")
run("restore", out + "/copy.db")
run("db", "upgrade")
for path in [home, out]:
    for folder, _, names in os.walk(path):
        for name in names:
            found = stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode)
            assert found == 0o600, (name, oct(found))
"""


@pytest.mark.parametrize("mask", UMASKS, ids=oct)
def test_no_command_makes_a_file_that_others_may_read(tmp_path: Path, mask: int) -> None:
    build_wheel(tmp_path / "packages", "lab-foo", "1.0")
    (tmp_path / "out").mkdir()
    words = [f"{mask:o}", str(tmp_path / "home"), str(tmp_path / "packages"), str(tmp_path / "out")]
    ended = subprocess.run(
        [sys.executable, "-c", COMMANDS, *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    home = tmp_path / "home"
    assert mode(home) == 0o700
    assert {"key", "entitlements.db", "catalog.db"} <= {path.name for path in home.iterdir()}
    for path in home.iterdir():
        assert mode(path) == 0o600, path.name


@pytest.mark.parametrize("mask", UMASKS, ids=oct)
def test_what_lies_beside_an_open_cache_is_private_too(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        cache = CatalogCache(tmp_path / "catalog.db")
        cache.store("/r", [], {"m": b"x"})
    names = {path.name for path in tmp_path.iterdir()}
    assert {"catalog.db", "catalog.db-wal", "catalog.db-shm", "catalog.db.lock"} <= names
    for path in tmp_path.iterdir():
        assert mode(path) == 0o600, path.name
    cache.close()


def test_a_cache_that_was_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    first = CatalogCache(path)
    for one in tmp_path.iterdir():
        one.chmod(0o644)
    second = CatalogCache(path)
    second.store("/r", [], {"m": b"x"})
    assert first.metadata("m") == b"x"
    for one in tmp_path.iterdir():
        assert mode(one) == 0o600, one.name
    first.close()
    second.close()


def test_a_damaged_cache_is_set_aside_and_the_new_one_is_private(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(b"no database" * 1000)
    path.chmod(0o644)
    with umask(0):
        CatalogCache(path).close()
    assert {mode(one) for one in tmp_path.iterdir()} == {0o600}
    assert (tmp_path / "catalog.db.damaged").exists()


@pytest.mark.parametrize("mask", UMASKS, ids=oct)
def test_a_home_is_made_private(tmp_path: Path, mask: int) -> None:
    if not mask & stat.S_IRWXU:  # those would close what is above the home as well
        tmp_path = tmp_path / "not yet"
    with umask(mask):
        make_home(tmp_path / "home")
        make_home(tmp_path / "home")
        write_private(tmp_path / "home" / "a", "naïve")
        write_private(tmp_path / "home" / "a", "another")
        make_private(tmp_path / "home" / "b")
    assert mode(tmp_path / "home") == 0o700
    assert mode(tmp_path / "home" / "a") == mode(tmp_path / "home" / "b") == 0o600
    assert (tmp_path / "home" / "a").read_text() == "another"
    with pytest.raises(FileExistsError):
        make_home(tmp_path / "home" / "a")
    assert {path.name for path in (tmp_path / "home").iterdir()} == {"a", "b"}


def test_what_was_there_keeps_its_contents(tmp_path: Path) -> None:
    path = tmp_path / "b"
    path.write_text("kept")
    path.chmod(0o664)
    make_private(path)
    assert (path.read_text(), mode(path)) == ("kept", 0o600)


def a_home(tmp_path: Path, bits: int, *names: str) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    for name in names:
        (home / name).touch()
    home.chmod(bits)
    return home


OURS: Final = ("key", "entitlements.db", "entitlements.db-wal", "catalog.db", "devpi.json")


@pytest.mark.parametrize("bits", [0o755, 0o775, 0o777, 0o701, 0o711])
@pytest.mark.parametrize("names", [(), OURS, ("lost+found",), ("catalog-acme-prod.db.lock",)])
def test_a_home_that_everybody_may_enter_is_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bits: int, names: tuple[str, ...]
) -> None:
    home = a_home(tmp_path, bits, *names)
    protect_home(home)
    assert mode(home) == 0o700
    assert f"{bits:o}" in caplog.text
    caplog.clear()
    protect_home(home)
    assert caplog.text == ""


@pytest.mark.parametrize("bits", [0o700, 0o750, 0o770, 0o2770])
def test_a_home_that_a_group_may_enter_was_meant_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bits: int
) -> None:
    home = a_home(tmp_path, bits, "key")
    protect_home(home)
    assert mode(home) == bits
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("bits", "names", "why"),
    [
        (0o755, ("key", "packages"), "'packages', which may be for others"),
        (0o755, (".serverversion",), "'.serverversion'"),
        (0o755, ("caf\udce9",), "'caf\\udce9'"),
        (0o1777, (), "a directory for everybody"),
    ],
)
def test_a_directory_that_is_not_ours_alone_stays_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bits: int, names: tuple[str, ...], why: str
) -> None:
    home = a_home(tmp_path, bits, *names)
    protect_home(home)
    assert mode(home) == bits
    assert why in caplog.text
    assert f"chmod 700 {home}" in caplog.text
    findings = list(check_home(Patient(settings=Settings.load(home=home))))
    assert [one.health for one in findings] == [Health.WARNING]
    assert f"chmod 700 {home}" in findings[0].remedy


def test_a_directory_of_another_user_stays_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = a_home(tmp_path, 0o755)
    monkeypatch.setattr(os, "geteuid", lambda: home.stat().st_uid + 1)
    protect_home(home)
    assert mode(home) == 0o755
    assert "another user" in caplog.text


@pytest.mark.parametrize("call", ["chmod", "iterdir"])
def test_a_file_system_that_does_not_let_us_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    home = a_home(tmp_path, 0o755)

    def refuse(*_: object) -> None:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(Path, call, refuse)
    protect_home(home)
    assert "Read-only file system" in caplog.text
    protect_home(tmp_path / "gone")


@pytest.mark.parametrize("start", ["init", "open"])
def test_a_start_closes_a_home_that_was_made_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, start: str
) -> None:
    home = a_home(tmp_path, 0o755)
    settings = Settings.load(home=home)
    with caplog.at_level(logging.WARNING):
        if start == "init":
            initialize(settings)
        else:
            Core.open(settings, create=True).close()
    assert mode(home) == 0o700
    assert "Everybody could enter" in caplog.text


def test_the_doctor_names_each_file_that_others_may_use(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = Settings.load(home=home)
    initialize(settings)
    for name in ("entitlements.db", "proxies.json"):
        (home / name).touch()
        (home / name).chmod(0o644)
    (home / "notes.txt").write_text(json.dumps("not ours"))
    found = list(check_home(Patient(settings=settings)))
    assert [one.health for one in found] == [Health.WARNING] * 2
    assert [one.remedy for one in found] == [
        f"Run: chmod 600 {home / name}" for name in ("entitlements.db", "proxies.json")
    ]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_leads_to_nothing_that_is_made_or_closed(tmp_path: Path, *, there: bool) -> None:
    target = tmp_path / "somebody's"
    if there:
        target.write_text("for everybody")
        target.chmod(0o644)
    link = tmp_path / "link"
    link.symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"):
        make_private(link)
    assert target.exists() is there
    assert not there or mode(target) == 0o644


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o666)
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(OSError, match="is no file"):
            make_private(path)


def test_closing_a_file_lets_go_of_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "locked"
    make_private(path)
    with path.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        path.chmod(0o644)
        make_private(path)
        others = subprocess.run(
            [
                sys.executable,
                "-c",
                "import fcntl,sys; fcntl.lockf(open(sys.argv[1], 'r+b'), 6)",
                path,
            ],
            capture_output=True,
            check=False,
        )
    assert mode(path) == 0o600
    assert b"BlockingIOError" in others.stderr
