"""Answers are given for the version of the store that they were read at, and for no other."""

from __future__ import annotations

import threading

import pytest

from entitlements_core.store import versioned_cache
from entitlements_core.store.versioned_cache import VersionedCache


def test_an_answer_holds_for_its_version() -> None:
    cache = VersionedCache[str, int]()
    cache.keep("one", (0, b"a"), 1)

    assert cache.get("one", (0, b"a")) == 1
    assert cache.get("one", (0, b"b")) is None
    assert cache.get("two", (0, b"a")) is None


def test_without_a_version_nothing_is_kept() -> None:
    cache = VersionedCache[str, int]()
    cache.keep("one", None, 1)

    assert len(cache) == 0
    assert cache.get("one", None) is None


def test_the_first_one_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versioned_cache, "CAPACITY", 3)
    cache = VersionedCache[int, int]()
    for number in (1, 2, 3, 1, 4):  # 1 is kept anew, so 2 is the first
        cache.keep(number, "now", number)

    assert [cache.get(number, "now") for number in (1, 2, 3, 4)] == [1, None, 3, 4]


def test_threads_may_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versioned_cache, "CAPACITY", 50)
    cache = VersionedCache[int, int]()
    failures: list[BaseException] = []

    def work(start: int) -> None:
        try:
            for number in range(start, start + 2_000):
                cache.keep(number % 97, number, number)
                assert cache.get(number % 97, number) in {number, None}
        except BaseException as error:  # noqa: BLE001 - whatever a thread fails with
            failures.append(error)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert failures == []
    assert len(cache) <= 50 + len(threads)
