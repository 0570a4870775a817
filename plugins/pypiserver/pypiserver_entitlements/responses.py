"""What the adapter answers by itself, and what it makes of pypiserver's answers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from entitlements_core.refusals import problem

__all__ = ["PASSWORDS_UNAVAILABLE", "SEARCH_TOO_LONG", "private_headers"]

PASSWORDS_UNAVAILABLE: Final = problem(
    503, "Passwords cannot be checked now", "Tokens can.", code="unavailable"
)
SEARCH_TOO_LONG: Final = problem(413, "The search is too long", code="too_large")

_MAX_AGE: Final = re.compile(r"max-age=\d+")


def private_headers(headers: Iterable[tuple[str, str]], *, shared: bool) -> list[tuple[str, str]]:
    """The headers of an answer; one that is not for everybody becomes private.

    ``--cache-control`` lets a browser or pip keep a file for as long as it says, but no cache
    between.
    """
    kept, vary, caching = [], ["Authorization"], ""
    for name, value in headers:
        match name.lower():
            case "vary":
                vary.append(value)
            case "cache-control":
                caching = value
            case _:
                kept.append((name, value))
    if not shared:
        age = _MAX_AGE.search(caching)
        caching = f"private, {age[0] if age else 'no-cache'}"
    if caching:
        kept.append(("Cache-Control", caching))
    return [*kept, ("Vary", ", ".join(vary))]
