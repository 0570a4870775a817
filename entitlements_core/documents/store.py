"""The store itself: made, brought up to date, copied, and put back."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entitlements_core.services.backups import Backup, Restored
    from entitlements_core.services.initialization import Initialized

__all__ = [
    "backup_document",
    "checked_document",
    "initialized_document",
    "restored_document",
    "upgraded_document",
]


def initialized_document(found: Initialized) -> dict[str, object]:
    """Where home, key and store are; ``made`` lists those that were not there before."""
    return {
        "home": str(found.home),
        "key_file": str(found.key_file),
        "database": found.database,
        "schema": found.schema,
        "made": list(found.made),
    }


def upgraded_document(before: str | None, after: str | None) -> dict[str, object]:
    """The revisions of the tables before an upgrade and after it; None is no tables at all."""
    return {"before": before, "current": after, "upgraded": before != after}


def checked_document(problems: tuple[str, ...]) -> dict[str, object]:
    """What is wrong with the tables."""
    return {"ok": not problems, "problems": list(problems)}


def backup_document(made: Backup) -> dict[str, object]:
    """A copy of the store; its size in bytes, and the older copies that went for it."""
    return {
        "backup": str(made.path),
        "size": made.size,
        "schema": made.schema,
        "key_fingerprint": made.key_fingerprint,
        "key_file": str(made.key_file),
        "removed": [str(one) for one in made.removed],
    }


def restored_document(done: Restored) -> dict[str, object]:
    """A copy in the store's place; ``since`` is what the former store had beyond it."""
    return {
        "database": str(done.database),
        "restored": str(done.source),
        "before": done.before,
        "current": done.schema,
        "kept": None if done.kept is None else str(done.kept),
        "since": None if done.since is None else asdict(done.since),
    }
