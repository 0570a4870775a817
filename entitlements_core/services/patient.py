"""What the doctor looks at, and what it says."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from entitlements_core.interfaces import Clock
from entitlements_core.policy.health import Finding, Health
from entitlements_core.services import clock
from entitlements_core.services.settings import Settings

__all__ = ["HealthCheck", "Patient", "error", "ok", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What the doctor examines.

    Attributes:
        settings: of the server.
        directories: of distributions, beside those of the settings.
        problems: of the catalog, as path, reason and remedy.
        newest: when the newest file in the directories was changed; None where nobody looked.
        unusable: why settings cannot be used, by the names of their variables; `settings` has the
            defaults in their place.
        environment: the variables of the process.
        clock: tells the time.
    """

    settings: Settings
    directories: tuple[Path, ...] = ()
    problems: tuple[tuple[str, str, str], ...] = ()
    newest: datetime | None = None
    unusable: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Clock = clock.now


HealthCheck = Callable[[Patient], Iterable[Finding]]


def ok(check: str, detail: str) -> Finding:
    """All is well."""
    return Finding(check=check, health=Health.OK, detail=detail)


def warning(check: str, detail: str, remedy: str) -> Finding:
    """Something would surprise its owner."""
    return Finding(check=check, health=Health.WARNING, detail=detail, remedy=remedy)


def error(check: str, detail: str, remedy: str) -> Finding:
    """Something does not work, or is open."""
    return Finding(check=check, health=Health.ERROR, detail=detail, remedy=remedy)
