"""A visitor as devpi's security policy knows users: a name of its own, no groups, no rights."""

from __future__ import annotations

from devpi_entitlements.visitor import Visitor

__all__ = ["TokenIdentity", "username_of"]


class TokenIdentity:
    """What ``request.identity`` is for a visitor; devpi asks for these two attributes.

    Attributes:
        username: no user can have it, since ``+`` and ``:`` are forbidden in their names. It is
            what devpi's log says of an upload.
        groups: none, since the groups of a directory service may have any name.
    """

    def __init__(self, visitor: Visitor) -> None:
        self.username = username_of(visitor)
        self.groups: list[str] = []


def username_of(visitor: Visitor) -> str:
    """The name under which devpi knows a visitor; it holds no secret."""
    return f"+entitlement:{visitor.identifier}"
