"""Who asks for a change: the name that the audit keeps, and what that one may do."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

__all__ = ["ALL_RIGHTS", "Actor", "ActorKind", "Right"]


class ActorKind(Enum):
    """How somebody came to ask."""

    PERSON = auto()
    """At a command line; whoever can run it there may read the key and the store anyway."""
    USER = auto()
    """A user of the host, such as devpi-server, who asks for a token of their own."""
    SERVICE = auto()
    """A host or a server itself: nobody asked for it."""
    ACCOUNT = auto()
    """Somebody who logged in to the web administration. Nothing makes one yet."""
    API_KEY = auto()
    """A program that uses the REST API. Nothing makes one yet."""


class Right(Enum):
    """What an account or an API key may be given. Only the coming REST administration asks."""

    READ = auto()
    """See tokens, repositories and reports."""
    EDIT_TOKENS = auto()
    """Make, edit and end tokens."""
    SEE_SECRETS = auto()
    """See the secret of a token, or replace it."""
    EDIT_REPOSITORIES = auto()
    """Add, edit and remove repositories, their licences, package tags and reserved names."""


ALL_RIGHTS: Final = frozenset(Right)
"""Of everybody who asks today: a command line and a host are trusted as a whole."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for a change.

    Attributes:
        name: what the audit keeps and plugins are told; 1 to 255 characters.
        kind: how they came to ask.
        rights: what they may do.
        address: of the client, where the request came over HTTP; else empty.
        request_id: of that request, for who looks for it in a log; else empty.
    """

    name: str
    kind: ActorKind
    rights: frozenset[Right] = ALL_RIGHTS
    address: str = ""
    request_id: str = ""
