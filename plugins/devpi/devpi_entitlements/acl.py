"""``acl_pkg_read``: the index option, and what it means to devpi's permissions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from devpi_server.config import hookimpl

from devpi_entitlements.access import ACL_KEY, default_acl
from devpi_entitlements.devpi_types import HookValue

__all__ = ["AclHooks", "inheriting_only"]

_ONLY: Final[ContextVar[frozenset[str] | None]] = ContextVar("bases", default=None)


@contextmanager
def inheriting_only(bases: frozenset[str] | None) -> Iterator[None]:
    """Let every index inherit from these alone, in this thread; None is from all it names."""
    before = _ONLY.set(bases)
    try:
        yield
    finally:
        _ONLY.reset(before)


class AclHooks:
    """Registered wherever permissions are asked for: in servers and in commands that read one."""

    @hookimpl
    def devpiserver_indexconfig_defaults(self, index_type: str) -> HookValue:  # noqa: ARG002 - of the hook
        """Every index has ``acl_pkg_read``."""
        return {ACL_KEY: default_acl()}

    @hookimpl
    def devpiserver_stage_get_principals_for_pkg_read(self, ixconfig: HookValue) -> HookValue:
        """``acl_pkg_read``, where it is set."""
        acl = ixconfig.get(ACL_KEY)
        return None if acl is None else set(acl)

    @hookimpl
    def devpiserver_sro_skip(self, stage: HookValue, base_stage: HookValue) -> HookValue:  # noqa: ARG002 - of the hook
        """See `inheriting_only`."""
        only = _ONLY.get()
        return None if only is None or base_stage.name in only else True
