"""``make bench``: what entitlements cost, as ratios against the bare server in the same run.

``make bench BENCH="pages files"`` runs only the named parts. ``make bench BENCH_SECONDS=1`` runs
in a few minutes, on little data: that shows that they run, and its numbers say nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Final

from packaging.utils import canonicalize_name

from benchmarks import workload
from benchmarks.load import (
    ROUNDS,
    SECONDS,
    SHORT,
    alternating,
    closed_loop,
    free_port,
    granian,
    guessing,
    open_loop,
    percentile,
    processor_seconds,
    times,
)
from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.pages import Pages
from entitlements_core.http import AuthScheme, Presented
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.decide import Question, RequestContext
from entitlements_core.policy.network import parse_address
from entitlements_core.policy.resource import ProjectPage
from entitlements_core.policy.visibility import Visibility
from entitlements_core.services import clock
from entitlements_core.services.core import Core
from entitlements_core.simple import MediaType
from entitlements_core.store.ledger import Entry, Ledger, LedgerDriver, Receipt

OURS: Final = "entitlements_core.engine.serving:create_app"
Row = tuple[str, str, str]
"""What was measured, the goal, what was reached."""


def main() -> None:
    """Run the parts that are named, or all, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which parts; default: all")
    parser.add_argument("--tokens", type=int, default=workload.TOKENS, help="tokens in the store")
    arguments = parser.parse_args()
    print(f"| measured ({arguments.tokens:,} tokens in the store) | goal | reached |")
    print("|---|---|---|")
    if SHORT:
        print("| **a trial run on little data: the numbers mean nothing** | | |")
    for name in arguments.parts or PARTS:
        for what, goal, reached in PARTS[name](arguments.tokens):
            print(f"| {what} | {goal} | {reached} |", flush=True)


class Stage:
    """The settings that servers of both sides are started with."""

    def __init__(self, tokens: int) -> None:
        workload.core(tokens).close()
        self.tokens = tokens
        self.home = workload.WORK / f"home-{tokens}"
        self.secrets = self.home / "secrets.txt"
        self.packages = workload.packages()
        self.pages = workload.WORK / "pages"
        self.environment = {
            "ENTITLEMENTS_HOME": str(self.home),
            "ENTITLEMENTS_REPOSITORY": workload.REPOSITORY,
            "ENTITLEMENTS_DIRECTORIES": str(self.packages),
            "BENCH_PACKAGES": str(self.packages),
            "BENCH_PAGES": str(self.pages),
            "PYTHONPATH": str(workload.ROOT),
        }
        self._write_pages()

    def _write_pages(self) -> None:
        """The pages that the bare server sends, as our server renders them."""
        self.pages.mkdir(exist_ok=True)
        opened = catalog(self.packages, self.home / "catalog.db")
        for name in ("proj", "big"):
            page = Pages(lambda: opened.snapshot).project(
                canonicalize_name(name), everything(), HTML
            )
            if page is not None:
                (self.pages / f"{name}.html").write_bytes(page.body)
        opened.close()


HTML: Final = MediaType.TEXT_HTML


def everything() -> Visibility:
    """The view of a token without a restriction."""
    from entitlements_core.policy.credential import Grant  # noqa: PLC0415 - only here
    from entitlements_core.policy.visibility import visibility  # noqa: PLC0415 - only here

    grant = Grant(repository=workload.REPOSITORY)
    return visibility(Credential(identifier="bench", grants=(grant,)), grant, clock.now())


def catalog(folder: Path, cache: Path) -> Catalog:
    """A built catalog."""
    core = workload.core(1_000)
    opened = Catalog(
        [folder],
        repository=workload.REPOSITORY,
        cache=cache,
        clock=clock.now,
        uploads=core.uploads_of(workload.REPOSITORY, records=True),
    )
    opened.refresh()
    core.close()
    return opened


def pages(tokens: int) -> Iterator[Row]:
    """Project pages of `entitlements serve` against bare Flask, both on granian."""
    yield from compared(tokens, OURS, "serve", PAGE_GOALS)


def files(tokens: int) -> Iterator[Row]:
    """Files of `entitlements serve`, counted, against bare Flask, both on granian."""
    yield from compared(tokens, OURS, "serve", FILE_GOALS)


def extension(tokens: int) -> Iterator[Row]:
    """The Flask extension inside an application against bare Flask, both on granian."""
    goals = (("/simple/proj/", "page of 30 versions", 2.0), (SMALL, "file of 100 KB", 0.9))
    yield from compared(tokens, "benchmarks.apps:extended", "Flask extension", goals)


