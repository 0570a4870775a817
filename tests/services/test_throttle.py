"""Guessing is bounded; nobody waits, and who knows a secret is let through."""

import threading

import pytest

from entitlements_core.services import throttle as module
from entitlements_core.services.throttle import Throttle

GUESSER, OTHER = "203.0.113.9", "203.0.113.10"


def guess(throttle: Throttle, times: int, client: str = GUESSER, first: int = 0) -> int:
    """How many of so many different unknown secrets are looked up."""
    admitted = 0
    for number in range(first, first + times):
        digest = number.to_bytes(4, "big")
        if throttle.admits(client, digest):
            throttle.missed(client, digest)
            admitted += 1
    return admitted


@pytest.mark.parametrize(
    ("bound", "times", "admitted"), [(3, 3, 3), (3, 100, 3), (1, 2, 1), (0, 1000, 1000)]
)
def test_so_many_guesses_are_looked_up(bound: int, times: int, admitted: int) -> None:
    assert guess(Throttle(guesses_per_minute=bound, monotonic=lambda: 0.0), times) == admitted


def test_each_address_has_its_own_bound_and_its_own_minute() -> None:
    now = [1000.0]
    throttle = Throttle(guesses_per_minute=2, monotonic=lambda: now[0])
    assert guess(throttle, 5) == 2
    assert guess(throttle, 5, OTHER) == 2
    now[0] += 29
    assert guess(throttle, 5, first=100) == 0
    now[0] += 1
    assert guess(throttle, 5, first=200) == 1
    now[0] += 3600
    assert guess(throttle, 5, first=300) == 2


def test_the_addresses_that_guess_are_forgotten_and_not_piled_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CAPACITY", 100)
    throttle = Throttle(guesses_per_minute=1)
    for number in range(1000):
        assert guess(throttle, 3, f"2001:db8:{number:x}::/64") == 1
    sizes = [len(kept) for kept in (throttle._spent, throttle._unknown, throttle._used)]
    assert max(sizes) <= 100


def test_a_secret_that_was_used_or_sent_before_is_no_guess() -> None:
    throttle = Throttle(guesses_per_minute=2, monotonic=lambda: 0.0)
    throttle.found(GUESSER, b"used")
    throttle.missed(GUESSER, b"wrong password of a netrc")
    for _ in range(1000):
        assert throttle.admits(GUESSER, b"wrong password of a netrc")
        throttle.missed(GUESSER, b"wrong password of a netrc")
    assert guess(throttle, 5) == 1
    assert throttle.admits(GUESSER, b"used")
    assert not throttle.admits(GUESSER, b"another")
    assert throttle.admits(OTHER, b"another")


def test_a_guesser_is_logged_once_a_minute_with_a_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    throttle = Throttle(guesses_per_minute=1)
    for _ in range(500):
        throttle.missed(GUESSER)
    throttle.missed(OTHER)
    assert [record.getMessage() for record in caplog.records] == [
        "client 203.0.113.9 sent 1 unknown token since this was last said",
        "client 203.0.113.10 sent 1 unknown token since this was last said",
    ]


def test_many_threads_may_ask_at_once() -> None:
    throttle = Throttle(guesses_per_minute=10_000_000)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for count in range(3_000):
                throttle.found(f"client-{number}", count.to_bytes(4, "big"))
                guess(throttle, 3, f"client-{number}", first=count)
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
