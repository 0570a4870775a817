"""Recorded upload times, on every store."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from entitlements_core.errors import StoreError
from entitlements_core.interfaces import UploadKey
from entitlements_core.store.database import Database
from entitlements_core.store.upload_register import UploadRegister
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
def register(store: Database, database_url: str) -> Iterator[UploadRegister]:
    with closing(UploadRegister(database_url)) as register:
        yield register


def record(
    register: UploadRegister, found: dict[UploadKey, datetime], now: datetime = NOW
) -> dict[UploadKey, datetime]:
    return register.record(REPOSITORY, found, now, complete=True)


@pytest.mark.parametrize("count", [1, MANY])
def test_what_was_recorded_first_stays(
    store: Database, register: UploadRegister, count: int
) -> None:
    found = {upload(number): NOW - number * DAY for number in range(count)}
    assert register.record(REPOSITORY, found, NOW, complete=False) == found
    assert not register.known(REPOSITORY, found).is_adopted
    later = dict.fromkeys(found, NOW + DAY) | {upload(MANY + 1): NOW - 9 * DAY}
    assert record(register, later, NOW + 2 * DAY) == found | {upload(MANY + 1): NOW - 9 * DAY}
    later[upload(MANY + 2)] = NOW - 9 * DAY
    expected = found | {upload(MANY + 1): NOW - 9 * DAY, upload(MANY + 2): NOW + 3 * DAY}
    assert record(register, later, NOW + 3 * DAY) == expected
    known = register.known(REPOSITORY, later)
    assert (known.exists, known.is_adopted, known.times) == (True, True, expected)


def test_of_many_only_those_of_the_repository_are_read(
    store: Database, register: UploadRegister
) -> None:
    add_repository(store, "acme/other")
    record(register, {upload(1): NOW})
    assert register.known("acme/other", [upload(number) for number in range(MANY)]).times == {}
    missing = register.known("acme/none", [upload(1)])
    assert (missing.exists, missing.is_adopted, missing.times) == (False, False, {})
    assert register.record("acme/none", {upload(1): NOW}, NOW, complete=True) == {}


def test_a_time_that_is_changed_raises_the_revision_and_a_record_does_not(
    store: Database, register: UploadRegister
) -> None:
    before = register.revision(REPOSITORY)
    record(register, {upload(1): NOW})
    assert register.revision(REPOSITORY) == before
    with store.begin() as unit:
        unit.upload_times.put(REPOSITORY, upload(1), NOW - DAY)
    assert register.revision(REPOSITORY) != before
    assert register.known(REPOSITORY, [upload(1)]).times == {upload(1): NOW - DAY}


def test_a_repository_that_comes_back_keeps_its_times(
    store: Database, register: UploadRegister
) -> None:
    record(register, {upload(1): NOW})
    with store.begin() as unit:
        unit.repositories.remove(REPOSITORY, NOW)
    assert not register.known(REPOSITORY, [upload(1)]).exists
    add_repository(store)
    assert record(register, {upload(1): NOW + DAY, upload(2): NOW - DAY}, NOW + DAY) == {
        upload(1): NOW,
        upload(2): NOW + DAY,
    }


def test_nodes_that_look_at_once_agree(database_url: str, register: UploadRegister) -> None:
    nodes, barrier = 6, Barrier(6)
    found = {upload(number): NOW - DAY for number in range(50)}

    def look(node: int) -> dict[UploadKey, datetime]:
        with closing(UploadRegister(database_url)) as own:
            barrier.wait()
            return record(own, found, NOW + node * timedelta(seconds=1))

    record(register, {})
    with ThreadPoolExecutor(nodes) as pool:
        answers = list(pool.map(look, range(nodes)))
    assert all(answer == answers[0] for answer in answers)
    assert len(set(answers[0].values())) == 1


def test_what_cannot_be_recorded_whole_is_not_recorded(
    store: Database, register: UploadRegister
) -> None:
    odd = {upload(1): NOW, ("lab-2.tar.gz", None): NOW}  # a row that the store does not take
    with pytest.raises(StoreError, match=r"cannot be written|NotNullViolation"):
        record(register, odd)  # type: ignore[arg-type] # as said
    known = register.known(REPOSITORY, [upload(1)])
    assert (known.is_adopted, known.times) == (False, {})
    assert record(register, {upload(1): NOW}) == {upload(1): NOW}


@pytest.mark.parametrize("count", [1, MANY])
def test_a_time_that_is_none_leaves_out_its_file(
    store: Database, register: UploadRegister, count: int
) -> None:
    found = {upload(number): NOW - number * DAY for number in range(count + 1)}
    record(register, found)
    filename, _ = odd = upload(0)
    with store.begin() as unit:
        unit.session.connection().exec_driver_sql(
            f"UPDATE uploads SET at = 9223372036854775807 WHERE filename = '{filename}'"  # noqa: S608 - a number
        )
    del found[odd]
    assert register.known(REPOSITORY, [odd, *found]).times == found
    assert record(register, {odd: NOW, **found}) == found
