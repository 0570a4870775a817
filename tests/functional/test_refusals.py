"""Every client, in every situation, on both servers: docs/refusals.md is what was seen.

``make refusals`` writes the page anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from tests.actors import person
from tests.functional.clients import programs
from tests.functional.installers import INSTALLERS, Project
from tests.functional.refusals import (
    CONTACT,
    SERVERS,
    SITUATIONS,
    Situation,
    page,
    shown,
    telling,
)
from tests.functional.vendors import REPOSITORY, Running, Vendor
from tests.wheelhouse import build_wheel

PAGE: Final = Path(__file__).parents[2] / "docs" / "refusals.md"
TABLES: Final = "\n## "
DEAF: Final = {"PDM 2.29.3", "pipenv 2026.10.3"}
"""Who prints nothing of a page that was refused."""


@contextmanager
def opened(root: Path, server: str) -> Iterator[tuple[Vendor, Running]]:
    """A vendor whom customers can turn to, and a server."""
    root.mkdir()
    vendor = Vendor(root)
    build_wheel(vendor.packages, "lab-bar", "1.0")
    build_wheel(vendor.packages, "lab-foo", "1.0", requires=["lab-bar"])
    vendor.core.eulas.add(REPOSITORY, "Do no harm.", actor=person("test"))
    vendor.core.repositories.edit(
        REPOSITORY, actor=person("test"), contact=CONTACT, enforce_eula=True
    )
    with vendor.serving("--server", server) as running:
        yield vendor, running


def observed(
    root: Path, vendor: Vendor, running: Running, case: tuple[int, tuple[Situation, str]]
) -> tuple[str, str, str]:
    """The situation, the client, and the line that tells most of what it printed."""
    number, (situation, client) = case
    folder = root / str(number)
    folder.mkdir()
    issued = situation.issue(vendor, number)
    project = Project(folder, situation.url(running, issued))
    ended = INSTALLERS[client].run(project)
    assert ended.status != 0, (situation.name, client, ended.text)
    assert set(project.installed) < {"lab_foo", "lab_bar"}, (situation.name, client)
    if situation.spoken:
        assert shown(ended.text, situation.words), (situation.name, client, ended.text)
    assert "DO NOT MATCH THE HASHES" not in ended.text
    secrets = [] if issued is None or issued.secret is None else [issued.secret]
    assert not [one for one in secrets if one in running.log.read_text()]
    return situation.name, client, telling(ended.text, situation.words, secrets)


@pytest.mark.clients
@pytest.mark.timeout(1800)
def test_the_page_is_what_each_client_prints(tmp_path: Path) -> None:
    for installer in INSTALLERS.values():
        programs(*installer.requirements)
    seen: dict[tuple[str, str, str], str] = {}
    for server in SERVERS:
        with (
            opened(tmp_path / server, server) as (vendor, running),
            ThreadPoolExecutor(2) as threads,
        ):
            look = partial(observed, tmp_path / server, vendor, running)
            for situation, client, line in threads.map(
                look, enumerate(product(SITUATIONS, INSTALLERS))
            ):
                seen[situation, client, server] = line
    ordered = {
        (one.name, client, server): seen[one.name, client, server]
        for one, client, server in product(SITUATIONS, INSTALLERS, SERVERS)
    }
    found = page(PAGE.read_text().partition(TABLES)[0], ordered)
    if os.environ.get("REFUSALS") == "write":
        PAGE.write_text(found)
    assert PAGE.read_text() == found


CONTACTS: Final = {
    "sales@acme.example": "ask-sales@acme.example/",
    "https://acme.example/help?id=7": "ask-(acme.example/help%3Fid=7)/",
    "the sales team: +49 30 1234": "ask-the-sales-team:-+49-30-1234/",
}


@pytest.mark.clients
def test_whom_to_ask_can_be_read_in_what_clients_print(tmp_path: Path) -> None:
    """Where no phrase arrives; uv prints the body instead, where it stands as it was written."""
    with opened(tmp_path / "vendor", "granian") as (vendor, running):
        secret = vendor.token("expired", limit_date_range_to=datetime(2026, 1, 31, tzinfo=UTC))
        for number, (client, (contact, spelled)) in enumerate(
            product(("pip 26.3", "uv 0.13.9", "Poetry 2.5.1", "PDM 2.29.3"), CONTACTS.items())
        ):
            vendor.core.repositories.edit(REPOSITORY, actor=person("test"), contact=contact)
            folder = tmp_path / str(number)
            folder.mkdir()
            ended = INSTALLERS[client].run(Project(folder, running.with_basic(secret.secret or "")))
            assert ended.status != 0
            told = " ".join(ended.text.split())
            expected = f"Ask {contact} " if client.startswith("uv") else spelled
            assert expected in told, (client, contact, ended.text)


def rows() -> Iterator[tuple[Situation, str, list[str]]]:
    """What the page has: a situation, a client, and a cell for each server."""
    sections = PAGE.read_text().split(TABLES)[1:]
    for situation, section in zip(SITUATIONS, sections, strict=True):
        assert section.lower().startswith(f"{situation.name}\n".lower())
        for line in section.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            if cells[0].strip() in INSTALLERS:
                yield situation, cells[0], cells[1:]


def test_the_page_has_every_client_and_its_reason() -> None:
    found = list(rows())
    assert len(found) == len(SITUATIONS) * len(INSTALLERS)
    for situation, client, cells in found:
        assert len(cells) == len(SERVERS)
        for cell in cells:
            told = shown(cell, situation.words)
            assert told or not situation.spoken, (situation.name, client, cell)


def test_only_who_prints_nothing_of_pages_is_left_in_the_dark() -> None:
    """Of an address that is not allowed, and of a token in the address that is unknown."""
    for situation, client, cells in rows():
        if situation.name.startswith(("address", "unknown, deleted or replaced token, in")):
            assert [shown(cell, situation.words) for cell in cells] == [client not in DEAF] * 2
