"""A token holder as devpi's security policy knows users: a name, no groups, no rights."""

from __future__ import annotations

from devpi_entitlements.authentication import TokenRequest

__all__ = ["TokenIdentity", "username_of"]


class TokenIdentity:
    """What ``request.identity`` is for a token holder; devpi asks for these two attributes.

    Attributes:
        username: no user can have it, since ``+`` and ``:`` are forbidden in their names. It is
            what devpi's log says of an upload.
        groups: none, since the groups of a directory service may have any name.
    """

    def __init__(self, token_request: TokenRequest) -> None:
        self.username = username_of(token_request)
        self.groups: list[str] = []


def username_of(token_request: TokenRequest) -> str:
    """The name under which devpi knows a token holder; it holds no secret."""
    return f"+entitlement:{token_request.identifier}"
