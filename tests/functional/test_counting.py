"""Exact under concurrency, and not forgotten when the server is killed."""

from __future__ import annotations

import http.client
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

import httpx
import pytest

from tests.actors import person
from tests.functional.vendors import Running, Vendor
from tests.wheelhouse import build_wheel

NOW: Final = datetime.now(UTC)  # noqa: TID251 - real servers have the real time
EVERY_REQUEST: Final = {"ENTITLEMENTS_DOWNLOAD_WINDOW": "0"}
WHEEL: Final = "/packages/lab_foo-1.0-py3-none-any.whl"


def fetch(server: Running, path: str) -> tuple[int, int]:
    """The status of a GET, and how many bytes came."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, len(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("limit", [0, 1, 25])
def test_four_processes_and_sixteen_threads_serve_exactly_the_limit(
    vendor: Vendor, limit: int
) -> None:
    size = build_wheel(vendor.packages, "lab-foo", "1.0").stat().st_size
    token = vendor.token("limited", limit_num_downloads=limit)
    path = f"/+t/{token.secret}{WHEEL}"

    with (
        vendor.serving("--workers", "4", "--threads", "16", environment=EVERY_REQUEST) as server,
        ThreadPoolExecutor(64) as pool,
    ):
        answers = Counter(pool.map(lambda _: fetch(server, path), range(limit * 3 + 20)))

    served = {answer: count for answer, count in answers.items() if answer[0] == 200}
    assert served == ({(200, size): limit} if limit else {})
    assert {status for status, _ in answers} <= {200, 403}
    assert vendor.downloads(token, NOW) == limit


def test_a_killed_server_loses_no_count_and_opens_cleanly(vendor: Vendor) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0", padding=300_000)
    token = vendor.token("customer")
    path = f"/+t/{token.secret}{WHEEL}"
    received, stop = Counter[str](), threading.Event()
    enough = threading.Event()

    with vendor.serving("--workers", "2", environment=EVERY_REQUEST) as server:
        workers = [
            threading.Thread(target=keep_fetching, args=(server, path, received, enough, stop))
            for _ in range(8)
        ]
        for worker in workers:
            worker.start()
        assert enough.wait(60)
        server.kill()
        stop.set()
        for worker in workers:
            worker.join(60)

    counted = vendor.downloads(token, NOW)
    assert received["begun"] <= counted <= received["begun"] + received["failed"]
    assert integrity(vendor) == "ok"
    with vendor.serving(environment=EVERY_REQUEST) as again:
        assert fetch(again, path)[0] == 200
    assert vendor.downloads(token, NOW) == counted + 1


def keep_fetching(
    server: Running,
    path: str,
    received: Counter[str],
    enough: threading.Event,
    stop: threading.Event,
) -> None:
    """Download until the server is gone, and note each answer of which a byte arrived."""
    lock = threading.Lock()
    while not stop.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            begun = answer.read(1)
            note(received, "begun" if begun else "failed", lock)
            answer.read()
        except (OSError, http.client.HTTPException):
            note(received, "failed", lock)
            if stop.wait(0.01):
                return
        finally:
            connection.close()
        if received["begun"] >= 200:
            enough.set()


def note(received: Counter[str], what: str, lock: threading.Lock) -> None:
    with lock:
        received[what] += 1


def integrity(vendor: Vendor) -> str:
    store = sqlite3.connect(vendor.home / "entitlements.db")
    try:
        return str(store.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        store.close()


def changes_of(vendor: Vendor) -> list[tuple[str, Callable[[str], object]]]:
    """What ends a token's use, by name."""
    core = vendor.core
    return [
        ("disable", lambda name: core.lifecycle.disable(name, actor=person("test"))),
        ("refresh", lambda name: core.rotation.refresh(name, actor=person("test"))),
        ("delete", lambda name: core.lifecycle.delete(name, actor=person("test"))),
        (
            "expire",
            lambda name: core.lifecycle.edit(name, actor=person("test"), limit_date_range_to=NOW),
        ),
        (
            "restrict",
            lambda name: core.lifecycle.edit(
                name, actor=person("test"), limit_package_query="name:^other$"
            ),
        ),
    ]


def test_a_change_holds_from_the_next_request_on_in_every_process(vendor: Vendor) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    changes = changes_of(vendor)
    with vendor.serving("--workers", "4") as server:
        for name, change in changes:
            token = vendor.token(name)
            path = f"/+t/{token.secret}{WHEEL}"
            assert {fetch(server, path)[0] for _ in range(20)} == {200}

            change(token.token.identifier)

            assert 200 not in {fetch(server, path)[0] for _ in range(20)}, name


def test_parts_that_two_addresses_fetched_are_one_download(vendor: Vendor) -> None:
    size = build_wheel(vendor.packages, "lab-foo", "1.0", padding=50_000).stat().st_size
    build_wheel(vendor.packages, "lab-bar", "1.0", padding=50_000)
    token = vendor.token("limited", limit_num_downloads=1)
    half = size // 2
    with vendor.serving() as server:

        def part(address: str, name: str, first: int, last: int) -> int:
            transport = httpx.HTTPTransport(local_address=address)
            with httpx.Client(transport=transport, timeout=30) as client:
                path = f"/+t/{token.secret}/packages/{name}-1.0-py3-none-any.whl"
                answer = client.get(server.url + path, headers={"Range": f"bytes={first}-{last}"})
                return answer.status_code

        assert part("127.0.0.2", "lab_foo", 1, half) == 206
        assert vendor.downloads(token, NOW) == 0
        assert part("127.0.0.3", "lab_foo", half + 1, size - 1) == 206
        assert vendor.downloads(token, NOW) == 1
        assert part("127.0.0.2", "lab_bar", 1, half) == 403
        assert part("127.0.0.4", "lab_bar", 1, 1) == 403
