"""What every host answers to monitoring while its store is lost, and after it came back."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["check_health"]


def check_health(home: Path, ask: Callable[[str], tuple[int, dict[str, Any]]]) -> None:
    """Ask a host, without credentials, with and without the store in its home.

    Args:
        home: of the server.
        ask: gives the status and the document of a path.
    """
    paths = ("/+health", "/+health/live", "/+health/ready")
    well = (200, {"status": "ok"})
    assert [ask(path) for path in paths] == [well] * 3
    store, away = home / "entitlements.db", home / "away.db"
    store.rename(away)
    try:
        status, document = _until(ask, 503)
        assert status == 503
        assert document["status"] == "unavailable"
        assert (document["code"], document["reason"]) == (
            "store_missing",
            "The store is not there.",
        )
        assert [ask(path) for path in paths[:2]] == [well] * 2
    finally:
        away.rename(store)
    assert _until(ask, 200) == well


def _until(
    ask: Callable[[str], tuple[int, dict[str, Any]]], status: int
) -> tuple[int, dict[str, Any]]:
    """An answer is good for a moment, so the next one is waited for."""
    deadline = time.monotonic() + 10
    while True:
        found = ask("/+health/ready")
        if found[0] == status or time.monotonic() > deadline:
            return found
        time.sleep(0.05)
