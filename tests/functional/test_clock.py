"""A running server whose clock is set: ahead and back, over month ends, leap days, summer time."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.functional.vendors import Vendor
from tests.wheelhouse import build_wheel

COMPILER: Final = shutil.which("cc")

pytestmark = [
    pytest.mark.functional,
    pytest.mark.skipif(COMPILER is None, reason="no C compiler is installed"),
]

WHEEL: Final = "/packages/lab_foo-1.0-py3-none-any.whl"


@dataclass
class Clock:
    """What the server takes for the time."""

    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        """What makes a process look at it."""
        library = self.folder / "set_clock.so"
        source = Path(__file__).with_name("set_clock.c")
        assert COMPILER is not None
        subprocess.run([COMPILER, "-shared", "-fPIC", "-O2", "-o", library, source], check=True)
        return {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(self.folder / "offset"), **more}

    def set(self, moment: datetime) -> None:
        """From the next look at it on."""
        seconds = (moment - datetime.now(UTC)).total_seconds()  # noqa: TID251 - the real one
        fresh = self.folder / "offset.new"
        fresh.write_text(f"{seconds:.0f}\n")
        fresh.replace(self.folder / "offset")


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


def test_a_clock_that_was_ahead_once_opens_nothing(vendor: Vendor, clock: Clock) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    token = vendor.token("customer", limit_num_downloads=3)
    start = datetime.now(UTC) + timedelta(minutes=1)  # noqa: TID251 - a real server
    with vendor.serving("--server", "waitress", environment=clock.environment()) as server:
        address = f"{server.url}/+t/{token.secret}{WHEEL}"

        def fetch(**after: int) -> int:
            clock.set(start + timedelta(**after))
            return httpx.get(address, timeout=60).status_code

        assert fetch(days=400) == 200  # counted: 1
        assert fetch() == 200  # the right time again: 2
        assert fetch(seconds=20) == 200  # rides
        assert fetch(minutes=10) == 200  # 3
        assert fetch(minutes=20) == 403
        assert vendor.read(token).usage.downloads == 3


def test_a_clock_that_was_ahead_once_keeps_no_reset_away(vendor: Vendor, clock: Clock) -> None:
    """A reset of that time is not believed; the next one that there really is comes in time."""
    build_wheel(vendor.packages, "lab-foo", "1.0")
    first = datetime(2027, 3, 1, 12, tzinfo=UTC)
    token = vendor.token(
        "customer", limit_num_downloads=2, scheduled_reset_period="Daily", scheduled_reset_at=first
    )
    environment = clock.environment(ENTITLEMENTS_DOWNLOAD_WINDOW="0")
    with vendor.serving("--server", "waitress", environment=environment) as server:
        address = f"{server.url}/+t/{token.secret}{WHEEL}"

        def fetch(**after: int) -> int:
            clock.set(first + timedelta(**after))
            return httpx.get(address, timeout=60).status_code

        assert fetch(hours=1) == 200
        assert fetch(days=400) == 200  # a reset of then: 1
        assert [fetch(hours=2), fetch(hours=3)] == [200, 403]  # 2, and no more
        assert [fetch(hours=25), fetch(hours=26), fetch(hours=27)] == [200, 200, 403]
        assert [fetch(hours=49), fetch(hours=50), fetch(hours=51)] == [200, 200, 403]


@pytest.mark.parametrize(
    ("period", "anchor", "reset"),
    [
        pytest.param("Monthly", (2027, 1, 31, 12, 0), (2027, 2, 28, 12, 0), id="month-end"),
        pytest.param("Monthly", (2027, 12, 31, 12, 0), (2028, 2, 29, 12, 0), id="leap-month"),
        pytest.param("Annual", (2028, 2, 29, 12, 0), (2029, 2, 28, 12, 0), id="leap-day"),
        # 01:00 UTC is when the clocks of Berlin go forward, and back.
        pytest.param("Daily", (2027, 3, 27, 1, 30), (2027, 3, 28, 1, 30), id="summer-time"),
        pytest.param("Daily", (2027, 10, 30, 0, 30), (2027, 10, 31, 0, 30), id="winter-time"),
    ],
)
def test_limits_are_reset_at_their_moment(
    vendor: Vendor,
    clock: Clock,
    period: str,
    anchor: tuple[int, int, int, int, int],
    reset: tuple[int, int, int, int, int],
) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    first, moment = datetime(*anchor, tzinfo=UTC), datetime(*reset, tzinfo=UTC)
    token = vendor.token(
        "customer",
        limit_num_downloads=1,
        scheduled_reset_period=period,
        scheduled_reset_at=first,
    )
    environment = clock.environment(TZ="Europe/Berlin", ENTITLEMENTS_DOWNLOAD_WINDOW="0")
    with vendor.serving("--server", "waitress", environment=environment) as server:
        address = f"{server.url}/+t/{token.secret}{WHEEL}"

        def fetch(at: datetime) -> int:
            clock.set(at)
            return httpx.get(address, timeout=60).status_code

        before, after = moment - timedelta(seconds=30), moment + timedelta(seconds=5)
        assert [fetch(before), fetch(before), fetch(after), fetch(after)] == [200, 403, 200, 403]
