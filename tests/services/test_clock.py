"""The clock."""

from datetime import UTC, datetime, timedelta

import time_machine

from entitlements_core.services.clock import now


def test_the_clock_is_aware_and_in_utc() -> None:
    moment = datetime(2026, 3, 29, 3, 30, tzinfo=UTC)
    with time_machine.travel(moment, tick=False):
        assert now() == moment
        assert now().utcoffset() == timedelta(0)
