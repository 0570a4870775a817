"""A real server and a customer whose updates ended: what is done to files, and what changes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from entitlements_core.services.token_issuer import Issued
from tests.functional.test_store_replaced import WORKERS, command, status, workers_that_count
from tests.functional.vendors import REPOSITORY, Running, Vendor
from tests.wheelhouse import build_wheel

NOW: Final = datetime.now(UTC)  # noqa: TID251 - real servers have the real time
ENDED: Final = NOW - timedelta(days=30)
LONG_AGO: Final = (NOW - timedelta(days=60)).timestamp()
PAID, NEW, LATE = (f"lab_foo-{number}.0-py3-none-any.whl" for number in (1, 2, 3))


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Customers:
    """Somebody whose updates ended, and somebody who gets everything."""

    def __init__(self, vendor: Vendor) -> None:
        self.frozen = secret_of(vendor.token("frozen", updates_until=ENDED))
        self.current = secret_of(vendor.token("current"))

    def see(self, server: Running, secret: str, expected: set[str]) -> bool:
        answers = {name: status(server, f"/packages/{name}", secret) for name in (PAID, NEW, LATE)}
        return answers == {name: 200 if name in expected else 404 for name in answers}

    def settled(self, server: Running, frozen: set[str], current: set[str]) -> None:
        """In every worker: the server is asked on many connections."""

        def agree() -> bool:
            return all(
                self.see(server, self.frozen, frozen) and self.see(server, self.current, current)
                for _ in range(8)
            )

        eventually(lambda: agree() and workers_that_count(server) == WORKERS)
        assert agree()


def secret_of(issued: Issued) -> str:
    assert issued.secret is not None
    return issued.secret


def copied(path: Path, *options: str) -> None:
    """What ``cp`` does to a release that is published again."""
    aside = path.with_name("aside.tmp")
    subprocess.run(["cp", *options, str(path), str(aside)], check=True)
    aside.rename(path)


@pytest.mark.parametrize("watch", ["events", "polling"])
def test_what_is_done_to_files_moves_nobodys_updates(vendor: Vendor, watch: str) -> None:
    paid = build_wheel(vendor.packages, "lab-foo", "1.0")
    os.utime(paid, (LONG_AGO, LONG_AGO))
    customers = Customers(vendor)
    options = ("--workers", str(WORKERS))
    environment = {"ENTITLEMENTS_WATCH": watch}
    with vendor.serving(*options, environment=environment) as server:
        customers.settled(server, {PAID}, {PAID})
        copied(paid)
        assert paid.stat().st_mtime > LONG_AGO
        new = build_wheel(vendor.packages, "lab-foo", "2.0")
        os.utime(new, (LONG_AGO, LONG_AGO))
        customers.settled(server, {PAID}, {PAID, NEW})
        subprocess.run(["touch", "-d", "2001-01-01", str(new)], check=True)
        copied(new, "-p")
        subprocess.run(["touch", "-d", "2030-01-01", str(paid)], check=True)
        late = build_wheel(vendor.packages, "lab-foo", "3.0")
        os.utime(late, (0, 0))
        customers.settled(server, {PAID}, {PAID, NEW, LATE})

    for path in vendor.home.glob("catalog.db*"):
        path.unlink()
    with vendor.serving(*options, environment=environment) as server:
        customers.settled(server, {PAID}, {PAID, NEW, LATE})
        moment = (ENDED - timedelta(days=1)).isoformat()
        words = ("package", "uploaded", NEW, moment, "--repo", REPOSITORY)
        assert command(vendor, *words).returncode == 0
        customers.settled(server, {PAID, NEW}, {PAID, NEW, LATE})
        content = paid.read_bytes()
        paid.unlink()
        customers.settled(server, {NEW}, {NEW, LATE})
        paid.write_bytes(content)
        customers.settled(server, {PAID, NEW}, {PAID, NEW, LATE})
        build_wheel(vendor.packages, "lab-foo", "1.0", padding=1000)
        customers.settled(server, {NEW}, {PAID, NEW, LATE})


def test_a_server_records_without_sqlalchemy(vendor: Vendor) -> None:
    """Workers start, and record, without SQLAlchemy."""
    build_wheel(vendor.packages, "lab-foo", "1.0")
    vendor.token("any")
    code = f"""
import sys
from entitlements_core.engine.serving import open_catalog
from entitlements_core.services.settings import Settings
from entitlements_core.services.core import Core
core = Core.open(Settings.load(home={str(vendor.home)!r}))
catalog = open_catalog(core, {REPOSITORY!r}, [{str(vendor.packages)!r}])
catalog.refresh()
[file] = catalog.snapshot.files.values()
print(file.facts.uploaded_at is not None, "sqlalchemy" in sys.modules)
catalog.close()
core.close()
"""
    ran = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        for _ in range(2)
    ]
    assert [one.stdout.split() for one in ran] == [["True", "False"], ["True", "False"]], ran
