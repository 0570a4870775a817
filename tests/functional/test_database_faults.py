"""A server goes on, or says at once that it cannot, whatever happens to its database."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import httpx
import psycopg
import pytest

from entitlements_core.services import clock
from entitlements_core.services.token_issuer import Issued
from entitlements_core.store.timeouts import REQUESTS
from tests.functional.vendors import Running, Vendor, clean_environment
from tests.postgres import Server, running_server, running_standby
from tests.wheelhouse import build_wheel

PAGE: Final = "/simple/demo/"
FAST: Final = 1.5
"""Seconds: at once, on a machine that has other things to do."""


def file(number: int) -> str:
    return f"/packages/demo-1.{number}-py3-none-any.whl"


@pytest.fixture
def own_postgres() -> Iterator[Server]:
    """A server that the test may mistreat."""
    with running_server(listens=True) as server:
        yield server


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Callable[[str], Vendor]]:
    """Makes a vendor of twenty files whose store is at a URL."""
    vendor = Vendor(tmp_path)
    for number in range(20):
        build_wheel(vendor.packages, "demo", f"1.{number}")

    def opened(url: str) -> Vendor:
        vendor.settings["database_url"] = url
        return vendor

    yield opened
    vendor.core.close()


@contextmanager
def node(vendor: Vendor, *arguments: str, **settings: str) -> Iterator[Running]:
    environment = {"ENTITLEMENTS_DATABASE_URL": vendor.settings.get("database_url", "")} | settings
    with vendor.serving("--workers", "1", *arguments, environment=environment) as running:
        yield running


Shop = Callable[[str], Vendor]


@dataclass
class Asked:
    """What requests were answered, and how long each took, in seconds."""

    running: Running
    issued: Issued
    statuses: list[int] = field(default_factory=list)
    longest: float = 0.0

    def __call__(self, path: str) -> int:
        began = time.monotonic()
        auth = None if "+health" in path else ("token", str(self.issued.secret))
        status = httpx.get(f"{self.running.url}{path}", auth=auth, timeout=60).status_code
        self.longest = max(self.longest, time.monotonic() - began)
        self.statuses.append(status)
        return status


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def counted(vendor: Vendor, issued: Issued) -> int:
    return vendor.downloads(issued, clock.now())


@pytest.mark.parametrize("server", ["granian", "waitress"])
def test_a_silent_database_holds_nobody_up(shop: Shop, own_postgres: Server, server: str) -> None:
    vendor = shop(own_postgres.create("shop"))
    issued = vendor.token("customer")
    settings = {"ENTITLEMENTS_CONNECT_TIMEOUT": "2", "ENTITLEMENTS_ANSWER_TIMEOUT": "2"}
    with node(vendor, "--server", server, **settings) as running:
        asked = Asked(running, issued)
        assert [asked(PAGE), asked(file(0)), asked("/+health/ready")] == [200, 200, 200]
        with own_postgres.silenced():
            first = Asked(running, issued)
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(first, [PAGE, file(1), PAGE, file(2), PAGE, file(3), PAGE, PAGE]))
            assert set(first.statuses) == {503}
            # Four threads for eight requests: the second four do not wait once more.
            assert first.longest < 2 + 2 + FAST

            later = Asked(running, issued)
            began = time.monotonic()
            while time.monotonic() - began < 5:
                assert later(PAGE) == later(file(4)) == 503
            took = time.monotonic() - began
            assert len(later.statuses) > 10  # one in a moment tries it out, the others are told
            assert took < 5 + 2 + FAST

            health = Asked(running, issued)
            with ThreadPoolExecutor(3) as pool:
                waiting = [pool.submit(asked, PAGE) for _ in range(3)]
                assert [health("/+health"), health("/+health/live")] == [200, 200]
                assert health("/+health/ready") == 503
                assert [one.result() for one in waiting] == [503] * 3
            assert health.longest < FAST
        until(lambda: asked(PAGE) == 200)
        granted = sum(asked(file(number)) == 200 for number in range(10, 15))
        assert granted == 5
        until(lambda: asked("/+health/ready") == 200, seconds=1.0)  # a moment is good for others
    # What was in doubt was refused; it may be counted, and nothing that was sent is not.
    assert 6 <= counted(vendor, issued) <= 6 + 4


@contextmanager
def crowd(asked: Asked, paths: list[str]) -> Iterator[None]:
    """So many requests at once for the length of the block, more than there are threads."""
    with ThreadPoolExecutor(len(paths)) as pool:
        waiting = [pool.submit(asked, path) for path in paths]
        time.sleep(0.3)  # until every thread of the server has one
        yield
        for one in waiting:
            one.result()


def test_monitoring_hears_that_a_node_lives_beside_a_crowd(
    shop: Shop, own_postgres: Server
) -> None:
    vendor = shop(own_postgres.create("shop"))
    issued = vendor.token("customer")
    with node(vendor, "--threads", "4") as running:
        asked, health = Asked(running, issued), Asked(running, issued)
        assert [asked(PAGE), asked(file(0))] == [200, 200]
        with own_postgres.silenced(), crowd(asked, [PAGE] * 24):
            assert health("/+health/live") == 200
        assert health.longest < 1.0 + FAST
        until(lambda: asked(PAGE) == 200)


def test_a_table_that_somebody_locks_is_waited_for_by_few(shop: Shop, own_postgres: Server) -> None:
    url = own_postgres.create("shop")
    vendor = shop(url)
    issued = vendor.token("customer")
    vendor.core.database.close()
    with node(vendor, "--threads", "4", ENTITLEMENTS_LOCK_TIMEOUT="1") as running:
        asked, health = Asked(running, issued), Asked(running, issued)
        assert asked(PAGE) == 200
        with other(own_postgres) as locking:
            locking.execute("BEGIN; LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE")
            crowded = Asked(running, issued)
            with crowd(crowded, [PAGE] * 24):
                assert health("/+health/live") == 200
            assert set(crowded.statuses) == {503}
            assert crowded.longest < 1.0 + 2 * FAST  # not six times as long
        assert health.longest < 1.0 + FAST
        until(lambda: asked(PAGE) == 200)


def test_whatever_is_locked_no_other_page_is_refused(shop: Shop, own_postgres: Server) -> None:
    vendor = shop(own_postgres.create("shop"))
    issued, visitor = vendor.token("customer"), vendor.token("visitor")
    settings = {"ENTITLEMENTS_LOCK_TIMEOUT": "2", "ENTITLEMENTS_ANSWER_TIMEOUT": "3"}
    for server in ("granian", "waitress"):
        with node(vendor, "--server", server, **settings) as running:
            asked, pages = Asked(running, issued), Asked(running, visitor)
            assert [asked(PAGE), pages(PAGE)] == [200, 200]
            with other(own_postgres) as locking:
                locking.execute("BEGIN; SELECT * FROM repositories FOR UPDATE")
                with crowd(asked, [file(1), file(2)]):
                    began = time.monotonic()
                    while time.monotonic() - began < 5:
                        pages(PAGE)
                        time.sleep(0.05)
            assert set(pages.statuses) == {200}
            assert asked(file(3)) == 200


@contextmanager
def other(server: Server) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Somebody at a prompt, whose transaction ends with the block."""
    place = f"host={server.folder} port={server.port} user=postgres dbname=shop"
    with closing(psycopg.connect(place, autocommit=True)) as connection:
        yield connection


