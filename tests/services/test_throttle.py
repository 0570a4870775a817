"""Guessing is slowed; nobody else waits."""

import threading

import pytest
import time_machine

from entitlements_core.services.throttle import Throttle
from tests.factories import NOW


def missing(times: int, **settings: int) -> list[float]:
    """The waits of an address that misses so many times in one minute."""
    waits: list[float] = []
    throttle = Throttle(delay=0.5, sleep=waits.append, **settings)
    with time_machine.travel(NOW, tick=False):
        for _ in range(times):
            throttle.miss("203.0.113.9")
    return waits


@pytest.mark.parametrize(
    ("allowed", "misses", "waits"),
    [(3, 3, 0), (3, 4, 1), (3, 10, 7), (1, 2, 1), (0, 1000, 0)],
)
def test_what_is_over_the_limit_waits(allowed: int, misses: int, waits: int) -> None:
    assert missing(misses, misses_per_minute=allowed) == [0.5] * waits


def test_each_address_has_its_own_limit_and_its_own_minute() -> None:
    waits: list[float] = []
    throttle = Throttle(misses_per_minute=1, sleep=waits.append)
    with time_machine.travel(NOW, tick=False) as clock:
        throttle.miss("203.0.113.9")
        throttle.miss("203.0.113.10")
        throttle.miss("2001:db8::/64")
        assert waits == []
        throttle.miss("203.0.113.9")
        assert waits == [1.0]
        clock.shift(61)
        throttle.miss("203.0.113.9")
        assert waits == [1.0]


def test_a_guesser_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    missing(2, misses_per_minute=1)
    assert "client 203.0.113.9 keeps sending unknown tokens" in caplog.text


def test_only_a_few_wait_at_a_time() -> None:
    """More guessers than waiting places do not hold up more threads."""
    entered, leave = threading.Semaphore(0), threading.Event()

    def sleep(_: float) -> None:
        entered.release()
        leave.wait(20)

    throttle = Throttle(misses_per_minute=1, waiting=2, sleep=sleep)
    with time_machine.travel(NOW, tick=False):
        throttle.miss("203.0.113.9")
        waiting = [threading.Thread(target=throttle.miss, args=("203.0.113.9",)) for _ in range(2)]
        for thread in waiting:
            thread.start()
        for _ in waiting:
            assert entered.acquire(timeout=20)
        throttle.miss("203.0.113.9")  # returns at once, or this test would hang
        assert not entered.acquire(blocking=False)
        leave.set()
        for thread in waiting:
            thread.join(20)
        throttle.miss("203.0.113.9")
    assert entered.acquire(blocking=False)


def test_a_wait_that_is_broken_off_gives_its_place_back() -> None:
    calls = []

    def sleep(_: float) -> None:
        calls.append(1)
        raise KeyboardInterrupt

    throttle = Throttle(misses_per_minute=1, waiting=1, sleep=sleep)
    with time_machine.travel(NOW, tick=False):
        throttle.miss("203.0.113.9")
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                throttle.miss("203.0.113.9")
    assert len(calls) == 3
