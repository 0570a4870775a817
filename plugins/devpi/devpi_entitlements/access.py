"""Who may read an index without a token: devpi's own permissions, with ``acl_pkg_read``."""

from __future__ import annotations

from typing import Final

from devpi_server.model import ACLList
from pyramid.authorization import ACLHelper, Authenticated, Everyone

from devpi_entitlements.devpi_types import RootModel, Stage

__all__ = ["ACL_KEY", "ANONYMOUS", "closed_indexes", "default_acl", "is_open", "user_reads"]

ACL_KEY: Final = "acl_pkg_read"
"""The index option that names who may read."""
ANONYMOUS: Final = ":ANONYMOUS:"


def default_acl() -> ACLList:
    """Of a new index: open to all, as every index was before."""
    return ACLList([ANONYMOUS])


def is_open(stage: Stage) -> bool:
    """Whether everybody may read an index; nobody's identity is needed to know that."""
    restricted = stage.xom.config.restrict_modify
    principals = stage.customizer.get_principals_for_pkg_read(restrict_modify=restricted)
    return ANONYMOUS in principals


def closed_indexes(model: RootModel) -> list[str]:
    """The names of the indexes whose ``acl_pkg_read`` shuts somebody out, sorted."""
    return sorted(
        f"{user.name}/{name}"
        for user in model.get_userlist()
        for name, config in user.get().get("indexes", {}).items()
        if ANONYMOUS not in config.get(ACL_KEY, [ANONYMOUS])
    )


def user_reads(stage: Stage, username: str, *, permission: str = "pkg_read") -> bool:
    """Whether a user of devpi may read an index (or has another permission), by name alone.

    Groups come with a login, from plugins such as LDAP. Nobody is logged in here, so an index that
    only a group may read counts as not readable.
    """
    principals = {Everyone, Authenticated, username}
    return bool(ACLHelper().permits(_Lineage(stage.__acl__()), principals, permission))


class _Lineage:
    """A context without parents, as pyramid's ACL helper wants one."""

    def __init__(self, acl: list[tuple[str, str, str]]) -> None:
        self.__acl__ = acl