def test_a_database_that_was_restarted_is_not_noticed(shop: Shop, own_postgres: Server) -> None:
    vendor = shop(own_postgres.create("shop"))
    issued = vendor.token("customer")
    with node(vendor) as running:
        asked = Asked(running, issued)
        with ThreadPoolExecutor(4) as pool:  # several idle connections
            assert set(pool.map(asked, [PAGE, file(0), PAGE, file(1)] * 3)) == {200}
        for break_off in (
            own_postgres.terminate,
            own_postgres.restart,
            lambda: own_postgres.restart("immediate"),
        ):
            before = counted(vendor, issued)
            break_off()
            assert [asked(PAGE), asked(file(before)), asked(PAGE)] == [200, 200, 200]
            assert counted(vendor, issued) == before + 1  # administration goes on, too


def hosts_first(primary: Server, standby: Server) -> str:
    return (
        f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/shop"
        "?target_session_attrs=read-write"
    )


def hosts_behind(primary: Server, standby: Server) -> str:
    return (
        "postgresql+psycopg://postgres@/shop"
        f"?host={primary.folder},{standby.folder}&port={primary.port},{standby.port}"
    )


@pytest.mark.parametrize("spelled", [hosts_first, hosts_behind])
def test_a_promoted_standby_is_gone_on_with(
    shop: Shop, own_postgres: Server, spelled: Callable[[Server, Server], str]
) -> None:
    own_postgres.create("shop")
    with running_standby(own_postgres) as standby:
        vendor = shop(spelled(own_postgres, standby))
        issued = vendor.token("customer")
        with node(vendor) as running:
            asked = Asked(running, issued)
            assert [asked(PAGE), asked(file(0))] == [200, 200]
            received = "SELECT pg_current_wal_lsn() <= replay_lsn FROM pg_stat_replication"
            until(lambda: ask(own_postgres, received) == [(True,)])
            own_postgres.stop("immediate")
            standby.promote()
            until(lambda: asked(PAGE) == 200, 10)
            assert [asked(file(1)), asked(PAGE), asked("/+health/ready")] == [200, 200, 200]
            for words in (["db", "current"], ["token", "list"]):
                assert command(vendor, *words).returncode == 0
        assert counted(vendor, issued) == 2


def ask(server: Server, statement: str) -> list[tuple[Any, ...]]:
    place = f"host={server.folder} port={server.port} user=postgres dbname=postgres"
    with psycopg.connect(place, autocommit=True) as connection:
        return connection.execute(statement.encode()).fetchall()


