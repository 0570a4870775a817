"""What monitoring asks: does the process live, has it read its files, can it decide on requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from entitlements_core.services.readiness import Ailment
from entitlements_core.wsgi import Response

__all__ = ["HEALTH_PATHS", "LIVE", "health"]

HEALTH: Final = "/+health"
"""The files were read once. Asks no database."""
LIVE: Final = "/+health/live"
"""The process answers. Asks nothing."""
READY: Final = "/+health/ready"
"""Requests can be decided: the files were read, and the store answers."""
HEALTH_PATHS: Final = frozenset({HEALTH, LIVE, READY})


def health(path: str, *, is_built: bool, ailment: Callable[[], Ailment | None]) -> Response:
    """The answer to one of `HEALTH_PATHS`.

    Args:
        path: which.
        is_built: the files were read once.
        ailment: asks the store; see `Readiness`.
    """
    if path == LIVE:
        return _HEALTHY
    if not is_built:
        return _STARTING
    found = ailment() if path == READY else None
    if found is None:
        return _HEALTHY
    answer = _answer(503, "Not ready", status="unavailable", code=found.code, reason=found.reason)
    # Only here: an installer would sleep for it without a word.
    return replace(answer, headers=(*answer.headers, ("Retry-After", "1")))


def _answer(code: int, reason: str, /, **words: str) -> Response:
    body = json.dumps(words).encode()
    headers = (
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    )
    return Response(code, reason, headers, [body])


_HEALTHY: Final = _answer(200, "OK", status="ok")
_STARTING: Final = _answer(503, "Starting", status="starting")
