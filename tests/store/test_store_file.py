"""A SQLite store whose file is replaced or removed, and the locks that SQLite holds on it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from entitlements_core.errors import StoreError
from entitlements_core.policy.credential import Credential, State
from entitlements_core.policy.decision import Deny
from entitlements_core.store import connections, store_file
from entitlements_core.store.checkpoints import Checkpoints
from entitlements_core.store.copies import copied, put_in_place
from entitlements_core.store.database import Database
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import DatabaseMissing, DatabaseReplaced
from entitlements_core.store.ledger import Ledger, Receipt
from entitlements_core.store.ledger_sqlite import SqliteLedger
from entitlements_core.store.reader import CredentialReader
from entitlements_core.store.schema_revisions import stored_revision
from entitlements_core.store.store_file import StoreFile
from entitlements_core.store.wal_index import WalIndex
from tests.factories import NOW, REPOSITORY, add_repository, add_token, entry

DIGEST = b"d" * 32
KEY = "f" * 32
ROUNDS = 25
THREADS = 16


@dataclass
class Store:
    """A store in use: by a reader, a ledger, and for administration."""

    path: Path
    database: Database
    reader: CredentialReader
    ledger: Ledger
    token: int

    def find(self) -> Credential | None:
        return self.reader.find(DIGEST, REPOSITORY, NOW)

    def count(self) -> Receipt | Deny:
        return self.ledger.reserve(entry(self.token))

    def copy(self, name: str = "copy.db") -> Path:
        """A copy of this moment, in one file."""
        with sqlite3.connect(self.path) as source, sqlite3.connect(self.path.parent / name) as to:
            source.backup(to)
            to.execute("PRAGMA journal_mode = DELETE")
        source.close()
        to.close()
        return self.path.parent / name

    def replace(self, copy: Path) -> None:
        """Put a copy in place as one should: the former store is moved away with its log."""
        for end in ("", "-wal", "-shm"):
            Path(f"{self.path}{end}").rename(f"{self.path}.former{end}")
        copy.rename(self.path)

    @property
    def uses(self) -> dict[str, Callable[[], object]]:
        """Everything that reads or writes the store."""
        return {
            "find": self.find,
            "places": lambda: self.reader.repositories(DIGEST, NOW),
            "named": lambda: self.reader.by_identifier("abcdefghijkl", REPOSITORY),
            "tags": lambda: self.reader.package_tags(REPOSITORY),
            "count": self.count,
            "read": lambda: self.read(lambda: None),
            "write": lambda: self.write("x"),
        }

    def read(self, meanwhile: Callable[[], object]) -> None:
        with self.database.read() as unit:
            unit.key_fingerprint()
            meanwhile()

    def write(self, contact: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        with self.database.begin() as unit:
            connection = unit.session.connection()
            connection.exec_driver_sql(
                "UPDATE repositories SET contact = ?, revision = revision + 1", (contact,)
            )
            meanwhile()


@pytest.fixture
def store(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    monkeypatch.setattr(connections, "LOOK_AGAIN", 0.0)
    path = tmp_path / "store.db"
    shutil.copy(sqlite_template, path)
    address = url(path)
    database = Database(address, lock_timeout_ms=300, key_fingerprint=KEY)
    database.bind_key(KEY)
    add_repository(database)
    token = add_token(database, digest=DIGEST)
    reader = CredentialReader(address, key_fingerprint=KEY)
    ledger = Ledger(SqliteLedger(address, key_fingerprint=KEY))
    made = Store(path, database, reader, ledger, token)
    for use in made.uses.values():
        use()
    yield made
    ledger.close()
    reader.close()
    database.close()


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def locked(path: Path) -> bool:
    """Whether this process holds a lock of POSIX on the file."""
    inode = str(path.stat().st_ino)
    with Path("/proc/locks").open() as lines:
        found = [line.split() for line in lines if "POSIX" in line]
    return any(
        words[5].rpartition(":")[2] == inode and words[4] == str(os.getpid()) for words in found
    )


def hold_locks(path: Path) -> bool:
    """SQLite keeps one on the file, and one on the shared memory, for as long as it is open."""
    return locked(path) and locked(Path(f"{path}-shm"))


def at_once(work: Callable[[], object]) -> None:
    barrier = threading.Barrier(THREADS)

    def run() -> None:
        barrier.wait(60)
        work()

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_threads_that_listen_at_once_leave_the_locks_alone(
    sqlite_template: Path, tmp_path: Path
) -> None:
    kept = []
    for number in range(ROUNDS):
        path = tmp_path / f"{number}.db"
        shutil.copy(sqlite_template, path)
        holder = sqlite3.connect(path)
        holder.execute("SELECT * FROM store_info").fetchall()
        at_once(lambda path=path: WalIndex(path).header())  # type: ignore[misc] # bound now
        kept.append(hold_locks(path))
        holder.close()

    assert kept == [True] * ROUNDS


def test_threads_that_find_at_once_leave_the_locks_alone(store: Store) -> None:
    for _ in range(ROUNDS):
        reader = CredentialReader(url(store.path))
        at_once(lambda reader=reader: reader.find(DIGEST, REPOSITORY, NOW))  # type: ignore[misc] # bound now
        assert hold_locks(store.path)
        reader.close()
        assert hold_locks(store.path)


@pytest.mark.parametrize(
    "work",
    [
        lambda path: Database(url(path)).upgrade(),
        lambda path: Database(url(path)).check(),
        lambda path: DatabaseURL.parse(url(path)).make_sqlite(),
        lambda path: stored_revision(DatabaseURL.parse(url(path))),
        lambda path: WalIndex(path).frames(),
        lambda path: Checkpoints(path, lambda: sqlite3.connect(path)).after_commit(),
        lambda path: Checkpoints(path, lambda: sqlite3.connect(path))._work("TRUNCATE"),
        lambda path: CredentialReader(url(path)).close(),
        lambda path: SqliteLedger(url(path)).close(),
    ],
)
def test_nothing_that_is_done_beside_a_store_in_use_drops_its_locks(
    store: Store, work: Callable[[Path], object]
) -> None:
    assert hold_locks(store.path)
    work(store.path)
    assert hold_locks(store.path)


@pytest.mark.parametrize("content", [b"", b"\x01" * 20])
def test_too_short_a_memory_is_not_mapped(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "store.db-shm").write_bytes(content)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        assert WalIndex(tmp_path / "store.db").header() is None
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_a_store_that_is_gone_opens_nothing_and_is_not_made(store: Store) -> None:
    store.path.unlink()

    for use in store.uses.values():
        with pytest.raises(DatabaseMissing):
            use()
    assert not store.path.exists()


def test_a_store_that_comes_back_is_used_again(store: Store) -> None:
    store.path.rename(f"{store.path}.away")
    with pytest.raises(DatabaseMissing):
        store.find()
    Path(f"{store.path}.away").rename(store.path)

    for use in store.uses.values():
        use()
    assert store.find() is not None


def test_a_copy_that_is_put_in_place_is_used_by_everybody(store: Store) -> None:
    copy = store.copy()
    store.write("later@acme.example")
    before = store.find()
    assert before is not None
    assert before.contact == "later@acme.example"
    store.replace(copy)

    for name, use in store.uses.items():
        if name != "write":
            use()
    found = store.find()
    assert found is not None
    assert found.contact == "x"
    with closing(sqlite3.connect(store.path)) as other:
        assert other.execute("SELECT downloads FROM usage").fetchall() == [(1,)]
    store.write("anew@acme.example")
    again = store.find()
    assert again is not None
    assert again.contact == "anew@acme.example"


def test_equal_revisions_of_another_file_are_not_taken_for_known_ones(store: Store) -> None:
    copy = store.copy()
    with sqlite3.connect(copy) as other:
        other.execute("UPDATE tokens SET state = 'disabled'")
        other.execute("INSERT INTO package_tags VALUES (1, 'foo', '', 'gold')")
    other.close()
    tags = store.reader.package_tags(REPOSITORY)
    store.replace(copy)

    found = store.find()
    assert found is not None
    assert found.state is State.DISABLED
    assert store.reader.package_tags(REPOSITORY).state != tags.state


def spoiled(change: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with sqlite3.connect(path) as connection:
            connection.execute(change)
        connection.close()

    return spoil


UNFIT: dict[str, Callable[[Path], object]] = {
    "key": spoiled("UPDATE store_info SET value = 'another' WHERE name = 'key_fingerprint'"),
    "no key": spoiled("DELETE FROM store_info"),
    "schema": spoiled("UPDATE alembic_version SET version_num = '0001'"),
    "newer": spoiled("UPDATE alembic_version SET version_num = '9999'"),
    "no schema": spoiled("DROP TABLE alembic_version"),
    "no table": spoiled("DROP TABLE store_info"),
    "empty": lambda path: path.write_bytes(b""),
    "noise": lambda path: path.write_bytes(b"no database at all" * 100),
}


@pytest.mark.parametrize("spoil", UNFIT.values(), ids=UNFIT)
def test_a_file_that_is_not_this_store_is_not_used(
    store: Store, spoil: Callable[[Path], object]
) -> None:
    copy, good = store.copy(), store.copy("good.db")
    spoil(copy)
    store.replace(copy)

    for use in store.uses.values():
        with pytest.raises(StoreError):
            use()
    store.path.unlink()
    for end in ("-wal", "-shm"):
        Path(f"{store.path}{end}").unlink(missing_ok=True)
    good.rename(store.path)
    assert store.find() is not None


def test_the_log_of_a_former_file_is_not_read_with_another(store: Store) -> None:
    copy = store.copy()
    store.write("later@acme.example")
    before = copy.read_bytes()
    copy.rename(store.path)

    for use in store.uses.values():
        with pytest.raises(DatabaseReplaced, match="is the log of the former file"):
            use()
    # Another process, which did not see the former file.
    with pytest.raises(DatabaseReplaced, match="entitlements restore"):
        Database(url(store.path)).require_current()
    store.ledger.close()
    store.reader.close()
    store.database.close()
    assert store.path.read_bytes() == before


def test_a_look_at_the_path_is_not_good_for_long(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LOOK_AGAIN", 0.002)
    for number in range(20):
        assert store.find() is not None
        away = store.path.rename(f"{store.path}.{number}")
        time.sleep(0.002)
        with pytest.raises(DatabaseMissing):
            store.find()
        away.rename(store.path)


def test_a_file_that_comes_while_it_is_opened_meets_no_other_log(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, opening = store.copy(), sqlite3.connect
    memory = Path(f"{store.path}-shm")
    before, size = memory.read_bytes()[:136], memory.stat().st_size

    def connect(*words: object, **options: object) -> object:
        if copy.exists():
            copy.rename(store.path)
        return opening(*words, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(sqlite3, "connect", connect)
    with pytest.raises(DatabaseReplaced):
        Database(url(store.path)).require_current()

    assert (memory.read_bytes()[:136], memory.stat().st_size) == (before, size)


def test_without_the_former_log_the_file_is_used(store: Store) -> None:
    copy = store.copy()
    store.write("later@acme.example")
    copy.rename(store.path)
    with pytest.raises(DatabaseReplaced):
        store.find()
    for end in ("-wal", "-shm"):
        Path(f"{store.path}{end}").unlink()

    found = store.find()
    assert found is not None
    assert found.contact == "x"


def test_what_was_counted_in_a_file_that_was_replaced_meanwhile_is_not_answered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = store.copy()
    driver = store.ledger._driver
    posting = vars(type(driver))["commit"]

    def commit(self: SqliteLedger, entries: object) -> object:
        with self._transaction():
            store.replace(copy)
        return posting(self, entries)

    monkeypatch.setattr(SqliteLedger, "commit", commit)
    with pytest.raises(DatabaseReplaced, match="in the meantime"):
        store.count()
    monkeypatch.undo()
    assert isinstance(store.count(), Receipt)


@pytest.mark.parametrize("use", ["read", "write"])
def test_a_transaction_during_which_the_file_is_replaced_has_failed(store: Store, use: str) -> None:
    copy = store.copy()

    def work() -> None:
        if use == "read":
            store.read(lambda: store.replace(copy))
        else:
            store.write("lost@acme.example", lambda: store.replace(copy))

    with pytest.raises(DatabaseReplaced, match="Try again"):
        work()
    found = store.find()
    assert found is not None
    assert found.contact == "x"


def test_a_note_that_cannot_be_kept_or_read_does_not_matter(store: Store) -> None:
    note = Path(f"{store.path}.lock")
    for content in ("", "1:2", "odd words here\n", "é" * 300):
        note.write_text(content)
        Database(url(store.path)).require_current()
    note.unlink()
    note.mkdir()
    Database(url(store.path)).require_current()
    note.rmdir()


def test_a_longer_note_is_replaced_whole(store: Store) -> None:
    note = Path(f"{store.path}.lock")
    note.write_text("9" * 100 + ":1 2\n")
    Database(url(store.path)).require_current()
    copy = store.copy()
    copy.rename(store.path)
    with pytest.raises(DatabaseReplaced):
        Database(url(store.path)).require_current()


LOG = ("-wal", "-shm")
REMOVED = [("-wal",), ("-shm",), LOG]


def remove(store: Store, ends: tuple[str, ...]) -> None:
    for end in ends:
        Path(f"{store.path}{end}").unlink()


def ask(database: Database) -> str | None:
    with database.read() as unit:
        return unit.key_fingerprint()


def let_go(store: Store) -> None:
    store.ledger.close()
    store.reader.close()
    store.database.close()


@pytest.mark.parametrize("ends", REMOVED, ids="".join)
def test_nothing_is_used_whose_log_was_removed_until_everybody_let_go(
    store: Store, ends: tuple[str, ...]
) -> None:
    store.write("later@acme.example")
    holder = DatabaseURL.parse(url(store.path)).connect_sqlite()
    remove(store, ends)

    with pytest.raises(DatabaseReplaced, match="log of the database"):
        Database(url(store.path)).require_current()
    for use in store.uses.values():
        with pytest.raises(DatabaseReplaced, match="Stop all servers"):
            use()
    assert not any(Path(f"{store.path}{end}").exists() for end in ends)

    holder.close()
    found = store.find()
    assert found is not None
    assert found.contact == "later@acme.example"
    for use in store.uses.values():
        use()


@pytest.mark.parametrize("ends", REMOVED, ids="".join)
@pytest.mark.parametrize("noticed", ["noticed", ""])
def test_what_a_removed_log_held_is_kept_when_everybody_let_go(
    store: Store, ends: tuple[str, ...], noticed: str
) -> None:
    store.write("later@acme.example")
    remove(store, ends)
    if noticed:
        with pytest.raises(DatabaseReplaced):
            store.find()
    let_go(store)

    for use in ("find", "count", "read"):
        store.uses[use]()
    found = store.find()
    assert found is not None
    assert found.contact == "later@acme.example"


@pytest.mark.parametrize("ends", REMOVED, ids="".join)
@pytest.mark.parametrize("end", ["close", "exit"])
def test_a_removed_log_never_undoes_what_came_after_it(
    store: Store, ends: tuple[str, ...], end: str
) -> None:
    let_go(store)
    script = """if True:
        import sqlite3, sys
        from pathlib import Path
        from entitlements_core.store.database import Database
        path, end, *ends = sys.argv[1:]
        database = Database(f"sqlite:///{path}")
        with database.begin() as unit:
            unit.session.connection().exec_driver_sql("UPDATE repositories SET contact = 'old'")
        for name in ends:
            Path(path + name).unlink()
        sys.stdout.write("removed\\n")
        sys.stdout.flush()
        sys.stdin.readline()
        if end == "close":
            database.close()
    """
    words = [sys.executable, "-c", script, str(store.path), end, *ends]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as old:
        assert old.stdout is not None
        assert old.stdout.readline() == "removed\n"
        # Another program knows no note; it finds no log, and makes one.
        other = sqlite3.connect(store.path, isolation_level=None)
        last = "new"
        try:
            other.execute("UPDATE repositories SET contact = 'new'")
        except sqlite3.OperationalError:
            assert ends == ("-wal",)  # an index without its log
            last = "old"
        other.close()
        old.communicate("\n", timeout=60)
        assert old.returncode == 0

    with sqlite3.connect(store.path) as after:
        assert after.execute("SELECT contact FROM repositories").fetchall() == [(last,)]
        assert after.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    after.close()


def test_a_log_that_the_last_one_took_away_is_no_loss(store: Store) -> None:
    let_go(store)
    assert not any(Path(f"{store.path}{end}").exists() for end in LOG)
    other = sqlite3.connect(store.path)
    other.execute("SELECT * FROM store_info").fetchall()

    assert store.find() is not None
    other.close()


OPENS = 250
OPENING = """if True:
    import sys, threading
    from entitlements_core.store.database import Database
    from entitlements_core.store.database_url import DatabaseURL
    url, opens, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    failures = []

    def open_and_close():
        try:
            for turn in range(opens // threads):
                if turn % 10 == 0:
                    database = Database(url)
                    with database.read() as unit:
                        unit.key_fingerprint()
                    database.close()
                else:
                    DatabaseURL.parse(url).connect_sqlite().close()
        except Exception as error:
            failures.append(repr(error))

    sys.stdin.readline()  # all begin at once
    running = [threading.Thread(target=open_and_close) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    sys.exit("\\n".join(failures) or None)
"""


@pytest.mark.parametrize(("processes", "threads"), [(2, 1), (1, 4), (3, 2)])
def test_a_log_that_comes_and_goes_as_others_open_and_close_is_no_loss(
    store: Store, processes: int, threads: int
) -> None:
    """As when a server starts its workers: each looks at the store, and lets go of it."""
    let_go(store)
    words = [sys.executable, "-c", OPENING, url(store.path), str(OPENS), str(threads)]
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            )
            for _ in range(processes)
        ]
        for process in started:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=120)[1] for process in started]

    assert said == [""] * processes
    store.uses["find"]()


def _make(database: Database, at_once: threading.Barrier, failures: list[Exception]) -> None:
    at_once.wait()
    try:
        database.upgrade()
        ask(database)
    except StoreError as error:
        failures.append(error)
    database.close()


def test_threads_that_make_a_store_at_once_find_its_log_in_use(tmp_path: Path) -> None:
    """One that opened the file while it had no log yet has lost none."""
    failures: list[Exception] = []
    for number in range(20):
        databases = [Database(url(tmp_path / f"{number}.db")) for _ in range(4)]
        at_once = threading.Barrier(len(databases))
        threads = [
            threading.Thread(target=_make, args=(database, at_once, failures))
            for database in databases
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []


@pytest.mark.parametrize("ends", [(), *REMOVED], ids="".join)
def test_a_database_let_go_of_amid_a_transaction_leaves_no_log_behind(
    store: Store, ends: tuple[str, ...]
) -> None:
    """By `close`, or by another thread that notices that the log is gone."""
    store.ledger.close()
    store.reader.close()
    lost = pytest.raises(DatabaseReplaced) if ends else contextlib.nullcontext()
    with lost, store.database.read() as unit:
        unit.key_fingerprint()
        remove(store, ends)
        if ends:
            with pytest.raises(DatabaseReplaced):
                ask(store.database)
        else:
            store.database.close()

    assert ask(store.database) == KEY  # as if nothing had been
    store.database.close()
    assert not any(Path(f"{store.path}{end}").exists() for end in LOG)


def test_a_database_that_other_threads_close_loses_no_transaction(store: Store) -> None:
    let_go(store)
    is_over = threading.Event()

    def close_often() -> None:
        while not is_over.is_set():
            store.database.close()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=close_often)
    thread.start()
    try:
        for _ in range(300):
            assert ask(store.database) == KEY
    finally:
        is_over.set()
        thread.join()
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("held_by", ["a global", "a thread", "a cycle"])
def test_a_process_that_closes_nothing_leaves_no_note_of_a_log(store: Store, held_by: str) -> None:
    """Another program may use the store then, whose log is none that was lost."""
    let_go(store)
    script = """if True:
        import sys, threading
        from entitlements_core.store.database_url import DatabaseURL

        def use(kept):
            kept.append(DatabaseURL.parse(sys.argv[1]).connect_sqlite())
            kept[0].execute("UPDATE repositories SET contact = 'last'")

        kept = []
        if sys.argv[2] == "a thread":
            local = threading.local()
            local.kept = []
            thread = threading.Thread(target=use, args=(local.kept,))
            thread.start()
            thread.join()
        else:
            use(kept)
        if sys.argv[2] == "a cycle":
            kept.append(kept)
            del kept
    """
    words = [sys.executable, "-c", script, url(store.path), held_by]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not any(Path(f"{store.path}{end}").exists() for end in LOG)

    with closing(sqlite3.connect(store.path)) as other:
        other.execute("UPDATE repositories SET contact = 'other'")
        other.commit()
        found = store.find()
        assert found is not None
        assert found.contact == "other"


def test_a_process_that_ended_without_closing_is_no_loss(store: Store) -> None:
    store.write("later@acme.example")
    copy = store.path.parent / "left.db"
    for end in ("", *LOG):
        shutil.copy(f"{store.path}{end}", f"{copy}{end}")
    found = copy.stat()
    Path(f"{copy}.lock").write_text(f"{found.st_dev}:{found.st_ino} 1 2\n")

    Database(url(copy)).require_current()
    with Database(url(copy)).read() as unit:
        assert unit.key_fingerprint() == KEY


@pytest.mark.parametrize("ends", REMOVED, ids="".join)
def test_a_copy_is_restored_over_a_store_whose_log_was_removed(
    store: Store, ends: tuple[str, ...]
) -> None:
    copy = store.copy()
    remove(store, ends)
    with pytest.raises(DatabaseReplaced):
        store.find()
    with copied(copy, store.path.parent) as made:
        put_in_place(made, DatabaseURL.parse(url(store.path)), Path(f"{store.path}.aside"))

    for use in store.uses.values():
        use()


def test_a_log_that_cannot_be_worked_off_is_said_once_a_minute(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def connect() -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")

    checkpoints = Checkpoints(store.path, connect)
    for _ in range(10):
        checkpoints._work("PASSIVE")
    assert caplog.text.count("could not be worked off") == 1


def moved(path: Path) -> Callable[[], object]:
    aside = path.with_name("aside")
    path.rename(aside)
    return lambda: aside.rename(path)


def copied_over(path: Path) -> Callable[[], object]:
    back, fresh = moved(path), path.with_name("fresh")
    shutil.copy(path.with_name("aside"), fresh)
    fresh.rename(path)

    def undo() -> None:
        path.unlink()
        back()

    return undo


def grow_old(folder: Path) -> None:
    """Return when the last change of a folder is no longer young."""
    while time.time_ns() - folder.stat().st_ctime_ns <= store_file.YOUNG:  # noqa: TID251 - a real file
        time.sleep(0.01)


@pytest.mark.parametrize("change", [moved, copied_over])
@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
def test_a_directory_that_did_not_change_holds_the_same_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: str,
    change: Callable[[Path], Callable[[], object]],
) -> None:
    monkeypatch.setattr(store_file, "TRUSTED", 600.0)  # however slow the machine is
    for name in ("store.db", "store.db-wal", "store.db-shm"):
        (tmp_path / name).write_text(name)
    file = StoreFile(tmp_path / "store.db")
    identity, look = file.identity(), StoreFile.identity

    def looks(count: int) -> bool:
        """Whether the files are there, and how many of three times they were looked at."""
        with patch.object(StoreFile, "identity", autospec=True, side_effect=look) as looked:
            found = [file.has(identity) for _ in range(3)]
        assert looked.call_count == count
        assert len(set(found)) == 1
        return found[0]

    with patch.object(store_file, "YOUNG", 600_000_000_000):  # however slow the machine is
        assert looks(3)  # the directory changed just now
    grow_old(tmp_path)
    assert looks(1)
    assert looks(0)
    os.utime(tmp_path, (1_700_000_000, 1_700_000_000))  # a time that anybody can set says nothing
    undo = change(tmp_path / f"store.db{end}")
    assert not looks(3)
    undo()
    with patch.object(store_file, "YOUNG", 600_000_000_000):
        assert looks(3)
    grow_old(tmp_path)
    assert looks(1)
    monkeypatch.setattr(store_file, "TRUSTED", 0.0)
    assert looks(3)  # the directory's time alone is believed no longer


def test_a_store_behind_a_link_is_not_used(store: Store, tmp_path: Path) -> None:
    for use in store.uses.values():
        use()
    store.database.close()
    store.reader.close()
    store.ledger.close()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for end in ("", "-wal", "-shm"):
        path = Path(f"{store.path}{end}")
        if path.exists():
            path.rename(elsewhere / path.name)
    store.path.symlink_to(elsewhere / store.path.name)
    for use in store.uses.values():
        with pytest.raises(StoreError, match=r"is a symbolic link"):
            use()
    # One in a directory that is a link is where its log is.
    (tmp_path / "linked").symlink_to(elsewhere)
    with closing(
        Database(url(tmp_path / "linked" / store.path.name), key_fingerprint=KEY)
    ) as there:
        there.require_current()
        with there.begin() as unit:
            assert unit.key_fingerprint() == KEY


def test_a_pipe_in_place_of_the_note_holds_nobody_up(store: Store) -> None:
    note = Path(f"{store.path}.lock")
    note.unlink(missing_ok=True)
    os.mkfifo(note)
    with closing(CredentialReader(f"sqlite:///{store.path}")) as reader:
        assert reader.find(DIGEST, REPOSITORY, NOW) is not None
