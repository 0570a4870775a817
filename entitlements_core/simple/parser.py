"""What a project page of somebody else's index says: how many files there are, and the newest."""

import json
import re
from dataclasses import dataclass
from typing import Final

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

__all__ = ["ACCEPTED", "PageRead", "read_page"]

_JSON: Final = "application/vnd.pypi.simple.v1+json"
_HTML: Final = frozenset({"text/html", "application/vnd.pypi.simple.v1+html"})
ACCEPTED: Final = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""What `read_page` can read, as an ``Accept`` header."""

_LINK: Final = re.compile(rb"<a\s", re.IGNORECASE)
_LONGEST: Final = 40
"""Characters of a version that is repeated."""


@dataclass(frozen=True, slots=True)
class PageRead:
    """What a page says.

    Attributes:
        files: how many there are; None where the page does not say it.
        newest: the highest version by PEP 440, as it is written there; empty where it is not said.
    """

    files: int | None = None
    newest: str = ""


def read_page(media: str, body: bytes, name: NormalizedName) -> PageRead | None:
    """Read the page of a project; None when it is no page of it, whatever it is.

    Args:
        media: the ``Content-Type``, with or without parameters.
        body: of the answer.
        name: of the project.
    """
    kind = media.partition(";")[0].strip().lower()
    if kind in _HTML:
        found = len(_LINK.findall(body))
        return PageRead(found) if found else None
    return _read_json(body, name) if kind == _JSON else None


def _read_json(body: bytes, name: NormalizedName) -> PageRead | None:
    try:
        page = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(page, dict) or not isinstance(page.get("name"), str):
        return None
    files, versions = page.get("files"), page.get("versions")
    if canonicalize_name(page["name"]) != name or not isinstance(files, list):
        return None
    return PageRead(len(files), _newest(versions if isinstance(versions, list) else []))


def _newest(texts: list[object]) -> str:
    """The highest of what can be read; odd ones are passed over."""
    found = []
    for text in texts:
        if isinstance(text, str) and len(text) <= _LONGEST:
            try:
                found.append(Version(text))
            except InvalidVersion:
                continue
    return str(max(found, default=""))