SMALL: Final = f"/packages/{workload.SMALL}"
PIP: Final = ("/simple/files/", f"{SMALL}.metadata", SMALL)
PAGE_GOALS: Final = (
    ("/simple/proj/", "page of 30 versions", 3.0),
    ("/simple/big/", "page of 2,000 files, warm", 2.0),
)
FILE_GOALS: Final = (
    (SMALL, "file of 100 KB", 1.0),
    (f"/packages/{workload.LARGE}", "file of 20 MB", 0.95),
)


def compared(
    tokens: int, target: str, label: str, goals: tuple[tuple[str, str, float], ...]
) -> Iterator[Row]:
    stage = Stage(tokens)
    with (
        granian(target, stage.environment) as ours,
        granian("benchmarks.apps:bare", stage.environment) as bare,
    ):
        for path, what, goal in goals:
            mine, theirs, ratio = alternating((ours, path, stage.secrets), (bare, path, None))
            if mine.refused:
                raise SystemExit(f"{mine.refused} requests were refused")
            reached = f"**{ratio:.2f}x** ({mine.per_second:,.0f} to {theirs.per_second:,.0f} /s)"
            yield f"{label}: {what}", f">= {goal}x bare Flask", reached


def upstream(tokens: int) -> Iterator[Row]:
    """With an upstream that nobody listens at: the vendor's pages, and being sent on to it."""
    stage = Stage(tokens)
    dead = {"ENTITLEMENTS_UPSTREAM": f"http://127.0.0.1:{free_port()}/simple/"}
    with (
        granian(OURS, stage.environment | dead) as ours,
        granian(OURS, stage.environment) as alone,
    ):
        page = ours, "/simple/proj/", stage.secrets
        for what, goal, one, other in (
            ("page of 30 versions beside a dead upstream", 0.95, page, (alone, *page[1:])),
            ("sent on to the upstream", 0.83, (ours, "/simple/numpy/", stage.secrets), page),
        ):
            mine, theirs, ratio = alternating(one, other)
            if mine.refused or theirs.refused:
                raise SystemExit(f"{mine.refused + theirs.refused} requests were refused")
            reached = f"**{ratio:.2f}x** ({mine.per_second:,.0f} to {theirs.per_second:,.0f} /s)"
            yield f"serve: {what}", f">= {goal}x the page without one", reached


def sequence(tokens: int) -> Iterator[Row]:
    """What pip asks for to install one file, by many tokens: processor time of the server.

    ``BENCH_BASELINE`` names a checkout of an earlier version, which is measured in turn: by its own
    interpreter and with its own store, so ``make bench BENCH=pages`` must have been run there.
    """
    stage, baseline = Stage(tokens), os.environ.get("BENCH_BASELINE", "")
    with ExitStack() as stack:
        sides = [(stack.enter_context(granian(OURS, stage.environment)), stage.secrets)]
        if baseline:
            home = Path(baseline, stage.home.relative_to(workload.ROOT))
            theirs = {"PYTHONPATH": baseline, "ENTITLEMENTS_HOME": str(home)}
            server = granian(
                OURS, stage.environment | theirs, python=Path(baseline, ".venv", "bin", "python")
            )
            sides.append((stack.enter_context(server), home / stage.secrets.name))
        for paths, what in ((PIP, "pip's sequence page, metadata, file"), ((SMALL,), "file")):
            spent = [
                [spent_on(port, paths, known) for port, known in sides] for _ in range(2 * ROUNDS)
            ][1:]
            middle = [statistics.median(values) * 1e6 for values in zip(*spent, strict=True)]
            reached = f"**{middle[0]:.0f} us**"
            if baseline:
                reached += f" ({middle[0] / middle[1]:.2f} of {middle[1]:.0f} us before)"
            yield f"serve: {what} of 100 KB, counted: processor time", "half of before", reached


