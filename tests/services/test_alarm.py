"""What every request meets is logged once a minute."""

from __future__ import annotations

import logging

import pytest

from entitlements_core.errors import StoreError
from entitlements_core.services.alarm import INTERVAL, Alarm
from entitlements_core.store.failures import DatabaseMissing

log = logging.getLogger("entitlements.test")


class Watch:
    """A clock that is set by hand, seconds."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_same_is_logged_once_a_minute_with_a_count(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch()
    alarm = Alarm(log, monotonic=watch)
    for second in range(150):
        watch.now = 1000.0 + second
        alarm.raised("no luck", StoreError("The store is gone."))

    assert [record.getMessage() for record in caplog.records] == [
        "no luck: The store is gone.",
        "no luck: The store is gone. (59 more since the last such line)",
        "no luck: The store is gone. (59 more since the last such line)",
    ]


def test_another_kind_is_logged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    alarm = Alarm(log, monotonic=Watch())
    for _ in range(3):
        alarm.raised("no luck", StoreError("The store is gone."))
        alarm.raised("no luck", DatabaseMissing("It is missing."))
        alarm.raised("no count", StoreError("The store is gone."))

    assert len(caplog.records) == 3


@pytest.mark.parametrize(("later", "lines"), [(INTERVAL - 0.001, 1), (INTERVAL, 2)])
def test_a_minute_ends_exclusively(
    caplog: pytest.LogCaptureFixture, later: float, lines: int
) -> None:
    watch = Watch()
    alarm = Alarm(log, monotonic=watch)
    alarm.raised("no luck", StoreError("Gone."))
    watch.now += later
    alarm.raised("no luck", StoreError("Gone."))

    assert len(caplog.records) == lines
