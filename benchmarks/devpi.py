"""An entitled devpi-server against a bare one: the same index, options and requests, in one run."""

from __future__ import annotations

import base64
import http.client
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

import psutil

from benchmarks import devpi_site, workload
from benchmarks.load import ROUNDS, SECONDS, closed_loop, times
from tests.functional import devpis
from tests.functional.devpi_nginx import fronted, generated
from tests.functional.nginx import reserved_port

__all__ = ["Site", "Target", "alternated", "rows"]

CONNECTIONS: Final = 4
OPTIONS: Final = ("--enable-core-metadata", "--requests-only")
PIP: Final = (
    "User-Agent: pip/26.0",
    "Accept: application/vnd.pypi.simple.v1+json, text/html; q=0.01",
)
"""What pip sends; for other clients devpi sorts the links."""

INDEX: Final = devpi_site.INDEX
PAGE: Final = f"/{INDEX}/+simple/proj/"
MIRRORED: Final = f"/{devpi_site.MIRRORED}/+simple/proj/"
BIG: Final = f"/{INDEX}/+simple/big/"

Row = tuple[str, str, str]
Measure = Callable[[], float]
"""Requests per second."""


@dataclass(frozen=True)
class Target:
    """A server, and what is asked of it: anonymously, or with tokens or a header."""

    port: int
    path: str
    secrets: Path | None = None
    headers: tuple[str, ...] = ()

    def rate(self) -> float:
        """Requests per second of a closed loop."""
        rate = closed_loop(
            self.port, self.path, self.secrets, self.headers, connections=CONNECTIONS
        )
        if rate.refused:
            raise SystemExit(f"{rate.refused} requests of {self.path} were refused")
        return rate.per_second


class Site:
    """The two servers, each with a copy of the index."""

    def __init__(self, tokens: int, stack: ExitStack) -> None:
        self.secrets = devpi_site.secrets(tokens)
        self.home = workload.WORK / f"home-{tokens}"
        self.work = devpi_site.FOLDER
        self._stack = stack
        self._serials = count()
        self.bare = self._start("bare", without=devpis.OTHERS + devpis.BARE)
        self.ours = self.entitled("ours")
        for server in (self.bare, self.ours):
            server.login(devpi_site.USER, devpi_site.PASSWORD)

    def entitled(self, name: str, *options: str) -> devpis.Devpi:
        """Another server with our plugin."""
        home = ("--entitlements-home", str(self.home))
        return self._start(name, *home, *options, without=devpis.OTHERS)

    def _start(self, name: str, *options: str, without: Sequence[str]) -> devpis.Devpi:
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copytree(devpi_site.directory(), folder / "server")
        # Each request is counted, also the repeated ones of a client; nobody's requests are shared.
        environment = {"ENTITLEMENTS_DOWNLOAD_WINDOW": "0"}
        running = devpis.running(
            folder, *OPTIONS, *options, without=without, environment=environment, costs=()
        )
        return self._stack.enter_context(running)

    @property
    def secret(self) -> str:
        """One of the tokens."""
        return self.secrets.read_text().split()[0]

    @property
    def basic(self) -> str:
        """The header of one of the tokens."""
        return _basic("token", self.secret)

    def by_path(self, path: str, *headers: str) -> Target:
        """Our server, asked with tokens in the path."""
        return Target(self.ours.port, path, self.secrets, headers)

    def by_basic(self, path: str, *headers: str) -> Target:
        """Our server, asked with a token by basic auth."""
        return Target(self.ours.port, path, None, (self.basic, *headers))

    def plain(self, path: str, *headers: str) -> Target:
        """The bare server."""
        return Target(self.bare.port, path, None, headers)

    def file(self, filename: str) -> str:
        """The path of a file of the project `files`."""
        return self.bare.files_of(INDEX, "files")[filename]

    def commit(self) -> None:
        """Change something on both servers, so that no page that was rendered before is valid."""
        title = f"title={next(self._serials)}"
        for server in (self.bare, self.ours):
            server.request("PATCH", f"/{INDEX}", devpi_site.USER, json=[title]).raise_for_status()


@contextmanager
def site(tokens: int) -> Iterator[Site]:
    """Both servers for the length of the block."""
    with ExitStack() as stack:
        yield Site(tokens, stack)


def rows(tokens: int) -> Iterator[Row]:
    """devpi-server with the plugin against devpi-server without it."""
    with site(tokens) as made:
        yield from _first_pages(made)
        yield from _kept_pages(made)
        yield from _files(made)
        yield _password(made)
        yield from _sent_by_nginx(made)


