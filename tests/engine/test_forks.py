"""A catalog in forked children."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest

from entitlements_core.engine import forks
from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.forks import keep_across_forks
from entitlements_core.errors import ConfigurationError
from tests.file_times import FileTimes
from tests.wheelhouse import build_wheel

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    build_wheel(tmp_path / "packages", "foo", "1.0")
    catalog = Catalog(
        [tmp_path / "packages"],
        repository="acme/prod",
        cache=tmp_path / "catalog.db",
        clock=lambda: NOW,
        uploads=FileTimes(),
    )
    catalog.watch()
    catalog.refresh()
    keep_across_forks(catalog, polling=False)
    yield catalog
    catalog.close()


def in_child(work: Callable[[], bool]) -> bool:
    """What `work` answers in a forked child, which then ends at once."""
    child = os.fork()
    if child == 0:
        os._exit(0 if work() else 1)
    return os.waitpid(child, 0)[1] == 0


def sees(catalog: Catalog, filename: str) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if catalog.snapshot.file(filename) is not None:
            return True
        time.sleep(0.05)
    return False


def test_a_child_sees_what_is_new(catalog: Catalog, tmp_path: Path) -> None:
    def work() -> bool:
        build_wheel(tmp_path / "packages", "bar", "1.0")
        return sees(catalog, "bar-1.0-py3-none-any.whl")

    assert in_child(work)
    assert sees(catalog, "bar-1.0-py3-none-any.whl")


def test_a_closed_catalog_stays_closed(catalog: Catalog) -> None:
    catalog.close()

    assert in_child(lambda: catalog.is_closed)


def test_a_child_that_cannot_watch_says_so(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Catalog, "watch", lambda _, *, polling: 1 / 0)  # noqa: ARG005 - as it is

    forks._watch(catalog, polling=False)

    assert "changes of the directories are not seen" in caplog.text


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({}, False),
        ({"threads": b"8"}, False),
        ({"workers": b"1"}, False),
        ({"master": True}, True),
        ({"workers": b"2"}, True),
        ({"processes": b"4", "master": True}, True),
        ({"master": True, "lazy-apps": True}, False),
        ({"workers": b"2", "lazy": True}, False),
        ({"workers": b"2", "py-call-osafterfork": True}, True),
    ],
)
def test_a_uwsgi_that_forks_without_a_word_is_refused(
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    refused: bool,  # noqa: FBT001 - a column
) -> None:
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt=options))
    if not refused:
        forks.keep_across_forks(catalog, polling=False)
        return
    with pytest.raises(ConfigurationError, match="--lazy-apps"):
        forks.keep_across_forks(catalog, polling=False)
