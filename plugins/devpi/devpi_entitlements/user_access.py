"""Requests without one of our secrets: devpi's own permissions, kept at every route of an index."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from devpi_entitlements.access import ANONYMOUS, is_open
from devpi_entitlements.devpi_types import PyramidRequest, Stage
from devpi_entitlements.routes import RouteKind, route_kind
from devpi_entitlements.site import Site

__all__ = ["SHIELDED", "Verdict", "judge", "show_configuration_alone"]

SHIELDED: Final = "entitlements.shielded"
"""Set in the environment when an answer depends on who asks, so that no cache may share it."""

LOCKDOWN_HEADER: Final = "X-Entitlements-Lockdown"
"""Set by a server in front where devpi-lockdown asks for a login; it can only close."""

READING: Final = frozenset({"GET", "HEAD"})
CONFIGURATION: Final = frozenset({"/{user}/{index}", "/{user}/{index}/"})
RELEASES: Final = frozenset({"/{user}/{index}/{project}", "/{user}/{index}/{project}/{version}"})
CHANGING: Final = frozenset({"PUT", "PATCH", "DELETE"})


class Verdict(Enum):
    """What devpi's permissions say of a request."""

    PASSES = "passes"
    UNAUTHORIZED = "unauthorized"
    """Somebody might, but nobody has logged in."""
    FORBIDDEN = "forbidden"
    CONFIGURES = "configures"
    """Passes, to the configuration of an index that is closed to this user."""


def judge(site: Site, request: PyramidRequest) -> Verdict:
    """Whether a request may go on to devpi's view, which may still ask for more.

    An open index costs nothing: nobody's password is checked to see it. The routes that log
    somebody in find out the identity by themselves; asking for it here would break every login.
    """
    route = request.matched_route
    kind = None if route is None else route_kind(route.name)
    if route is None or kind in {RouteKind.LOGIN, RouteKind.REPLICA}:
        return Verdict.PASSES
    context = request.context
    stage = context._stage if context.index else None  # noqa: SLF001 - `stage` raises devpi's 404
    if stage is not None and not is_open(stage):
        request.environ[SHIELDED] = True
        return _of_closed(request, stage)
    if site.lockdown or LOCKDOWN_HEADER in request.headers:
        request.environ[SHIELDED] = True
        return _verdict(request, passes=request.identity is not None)
    return Verdict.PASSES


def _verdict(request: PyramidRequest, *, passes: bool) -> Verdict:
    if passes:
        return Verdict.PASSES
    return Verdict.UNAUTHORIZED if request.identity is None else Verdict.FORBIDDEN


def show_configuration_alone(environ: dict[str, Any], stage: Stage) -> None:
    """Let devpi show an index without its projects, and in the one form that shows nothing else."""
    environ["HTTP_ACCEPT"] = "application/json"
    stage.list_projects_perstage = dict


def _of_closed(request: PyramidRequest, stage: Stage) -> Verdict:
    """Whoever reads an index passes; who uploads to it or changes it does so, unseeing."""
    if request.has_permission("pkg_read", stage):
        return Verdict.PASSES
    if _may_attach_results(request, stage):
        return Verdict.PASSES
    if any(request.has_permission(permission, stage) for permission in ("upload", "index_modify")):
        if request.method in READING and request.matched_route.name in CONFIGURATION:
            return Verdict.CONFIGURES
        if _writes(request):
            return Verdict.PASSES
    return _verdict(request, passes=False)


def _writes(request: PyramidRequest) -> bool:
    """Whether a request only changes an index, and tells nothing of what is in it.

    Each by its route and method, since devpi's views of pages and files answer other methods as
    they answer GET. A push and a search are sent to an index with POST as well, and they do tell.
    """
    route, method = request.matched_route.name, request.method
    if route in CONFIGURATION:
        return method in CHANGING or (method == "POST" and bool(request.POST.get(":action")))
    if route_kind(route) is RouteKind.FILE:
        return method in {"POST", "DELETE"}
    return method == "DELETE" and route in RELEASES


def _may_attach_results(request: PyramidRequest, stage: Stage) -> bool:
    """Whether test results may be attached by somebody who reads nothing.

    devpi lets everybody attach some unless it is told otherwise; that is no answer to who may reach
    a closed index.
    """
    if request.method != "POST" or route_kind(request.matched_route.name) is not RouteKind.FILE:
        return False
    named = ANONYMOUS not in stage.customizer.get_principals_for_toxresult_upload()
    return named and bool(request.has_permission("toxresult_upload", stage))
