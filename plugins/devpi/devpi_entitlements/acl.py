"""``acl_pkg_read``: the index option, and what it means to devpi's permissions."""

from __future__ import annotations

from typing import Any

from devpi_server.config import hookimpl

from devpi_entitlements.access import ACL_KEY, default_acl

__all__ = ["AclHooks"]

Given = Any
"""Whatever devpi-server passes; it has no types."""


class AclHooks:
    """Registered wherever permissions are asked for: in servers and in commands that read one."""

    @hookimpl
    def devpiserver_indexconfig_defaults(self, index_type: str) -> Given:  # noqa: ARG002 - of the hook
        """Every index has ``acl_pkg_read``."""
        return {ACL_KEY: default_acl()}

    @hookimpl
    def devpiserver_stage_get_principals_for_pkg_read(self, ixconfig: Given) -> Given:
        """``acl_pkg_read``, where it is set."""
        acl = ixconfig.get(ACL_KEY)
        return None if acl is None else set(acl)
