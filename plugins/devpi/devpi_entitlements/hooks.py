"""The hooks of one configured devpi-server."""

from __future__ import annotations

from typing import Final

from devpi_server.config import hookimpl
from pyramid.authorization import Everyone
from pyramid.threadlocal import get_current_request

from devpi_entitlements.access import ACL_KEY, ANONYMOUS, is_open
from devpi_entitlements.authentication import token_request_of
from devpi_entitlements.bases import sees_base
from devpi_entitlements.devpi_types import HookValue
from devpi_entitlements.identity import TokenIdentity, username_of
from devpi_entitlements.metrics import metrics
from devpi_entitlements.site import Site
from devpi_entitlements.stages import is_mirror
from devpi_entitlements.user_access import SHIELDED, Verdict, judge
from entitlements_core.policy.actor import Actor, ActorKind

__all__ = ["DevpiHooks"]

READING: Final = frozenset({"pkg_read"})
UPLOADING: Final = frozenset({"pkg_read", "upload", "pypi_submit"})


class DevpiHooks:
    """Registered with the plugin manager of one server; see devpi_server.hookspecs."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @hookimpl(tryfirst=True)
    def devpiserver_get_identity(self, request: HookValue, credentials: HookValue) -> HookValue:  # noqa: ARG002 - of the hook
        """A token holder is nobody else, and no password is checked for it."""
        token_request = token_request_of(request)
        return None if token_request is None else TokenIdentity(token_request)

    @hookimpl
    def devpiserver_auth_denials(
        self,
        request: HookValue,
        acl: HookValue,
        user: HookValue,  # noqa: ARG002 - of the hook
        stage: HookValue,  # noqa: ARG002 - of the hook
    ) -> HookValue:
        """A token holder has no permission but what was admitted, whatever everybody may do."""
        token_request = token_request_of(request)
        if token_request is None:
            return None
        kept = UPLOADING if token_request.uploads else READING
        return {(Everyone, permission) for _, _, permission in acl if permission not in kept}

    @hookimpl(tryfirst=True)
    def devpiserver_stage_get_principals_for_pkg_read(self, ixconfig: HookValue) -> HookValue:
        """A token holder may read the index: what of it, the enforcement has decided by then."""
        request = get_current_request()
        token_request = None if request is None else token_request_of(request)
        if token_request is None:
            return None
        # An index from before the option is open to all.
        return {*ixconfig.get(ACL_KEY, (ANONYMOUS,)), username_of(token_request)}

    @hookimpl
    def devpiserver_sro_skip(self, stage: HookValue, base_stage: HookValue) -> HookValue:
        """Nobody reads a closed index by inheriting from it, unless somebody answers for that.

        And no token holder is given anything of a mirror for a project that is the vendor's.
        """
        request = get_current_request()
        token_request = None if request is None else token_request_of(request)
        if token_request is not None:
            if stage.name in token_request.alone and is_mirror(base_stage):
                return True
            return None if sees_base(self._site, token_request, stage, base_stage) else True
        if request is None or is_open(base_stage):
            return None
        request.environ[SHIELDED] = True
        return None if request.has_permission("pkg_read", base_stage) else True

    @hookimpl
    def devpiserver_stage_created(self, stage: HookValue) -> None:
        """An index is a repository from its beginning."""
        self._site.core.repositories.ensure(
            [stage.name], actor=Actor("devpi-server", ActorKind.SERVICE)
        )

    @hookimpl(tryfirst=True)
    def devpiserver_authcheck_unauthorized(self, request: HookValue) -> HookValue:
        """Whether a server in front has to ask for a login."""
        return True if judge(self._site, request) is Verdict.UNAUTHORIZED else None

    @hookimpl(tryfirst=True)
    def devpiserver_authcheck_forbidden(self, request: HookValue) -> HookValue:
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
    def devpiserver_metrics(self, request: HookValue) -> HookValue:  # noqa: ARG002 - of the hook
        """Shown by ``/+status``."""
        return metrics(self._site)
