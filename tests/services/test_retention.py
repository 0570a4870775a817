"""Downloads of long ago are removed, and in the export once, whoever ends it half-way."""

from __future__ import annotations

import csv
import gzip
import io
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from entitlements_core.errors import Conflict, InvalidValue, NotFound, Refused, StoreError
from entitlements_core.services import retention
from entitlements_core.services.download_export import COLUMNS
from entitlements_core.services.operations import Operations
from entitlements_core.services.retention import SAFE_AGE, Retention
from entitlements_core.store.database import Database
from entitlements_core.store.moments import to_micros
from entitlements_core.store.old_downloads import OldDownloads
from entitlements_core.store.reader import CredentialReader
from entitlements_core.store.records import AuditEntry
from tests.actors import person
from tests.factories import NOW, REPOSITORY, add_repository, add_token, rows

AGE = timedelta(days=400)
WINDOW = timedelta(seconds=300)
OLD = 1_500
"""Downloads that are old enough, and as many that are not."""

PRUNE = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from entitlements_core.policy.actor import Actor, ActorKind
from entitlements_core.services import retention
from entitlements_core.services.operations import Operations
from entitlements_core.store.database import Database
retention._TOGETHER = 20
database = Database(sys.argv[1])
now = datetime.fromisoformat(sys.argv[3])
retention.Retention(
    Operations(database=database, clock=lambda: now), window=timedelta(seconds=300)
).prune(
    timedelta(days=400), actor=Actor("vendor", ActorKind.PERSON), export=Path(sys.argv[2])
)
"""

FILL = f"""
    WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < :count - 1)
    INSERT INTO downloads (at, token_id, repository_id, project, version, filename, client,
                           user_agent, requests, bandwidth)
    SELECT :first + CAST(n AS bigint) * :step, 1 + n % 2, 1, '=foo', '1.0',
           'foo-' || (n % 5) || '.whl', '192.0.2.' || (n % 9), 'pip', 1, 1000 + n FROM number
