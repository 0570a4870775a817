"""What is measured on: a store with many tokens, and folders of real wheels. Made once, kept."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from entitlements_core.plugins import Plugins
from entitlements_core.policy.actor import Actor, ActorKind
from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.core import Core
from entitlements_core.services.keyring import new_secret
from entitlements_core.services.settings import Settings

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.load import SHORT  # noqa: E402 - found from here on
from tests.wheelhouse import build_wheel  # noqa: E402 - the tests' builder of real wheels

WORK: Final = ROOT / ".cache" / ("bench-short" if SHORT else "bench")
REPOSITORY: Final = "acme/prod"
QUERY: Final = "name:^proj$ OR name:^big$ OR name:^files$"
DISTINCT: Final = 50 if SHORT else 5_000
"""How many different tokens the load uses."""
TOKENS: Final = 1_000 if SHORT else 1_000_000
"""How many there are in the store."""
FILES: Final = 50 if SHORT else 2_000
"""Of the largest project."""
PROJECTS: Final = 100 if SHORT else 10_000
"""Of the largest index."""
PADDING: Final = 2_000_000 if SHORT else 20_000_000
"""Bytes of the largest file."""

SMALL: Final = "files-1.0-py3-none-any.whl"
LARGE: Final = "files-2.0-py3-none-any.whl"


def packages() -> Path:
    """30 versions of one project, 2,000 of another, a file of 100 KB and one of 20 MB."""
    folder = WORK / "packages"
    if not (folder / LARGE).exists():
        for number in range(30):
            build_wheel(folder, "proj", f"1.{number}")
        for number in range(FILES):
            build_wheel(folder, "big", f"1.{number}")
        build_wheel(folder, "files", "1.0", padding=100_000)
        build_wheel(folder, "files", "2.0", padding=PADDING)
    return folder


def many_projects(count: int = PROJECTS) -> Path:
    """A folder of `count` projects of one file each."""
    folder = WORK / f"projects-{count}"
    if not (folder / "done").exists():
        for number in range(count):
            build_wheel(folder, f"project-{number:05}", "1.0")
        (folder / "done").touch()
    return folder


def core(tokens: int) -> Core:
    """The services over a store with `tokens` tokens of one repository."""
    home = WORK / f"home-{tokens}"
    done = home / "secrets.txt"
    settings = Settings.load(home=home, repository=REPOSITORY)
    opened = Core.open(settings, create=True, plugins=Plugins(discover=False))
    if not done.exists():
        opened.repositories.add(REPOSITORY, actor=Actor("bench", ActorKind.PERSON))
        template = opened.lifecycle.create(
            "template",
            [TokenGrant(repository=REPOSITORY, limit_package_query=QUERY)],
            actor=Actor("bench", ActorKind.PERSON),
        )
        done.write_text("\n".join(_multiply(opened, template.token.identifier, tokens)))
    return opened


def secrets(tokens: int) -> list[str]:
    """Some secrets of the store, evenly spread."""
    return (WORK / f"home-{tokens}" / "secrets.txt").read_text().split()


def _multiply(opened: Core, identifier: str, tokens: int) -> Iterator[str]:
    """Copy the rows of one token until there are `tokens`; a million calls would take hours."""
    store = sqlite3.connect(opened.settings.home / "entitlements.db", isolation_level=None)
    store.row_factory = sqlite3.Row
    (number,) = store.execute(
        "SELECT id FROM tokens WHERE identifier = ?", (identifier,)
    ).fetchone()
    rows = {
        table: dict(store.execute(f"SELECT * FROM {table} WHERE {key} = ?", (number,)).fetchone())  # noqa: S608 - our own names
        for table, key in (("tokens", "id"), ("grants", "token_id"), ("usage", "token_id"))
    }
    numbers = range(number + 1, number + 1 + tokens)
    made = [new_secret() for _ in numbers]
    store.execute("BEGIN")
    _insert(
        store, "tokens", rows["tokens"], ({"id": n, "identifier": f"id{n:010}"} for n in numbers)
    )
    _insert(store, "grants", rows["grants"], ({"token_id": n} for n in numbers))
    _insert(store, "usage", rows["usage"], ({"token_id": n} for n in numbers))
    repository = rows["grants"]["repository_id"]
    found = sorted(
        (opened.keyring.digest(secret), repository, n)
        for secret, n in zip(made, numbers, strict=True)
    )
    store.executemany(
        "INSERT INTO secrets (digest, repository_id, token_id) VALUES (?, ?, ?)", found
    )
    store.execute("COMMIT")
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    yield from made[:: max(1, tokens // DISTINCT)]


def _insert(
    store: sqlite3.Connection, table: str, row: dict[str, Any], changes: Iterator[dict[str, Any]]
) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - our own names
    store.executemany(statement, (tuple({**row, **change}.values()) for change in changes))
