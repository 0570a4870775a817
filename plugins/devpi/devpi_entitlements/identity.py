"""A visitor as devpi's security policy knows users: a name of its own, one group, no rights."""

from __future__ import annotations

from typing import Final

from devpi_entitlements.visitor import Visitor

__all__ = ["GROUP", "READERS", "TokenIdentity", "username_of"]

GROUP: Final = "entitlements"
READERS: Final = f":{GROUP}"
"""The principal that may read every index: what of it, the enforcement has decided by then."""


class TokenIdentity:
    """What ``request.identity`` is for a visitor; devpi asks for these two attributes.

    Attributes:
        username: no user can have it, since ``+`` and ``:`` are forbidden in their names. It is
            what devpi's log says of an upload.
        groups: one that no login gives.
    """

    def __init__(self, visitor: Visitor) -> None:
        self.username = username_of(visitor)
        self.groups = [GROUP]


def username_of(visitor: Visitor) -> str:
    """The name under which devpi knows a visitor; it holds no secret."""
    return f"+entitlement:{visitor.identifier}"
