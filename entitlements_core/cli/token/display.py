"""A token as a command prints it: its document, or lines for people."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from entitlements_core.cli.console import emit, note, show_fields, warn
from entitlements_core.documents.token import token_document
from entitlements_core.documents.values import instant
from entitlements_core.policy.counted import counted
from entitlements_core.policy.token import Status

if TYPE_CHECKING:
    from entitlements_core.policy.token import Token
    from entitlements_core.services.token_issuer import Issued
    from entitlements_core.store.records import FormerSecret

__all__ = ["emit_issued", "emit_token", "limits_in_words"]


def emit_token(  # noqa: PLR0913 - the parts of one document
    token: "Token",
    now: datetime,
    *,
    as_json: bool,
    secret: str | None = None,
    repository: str = "",
    warnings: tuple[str, ...] = (),
    orphaned: Collection[str] = (),
    previous: Sequence["FormerSecret"] | None = None,
) -> None:
    """Print a token.

    Args:
        token: to be printed.
        now: the moment of the command.
        as_json: one document instead of lines.
        secret: in clear; None masks it.
        repository: only this one's terms.
        warnings: what to know, one sentence each.
        orphaned: repositories whose grants open nothing.
        previous: former secrets that go on; None says nothing of them.
    """
    document = token_document(
        token,
        now,
        secret=secret,
        repository=repository,
        warnings=warnings,
        orphaned=orphaned,
        previous=previous,
    )
    fields = list(_fields(document))
    if previous is not None:
        fields[2:2] = [("Old secret", _in_words(one)) for one in previous]

    emit(document, lambda console: show_fields(console, fields), as_json=as_json)
    warn(warnings, as_json=as_json)


def emit_issued(
    issued: "Issued",
    now: datetime,
    *,
    as_json: bool,
    previous: Sequence["FormerSecret"] | None = None,
) -> None:
    """Print a token with the secret that was just made; see `emit_token`."""
    emit_token(
        issued.token,
        now,
        as_json=as_json,
        secret=issued.secret,
        warnings=issued.warnings,
        previous=previous,
    )
    if as_json:
        return
    status = issued.token.status(now)
    if status is Status.ENABLED:
        note("Hand over the secret; it opens what stands here.")
    else:
        note(f"The secret opens nothing now: the token is {status.replace('_', ' ')}.")


def limits_in_words(document: Mapping[str, object]) -> str:
    """What narrows a token, in a few words."""
    words = [
        f"{document[used]}/{document[limit]} {used}"
        for used, limit in (
            ("downloads", "limit_num_downloads"),
            ("clients", "limit_num_clients"),
        )
        if document[limit] is not None
    ]
    if document["limit_bandwidth"] is not None:
        words.append(
            f"{document['usage']}/{document['limit_bandwidth']} {document['limit_bandwidth_unit']}"
        )
    if words and document["scheduled_reset_period"] != "Never Reset":
        words.append(str(document["scheduled_reset_period"]))
    return ", ".join(words)


def _in_words(former: "FormerSecret") -> str:
    used = (
        "not used since the refresh: no file was fetched with it"
        if former.last_used_at is None
        else f"last used {instant(former.last_used_at)}"
    )
    return f"opens the same until {instant(former.valid_until)}, {used}"


def _fields(document: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    yield "Token", f"{document['name']} ({document['slug_perm']})"
    yield "Secret", str(document["token"])
    yield "Status", str(document["status"])
    for grant in document["repositories"]:  # type: ignore[attr-defined] # a list
        query = grant["limit_package_query"] or "everything"
        query = "nothing: made for another of this name" if grant["orphaned"] else query
        yield "Opens", f"{grant['repository']} ({grant['access']}): {query}"
        yield "Sees", ", ".join(grant["bases"])
    yield "Limits", limits_in_words(document)
    downloads = counted(int(str(document["downloads"])), "download")
    clients = counted(int(str(document["clients"])), "client")
    yield "Used", f"{downloads}, {clients}, {document['usage']}"
    for label, key in _PLAIN:
        yield label, _text(document[key])


_PLAIN = (
    ("Next reset", "next_reset_at"),
    ("Valid from", "limit_date_range_from"),
    ("Valid until", "limit_date_range_to"),
    ("Updates until", "updates_until"),
    ("Allowed", "allow_networks"),
    ("Denied", "deny_networks"),
    ("User", "user"),
    ("Tags", "tags"),
    ("Metadata", "metadata"),
    ("Last used", "last_used_at"),
    ("Created", "created_at"),
    ("Deleted", "deleted_at"),
)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value) if value else ""