def guesses(tokens: int) -> Iterator[Row]:
    """What a customer waits for a page while others guess; the customer's requests keep coming.

    The guessers never pause, so they take what the processors give. What that alone does to whoever
    waits beside them is seen at the bare server.
    """
    stage = Stage(tokens)
    secrets = stage.secrets.read_text().split()[:100]
    with granian(OURS, stage.environment) as ours:
        alone, beside = waits(ours, [f"/+t/{secret}/simple/proj/" for secret in secrets])
    with granian("benchmarks.apps:bare", stage.environment) as bare:
        bare_alone, bare_beside = waits(bare, ["/simple/proj/"])
    reached = (
        f"**{beside / alone:.1f}x** ({alone:.1f} to {beside:.1f} ms); bare Flask beside as many:"
    )
    reached += f" {bare_beside / bare_alone:.1f}x ({bare_alone:.1f} to {bare_beside:.1f} ms)"
    yield "a page while 64 connections guess: p99", "<= 1.5x without them", reached


def waits(port: int, paths: list[str]) -> tuple[float, float]:
    """The 99th percentile of a page in milliseconds, alone and beside 64 connections that guess."""

    def waited() -> float:
        return percentile(open_loop(port, paths, 100.0), 0.99)

    waited()
    rounds: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        alone = waited()
        with guessing(port, "/simple/proj/", 64):
            rounds.append((alone, waited()))
    alone, beside = (statistics.median(values) for values in zip(*rounds, strict=True))
    return alone, beside


def spent_on(port: int, paths: tuple[str, ...], secrets: Path) -> float:
    """Seconds of the processors for each time that all paths were asked for."""
    before = processor_seconds(port)
    rate = closed_loop(port, paths, secrets)
    if rate.refused:
        raise SystemExit(f"{rate.refused} requests were refused")
    return (processor_seconds(port) - before) / rate.requests * len(paths)


def cold(tokens: int) -> Iterator[Row]:
    """A large page that was not rendered before, in the process."""
    opened = catalog(workload.packages(), workload.WORK / "cold.db")
    project = canonicalize_name("big")
    seen = everything()
    times = sorted(
        timed(lambda: Pages(lambda: opened.snapshot).project(project, seen, HTML))
        for _ in range(50)
    )
    opened.close()
    yield "page of 2,000 files, cold", "< 5 ms", f"**{statistics.median(times) * 1e3:.2f} ms**"


def gate(tokens: int) -> Iterator[Row]:
    """From a secret to a decision, with few and with many tokens, and after every commit."""
    for count in sorted({1_000, tokens}):
        core = workload.core(count)
        found = [Presented(secret, AuthScheme.BASIC) for secret in workload.secrets(count)]
        times = [timed(partial(decided, core, item)) for item in found]
        warm = [timed(partial(decided, core, item)) for item in found * 4]
        core.close()
        first, middle = (statistics.median(values) * 1e6 for values in (times, warm))
        reached = f"**{middle:.0f} us**, p99 {percentile(warm, 0.99) * 1e6:.0f} us"
        reached += f" (first use of a token: {first:.0f} us)"
        yield f"gate check, {count:,} tokens", "median < 60 us, p99 < 1 ms", reached


def decided(core: Core, presented: Presented) -> None:
    request = RequestContext(repository=workload.REPOSITORY, address=parse_address("127.0.0.1"))
    now = clock.now()
    credential = core.gate.authenticate(presented, request, now)
    if not isinstance(credential, Credential):
        raise SystemExit(f"refused: {credential}")
    page = ProjectPage(canonicalize_name("proj"))
    core.gate.decide(Question(credential=credential, request=request, resource=page, now=now))


def authorize(tokens: int) -> Iterator[Row]:
    """The decision endpoint for nginx's auth_request."""
    stage = Stage(tokens)
    secret = workload.secrets(tokens)[0]
    original = f"/+t/{secret}/packages/{workload.SMALL}.metadata"
    with granian(OURS, stage.environment) as port:
        headers = [f"X-Original-URI: {original}", "X-Original-Method: GET"]
        closed_loop(port, "/+auth", None, headers)
        rates = [closed_loop(port, "/+auth", None, headers) for _ in range(ROUNDS)]
    rate = statistics.median(item.per_second for item in rates)
    yield "decision endpoint (auth_request)", "> 10,000 /s", f"**{rate:,.0f} /s**"


def metering(tokens: int) -> Iterator[Row]:
    """Counted downloads from 16 threads, each stored before the first byte."""
    core = workload.core(tokens)
    from entitlements_core.store.ledger_sqlite import SqliteLedger  # noqa: PLC0415 - only here

    for durability, synchronous in (("process", "NORMAL"), ("power", "FULL")):
        driver = SqliteLedger(core.settings.url, synchronous=synchronous)
        yield reservations(f"SQLite, durability {durability}", "> 8,000 /s", driver, tokens)
    core.close()


