"""Real servers whose SQLite store is replaced, removed and restored under them."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
import pytest

from entitlements_core.engine.serving import create_app
from entitlements_core.errors import StoreError
from entitlements_core.services.settings import Settings
from tests.functional.vendors import REPOSITORY, Running, Vendor, clean_environment
from tests.wheelhouse import build_wheel

EVERY_REQUEST: Final = {"ENTITLEMENTS_DOWNLOAD_WINDOW": "0"}
WHEEL: Final = "/packages/lab_foo-1.0-py3-none-any.whl"
PAGE: Final = "/simple/lab-foo/"
PATHS: Final = (PAGE, WHEEL)
WORKERS: Final = 2
ROUNDS: Final = 12
"""Connections that are asked in turn, so that both workers answer."""
NOW: Final = datetime.now(UTC)  # noqa: TID251 - real servers have the real time


def status(server: Running, path: str, secret: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    word = b64encode(f"token:{secret}".encode()).decode()
    try:
        connection.request("GET", path, headers={"Authorization": f"Basic {word}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def statuses(server: Running, secret: str) -> set[int]:
    """What pages and files answer, on new connections."""
    return {status(server, path, secret) for _ in range(ROUNDS) for path in PATHS}


def of_files(server: Running, secret: str) -> set[int]:
    """What files answer: a token that is disabled is refused at them, and keeps its pages."""
    return {status(server, WHEEL, secret) for _ in range(ROUNDS)}


def command(vendor: Vendor, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "entitlements_core.cli", "--home", str(vendor.home), *words],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def eventually(condition: Callable[[], bool], *, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def workers_that_count(server: Running) -> int:
    """How many of the server's processes have answered pages and files, by what they have open."""
    found = 0
    for process in psutil.Process(server.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            opened = [Path(one.path).name for one in process.open_files()]
            # To listen, to read, to count, and for upload times; one that is still starting has
            # two of them.
            found += opened.count("entitlements.db") >= 4
    return found


@contextmanager
def downloads(server: Running, secret: str) -> Iterator[Counter[int]]:
    """Files and pages are fetched all the while; gives the statuses."""
    seen, stop = Counter[int](), threading.Event()
    guard = threading.Lock()

    def work() -> None:
        while not stop.wait(0.05):  # commands run beside them, on few cores
            for path in PATHS:
                found = status(server, path, secret)
                with guard:
                    seen[found] += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        # On a busy machine a worker is ready late.
        assert eventually(
            lambda: seen[200] > 40 and workers_that_count(server) == WORKERS, seconds=120
        )
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def served(vendor: Vendor) -> Settings:
    """What a worker that is started anew reads from its environment."""
    return Settings.load(
        home=vendor.home, repository=REPOSITORY, directories=(str(vendor.packages),)
    )


def prepared(vendor: Vendor) -> tuple[str, str, Path]:
    """The identifier and secret of a customer, and a backup that knows both."""
    build_wheel(vendor.packages, "lab-foo", "1.0")
    issued = vendor.token("customer")
    vendor.core.close()
    copy = vendor.root / "backup.db"
    made = command(vendor, "backup", str(copy))
    assert made.returncode == 0, made.stderr
    assert issued.secret is not None
    return issued.token.identifier, issued.secret, copy


def test_a_copy_moved_over_the_store_shuts_every_door_until_it_is_restored(vendor: Vendor) -> None:
    identifier, secret, copy = prepared(vendor)
    store = vendor.home / "entitlements.db"
    with vendor.serving("--workers", str(WORKERS), environment=EVERY_REQUEST) as server:
        with downloads(server, secret) as seen:
            copy.rename(store)
            assert eventually(lambda: seen[503] > 40)
        assert set(seen) == {200, 503}
        assert statuses(server, secret) == {503}

        disabled = command(vendor, "token", "disable", identifier)
        assert disabled.returncode == 1
        assert "is the log of the former file" in disabled.stderr
        assert command(vendor, "doctor").returncode == 1
        assert statuses(server, secret) == {503}

        store.rename(copy)
        assert statuses(server, secret) == {503}
        restored = command(vendor, "restore", str(copy))
        assert restored.returncode == 0, restored.stderr
        assert statuses(server, secret) == {200}
        disabled = command(vendor, "token", "disable", identifier)
        assert disabled.returncode == 0, disabled.stderr
        assert 200 not in of_files(server, secret)

        lines = server.log.read_text().splitlines()
    looked_up = [line for line in lines if "could not be looked up" in line]
    # At most one a minute for each process and kind of trouble.
    assert 1 <= len(looked_up) <= 4
    assert secret not in "".join(lines)
    assert command(vendor, "db", "check").returncode == 0


def test_a_removed_store_is_never_made_anew(vendor: Vendor) -> None:
    identifier, secret, copy = prepared(vendor)
    store = vendor.home / "entitlements.db"
    with vendor.serving("--workers", str(WORKERS), environment=EVERY_REQUEST) as server:
        with downloads(server, secret) as seen:
            store.unlink()
            assert eventually(lambda: seen[503] > 40)
        assert statuses(server, secret) == {503}
        assert not store.exists()
        assert command(vendor, "token", "list").returncode == 1
        assert not store.exists()

        with pytest.raises(StoreError, match="is gone, though it was in use"):
            create_app(served(vendor))
        assert not store.exists()

        restored = command(vendor, "restore", str(copy))
        assert restored.returncode == 0, restored.stderr
        assert statuses(server, secret) == {200}
        assert command(vendor, "token", "disable", identifier).returncode == 0
        assert 200 not in of_files(server, secret)
    assert command(vendor, "db", "check").returncode == 0


def test_a_store_is_restored_while_downloads_go_on(vendor: Vendor) -> None:
    identifier, secret, copy = prepared(vendor)
    with vendor.serving("--workers", str(WORKERS), environment=EVERY_REQUEST) as server:
        with downloads(server, secret) as seen:
            for _ in range(3):
                restored = command(vendor, "restore", str(copy))
                assert restored.returncode == 0, restored.stderr
                before = seen[200]
                assert eventually(lambda before=before: seen[200] > before + 40)  # type: ignore[misc]
        assert set(seen) <= {200, 503}
        assert statuses(server, secret) == {200}
        again = command(vendor, "backup", str(vendor.root / "second.db"))
        assert again.returncode == 0, again.stderr
        before = vendor.core.lifecycle.read(identifier).usage_at(NOW).downloads
        vendor.core.close()
        for _ in range(ROUNDS):
            assert status(server, WHEEL, secret) == 200
        after = vendor.core.lifecycle.read(identifier).usage_at(NOW).downloads
        assert after - before == ROUNDS
        vendor.core.close()
        assert command(vendor, "token", "disable", identifier).returncode == 0
        assert 200 not in of_files(server, secret)
    assert command(vendor, "db", "check").returncode == 0
    assert len(list(vendor.home.glob("entitlements.db.before-*T*Z"))) == 3


@pytest.mark.parametrize("ends", [("-wal",), ("-shm",), ("-wal", "-shm")], ids="".join)
def test_a_log_removed_under_servers_opens_nothing_and_undoes_nothing(
    vendor: Vendor, ends: tuple[str, ...]
) -> None:
    identifier, secret, _ = prepared(vendor)
    other = vendor.token("disabled before").token.identifier
    vendor.core.close()
    with vendor.serving("--workers", str(WORKERS), environment=EVERY_REQUEST) as server:
        with downloads(server, secret) as seen:
            assert command(vendor, "token", "disable", other).returncode == 0
            for end in ends:
                (vendor.home / f"entitlements.db{end}").unlink()
            # Nobody sees the former log, so nobody may begin another one.
            disabled = command(vendor, "token", "disable", identifier)
            assert eventually(lambda: seen[503] > 40)
        assert set(seen) <= {200, 503}
        assert disabled.returncode == 1
        assert "Stop all servers" in disabled.stderr
        assert statuses(server, secret) == {503}
        doctor = command(vendor, "doctor")
        assert doctor.returncode == 1
        assert "was removed or replaced while it was in use" in doctor.stdout + doctor.stderr
        assert command(vendor, "backup", str(vendor.root / "second.db")).returncode == 1
        lines = server.log.read_text().splitlines()
    assert sum("could not be worked off" in line for line in lines) <= WORKERS

    with vendor.serving("--workers", "1", environment=EVERY_REQUEST) as server:
        shown = json.loads(command(vendor, "token", "show", other, "--json").stdout)
        assert shown["status"] == "disabled"
        assert statuses(server, secret) == {200}
        assert command(vendor, "token", "disable", identifier).returncode == 0
        assert 200 not in of_files(server, secret)
    with vendor.serving("--workers", "1", environment=EVERY_REQUEST) as server:
        assert 200 not in of_files(server, secret)
    assert command(vendor, "db", "check").returncode == 0
