"""The policy itself: `CHECKS`, read from top to bottom.

`decide` gives the first refusal, `explain` all of them. The same `covers` decides what a page lists
and what a download opens, so the two cannot disagree.

What a customer is told depends on the order: whatever the state of a token, what its restriction
does not cover looks exactly like what does not exist. The states of a known token (disabled, not
yet valid, expired, over a limit, licence not accepted) refuse only files, since a file is the one
place where every client prints the reason, and a page that is refused makes most of them look for
the project elsewhere. Pages are kept only from who may not see them: at an address that the vendor
does not allow, or as a user whom the host does not let read.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from entitlements_core.policy.credential import Access, Credential, CredentialKind, Grant, State
from entitlements_core.policy.decision import Allow, Decision, Deny, Reason
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.instants import minute
from entitlements_core.policy.limits import Usage
from entitlements_core.policy.metering import asking, exhausted
from entitlements_core.policy.network import IPAddress
from entitlements_core.policy.resource import (
    CoreMetadata,
    DistributionFile,
    Other,
    Resource,
    Unidentified,
)

__all__ = [
    "CHECKS",
    "NOT_FOUND",
    "UNKNOWN",
    "WRONG_LOGIN",
    "Question",
    "RequestContext",
    "covers",
    "decide",
    "explain",
    "open_now",
    "with_contact",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """Where a request comes from and what it wants to do.

    Attributes:
        repository: ``owner/slug`` that the address names.
        address: of the client, behind configured proxies the forwarded one; None when unreadable.
        writes: an upload or removal.
    """

    repository: str
    address: IPAddress | None = None
    writes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything a decision depends on.

    Attributes:
        credential: who asks.
        request: from where, in which repository.
        resource: for what.
        usage: what the credential used in the current period, or None where the counters are not
            at hand: then the reservation, which is exact, is the check of the limits.
        client_known: the client already counts in the current period; only read with `usage`.
        now: aware, UTC.
    """

    credential: Credential
    request: RequestContext
    resource: Resource
    usage: Usage | None = None
    client_known: bool = False
    now: datetime


Check = Callable[[Question], Deny | None]

NOT_FOUND: Final = Deny(
    Reason.NOT_FOUND,
    "Not available to this entitlement",
    "Check the name, and ask the vendor whether your entitlement covers it.",
)
UNKNOWN: Final = Deny(
    Reason.UNKNOWN_TOKEN,
    "Unknown or revoked entitlement token",
    "Check the token for typing errors, or ask the vendor for a new one.",
)

WRONG_LOGIN: Final = Deny(
    Reason.UNAUTHORIZED,
    "User name or password is wrong, or the token is unknown",
    "Check both for typing errors. A token is the password of the user __token__.",
)
"""Where people have accounts, too. Whether there is such an account is not said."""


def decide(question: Question) -> Decision:
    """`Allow`, or the first refusal in the order of `CHECKS`."""
    for check in _checks(question):
        denied = check(question)
        if denied is not None:
            return denied
    return Allow()


def explain(question: Question) -> tuple[Deny, ...]:
    """All refusals in the order of `CHECKS`; empty when the answer is `Allow`."""
    return tuple(denied for check in _checks(question) if (denied := check(question)) is not None)


def open_now(question: Question) -> Deny | None:
    """Which of `STATES` closes the credential, whatever is asked for; None when it is open.

    For what is no page of an index: a page overlooks these.
    """
    return next((denied for state in STATES if (denied := state(question)) is not None), None)


def covers(credential: Credential, grant: Grant, facts: FileFacts, now: datetime) -> bool:
    """Whether a file is visible: the restriction matches, and it is not a frozen-out release."""
    frozen = credential.updates_until
    if frozen is not None and not facts.was_there(frozen):
        return False
    return grant.restriction is None or grant.restriction.matches(facts, now)


def not_deleted(question: Question) -> Deny | None:
    """A deleted credential is as unknown as one that never was."""
    return UNKNOWN if question.credential.state is State.DELETED else None


def granted_here(question: Question) -> Deny | None:
    """A credential is unknown in a repository where it has no grant."""
    return None if _grant(question) is not None else UNKNOWN


def user_may_read(question: Question) -> Deny | None:
    """A user token lives only as long as its user may read the repository."""
    credential = question.credential
    if credential.kind is not CredentialKind.USER or credential.user_has_access:
        return None
    return _refusal(
        question,
        Reason.USER_WITHOUT_ACCESS,
        "User has no access to this repository",
        "to be given access again",
    )


def address_known(question: Question) -> Deny | None:
    """Rules for addresses need one: an address that nobody can tell is not any of the others."""
    return _unknown_address(question) if question.credential.networks.any else None


