"""The reason of a refusal in an address, for clients that can be told nothing else.

HTTP/2 has no reason phrase, and some servers replace ours. What pip, pipenv, Poetry and PDM print
of a file that they are refused is its address. So they are sent to another address of the same
file, in which words stand before the file's name: there it is refused as well, unless the reason
has gone meanwhile. Of a page, Poetry alone prints the address; words below that are never a page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from entitlements_core.policy.decision import Deny
from entitlements_core.refusals import words

__all__ = ["WITHOUT_PHRASE", "only_words", "worded"]

MARK: Final = "~"
"""Begins a part of an address that is only there to be read; no file name begins with it."""
WITHOUT_PHRASE: Final = "entitlements.without_reason_phrase"
"""The key in an environment that says that the server can send no reason phrase, as under ASGI."""
INSTALLERS: Final = ("pip/", "poetry/", "pdm/", "uv/")
"""How user agents of installers begin, which follow a redirect and fail at its end; pipenv runs
pip. To others, such as curl, a redirect is a success unless they were told to follow it."""
READS_PAGES: Final = "poetry/"
"""Who prints the address of a page, too."""
BLIND: Final = "pdm/"
"""PDM prints the standard phrase of a status, and never ours."""


_FILENAME: Final = re.compile(r"[0-9A-Za-z._+!-]+").fullmatch
"""What the names of files that can be served are made of, or nearly."""


_PLAIN: Final = "/!$&'()*+,=:@"
"""What needs no escape in a path (RFC 3986 §3.3), beside letters, digits and ``-._~``."""
_LOST: Final = re.compile(r"[\s;\\]+")
"""Characters that servers read differently (see `is_plain_path`), and blanks, which would be
escapes; each run of them becomes a dash."""
_BREAKS: Final = re.compile(r"[;\\]").search


def drops_phrases(environ: Mapping[str, Any]) -> bool:
    """Whether the server is known to replace our reason phrase: granian does, HTTP/2 has none."""
    return (
        environ.get("SERVER_SOFTWARE") == "Granian"
        or environ.get("SERVER_PROTOCOL") in {"HTTP/2", "HTTP/2.0"}
        or WITHOUT_PHRASE in environ
    )


def only_words(parts: Sequence[str]) -> bool:
    """Whether the parts of an address before a file's name are none, or only there to be read.

    Several are where an address stands in the words, in brackets.
    """
    if not parts or not parts[0].startswith(MARK):
        return not parts
    return len(parts) == 1 or ("(" in parts[0] and parts[-1].endswith(")"))


def worded(path: str, deny: Deny, environ: Mapping[str, Any]) -> str | None:
    """Where what is refused has the words of the refusal in its address, relative to `path`.

    None where they stand there already, or need not or cannot.

    Args:
        path: of the file or the page of a project that is refused.
        deny: the refusal.
        environ: of the request.
    """
    agent: str = environ.get("HTTP_USER_AGENT") or ""
    dropped, said = drops_phrases(environ), MARK + _spelled(deny)
    marked = quote(said, safe=_PLAIN)
    here = "./" if ":" in marked else ""  # else it could end a scheme (RFC 3986 §4.2)
    match path.split("/"):
        case ["", "packages", *before, filename] if only_words(before) and _FILENAME(filename):
            reads = agent.startswith(BLIND) or (dropped and agent.startswith(INSTALLERS))
            if reads and before != said.split("/"):
                return f"{'../' * len(before) or here}{marked}/{filename}"
        case ["", "simple", _, ""] if dropped and agent.startswith(READS_PAGES):
            return f"{here}{marked}/"
    return None


def _spelled(deny: Deny) -> str:
    """The words of a refusal, decoded."""
    said, asks = words(deny), f"; ask {deny.contact}"
    if not deny.contact or not said.endswith(asks):
        return _dashed(said)
    title, contact = _dashed(said.removesuffix(asks)), _contact(deny.contact)
    return f"{title}-ask-{contact}" if contact else title


def _dashed(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z.@]+", "-", text).strip("-")


def _contact(text: str) -> str:
    """Whom to ask, to be copied from an address that ends with the name of a file.

    Two slashes are one to many servers, so the scheme of an address is left to the browser. A
    contact that would mean another one without the characters that are lost here is left out.
    """
    if "%" in text or ("/" in text and _BREAKS(text)):
        return ""
    lone = re.sub(r"\bhttps?://", "", text, flags=re.IGNORECASE)
    parts = [part for part in _LOST.sub("-", lone).split("/") if part not in {"", ".", ".."}]
    joined = "/".join(parts)
    return f"({joined})" if len(parts) > 1 else joined