def command(vendor: Vendor, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of ours; its end is waited for."""
    return subprocess.run(
        [sys.executable, "-m", "entitlements_core.cli", "--home", str(vendor.home), *words],
        env=clean_environment(ENTITLEMENTS_DATABASE_URL=vendor.settings["database_url"]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Mute:
    """A server that lets in and never speaks.

    Attributes:
        port: of loopback.
        waits: for how many seconds each client waited for a word before it left.
    """

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.waits: list[float] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:  # those that accepting adds, too
            thread.join()
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # shut down
            while True:
                client, _ = self._server.accept()
                thread = threading.Thread(target=self._listen, args=(client, time.monotonic()))
                self._threads.append(thread)
                thread.start()

    def _listen(self, client: socket.socket, began: float) -> None:
        with client, contextlib.suppress(ConnectionError):
            while client.recv(1024):
                pass
        self.waits.append(time.monotonic() - began)


@pytest.mark.parametrize(
    "words",
    [
        ["db", "current"],
        ["db", "check"],
        ["token", "list"],
        ["doctor"],
        ["init"],
        ["serve", "{packages}", "--repo", "acme/prod", "--port", "0"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_no_command_waits_for_a_server_that_never_speaks(shop: Shop, words: list[str]) -> None:
    vendor = shop("")
    vendor.token("customer")
    vendor.core.close()

    def run(port: int) -> float:
        """For how long the command ran, after which it said what was wrong."""
        vendor.settings["database_url"] = f"postgresql://ann:hunter2@127.0.0.1:{port}/shop"
        began = time.monotonic()
        ended = command(vendor, *(word.format(packages=vendor.packages) for word in words))
        took = time.monotonic() - began
        said = " ".join((ended.stdout + ended.stderr).split())
        assert ended.returncode == 1
        assert f"postgresql://ann@127.0.0.1:{port}/shop" in said
        assert "hunter2" not in said
        return took

    def is_soon() -> bool:
        """Beside one wait it takes no longer than where it is told at once, give or take."""
        with Mute() as mute:
            took = run(mute.port)
        [waited] = mute.waits  # whatever the machine does, it asks once
        usual = run(mute.port)  # nobody is there any more
        return waited < REQUESTS.connect * 2 and took - waited < usual * 3

    # A machine that stops for a while does so in one attempt or two; a wait is in each of them.
    assert any(is_soon() for _ in range(4))


def test_a_locked_row_holds_up_its_own_token_only(shop: Shop, own_postgres: Server) -> None:
    vendor = shop(own_postgres.create("shop"))
    held, free = vendor.token("held"), vendor.token("free")
    with node(vendor) as running:
        assert Asked(running, held)(file(0)) == Asked(running, free)(file(0)) == 200
        place = f"host={own_postgres.folder} port={own_postgres.port} user=postgres dbname=shop"
        with psycopg.connect(place) as somebody:
            somebody.execute(
                "SELECT 1 FROM usage u JOIN tokens t ON t.id = u.token_id WHERE t.identifier = %s"
                " FOR UPDATE",
                (held.token.identifier,),
            )
            stop = threading.Event()
            waiting = Asked(running, held)

            def go_on() -> None:
                while not stop.is_set():
                    waiting(file(1))

            threads = [threading.Thread(target=go_on) for _ in range(6)]
            for thread in threads:
                thread.start()
            time.sleep(FAST)  # those that came at first have been told
            going = Asked(running, free)
            began = time.monotonic()
            while time.monotonic() - began < 4:
                for number in range(1, 20):
                    assert going(file(number)) == going(PAGE) == 200
            stop.set()
            for thread in threads:
                thread.join()
            assert set(waiting.statuses) == {503}
            assert going.longest < FAST
            assert waiting.longest < 3 + FAST
            somebody.rollback()
        assert Asked(running, held)(file(1)) == 200
    assert counted(vendor, held) == 2


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else holds the lock of a SQLite store."""
    with closing(sqlite3.connect(path, isolation_level=None)) as somebody:
        somebody.execute("BEGIN EXCLUSIVE")
        yield
        somebody.execute("ROLLBACK")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_locked_store_holds_up_no_page(vendor: Vendor, workers: int) -> None:
    for number in range(20):
        build_wheel(vendor.packages, "demo", f"1.{number}")
    issued = vendor.token("customer")
    with vendor.serving("--workers", str(workers), "--threads", "4") as running:
        pages = Asked(running, issued)
        assert pages(PAGE) == 200
        files = Asked(running, issued)
        with locked(vendor.home / "entitlements.db"), ThreadPoolExecutor(20) as pool:
            began = time.monotonic()
            downloads = [pool.submit(files, file(number)) for number in range(20)]
            time.sleep(FAST)  # those that took all threads at first have been told
            pages.longest = 0.0
            while time.monotonic() - began < 4:
                assert pages(PAGE) == pages("/+health") == pages("/+health/ready") == 200
            assert pages.longest < FAST
            assert [one.result() for one in downloads] == [503] * 20
            assert files.longest < 3 + FAST
        until(lambda: files(file(1)) == 200, 5)
    assert counted(vendor, issued) == 1