def _first_pages(made: Site) -> Iterator[Row]:
    goal = ">= 0.95x bare devpi"
    for how, prefix, headers in (
        ("path token", f"/+t/{made.secret}", ()),
        ("basic auth", "", (made.basic,)),
    ):
        ours = partial(_once_each, made.ours.port, prefix, (*PIP, *headers))
        bare = partial(_once_each, made.bare.port, "", PIP)
        label = f"devpi: page of 30 versions, the first time, {how}"
        yield (label, goal, alternated(ours, bare, before=made.commit))
    plain = made.plain(MIRRORED, *PIP)
    label = "devpi: page of 30 versions, a mirror among the bases, {}"
    for how, target in (
        ("path token", made.by_path(MIRRORED, *PIP)),
        ("basic auth", made.by_basic(MIRRORED, *PIP)),
    ):
        yield label.format(how), goal, alternated(target.rate, plain.rate)


def _kept_pages(made: Site) -> Iterator[Row]:
    for path, what, goal in ((PAGE, "page of 30 versions", 2), (BIG, "project of 2,000 files", 20)):
        for how, target in (
            ("path token", made.by_path(path, *PIP)),
            ("basic auth", made.by_basic(path, *PIP)),
        ):
            reached = alternated(target.rate, made.plain(path, *PIP).rate)
            yield f"devpi: {what}, again, {how}", f">= {goal}x bare devpi", reached


def _files(made: Site) -> Iterator[Row]:
    for filename, size in ((workload.SMALL, "100 KB"), (workload.LARGE, "20 MB")):
        path = made.file(filename)
        reached = alternated(made.by_path(path).rate, made.plain(path).rate)
        yield f"devpi: file of {size}, counted", ">= 0.95x bare devpi", reached


def _password(made: Site) -> Row:
    """Devpi looks at a password only where it asks for a permission: at a file."""
    path = made.file(workload.SMALL)
    password = _basic(devpi_site.USER, devpi_site.PASSWORD)
    reached = alternated(made.by_basic(path).rate, made.plain(path, password).rate)
    return "devpi: token by basic auth against a user's password", "no argon2", reached


def _sent_by_nginx(made: Site) -> Iterator[Row]:
    """devpi-server decides and counts, nginx sends: the configuration of devpi-gen-config."""
    redirect = ("--entitlements-accel-redirect", "/+protected")
    behind = made.entitled("accel", *redirect)
    url = f"http://127.0.0.1:{reserved_port()}"
    for folder in ("gen", "nginx"):
        shutil.rmtree(made.work / folder, ignore_errors=True)
    home = ("--entitlements-home", str(made.home))
    written = generated(behind, made.work / "gen", url, *home, *redirect)
    with fronted(made.work / "nginx", written / "nginx-entitlements.conf", url):
        port = int(url.rpartition(":")[2])
        for filename, size in ((workload.SMALL, "100 KB"), (workload.LARGE, "20 MB")):
            path = made.file(filename)
            ours = Target(port, path, made.secrets)
            reached = alternated(ours.rate, made.plain(path).rate)
            yield f"devpi: file of {size}, counted, sent by nginx", ">= 10x bare devpi", reached
            cost, plain = _cost(behind, ours), _cost(made.bare, made.plain(path))
            yield (
                f"devpi: file of {size}, sent by nginx: processor time of devpi-server",
                "a tenth of bare devpi",
                f"**1/{times(plain, cost):.1f}** ({cost:.2f} to {plain:.2f} ms a file)",
            )


def _cost(server: devpis.Devpi, target: Target) -> float:
    """Milliseconds of processor time that a server spends on a request."""
    process = psutil.Process(server.process.pid)
    before = process.cpu_times()
    requests = target.rate() * SECONDS
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    return 1000 * times(spent, requests)


def alternated(ours: Measure, bare: Measure, before: Callable[[], object] | None = None) -> str:
    """Both in turn after a warm-up: the median of the ratios, and the medians of both."""
    pairs = []
    for turn in range(ROUNDS + 1):
        if before is not None:
            before()
        first, second = (ours, bare) if turn % 2 else (bare, ours)
        found = first(), second()
        pairs.append(found if turn % 2 else found[::-1])
    measured = pairs[1:]
    ratio = statistics.median(times(mine, theirs) for mine, theirs in measured)
    mine, theirs = (statistics.median(values) for values in zip(*measured, strict=True))
    digits = 1 if theirs < 10 else 0
    return f"**{ratio:.2f}x** ({mine:,.{digits}f} to {theirs:,.{digits}f} /s)"


def _once_each(port: int, prefix: str, headers: Sequence[str]) -> float:
    """Requests per second when each project is asked for once, by as many clients as ever."""
    paths = [f"{prefix}/{INDEX}/+simple/many-{n:04}/" for n in range(devpi_site.PROJECTS)]
    named = dict(header.split(": ", 1) for header in headers)
    begun = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(partial(_fetch, port, named), paths))
    return len(paths) / (time.perf_counter() - begun)


def _fetch(port: int, headers: dict[str, str], path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"{answer.status} for {path.rpartition('/+simple/')[2]}")
    finally:
        connection.close()


def _basic(user: str, password: str) -> str:
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Authorization: Basic {pair}"
