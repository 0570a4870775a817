"""Usage reports over many downloads, on both databases, and what counting costs beside roll-ups.

The downloads are those of a vendor of 5,000 customers: each has some addresses (a few have many),
some of the 300 projects, and fetches what is new of them, over three years. Few tokens make most of
it, as in Zipf's law.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from benchmarks import workload
from benchmarks.load import SHORT
from entitlements_core.services import clock
from entitlements_core.services.operations import Operations
from entitlements_core.services.reports import Reports
from entitlements_core.services.rollups import Rollups
from entitlements_core.store import postgres
from entitlements_core.store.database import Database
from entitlements_core.store.moments import to_micros
from tests.postgres import running_server

TOKENS: Final = 5_000
PROJECTS: Final = 300
VERSIONS: Final = 20
DAYS: Final = 60 if SHORT else 1_095
_DAY: Final = timedelta(days=1)
_COLUMNS: Final = (
    "at, token_id, repository_id, project, version, filename, client, user_agent, requests,"
    " bandwidth"
)
Download = tuple[int, int, int, str, str, str, str, str, int, int]
Row = tuple[str, str, str]

_FILL: Final = """
INSERT INTO repositories (id, owner, slug, description, contact, enforce_eula,
                          user_tokens_enabled, revision, created_at, created_by)
VALUES (1, 'acme', 'prod', '', '', FALSE, FALSE, 1, {now}, ''),
       (2, 'acme', 'beta', '', '', FALSE, FALSE, 1, {now}, '');
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {tokens})
INSERT INTO tokens (identifier, revision, name, kind, state, "user", owner, limit_bandwidth_unit,
                    scheduled_reset_period, reset_anchor, allow_networks, deny_networks,
                    eula_required, access_private_broadcasts, token_metadata, created_at,
                    created_by, updated_by, deleted_by)
SELECT 'id' || n, 1, 'bench', 'standard', 'enabled', '', '', 'Byte', 'Never Reset', {now}, '[]',
       '[]', FALSE, FALSE, '{{}}', {now}, '', '', '' FROM number;
