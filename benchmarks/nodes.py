"""One node on PostgreSQL against one on SQLite, and pages while somebody locks the store."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Final

from benchmarks import workload
from benchmarks.load import alternating, granian, open_loop, percentile
from entitlements_core.plugins import Plugins
from entitlements_core.policy.actor import Actor, ActorKind
from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.core import Core
from entitlements_core.services.settings import Settings
from tests.postgres import running_server

__all__ = ["databases", "locked"]

OURS: Final = "entitlements_core.engine.serving:create_app"
TOKENS: Final = 200
THREADS: Final = 2
PAGE: Final = "/simple/proj/"
FILE: Final = f"/packages/{workload.SMALL}"
WAITING: Final = 2
"""Downloads that wait for the lock; half of the server's threads."""

Row = tuple[str, str, str]


def databases() -> Iterator[Row]:
    """A node of two threads on each database, in turn. PostgreSQL waits for its disk."""
    with ExitStack() as stack:
        server = stack.enter_context(running_server())
        server.execute("ALTER SYSTEM SET fsync = on")
        server.execute("SELECT pg_reload_conf()")
        sides = []
        for name, url in (("postgres", server.create("bench", "template0")), ("sqlite", "")):
            environment, secrets = _node(name, url)
            port = stack.enter_context(granian(OURS, environment, workers=1, threads=THREADS))
            sides.append((port, secrets))
        (ours, our_secrets), (theirs, their_secrets) = sides
        for path, what, goal in (
            (PAGE, "page of 30 versions", 0.6),
            (FILE, "file of 100 KB, counted", 0.45),
        ):
            mine, other, ratio = alternating(
                (ours, path, our_secrets), (theirs, path, their_secrets)
            )
            if mine.refused or other.refused:
                raise SystemExit(f"{mine.refused + other.refused} requests were refused")
            reached = f"**{ratio:.2f}x** ({mine.per_second:,.0f} to {other.per_second:,.0f} /s)"
            yield f"one node, PostgreSQL: {what}", f">= {goal}x SQLite", reached


def locked() -> Iterator[Row]:
    """What a customer waits for a page while another process locks the SQLite store."""
    environment, kept = _node("locked", "")
    secrets = kept.read_text().split()
    paths = [f"/+t/{secret}{PAGE}" for secret in secrets]
    store = Path(environment["ENTITLEMENTS_HOME"], "entitlements.db")
    with granian(OURS, environment, workers=1, threads=2 * WAITING) as port:
        open_loop(port, paths, 100.0, 1)
        alone = percentile(open_loop(port, paths, 100.0), 0.99)
        with closing(sqlite3.connect(store, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            stop = threading.Event()
            waiting = [
                threading.Thread(target=_download, args=(port, secret, stop))
                for secret in secrets[:WAITING]
            ]
            for thread in waiting:
                thread.start()
            beside = percentile(open_loop(port, paths, 100.0), 0.99)
            stop.set()
            for thread in waiting:
                thread.join()
    yield (
        "a page while the store is locked and downloads wait: p99",
        "as without the lock",
        f"**{beside:.1f} ms** ({alone:.1f} ms without)",
    )


def _download(port: int, secret: str, stop: threading.Event) -> None:
    """Ask for a file over and over; it is refused for as long as the lock is held."""
    while not stop.is_set():
        with suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/+t/{secret}{FILE}", timeout=60).close()


def _node(name: str, url: str) -> tuple[dict[str, str], Path]:
    """The settings of a node with a store of its own, and a file of its tokens' secrets."""
    home = workload.WORK / f"node-{name}"
    shutil.rmtree(home, ignore_errors=True)
    settings = Settings.load(home=home, database_url=url)
    core = Core.open(settings, create=True, plugins=Plugins(discover=False))
    core.repositories.add(workload.REPOSITORY, actor=Actor("bench", ActorKind.PERSON))
    grants = [TokenGrant(repository=workload.REPOSITORY, limit_package_query=workload.QUERY)]
    made = [
        core.lifecycle.create(f"t{n}", grants, actor=Actor("bench", ActorKind.PERSON))
        for n in range(TOKENS)
    ]
    core.close()
    secrets = home / "secrets.txt"
    secrets.write_text("\n".join(issued.secret or "" for issued in made))
    environment = {
        "ENTITLEMENTS_HOME": str(home),
        "ENTITLEMENTS_DATABASE_URL": url,
        "ENTITLEMENTS_REPOSITORY": workload.REPOSITORY,
        "ENTITLEMENTS_DIRECTORIES": str(workload.packages()),
        "PYTHONPATH": str(workload.ROOT),
    }
    return environment, secrets
