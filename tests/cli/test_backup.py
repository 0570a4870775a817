"""``entitlements backup`` and ``entitlements restore``."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from packaging.utils import canonicalize_name

from entitlements_core.errors import StoreError
from entitlements_core.services.core import Core
from entitlements_core.services.settings import Settings
from entitlements_core.store import migrate
from entitlements_core.store.database import Database
from tests.cli.conftest import CommandLine

STORE = "entitlements.db"


def names(cli: CommandLine) -> set[str]:
    return {item["name"] for item in cli.done("token", "list")}


def in_use(cli: CommandLine) -> sqlite3.Connection:
    """A connection as a server has one: the log stays."""
    connection = sqlite3.connect(cli.home / STORE)
    connection.execute("SELECT * FROM store_info").fetchall()
    return connection


def beside(cli: CommandLine) -> set[str]:
    """What lies in the home, but for what every command may make."""
    ours = {"key", STORE, f"{STORE}-wal", f"{STORE}-shm", f"{STORE}.lock", "copy.db"}
    return {path.name for path in cli.home.iterdir()} - ours


def test_there_and_back(cli: CommandLine, tmp_path: Path) -> None:
    cli.token("--name", "kept")
    copy = tmp_path / "copy.db"
    made = cli.done("backup", str(copy))
    assert made["backup"] == str(copy)
    assert made["size"] == copy.stat().st_size
    assert made["key_file"] == str(cli.home / "key")
    assert copy.stat().st_mode & 0o777 == 0o600
    before = names(cli)
    lost = cli.token("--name", "lost")["slug_perm"]

    done = cli.done("restore", str(copy))

    assert names(cli) == before
    assert cli.refused("token", "show", lost)["code"] == "not_found"
    assert done["before"] == done["current"] == made["schema"]
    kept = Path(done["kept"])
    assert kept.name.startswith(f"{STORE}.before-")
    assert beside(cli) == {kept.name} | {f"{kept.name}{end}" for end in ("-wal", "-shm")} & beside(
        cli
    )
    assert copy.exists()
    # What happened since the backup is in the audit of the store that was kept.
    [entry] = [one for one in cli.done("audit") if one["action"] == "store.restored"]
    assert entry["after"]["kept"] == str(kept)
    former = cli("audit", "--json", ENTITLEMENTS_DATABASE_URL=f"sqlite:///{kept}").json
    assert former[0]["action"] == "token.created"
    assert former[0]["token"] == lost
    shutil.move(kept, tmp_path / "kept.db")
    cli.done("restore", str(tmp_path / "kept.db"))
    assert "lost" in names(cli)


def test_what_is_in_the_log_only_is_copied_and_kept(cli: CommandLine, tmp_path: Path) -> None:
    with closing(in_use(cli)):
        cli.token("--name", "in the log")
        assert (cli.home / f"{STORE}-wal").stat().st_size
        cli.done("backup", str(tmp_path / "copy.db"))
        cli.token("--name", "in the log, too")
        kept = cli.done("restore", str(tmp_path / "copy.db"))["kept"]
        assert "in the log" in names(cli)
        assert "in the log, too" not in names(cli)
        with closing(sqlite3.connect(kept)) as former:
            found = former.execute("SELECT name FROM tokens").fetchall()
    assert ("in the log, too",) in found


def test_what_is_no_copy_is_told(cli: CommandLine, tmp_path: Path) -> None:
    assert "is not there" in cli.refused("restore", str(tmp_path / "none.db"))["detail"]
    assert "is a directory" in cli.refused("restore", str(tmp_path))["detail"]


def test_a_directory_gets_a_file_named_after_the_moment(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    made = Path(cli.done("backup", str(tmp_path / "copies"))["backup"])
    assert made.parent == tmp_path / "copies"
    assert made.name.startswith("entitlements-20")
    assert [one.name for one in made.parent.iterdir()] == [made.name]


def test_it_says_what_it_did_and_where_the_key_is(cli: CommandLine, tmp_path: Path) -> None:
    ran = cli("backup", str(tmp_path / "copy.db"))
    assert ran.status == 0
    assert "keep a copy of" in ran.out
    assert str(cli.home / "key") in ran.out
    ran = cli("restore", str(tmp_path / "copy.db"))
    assert "The store that was there is kept:" in ran.out
    assert "Brought" not in ran.out


def test_a_file_that_is_there_is_left_alone(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("mine")
    assert cli.refused("backup", str(tmp_path / "copy.db"))["code"] == "conflict"
    assert cli.refused("backup", str(tmp_path / "no" / "copy.db"))["code"] == "not_found"
    assert cli.refused("backup", f"{tmp_path}/none/")["code"] == "not_found"
    assert not (tmp_path / "none").exists()
    assert (tmp_path / "copy.db").read_text() == "mine"
    assert [one.name for one in tmp_path.glob(".copy-*")] == []


def test_a_store_that_is_gone_is_restored(cli: CommandLine, tmp_path: Path) -> None:
    cli.token("--name", "kept")
    cli.done("backup", str(tmp_path / "copy.db"))
    for path in cli.home.glob(f"{STORE}*"):
        path.unlink()
    assert cli.refused("backup", str(tmp_path / "other.db"))["code"] == "store_missing"
    assert cli.done("restore", str(tmp_path / "copy.db"))["kept"] is None
    assert "kept" in names(cli)


def test_what_was_changed_since_is_told_and_names_are_not_forgotten(
    cli: CommandLine, packages: Path, tmp_path: Path
) -> None:
    leaked, closed, same = (cli.token(name=name) for name in ("leaked", "closed", "same"))
    cli.done("backup", str(tmp_path / "copy.db"))
    cli.done("token", "refresh", leaked["slug_perm"])
    cli.done("token", "disable", closed["slug_perm"])
    new = cli.token(name="new")
    cli.done("repo", "reserve", "acme/beta", "acme-*")
    cli.done("index", str(packages), "--repo", "acme/prod")

    done = cli.done("restore", str(tmp_path / "copy.db"))

    assert done["since"] == {
        "replaced": [leaked["slug_perm"]],
        "closed": [closed["slug_perm"]],
        "gone": [new["slug_perm"]],
    }
    assert same["slug_perm"] in str(cli.done("token", "list"))
    assert "acme-*" in str(cli.done("repo", "reserved", "acme/beta"))
    core = cli.core()
    assert core.reader.is_own(canonicalize_name("demo"), "acme/prod")
    core.close()
    again = cli("restore", str(tmp_path / "copy.db"))
    assert "a secret that was replaced" in again.out
    assert "In force again" not in again.out
    kept = cli("restore", done["kept"])
    assert f"nothing (refresh it anew): {leaked['slug_perm']}" in kept.out


def test_a_store_that_is_gone_is_made_anew_by_init_only(cli: CommandLine) -> None:
    cli.token("--name", "lost")
    (cli.home / STORE).unlink()
    with pytest.raises(StoreError, match="is gone, though it was in use"):
        Core.open(Settings.load(home=cli.home), create=True)
    assert not (cli.home / STORE).exists()
    cli.done("init")
    assert names(cli) == set()


def test_a_copy_of_an_earlier_version_is_brought_up_to_date(
    cli: CommandLine, tmp_path: Path
) -> None:
    cli.done("backup", str(tmp_path / "copy.db"))
    older = Database(f"sqlite:///{tmp_path / 'copy.db'}")
    with older.begin() as unit:
        command.downgrade(migrate._config(unit.session.connection()), "0001")
    older.close()
    done = cli.done("restore", str(tmp_path / "copy.db"))
    assert done["before"] == "0001"
    assert done["current"] != "0001"
    assert cli.done("db", "check")["ok"]
    with closing(sqlite3.connect(cli.home / STORE)) as store:
        assert store.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert "Brought from 0001" in cli("restore", str(tmp_path / "copy.db")).out


def changed(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(statement)

    return change


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20_000])


UNFIT: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "store_missing"),
    "noise": (lambda path: path.write_bytes(b"no database" * 1000), "store_corrupt"),
    "cut": (cut, "store_corrupt"),
    "other database": (changed("DROP TABLE alembic_version"), "store_corrupt"),
    "no key": (changed("DELETE FROM store_info"), "key"),
    "other key": (changed("UPDATE store_info SET value = 'abcdefghij'"), "key"),
    "newer": (changed("UPDATE alembic_version SET version_num = '9999'"), "store_newer"),
    "stray rows": (
        changed("INSERT INTO package_tags VALUES (77, 'foo', '', 'gold')"),
        "store_corrupt",
    ),
}


@pytest.mark.parametrize(("spoil", "code"), UNFIT.values(), ids=UNFIT)
def test_what_is_no_copy_of_this_store_is_not_put_in_place(
    cli: CommandLine, tmp_path: Path, spoil: Callable[[Path], object], code: str
) -> None:
    copy = tmp_path / "copy.db"
    cli.done("backup", str(copy))
    cli.token("--name", "still here")
    spoil(copy)
    assert cli.refused("restore", str(copy))["code"] == code
    assert "still here" in names(cli)
    assert beside(cli) == set()


def test_the_store_itself_is_no_copy(cli: CommandLine) -> None:
    assert cli.refused("restore", str(cli.home / STORE))["code"] == "invalid"


def test_without_the_key_nothing_is_copied_or_restored(cli: CommandLine, tmp_path: Path) -> None:
    cli.done("backup", str(tmp_path / "copy.db"))
    (cli.home / "key").rename(tmp_path / "key")
    assert cli.refused("backup", str(tmp_path / "other.db"))["code"] == "key"
    assert cli.refused("restore", str(tmp_path / "copy.db"))["code"] == "key"
    assert not (tmp_path / "other.db").exists()


def test_a_store_that_stays_locked_is_not_replaced(cli: CommandLine, tmp_path: Path) -> None:
    cli.done("backup", str(tmp_path / "copy.db"))
    with closing(sqlite3.connect(cli.home / STORE, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert cli.refused("restore", str(tmp_path / "copy.db"))["code"] == "store_locked"
    assert beside(cli) == set()


def test_a_damaged_store_is_replaced_and_kept(cli: CommandLine, tmp_path: Path) -> None:
    cli.done("backup", str(tmp_path / "copy.db"))
    (cli.home / STORE).write_bytes(b"noise" * 1000)
    kept = cli.done("restore", str(tmp_path / "copy.db"))["kept"]
    assert Path(kept).read_bytes().startswith(b"noise")
    assert cli.done("db", "check")["ok"]


def test_no_copy_is_made_of_a_damaged_store(cli: CommandLine, tmp_path: Path) -> None:
    with (cli.home / STORE).open("r+b") as store:
        store.seek(100)  # where the first page begins
        store.write(os.urandom(4000))
    refused = cli.refused("backup", str(tmp_path / "copy.db"))
    assert refused["code"] == "store_corrupt"
    assert "entitlements restore" in refused["detail"]
    assert list(tmp_path.glob("*.db")) == []


def test_a_copy_that_was_moved_beside_another_log_is_restored(
    cli: CommandLine, tmp_path: Path
) -> None:
    cli.token("--name", "kept")
    with closing(in_use(cli)):
        cli.done("backup", str(tmp_path / "copy.db"))
        (tmp_path / "copy.db").rename(cli.home / STORE)
        assert cli.refused("token", "list")["code"] == "store_replaced"
        assert cli.refused("backup", str(tmp_path / "other.db"))["code"] == "store_replaced"
        ran = cli("doctor")
        assert ran.status == 1
        assert "is the log of the former file" in ran.out
        (cli.home / STORE).rename(tmp_path / "again.db")
        assert cli.done("restore", str(tmp_path / "again.db"))["kept"] is None
        assert "kept" in names(cli)


def test_what_cannot_be_moved_leaves_everything_as_it_was(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.done("backup", str(tmp_path / "copy.db"))
    cli.token("--name", "still here")
    renamed = os.rename

    def rename(old: str, new: str) -> None:
        if new == str(cli.home / STORE) and ".copy-" in old:
            raise PermissionError(13, "Permission denied")
        renamed(old, new)

    monkeypatch.setattr(os, "rename", rename)
    refused = cli.refused("restore", str(tmp_path / "copy.db"))
    monkeypatch.undo()
    assert "Permission denied" in refused["detail"]
    assert "still here" in names(cli)
    assert beside(cli) == set()


@pytest.mark.parametrize(
    ("command", "tool"), [("backup", "pg_dump --format=custom"), ("restore", "pg_restore --clean")]
)
def test_postgres_has_its_own_tools(cli: CommandLine, command: str, tool: str) -> None:
    address = "postgresql://app:hunter2@db.example/store"
    ran = cli(command, "/tmp/copy", "--json", ENTITLEMENTS_DATABASE_URL=address)  # noqa: S108 - never made
    assert ran.status == 1
    assert ran.detail["code"] == "refused"
    assert tool in ran.detail["detail"]
    assert "postgresql://app@db.example/store" in ran.detail["detail"]
    assert "hunter2" not in ran.err


STRANGERS = (
    "entitlements.db",
    "monday.db",
    "entitlements-monday.db",
    "entitlements-20200101T000000.000000Z.db.gz",
    "other-20200101T000000.000000Z.db",
    "entitlements-20200101T000000.000000Z.db.before-20200101T000000.000000Z",
    "entitlements-20200101T000000Z.db",
)


@pytest.mark.parametrize("keep", [1, 2, 5])
def test_only_the_newest_copies_are_kept_and_nothing_else_is_touched(
    cli: CommandLine, tmp_path: Path, keep: int
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    for name in STRANGERS:
        (folder / name).touch()
    (folder / "entitlements-20200101T000000.000001Z.db").mkdir()
    link = folder / "entitlements-20200101T000000.000002Z.db"
    link.symlink_to(folder / "monday.db")
    strange = set(folder.iterdir())
    made = [Path(cli.done("backup", str(folder))["backup"]) for _ in range(3)]
    later = folder / "entitlements-20990101T000000.000000Z.db"  # a clock was ahead
    shutil.copy(made[0], later)
    done = cli.done("backup", f"{folder}/", "--keep", str(keep))
    newest = Path(done["backup"])
    others = [*made, later]
    kept = others[len(others) + 1 - keep :] if keep <= len(others) else others
    assert set(folder.iterdir()) - strange == {*kept, newest}
    assert done["removed"] == [str(one) for one in others if one not in kept]
    said = cli("backup", str(folder), "--keep", "1").out
    assert f"Removed, as an older one: {newest}" in said


def test_what_is_named_by_hand_is_not_counted(cli: CommandLine, tmp_path: Path) -> None:
    refused = cli.refused("backup", str(tmp_path / "monday.db"), "--keep", "3")
    assert "is not a directory" in refused["detail"]
    assert not (tmp_path / "monday.db").exists()
    assert cli.refused("backup", str(tmp_path), "--keep", "0", status=2)["code"] == "usage"


def test_a_copy_that_cannot_be_removed_is_told(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    old = folder / "entitlements-20200101T000000.000000Z.db"
    shutil.copy(cli.done("backup", str(tmp_path))["backup"], old)
    true_unlink = Path.unlink

    def unlink(path: Path, *, missing_ok: bool = False) -> None:
        if path == old:
            raise PermissionError(1, "Operation not permitted")
        true_unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    refused = cli.refused("backup", str(folder), "--keep", "1")
    assert f"{old} cannot be removed: Operation not permitted" in refused["detail"]
    assert len(list(folder.iterdir())) == 2


def test_a_copy_that_may_not_be_read_is_told(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.db"
    cli.done("backup", str(copy))
    copy.chmod(0)
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != copy)
    detail = cli.refused("restore", str(copy))["detail"]
    assert "may not be read by this user" in detail
    assert f"chmod u+rw {copy}" in detail
    assert "is no file" in cli.refused("restore", os.devnull)["detail"]


def test_the_working_directory_is_one_like_any_other(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    made = cli.done("backup", ".")["backup"]
    assert [path.name for path in folder.iterdir()] == [Path(made).name]


def test_copies_of_another_key_stay_where_so_many_are_kept(
    cli: CommandLine, tmp_path: Path
) -> None:
    first = cli.done("backup", str(tmp_path))["backup"]
    (tmp_path / "entitlements-20200102T000000.000000Z.db").write_text("no store")
    for path in cli.home.iterdir():
        path.unlink()
    cli.done("init")
    second = cli.done("backup", str(tmp_path), "--keep", "1")
    assert second["removed"] == []
    assert cli.done("backup", str(tmp_path), "--keep", "1")["removed"] == [second["backup"]]
    assert Path(first).exists()