def address_admitted(question: Question) -> Deny | None:
    """The address rules of the credential."""
    address = question.request.address
    if question.credential.networks.admits(address):
        return None
    return _refusal(
        question,
        Reason.ADDRESS_DENIED,
        f"Address {address} not allowed for this entitlement",
        "to allow this address",
    )


def may_write(question: Question) -> Deny | None:
    """Uploads need a grant of ``rw``."""
    grant = _grant(question)
    if not question.request.writes or (grant is not None and grant.access is Access.WRITE):
        return None
    return _refusal(question, Reason.READ_ONLY, "Entitlement is read-only", "to allow uploads")


def covered(question: Question) -> Deny | None:
    """The restriction, for files and their metadata; lists are open and filtered item by item."""
    resource = question.resource
    if isinstance(resource, Unidentified | Other):
        return NOT_FOUND
    if not isinstance(resource, DistributionFile | CoreMetadata):
        return None
    grant = _grant(question)
    if grant is None or not covers(question.credential, grant, resource.facts, question.now):
        return NOT_FOUND
    return None


def enabled(question: Question) -> Deny | None:
    """The vendor switched the credential off, and files with it."""
    if question.credential.state is State.ENABLED:
        return None
    title = "Entitlement token disabled"
    return _refusal(question, Reason.TOKEN_DISABLED, title, "to enable it again")


def already_valid(question: Question) -> Deny | None:
    """Files open at `valid_from`, inclusive."""
    start = question.credential.valid_from
    if start is None or question.now >= start:
        return None
    return Deny(
        Reason.TOKEN_NOT_YET_VALID,
        f"Entitlement valid from {minute(start)}",
        retry_at=start,
        contact=question.credential.contact,
    )


def still_valid(question: Question) -> Deny | None:
    """Files close at `valid_until`, exclusive."""
    end = question.credential.valid_until
    if end is None or question.now < end:
        return None
    title = f"Entitlement expired {minute(end)}"
    return _refusal(question, Reason.TOKEN_EXPIRED, title, "to renew it")


def eula_accepted(question: Question) -> Deny | None:
    """A required licence must be accepted before any file is served."""
    eula = question.credential.eula
    if not eula.required or eula.accepted:
        return None
    title = f"Accept the licence first: {eula.url}" if eula.url else "Accept the licence first"
    refused = _refusal(question, Reason.EULA_REQUIRED, title, "how to accept it")
    # Who has an address to accept it at need not ask anybody.
    return replace(refused, contact="") if eula.url else refused


def client_known(question: Question) -> Deny | None:
    """Clients are counted by their addresses; those that nobody can tell are not one client."""
    limited = question.credential.limits.clients is not None
    if not limited or not isinstance(question.resource, DistributionFile):
        return None
    return None if question.request.writes else _unknown_address(question)


def within_limits(question: Question) -> Deny | None:
    """Whether one more file would fit, as far as the counters at hand tell."""
    usage, resource = question.usage, question.resource
    if usage is None or question.request.writes or not isinstance(resource, DistributionFile):
        return None
    reached = exhausted(
        question.credential.limits,
        usage,
        new_client=not question.client_known,
        length=resource.facts.size,
    )
    return None if reached is None else with_contact(reached, question.credential)


def with_contact(deny: Deny, credential: Credential) -> Deny:
    """A refusal by a limit, which does not know whose it is, with whom its customer can turn to."""
    contact = credential.contact
    return replace(deny, remedy=asking(contact), contact=contact) if contact else deny


STATES: Final[tuple[Check, ...]] = (enabled, already_valid, still_valid, eula_accepted)
"""What closes a credential that is known. Pages overlook it, so that clients print the reason at
the file."""

CHECKS: Final[tuple[Check, ...]] = (
    not_deleted,
    granted_here,
    user_may_read,
    address_known,
    address_admitted,
    may_write,
    covered,
    *STATES,
    client_known,
    within_limits,
)


CHECKS_OF_PAGES: Final = tuple(check for check in CHECKS if check not in STATES)


def _checks(question: Question) -> tuple[Check, ...]:
    return CHECKS if _transfers(question) else CHECKS_OF_PAGES


def _grant(question: Question) -> Grant | None:
    return question.credential.grant_in(question.request.repository)


def _transfers(question: Question) -> bool:
    """Whether a file itself moves."""
    return question.request.writes or isinstance(question.resource, DistributionFile)


def _unknown_address(question: Question) -> Deny | None:
    if question.request.address is not None:
        return None
    return _refusal(
        question,
        Reason.ADDRESS_UNKNOWN,
        "The server cannot tell your address, which this entitlement depends on",
        "to look into the server's log",
    )


def _refusal(question: Question, reason: Reason, title: str, purpose: str) -> Deny:
    """A refusal that the vendor can do something about; `purpose` is what to ask them for."""
    contact = question.credential.contact
    return Deny(reason, title, f"Ask {contact or 'the vendor'} {purpose}.", contact=contact)
