"""The hooks of one configured devpi-server."""

from __future__ import annotations

from typing import Any, Final

from devpi_server.config import hookimpl
from pyramid.authorization import Everyone
from pyramid.threadlocal import get_current_request

from devpi_entitlements.access import ACL_KEY, ANONYMOUS, is_open
from devpi_entitlements.bases import sees_base
from devpi_entitlements.identity import TokenIdentity, username_of
from devpi_entitlements.metrics import metrics
from devpi_entitlements.site import Site
from devpi_entitlements.users import SHIELDED, Verdict, judge
from devpi_entitlements.visitor import visitor_of

__all__ = ["DevpiHooks"]

READING: Final = frozenset({"pkg_read"})
UPLOADING: Final = frozenset({"pkg_read", "upload", "pypi_submit"})

Given = Any
"""Whatever devpi-server and pyramid pass; they have no types."""


class DevpiHooks:
    """Registered with the plugin manager of one server; see devpi_server.hookspecs."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @hookimpl(tryfirst=True)
    def devpiserver_get_identity(self, request: Given, credentials: Given) -> Given:  # noqa: ARG002 - of the hook
        """A visitor is nobody else, and no password is checked for it."""
        visitor = visitor_of(request)
        return None if visitor is None else TokenIdentity(visitor)

    @hookimpl
    def devpiserver_auth_denials(
        self,
        request: Given,
        acl: Given,
        user: Given,  # noqa: ARG002 - of the hook
        stage: Given,  # noqa: ARG002 - of the hook
    ) -> Given:
        """A visitor has no permission but what was admitted, whatever everybody may do."""
        visitor = visitor_of(request)
        if visitor is None:
            return None
        kept = UPLOADING if visitor.uploads else READING
        return {(Everyone, permission) for _, _, permission in acl if permission not in kept}

    @hookimpl(tryfirst=True)
    def devpiserver_stage_get_principals_for_pkg_read(self, ixconfig: Given) -> Given:
        """A visitor may read the index: what of it, the enforcement has decided by then."""
        request = get_current_request()
        visitor = None if request is None else visitor_of(request)
        if visitor is None:
            return None
        # An index from before the option is open to all.
        return {*ixconfig.get(ACL_KEY, (ANONYMOUS,)), username_of(visitor)}

    @hookimpl
    def devpiserver_sro_skip(self, stage: Given, base_stage: Given) -> Given:
        """Nobody reads a closed index by inheriting from it, unless somebody answers for that.

        And no visitor is given anything of a mirror for a project that is the vendor's.
        """
        request = get_current_request()
        visitor = None if request is None else visitor_of(request)
        if visitor is not None:
            if stage.name in visitor.alone and base_stage.ixconfig["type"] == "mirror":
                return True
            return None if sees_base(self._site, visitor, stage, base_stage) else True
        if request is None or is_open(base_stage):
            return None
        request.environ[SHIELDED] = True
        return None if request.has_permission("pkg_read", base_stage) else True

    @hookimpl
    def devpiserver_stage_created(self, stage: Given) -> None:
        """An index is a repository from its beginning."""
        self._site.core.repositories.ensure([stage.name], actor="devpi-server")

    @hookimpl(tryfirst=True)
    def devpiserver_authcheck_unauthorized(self, request: Given) -> Given:
        """Whether a server in front has to ask for a login."""
        return True if judge(self._site, request) is Verdict.UNAUTHORIZED else None

    @hookimpl(tryfirst=True)
    def devpiserver_authcheck_forbidden(self, request: Given) -> Given:
        """Whether a server in front has to refuse whoever is logged in.

        False ends the asking: devpi would forbid to a stranger what a login may open.
        """
        verdict = judge(self._site, request)
        passes = verdict in {Verdict.PASSES, Verdict.CONFIGURES}
        return None if passes else verdict is Verdict.FORBIDDEN

    @hookimpl
    def devpiserver_get_features(self) -> set[str]:
        """Shown by ``/+api``."""
        return {"entitlements"}

    @hookimpl
    def devpiserver_metrics(self, request: Given) -> Given:  # noqa: ARG002 - of the hook
        """Shown by ``/+status``."""
        return metrics(self._site)
