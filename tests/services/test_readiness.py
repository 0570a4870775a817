"""Whether the store answers is found out without waiting for it."""

import multiprocessing
import threading
import time
from collections.abc import Iterator

import pytest

from entitlements_core.errors import KeyFileError, StoreError
from entitlements_core.services import readiness
from entitlements_core.services.readiness import WITHIN, Ailment, Readiness
from entitlements_core.store.failures import DatabaseLocked, DatabaseMissing


class Store:
    """Answers as it is told; counts how often it was asked."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.asked = 0
        self.speaks = threading.Event()
        self.speaks.set()

    def check(self) -> None:
        self.asked += 1
        assert self.speaks.wait(30)
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    yield store
    store.speaks.set()


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (DatabaseLocked("/srv/secret/store.db is locked"), "store_locked"),
        (DatabaseMissing("/srv/secret/store.db is gone"), "store_missing"),
        (KeyFileError("/srv/secret/key does not fit"), "key"),
        (StoreError("odd: /srv/secret"), "store"),
        (ZeroDivisionError("/srv/secret"), "internal"),
    ],
)
def test_what_is_wrong_is_said_in_words_for_everybody(
    store: Store, failure: Exception, code: str
) -> None:
    store.failure = failure
    found = Readiness(store.check).ailment()
    assert found is not None
    assert found.code == code
    assert found.reason.startswith("The store")
    assert "secret" not in found.reason


def test_a_silent_store_is_waited_for_once_and_for_a_moment(store: Store) -> None:
    ready = Readiness(store.check)
    store.speaks.clear()
    began = time.monotonic()
    assert ready.ailment() == Ailment("store_unreachable", "The store does not answer.")
    assert WITHIN <= time.monotonic() - began < 2 * WITHIN
    began = time.monotonic()
    assert all(ready.ailment() is not None for _ in range(50))
    assert time.monotonic() - began < WITHIN
    assert store.asked == 1

    store.speaks.set()
    deadline = time.monotonic() + 10
    while ready.ailment() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_answer_is_good_for_a_moment(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "FRESH", 60.0)
    ready = Readiness(store.check)
    assert [ready.ailment() for _ in range(5)] == [None] * 5
    assert store.asked == 1
    monkeypatch.setattr(readiness, "FRESH", 0.0)
    store.failure = DatabaseLocked("locked")
    assert ready.ailment() is not None
    store.failure = None
    assert ready.ailment() is None


def test_a_fork_asks_for_itself(store: Store) -> None:
    ready = Readiness(store.check)
    store.speaks.clear()
    ready.ailment()
    store.speaks.set()
    fork = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[Ailment | None] = fork.Queue()
    child = fork.Process(target=lambda: answers.put(ready.ailment()))
    child.start()
    assert answers.get(timeout=60) is None
    child.join(60)
