"""What the policy answers: `Allow`, or `Deny` with a reason.

Neither has a truth value on purpose: ``if decision:`` is a type error under mypy's truthy-bool,
because a falsy `Deny` once let everything through. Compare with `isinstance`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["Allow", "Decision", "Deny", "Reason"]


class Reason(StrEnum):
    """Why a request is refused. The values are part of the wire format and never change."""

    UNAUTHORIZED = "unauthorized"
    """No credential was presented."""
    UNKNOWN_TOKEN = "unknown_token"  # noqa: S105 - a code, not a password
    """The secret opens nothing here: never issued, deleted, replaced, or for another repository."""
    TOKEN_DISABLED = "token_disabled"  # noqa: S105 - a code, not a password
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"  # noqa: S105 - a code, not a password
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a code, not a password
    USER_WITHOUT_ACCESS = "user_without_access"
    """A user token whose user may no longer read the repository."""
    ADDRESS_DENIED = "address_denied"
    ADDRESS_UNKNOWN = "address_unknown"
    """Addresses or clients are limited, and the server cannot tell the one of this request."""
    NOT_FOUND = "not_found"
    """Not in the repository or not covered by the restriction; the two are never told apart."""
    READ_ONLY = "read_only"
    EULA_REQUIRED = "eula_required"
    DOWNLOAD_LIMIT = "download_limit"
    CLIENT_LIMIT = "client_limit"
    BANDWIDTH_LIMIT = "bandwidth_limit"
    VETOED = "vetoed"
    """A plugin refused, or raised."""
    VALIDATION_UNAVAILABLE = "validation_unavailable"
    TOO_MANY_GUESSES = "too_many_guesses"
    """The address sent so many unknown secrets that this one was not looked up."""


@dataclass(frozen=True, slots=True)
class Allow:
    """The request may go on."""


@dataclass(frozen=True, slots=True)
class Deny:
    """The request is refused.

    Attributes:
        reason: the stable code.
        title: a few words, printable ASCII, at most 100 characters with `remedy` left out; it
            becomes the HTTP reason phrase, the only text that every client prints.
        remedy: what the customer can do, one sentence or empty.
        retry_at: when the same request would be allowed if nothing else changes, or None.
        contact: whom the customer can turn to, free text, or empty.
    """

    reason: Reason
    title: str
    remedy: str = ""
    retry_at: datetime | None = None
    contact: str = ""


Decision = Allow | Deny