INSERT INTO usage (token_id, since, downloads, clients, bandwidth)
SELECT id, {now}, 0, 0, 0 FROM tokens;
"""


def rows() -> Iterator[Row]:
    """Each report on each database, then what counting costs beside an earlier version.

    ``BENCH_SECONDS=1`` makes it short; ``BENCH_BASELINE`` names a checkout of an earlier version
    with an interpreter of its own.
    """
    count = 100_000 if SHORT else 10_000_000
    with sqlite_store(count) as database:
        yield from measured("SQLite", database, count)
    with postgres_store(count) as database:
        yield from measured("PostgreSQL", database, count)
    if baseline := os.environ.get("BENCH_BASELINE", ""):
        yield from reservations(Path(baseline), 1 if SHORT else 5)


def reservations(baseline: Path, rounds: int) -> Iterator[Row]:
    """How many downloads are counted, by this version and by an earlier one in turn."""
    found: dict[str, list[tuple[float, float]]] = {}
    for number in range(rounds):
        sides = (workload.ROOT, baseline)
        rates = {side: _rates(side) for side in (sides if number % 2 else sides[::-1])}
        for what, rate in rates[workload.ROOT].items():
            found.setdefault(what, []).append((rate, rates[baseline][what]))
    for what, pairs in found.items():
        ratio = statistics.median(mine / theirs for mine, theirs in pairs)
        mine, theirs = (statistics.median(values) for values in zip(*pairs, strict=True))
        yield what, ">= 0.95 of before", f"**{ratio:.2f}** ({mine:,.0f} of {theirs:,.0f} /s)"


def _rates(checkout: Path) -> dict[str, float]:
    """What `make bench` of a checkout says of reservations, a second each."""
    command = [".venv/bin/python", "-m", "benchmarks.run", "--tokens", str(TOKENS)]
    ran = subprocess.run(
        [str(checkout / command[0]), *command[1:], "metering", "postgres"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    rates = re.findall(r"^\| (reservations.*?) \|.*\*\*([0-9,]+) /s", ran.stdout, re.MULTILINE)
    return {what: float(rate.replace(",", "")) for what, rate in rates}


REPORTS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("", {}),
    ("token", {}),
    ("package", {}),
    ("version", {}),
    ("filename", {}),
    ("repository", {}),
    ("client", {}),
    ("user_agent", {}),
    ("day", {}),
    ("token,package", {}),
    ("package,version", {}),
    ("token,client", {}),
    ("client,package", {}),
    ("day,package", {}),
    ("day,token", {"tokens": ["id7", "id80"]}),
    ("token,package,version", {"since": 90}),
    ("token", {"since": 700.3, "until": 40.7}),
    ("package,version", {"since": 700.3, "until": 40.7}),
    ("token,package", {"since": 700.3, "until": 40.7}),
    ("package", {"repository": "acme/beta"}),
    ("client,filename,user_agent", {"tokens": ["id900"]}),
    ("day,client", {"since": 31}),
    ("day,token", {}),
    ("token,package,version", {}),
    ("user_agent,version", {}),
)
"""What is asked; moments are days before now."""


def measured(name: str, database: Database, count: int) -> Iterator[Row]:
    """The time that each report takes once its lines are made, the middle of three."""
    reports = Reports(database=database)
    rollups = Rollups(Operations(database=database, clock=clock.now))
    begun = time.perf_counter()
    days = rollups.catch_up()
    took = time.perf_counter() - begun
    yield (
        f"{name}, {count:,} downloads: {days} days summed up for the first time",
        "",
        f"{took:.0f} s",
    )
    now = clock.now()
    for by, choices in REPORTS:
        asked = dict(choices)
        for bound in ("since", "until"):
            if bound in asked:
                asked[bound] = now - asked[bound] * _DAY
        times, lines = [], 0
        for _ in range(3):
            begun = time.perf_counter()
            lines = len(reports.usage([one for one in by.split(",") if one], **asked))
            times.append(time.perf_counter() - begun)
        what = f"{name}, {count:,} downloads: usage --by {by or 'nothing'}"
        what += "".join(f", {key} {value}" for key, value in choices.items())
        yield what, "< 1 s", f"**{statistics.median(times):.2f} s** ({lines:,} lines)"


@contextmanager
def sqlite_store(count: int) -> Iterator[Database]:
    """A SQLite store with `count` downloads."""
    folder = workload.WORK / f"reports-{count}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    database = Database(f"sqlite:///{folder / 'store.db'}")
    database.upgrade()
    try:
        with closing(sqlite3.connect(folder / "store.db", isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            for statement in _statements():
                connection.execute(statement)
            indices = connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'downloads'"
                " AND type = 'index' AND sql IS NOT NULL"
            ).fetchall()
            for index, _ in indices:
                connection.execute(f"DROP INDEX {index}")
            connection.execute("BEGIN")
            connection.executemany(
                f"INSERT INTO downloads ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)",  # noqa: S608 - constants
                downloads(count),
            )
            connection.execute("COMMIT")
            for _, sql in indices:
                connection.execute(sql)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield database
    finally:
        database.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres_store(count: int) -> Iterator[Database]:
    """A PostgreSQL store with `count` downloads."""
    with running_server() as server:
        database = Database(server.create("bench", "template0"))
        database.upgrade()
        with closing(postgres.connect(database.url)) as connection:
            for statement in _statements():
                connection.execute(statement.encode())
            indices = connection.execute(
                "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'downloads'"
                " AND indexname LIKE 'ix%'"
            ).fetchall()
            for index, _ in indices:
                connection.execute(f"DROP INDEX {index}".encode())
            with connection.cursor().copy(
                f"COPY downloads ({_COLUMNS}) FROM STDIN".encode()
            ) as copy:
                for one in downloads(count):
                    copy.write_row(one)
            for _, sql in indices:
                connection.execute(sql.encode())
        with closing(postgres.connect(database.url)) as connection:
            connection.execute("VACUUM ANALYZE downloads")
        try:
            yield database
        finally:
            database.close()


def _statements() -> list[str]:
    filled = _FILL.format(now=to_micros(clock.now() - DAYS * _DAY), tokens=TOKENS)
    return [one for one in filled.split(";") if one.strip()]


class Customer:
    """Whoever has a token: from where, and what of."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.number = number
        clients = min(60, int(chance.paretovariate(0.9)))
        self.clients = [
            f"{chance.randrange(1, 223)}.{chance.randrange(256)}.{chance.randrange(256)}.{one + 1}"
            for one in range(clients)
        ]
        wanted = min(PROJECTS, 1 + int(chance.paretovariate(0.7) * 3))
        self.projects = sorted({int(PROJECTS ** chance.random()) - 1 for _ in range(wanted)})
        self.agent = chance.randrange(40)


def downloads(count: int) -> Iterator[Download]:
    """The rows of `count` downloads, the oldest first; always the same but for their moments."""
    chance = random.Random(8)  # noqa: S311 - no secret
    customers = [Customer(number, chance) for number in range(1, TOKENS + 1)]
    weights = list(accumulate(1 / (rank + 3) ** 0.9 for rank in range(TOKENS)))
    begin, made = clock.now() - DAYS * _DAY, 0
    for day in range(DAYS):
        start = to_micros((begin + day * _DAY).replace(hour=0, minute=0, second=0, microsecond=0))
        wanted = count * (day + 1) // DAYS - made
        made += wanted
        moments = iter(sorted(chance.randrange(86_400_000_000) for _ in range(wanted)))
        yield from _of_a_day(day, start, moments, customers, weights, chance)


def _of_a_day(  # noqa: PLR0913, PLR0917 - the state of a generator
    day: int,
    start: int,
    moments: Iterator[int],
    customers: Sequence[Customer],
    weights: Sequence[float],
    chance: random.Random,
) -> Iterator[Download]:
    newest = day * VERSIONS // DAYS
    while True:
        (customer,) = chance.choices(customers, cum_weights=weights)
        client = customer.clients[int(len(customer.clients) ** chance.random()) - 1]
        agent = f"pip/{20 + day // 220}.{customer.agent % 4} CPython/3.{8 + customer.agent % 6}"
        for project in customer.projects[: chance.randrange(1, 12)]:
            moment = next(moments, None)
            if moment is None:
                return
            version = max(0, newest - int(chance.expovariate(0.8)))
            name, end = f"project-{project}", "tar.gz" if chance.random() < 0.1 else "whl"
            yield (
                start + moment,
                customer.number,
                2 if project % 9 == 0 else 1,
                name,
                f"{version}.0",
                f"project_{project}-{version}.0.{end}",
                client,
                agent,
                1 + (chance.random() < 0.1),
                10_000 * (project + 1),
            )
