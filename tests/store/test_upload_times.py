"""Recorded upload times, on every store."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from entitlements_core.errors import NotFound
from entitlements_core.interfaces import UploadKey
from entitlements_core.store.database import Database
from entitlements_core.store.upload_reader import UploadReader
from tests.factories import REPOSITORY, add_repository

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MANY = 600


def upload(number: int) -> UploadKey:
    return f"lab-{number}.tar.gz", f"{number:064x}"


@pytest.fixture
def store(database: Database) -> Database:
    add_repository(database)
    return database


@pytest.fixture
def reader(store: Database, database_url: str) -> Iterator[UploadReader]:
    with closing(UploadReader(database_url)) as reader:
        yield reader


def record(
    store: Database,
    found: dict[UploadKey, datetime],
    now: datetime = NOW,
    *,
    complete: bool = True,
) -> dict[UploadKey, datetime]:
    with store.begin() as unit:
        return unit.upload_times.record(REPOSITORY, found, now, complete=complete)


@pytest.mark.parametrize("count", [1, MANY])
def test_what_was_recorded_first_stays(store: Database, reader: UploadReader, count: int) -> None:
    found = {upload(number): NOW - number * DAY for number in range(count)}
    assert record(store, found, complete=False) == found
    assert not reader.known(REPOSITORY, found).is_adopted
    later = dict.fromkeys(found, NOW + DAY) | {upload(MANY + 1): NOW - 9 * DAY}
    assert record(store, later, NOW + 2 * DAY) == found | {upload(MANY + 1): NOW - 9 * DAY}
    later[upload(MANY + 2)] = NOW - 9 * DAY
    expected = found | {upload(MANY + 1): NOW - 9 * DAY, upload(MANY + 2): NOW + 3 * DAY}
    assert record(store, later, NOW + 3 * DAY) == expected
    known = reader.known(REPOSITORY, later)
    assert (known.exists, known.is_adopted, known.times) == (True, True, expected)


def test_of_many_only_those_of_the_repository_are_read(
    store: Database, reader: UploadReader
) -> None:
    add_repository(store, "acme/other")
    record(store, {upload(1): NOW})
    assert reader.known("acme/other", [upload(number) for number in range(MANY)]).times == {}
    missing = reader.known("acme/none", [upload(1)])
    assert (missing.exists, missing.is_adopted, missing.times) == (False, False, {})
    with pytest.raises(NotFound), store.begin() as unit:
        unit.upload_times.record("acme/none", {}, NOW, complete=True)


def test_a_time_that_is_changed_raises_the_revision_and_a_record_does_not(
    store: Database, reader: UploadReader
) -> None:
    before = reader.revision(REPOSITORY)
    record(store, {upload(1): NOW})
    assert reader.revision(REPOSITORY) == before
    with store.begin() as unit:
        unit.upload_times.put(REPOSITORY, upload(1), NOW - DAY)
    assert reader.revision(REPOSITORY) != before
    assert reader.known(REPOSITORY, [upload(1)]).times == {upload(1): NOW - DAY}


def test_a_repository_that_comes_back_keeps_its_times(
    store: Database, reader: UploadReader
) -> None:
    record(store, {upload(1): NOW})
    with store.begin() as unit:
        unit.repositories.remove(REPOSITORY, NOW)
    assert not reader.known(REPOSITORY, [upload(1)]).exists
    add_repository(store)
    assert record(store, {upload(1): NOW + DAY, upload(2): NOW - DAY}, NOW + DAY) == {
        upload(1): NOW,
        upload(2): NOW + DAY,
    }


def test_nodes_that_look_at_once_agree(database_url: str, store: Database) -> None:
    nodes, barrier = 6, Barrier(6)
    found = {upload(number): NOW - DAY for number in range(50)}

    def look(node: int) -> dict[UploadKey, datetime]:
        with closing(Database(database_url)) as database:
            barrier.wait()
            return record(database, found, NOW + node * timedelta(seconds=1))

    record(store, {})
    with ThreadPoolExecutor(nodes) as pool:
        answers = list(pool.map(look, range(nodes)))
    assert all(answer == answers[0] for answer in answers)
    assert len(set(answers[0].values())) == 1