"""  # noqa: F541 - one statement


@pytest.fixture
def store(database: Database) -> Database:
    """Downloads of two tokens: half of them from two years ago, half from the last days."""
    add_repository(database)
    for one in "ab":
        add_token(database, f"token-{one}")
    with database.begin() as unit:
        for first, step in ((NOW - timedelta(days=730), 60_000_000), (NOW - timedelta(days=9), 1)):
            values = {"count": OLD, "first": to_micros(first), "step": step}
            unit.session.execute(text(FILL), values)
    return database


def keeper(database: Database, now: datetime = NOW) -> Retention:
    return Retention(Operations(database=database, clock=lambda: now), window=WINDOW)


def reports(database: Database) -> list[Any]:
    with database.read() as unit:
        return [
            unit.usage.report(by)
            for by in ((), ("day", "token"), ("filename", "client"), ("package", "user_agent"))
        ]


def exported(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode())))


def everything(database: Database) -> list[tuple[Any, ...]]:
    found = rows(database, "SELECT id, at, filename, client, requests, bandwidth FROM downloads")
    return sorted(found)


def as_exported(path: Path) -> list[tuple[Any, ...]]:
    return sorted(
        (
            int(row["id"]),
            to_micros(datetime.fromisoformat(row["at"])),
            row["filename"],
            row["client"],
            int(row["requests"]),
            int(row["bandwidth"]),
        )
        for row in exported(path)
    )


def test_what_is_removed_goes_on_counting(
    store: Database, database_url: str, tmp_path: Path
) -> None:
    with CredentialReaderOf(database_url) as reader:
        before, known = reports(store), reader.downloads(REPOSITORY)
        usage = rows(store, "SELECT * FROM usage ORDER BY token_id")
        told: list[tuple[int, int]] = []
        found = keeper(store).prune(
            AGE, actor=person(), progress=lambda done, wanted: told.append((done, wanted))
        )
        assert (found.removed, found.export) == (OLD, None)
        assert found.before == (NOW - AGE).replace(hour=0)
        assert told == [(1000, OLD), (OLD, OLD)]
        assert len(everything(store)) == OLD
        assert reports(store) == before
        assert reader.downloads(REPOSITORY) == known
        assert rows(store, "SELECT * FROM usage ORDER BY token_id") == usage
    (ended, begun) = rows(store, "SELECT action, actor, after FROM audit ORDER BY id DESC LIMIT 2")
    assert (begun[0], ended[0], ended[1]) == ("downloads.prune", "downloads.pruned", "vendor")
    assert str(OLD) in str(ended[2])
    assert keeper(store).prune(AGE, actor=person()).removed == 0
    assert reports(store) == before
    assert store.check() == ()


class CredentialReaderOf:
    """A reader, closed at the end of the block."""

    def __init__(self, url: str) -> None:
        self.reader = CredentialReader(url)

    def __enter__(self) -> CredentialReader:
        return self.reader

    def __exit__(self, *_: object) -> None:
        self.reader.close()


def test_a_dry_run_changes_nothing(store: Database) -> None:
    before = everything(store)
    found = keeper(store).preview(AGE)
    assert (found.removed, found.before) == (OLD, (NOW - AGE).replace(hour=0))
    assert everything(store) == before
    assert rows(store, "SELECT frozen_until, closed_until FROM rollup_state") == [(0, 0)]
    assert keeper(store).preview(timedelta(days=900_000)).removed == 0


@pytest.mark.parametrize(
    ("age", "window"),
    [
        (timedelta(0), WINDOW),
        (SAFE_AGE - timedelta(seconds=1), WINDOW),
        (timedelta(days=90), timedelta(days=90)),
    ],
)
def test_what_is_still_needed_stays(store: Database, age: timedelta, window: timedelta) -> None:
    for act in ("preview", "prune"):
        kept = Retention(Operations(database=store, clock=lambda: NOW), window=window)
        with pytest.raises(InvalidValue, match="days are still needed"):
            kept.preview(age) if act == "preview" else kept.prune(age, actor=person())
    assert len(everything(store)) == 2 * OLD


def test_an_export_has_what_was_removed(store: Database, tmp_path: Path) -> None:
    before, path = everything(store), tmp_path / "old.csv.gz"
    keeper(store).prune(AGE, actor=person(), export=path)
    kept = everything(store)
    assert sorted(as_exported(path) + kept) == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert exported(path)[0] == {
        "id": "1",
        "at": (NOW - timedelta(days=730)).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "token": "token-a",
        "repository": REPOSITORY,
        "package": "'=foo",
        "version": "1.0",
        "filename": "foo-0.whl",
        "client": "192.0.2.0",
        "user_agent": "pip",
        "requests": "1",
        "bandwidth": "1000",
    }
    # A later run goes on in the same file.
    keeper(store, NOW + timedelta(days=500)).prune(
        AGE, actor=person(), export=path, clock_is_right=True
    )
    assert everything(store) == []
    assert as_exported(path) == before


def test_a_clock_that_is_years_ahead_removes_nothing(store: Database) -> None:
    ahead = keeper(store, NOW + timedelta(days=3 * 365))
    with pytest.raises(Refused, match="--clock-is-right"):
        ahead.prune(AGE, actor=person())
    with pytest.raises(Refused, match="--clock-is-right"):
        ahead.preview(AGE)
    assert ahead.preview(AGE, clock_is_right=True).removed == 2 * OLD
    assert keeper(store).preview(AGE).removed == OLD
    assert keeper(store, NOW + timedelta(days=20)).prune(AGE, actor=person()).removed == OLD
    assert ahead.prune(AGE, actor=person(), clock_is_right=True).removed == OLD


@pytest.mark.parametrize("days", [50, 200, 450, 900])
def test_what_a_clock_further_ahead_has_counted_tells_nothing(store: Database, days: int) -> None:
    """Nor what was changed by it."""
    later = NOW + timedelta(days=1_000)
    with store.begin() as unit:
        values = {"count": 3, "first": to_micros(later), "step": 1}
        unit.session.execute(text(FILL), values)
        unit.audit.write(AuditEntry(at=later, actor="vendor", action="token.created"))
    with pytest.raises(Refused, match=f"is of {NOW - timedelta(days=9):%Y-%m-%d}"):
        keeper(store, NOW + timedelta(days=days)).prune(timedelta(days=40), actor=person())


def test_where_there_is_nothing_the_age_is_told(database: Database) -> None:
    for found in (keeper(database).preview(AGE), keeper(database).prune(AGE, actor=person())):
        assert (found.removed, found.before) == (0, (NOW - AGE).replace(hour=0))


def test_an_export_of_nothing_has_its_headings(store: Database, tmp_path: Path) -> None:
    file = tmp_path / "nothing.csv.gz"
    for _ in range(2):
        pruned = keeper(store, NOW).prune(timedelta(days=5_000), actor=person(), export=file)
        assert pruned.removed == 0
        with gzip.open(file, "rt") as written:
            assert [*csv.reader(written)] == [[*COLUMNS]]


def test_an_export_that_is_not_ours_is_left_alone(
    store: Database, database_url: str, tmp_path: Path
) -> None:
    before, path = everything(store), tmp_path / "other.csv.gz"
    path.write_bytes(b"something else")
    with pytest.raises(Conflict, match="is there already"):
        keeper(store).prune(AGE, actor=person(), export=path)
    assert path.read_bytes() == b"something else"
    with pytest.raises(NotFound):
        keeper(store).prune(AGE, actor=person(), export=tmp_path / "none" / "old.csv.gz")
    with pytest.raises(InvalidValue):
        keeper(store).prune(AGE, actor=person(), export=tmp_path / "\udcff.csv.gz")
    with pytest.raises(InvalidValue, match="pipe"):
        keeper(store).prune(AGE, actor=person(), export=Path("-"))
    (tmp_path / "link.csv.gz").symlink_to(path)
    with pytest.raises(StoreError):
        keeper(store).prune(AGE, actor=person(), export=tmp_path / "link.csv.gz")
    assert everything(store) == before
    # Nor is one that took the place of ours.
    gone = tmp_path / "gone.csv.gz"
    ended_half_way(database_url, gone, 0)
    for other in (b"something else", gzip.compress(b"something else"), b"\x1f\x8b\x08\xff" * 9):
        gone.write_bytes(other * 2000)
        with pytest.raises(Conflict, match="is there already"):
            keeper(store).prune(AGE, actor=person(), export=gone)
        assert gone.read_bytes() == other * 2000
    gone.unlink()
    before = everything(store)
    mine = tmp_path / "mine.csv.gz"
    keeper(store).prune(AGE, actor=person(), export=mine)
    assert sorted(as_exported(mine) + everything(store)) == before
    mine.write_bytes(mine.read_bytes()[:-1])
    with pytest.raises(Conflict, match="is there already"):
        keeper(store, NOW + timedelta(days=500)).prune(
            AGE, actor=person(), export=mine, clock_is_right=True
        )
    assert len(everything(store)) == OLD


def test_one_process_at_a_time_writes_an_export(store: Database, tmp_path: Path) -> None:
    path = tmp_path / "old.csv.gz"
    met: list[str] = []

    def again(_done: int, _wanted: int) -> None:
        with pytest.raises(Conflict, match="Somebody else") as caught:
            keeper(store).prune(AGE, actor=person(), export=path)
        met.append(str(caught.value))

    keeper(store).prune(AGE, actor=person(), export=path, progress=again)
    assert len(met) == 2
    assert len(as_exported(path)) == OLD


@pytest.mark.parametrize(("fails", "call"), [("remove", 4), ("note_export", 5)])
def test_what_is_not_removed_is_exported_again(
    store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, call: int
) -> None:
    """It was written, and then the transaction failed."""
    before, path = everything(store), tmp_path / "old.csv.gz"
    monkeypatch.setattr(retention, "_TOGETHER", 100)
    working = getattr(OldDownloads, fails)
    calls: list[int] = []

    def failing(*values: Any) -> None:  # noqa: ANN401 - of either
        calls.append(1)
        if len(calls) == call:
            raise StoreError("no more")
        working(*values)

    monkeypatch.setattr(OldDownloads, fails, failing)
    with pytest.raises(StoreError, match="no more"):
        keeper(store).prune(AGE, actor=person(), export=path)
    assert len(exported(path)) == 400
    assert len(everything(store)) == 2 * OLD - 300
    assert keeper(store).prune(AGE, actor=person(), export=path).removed == OLD - 300
    assert sorted(as_exported(path) + everything(store)) == before


def ended_half_way(url: str, path: Path, after: int) -> int:
    """Run it in a process of its own, and kill that when the export has so many bytes."""
    process = subprocess.Popen(
        [sys.executable, "-c", PRUNE, url, str(path), NOW.isoformat()], stderr=subprocess.PIPE
    )
    while process.poll() is None:
        if path.exists() and path.stat().st_size >= after and after >= 0:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.001)
    _, errors = process.communicate()
    assert errors == b""
    return process.returncode


def test_whoever_is_killed_loses_and_doubles_nothing(
    store: Database, database_url: str, tmp_path: Path
) -> None:
    before, path = everything(store), tmp_path / "old.csv.gz"
    known = reports(store)
    killed = 0
    for size in (1, 3_000, 9_000, 15_000, 22_000):
        killed += ended_half_way(database_url, path, size) == -signal.SIGKILL
        with gzip.open(path) as found:
            found.read(1)
        assert reports(store) == known
    assert killed >= 3
    assert ended_half_way(database_url, path, 1 << 60) == 0
    assert sorted(as_exported(path) + everything(store)) == before
    assert len(everything(store)) == OLD
    assert reports(store) == known


@pytest.fixture(autouse=True)
def _closed(database: Database) -> Iterator[None]:
    yield
    database.close()
