"""What each client prints in each situation, as a page of the documentation has it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from entitlements_core.services.token_issuer import Issued
from tests.functional.vendors import Running, Vendor

__all__ = ["CONTACT", "SERVERS", "SITUATIONS", "Situation", "page", "shown", "telling"]

CONTACT: Final = "sales@acme.example"
SERVERS: Final = ("granian", "waitress")


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A customer who is refused.

    Attributes:
        name: for the page.
        words: what the server has to say.
        terms: of the token; None where there is none of the vendor's.
        query: its restriction.
        secret: that is sent in place of the token's, or None.
        path: the secret is in the address.
        spoken: whether every client prints the words; False where some cannot be told.
    """

    name: str
    words: str
    terms: Mapping[str, Any] | None = None
    query: str | None = None
    secret: str | None = None
    path: bool = False
    spoken: bool = True

    def issue(self, vendor: Vendor, number: int) -> Issued | None:
        """The token of one customer."""
        if self.terms is None:
            return None
        return vendor.token(f"customer {number}", self.query, **self.terms)

    def url(self, server: Running, issued: Issued | None) -> str:
        """The index as that customer has it."""
        secret = issued.secret if issued is not None else self.secret
        if secret is None:
            return f"{server.url}/simple/"
        return server.with_token(secret) if self.path else server.with_basic(secret)


_ASK: Final = f"; ask {CONTACT}"
UNKNOWN: Final = "Unknown or revoked entitlement token"

SITUATIONS: Final = (
    Situation(name="disabled", words=f"Entitlement token disabled{_ASK}", terms={"enabled": False}),
    Situation(
        name="not yet valid",
        words=f"Entitlement valid from 2099-01-01 00:00 UTC{_ASK}",
        terms={"limit_date_range_from": datetime(2099, 1, 1, tzinfo=UTC)},
    ),
    Situation(
        name="expired",
        words=f"Entitlement expired 2026-01-31 00:00 UTC{_ASK}",
        terms={"limit_date_range_to": datetime(2026, 1, 31, tzinfo=UTC)},
    ),
    Situation(
        name="limit of downloads, reached in the middle of one installation",
        words=f"Download limit 1/1 reached{_ASK}",
        terms={"limit_num_downloads": 1},
    ),
    Situation(
        name="limit of clients",
        words=f"Client limit 0/0 reached{_ASK}",
        terms={"limit_num_clients": 0},
    ),
    Situation(
        name="limit of bandwidth",
        words=f"Bandwidth limit 0/10 bytes reached{_ASK}",
        terms={"limit_bandwidth": 10},
    ),
    Situation(
        name="licence not accepted",
        words=f"Accept the licence first{_ASK}",
        terms={"eula_required": True},
    ),
    Situation(
        name="address not allowed",
        words=f"Address 127.0.0.1 not allowed for this entitlement{_ASK}",
        terms={"deny_networks": ["127.0.0.0/8"]},
        spoken=False,
    ),
    Situation(
        name="unknown, deleted or replaced token, in the address",
        words=UNKNOWN,
        secret="ent_never-issued",
        path=True,
        spoken=False,
    ),
    Situation(
        name="unknown, deleted or replaced token, as a password",
        words=UNKNOWN,
        secret="ent_never-issued",
        spoken=False,
    ),
    Situation(name="no token", words="Entitlement token required", spoken=False),
    Situation(
        name="a package that the token does not cover",
        words="Not available to this entitlement",
        terms={},
        query="name:^lab-bar$",
        spoken=False,
    ),
)

SILENT: Final = (
    r"Authorization error accessing",
    r"401 Error, Credentials not correct",
    r"^hint: .*(?:401|403)",
    r"No matching distribution found",
    r"Unable to find candidates for",
    r"doesn't match any versions",
    r"was not found in the package registry",
    r"error",
)
"""What clients print instead, the most telling first."""


def spelled(words: str) -> str:
    """How words look in an address."""
    return re.sub(r"[^0-9A-Za-z.@]+", "-", words).strip("-")


def shown(text: str, words: str) -> bool:
    """Whether words can be read in what was printed, in any of their forms."""
    title = words.partition(";")[0]
    return title in text or spelled(title) in text


def telling(text: str, words: str, secrets: Iterable[str]) -> str:
    """The line that tells a person most, without what is another one in each run."""
    lines = [line.strip() for line in _plain(text, secrets).splitlines()]
    told = [line for line in lines if shown(line, words)]
    if told:
        return told[0]
    for pattern in SILENT:
        found = [line for line in lines if re.search(pattern, line, re.IGNORECASE)]
        if found:
            return found[0]
    return lines[-1] if lines else ""


def _plain(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "SECRET")
    for pattern, stands in (
        (r"\x1b\[[0-9;]*m", ""),
        (r"ent_never-issued", "SECRET"),
        (r"127\.0\.0\.1:\d+", "HOST"),
        (r"%2Bt/", "+t/"),
        (r"lab_(?:foo|bar)-1\.0-py3-none-any\.whl", "FILE"),
        (r"lab-(?:foo|bar)", "PROJECT"),
        (r" \(from -r .*?\(line \d+\)\)", ""),
        (r"\s*\(from (?:http|versions)[^)]*\)", ""),
    ):
        text = re.sub(pattern, stands, text)
    return text


def page(introduction: str, lines: Mapping[tuple[str, str, str], str]) -> str:
    """The page: a table for each situation, a row for each client.

    Args:
        introduction: the text before the tables.
        lines: the telling line by situation, client and server.
    """
    clients = list(dict.fromkeys(client for _, client, _ in lines))
    parts = [introduction.rstrip() + "\n"]
    for situation in SITUATIONS:
        parts += [f"\n## {situation.name[0].upper()}{situation.name[1:]}\n"]
        parts += [f"Sent: `{situation.words}`\n"]
        heads = " | ".join(SERVERS)
        parts += [f"\n| client | {heads} |\n|---|{'---|' * len(SERVERS)}\n"]
        for client in clients:
            told = [lines[situation.name, client, server] for server in SERVERS]
            cells = " | ".join(f"`{line.replace('|', '/').replace('`', '')}`" for line in told)
            parts.append(f"| {client} | {cells} |\n")
    return "".join(parts)