def metering_postgres(tokens: int) -> Iterator[Row]:
    """The same on PostgreSQL, which waits for the disk."""
    from benchmarks.postgres import filled_ledger  # noqa: PLC0415 - only here

    with filled_ledger(workload.DISTINCT) as driver:
        yield reservations("PostgreSQL, fsync on", "> 3,500 /s", driver, workload.DISTINCT)


def databases(tokens: int) -> Iterator[Row]:
    """A node on PostgreSQL against one on SQLite; both have few tokens."""
    from benchmarks.nodes import databases as rows  # noqa: PLC0415 - only here

    yield from rows()


def locked(tokens: int) -> Iterator[Row]:
    """Pages while another process holds the lock of the store."""
    from benchmarks.nodes import locked as rows  # noqa: PLC0415 - only here

    yield from rows()


def reservations(label: str, goal: str, driver: LedgerDriver, tokens: int) -> Row:
    ledger, stop, latencies = Ledger(driver), threading.Event(), list[float]()
    step = max(1, tokens // workload.DISTINCT)

    def work(thread: int) -> None:
        number = thread
        while not stop.is_set():
            number += 16
            entry = an_entry(2 + number % workload.DISTINCT * step, number, thread)
            begun = time.perf_counter()
            if not isinstance(ledger.reserve(entry), Receipt):
                raise SystemExit("a reservation was refused")
            latencies.append(time.perf_counter() - begun)

    with ThreadPoolExecutor(16) as pool:
        running = [pool.submit(work, thread) for thread in range(16)]
        time.sleep(1)
        latencies.clear()
        begun = time.perf_counter()
        time.sleep(SECONDS + 1)
        reached = len(latencies) / (time.perf_counter() - begun)
        stop.set()
        for item in running:
            item.result()
    ledger.close()
    p99 = percentile(latencies, 0.99) * 1e3
    return (
        f"reservations, {label}",
        f"{goal}, p99 < 10 ms",
        f"**{reached:,.0f} /s**, p99 {p99:.1f} ms",
    )


def an_entry(token: int, number: int, thread: int) -> Entry:
    return Entry(
        token_id=token,
        repository=workload.REPOSITORY,
        project="proj",
        version="1.0",
        filename=f"proj-1.{number // 80_000}-py3-none-any.whl",
        client=f"203.0.113.{thread}",
        user_agent="bench",
        size=100_000,
        start=0,
        length=100_000,
        window=timedelta(seconds=300),
        now=clock.now(),
    )


def scanning(tokens: int) -> Iterator[Row]:
    """The catalog of 10,000 files, and its list for a restricted token."""
    from entitlements_core.policy.credential import Grant  # noqa: PLC0415 - only here
    from entitlements_core.policy.query import PackageQuery  # noqa: PLC0415 - only here
    from entitlements_core.policy.visibility import visibility  # noqa: PLC0415 - only here

    folder, cache = workload.many_projects(), workload.WORK / "scan.db"
    for path in workload.WORK.glob("scan.db*"):
        path.unlink()
    first = timed(lambda: catalog(folder, cache).close())
    again = statistics.median(timed(lambda: catalog(folder, cache).close()) for _ in range(5))
    files = f"{workload.PROJECTS:,} files"
    yield f"catalog of {files}: first scan", "shows progress", f"{first:.1f} s"
    yield f"catalog of {files}: start from its cache", "< 0.5 s", f"**{again:.2f} s**"
    opened = catalog(folder, cache)
    for query in ("name:^project-0*", "size:>100 AND NOT tag:beta"):
        restriction = PackageQuery.parse(query)
        grant = Grant(repository=workload.REPOSITORY, restriction=restriction)
        seen = visibility(Credential(identifier="bench", grants=(grant,)), grant, clock.now())
        served = SimpleNamespace(snapshot=opened.snapshot)
        known = Pages(partial(getattr, served, "snapshot"))
        first = timed(partial(listed, served, known, seen))
        later = [timed(partial(listed, served, known, seen)) for _ in range(30)]
        reached = f"**{statistics.median(later) * 1e3:.1f} ms**"
        reached += f" (first list ever: {first * 1e3:.1f} ms)"
        yield (
            f"list of {workload.PROJECTS:,} projects, after a change, `{query}`",
            "< 5 ms",
            reached,
        )
    opened.close()


def listed(served: SimpleNamespace, known: Pages, seen: Visibility) -> None:
    # Another snapshot, as after a change: the page of the last one cannot be used.
    served.snapshot = replace(served.snapshot, serial=served.snapshot.serial + 1)
    known.projects(seen, HTML)


def memory(tokens: int) -> Iterator[Row]:
    """Resident memory of a server process with many files and tokens, after use."""
    import psutil  # noqa: PLC0415 - only here

    stage = Stage(tokens)
    environment = stage.environment | {"ENTITLEMENTS_DIRECTORIES": str(workload.many_projects())}
    with granian(OURS, environment, workers=1) as port:
        for path in ("/simple/", "/simple/project-00001/"):
            closed_loop(port, path, stage.secrets)
        own = psutil.Process(os.getpid())
        sizes = [child.memory_info().rss for child in own.children(recursive=True)]
    files = f"{workload.PROJECTS:,} files"
    yield f"memory of a server process, {files}", "< 150 MB", f"**{max(sizes) / 1e6:.0f} MB**"


def latency(tokens: int) -> Iterator[Row]:
    """Requests at a fixed rate, half of what the bare server can do."""
    stage = Stage(tokens)
    paths = [f"/+t/{secret}/simple/proj/" for secret in workload.secrets(tokens)]
    with (
        granian(OURS, stage.environment) as ours,
        granian("benchmarks.apps:bare", stage.environment) as bare,
    ):
        rate = closed_loop(bare, "/simple/proj/").per_second / 2
        open_loop(ours, paths, rate, 2)
        pairs = [
            (
                percentile(open_loop(ours, paths, rate), 0.99),
                percentile(open_loop(bare, ["/simple/proj/"], rate), 0.99),
            )
            for _ in range(ROUNDS)
        ]
    ratio = statistics.median(times(mine, theirs) for mine, theirs in pairs)
    mine, theirs = (statistics.median(values) for values in zip(*pairs, strict=True))
    yield (
        f"open loop, page at {rate:,.0f} /s: p99",
        "<= 2x bare Flask",
        f"**{ratio:.2f}x** ({mine:.1f} to {theirs:.1f} ms)",
    )


def htpasswd(tokens: int) -> Iterator[Row]:
    """Project pages against nginx with a password file, what many vendors have today."""
    from benchmarks.front import nginx_with_passwords  # noqa: PLC0415 - only here

    stage = Stage(tokens)
    with (
        granian(OURS, stage.environment) as ours,
        nginx_with_passwords(workload.WORK / "nginx", stage.pages) as (port, header),
    ):
        closed_loop(ours, "/simple/proj/", stage.secrets)
        pairs = [
            (
                closed_loop(ours, "/simple/proj/", stage.secrets).per_second,
                closed_loop(port, "/proj.html", None, [header]).per_second,
            )
            for _ in range(ROUNDS)
        ]
    ratio = statistics.median(times(mine, theirs) for mine, theirs in pairs)
    mine, theirs = (statistics.median(values) for values in zip(*pairs, strict=True))
    yield (
        "serve: page of 30 versions against nginx with htpasswd (apr1)",
        "> 1x",
        f"**{ratio:.2f}x** ({mine:,.0f} to {theirs:,.0f} /s)",
    )


def devpi(tokens: int) -> Iterator[Row]:
    """devpi-server with the plugin against devpi-server without it."""
    from benchmarks.devpi import rows  # noqa: PLC0415 - only here

    yield from rows(tokens)


def pypiserver(tokens: int) -> Iterator[Row]:
    """With entitlements against bare pypiserver, all on waitress."""
    from benchmarks.pypiserver import rows  # noqa: PLC0415 - only here

    yield from rows(tokens)


def reports(tokens: int) -> Iterator[Row]:
    """Reports of usage over many downloads."""
    from benchmarks.reports import rows  # noqa: PLC0415 - only here

    yield from rows()


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


PARTS: Final[dict[str, Callable[[int], Iterator[Row]]]] = {
    "pages": pages,
    "files": files,
    "upstream": upstream,
    "sequence": sequence,
    "guesses": guesses,
    "extension": extension,
    "cold": cold,
    "htpasswd": htpasswd,
    "gate": gate,
    "authorize": authorize,
    "metering": metering,
    "postgres": metering_postgres,
    "databases": databases,
    "locked": locked,
    "reports": reports,
    "catalog": scanning,
    "memory": memory,
    "latency": latency,
    "devpi": devpi,
    "pypiserver": pypiserver,
}

if __name__ == "__main__":
    main()
