"""The one place that lets requests through, between routing and devpi's views.

Visitors with a token pass a few routes, each as far as its restriction reaches, and no others.
Everybody else passes as devpi's permissions say; devpi itself asks for ``pkg_read`` only at files.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from devpi_entitlements.admission import admit_file, admit_page
from devpi_entitlements.answers import Answered, moved, refusal, response_of
from devpi_entitlements.filtering import EntitledCustomizer, Window
from devpi_entitlements.routes import Door, door_of
from devpi_entitlements.sending import send_file
from devpi_entitlements.site import Site, site_of
from devpi_entitlements.uploads import admit_upload
from devpi_entitlements.users import Verdict, judge
from devpi_entitlements.visitor import Visitor, visitor_of
from entitlements_core.http import problem
from entitlements_core.policy.decide import NOT_FOUND
from entitlements_core.policy.decision import Deny

__all__ = ["DEVPI_CHALLENGE", "INSTALLER", "enforce"]

DEVPI_CHALLENGE: Final = 'Basic realm="pypi"'
"""As devpi-server asks for a login."""

INSTALLER: Final = "pip/0"
"""Makes devpi render the plain form of a page: without a form whose address shows the secret."""

BARE_LIST: Final = "/{user}/{index}/+simple"
"""A list of projects without the slash that its links need (PEP 503)."""

READING: Final = frozenset({"GET", "HEAD"})

Request = Any


def enforce(event: Any) -> None:  # noqa: ANN401 - of pyramid
    """Subscriber of ``ContextFound``: returns, or raises the answer.

    Raises:
        Answered: carries the refusal, or the whole answer where no view of devpi is needed.
    """
    request = event.request
    site = site_of(request)
    visitor = visitor_of(request)
    route = request.matched_route
    door = None if route is None else door_of(route.name)
    if visitor is not None:
        _let_visitor(site, request, visitor, door)
    else:
        _let_user(site, request, door)


def _let_visitor(site: Site, request: Request, visitor: Visitor, door: Door | None) -> None:
    head = request.method == "HEAD"
    if door is Door.PAGE and request.method in READING:
        _open_page(site, request, visitor)
    elif door is Door.FILE and request.method in READING:
        _open_file(site, request, visitor)
    elif door is Door.SUBMIT and request.method == "POST":
        denied = admit_upload(site, request, visitor)
        if denied is not None:
            raise Answered(denied)
    else:
        raise Answered(refusal(NOT_FOUND, visitor.presented, transfers=False, head=head))


def _open_page(site: Site, request: Request, visitor: Visitor) -> None:
    """Let devpi render the page, of what the visitor sees."""
    context = request.context
    repository = f"{context.username}/{context.index}"
    head = request.method == "HEAD"
    seen = visitor.seen
    if seen is None or seen.repository != repository:
        # `project` redirects to the normalised name, within the token's own addresses.
        found = admit_page(site, visitor, repository, context.project)
        if isinstance(found, Deny):
            raise Answered(refusal(found, visitor.presented, transfers=False, head=head))
        seen = visitor.seen = found
    stage = context._stage  # noqa: SLF001 - `stage` raises devpi's own 404
    if stage is None:
        raise Answered(refusal(NOT_FOUND, visitor.presented, transfers=False, head=head))
    if request.matched_route.name == BARE_LIST:
        path = quote(visitor.page_path or request.path_info, safe="/+@")
        raise Answered(moved(f"{request.application_url}{path}/"))
    visitor.is_settled = all(one.ixconfig["type"] != "mirror" for one in stage.sro())
    if not isinstance(stage.customizer, EntitledCustomizer):
        window = Window(stage, seen, site.knowledge)
        stage.customizer = EntitledCustomizer(stage.customizer, window)
    request.environ["HTTP_USER_AGENT"] = INSTALLER
    if visitor.page_path:
        request.environ["PATH_INFO"] = visitor.page_path


def _open_file(site: Site, request: Request, visitor: Visitor) -> None:
    """Answer with the file; or let devpi do it, where the file is not on this disk."""
    stage = request.context._stage  # noqa: SLF001 - `stage` raises devpi's own 404
    path = request.path_info.strip("/")
    found = NOT_FOUND if "#" in path else admit_file(site, visitor, stage, path)
    head = request.method == "HEAD"
    if isinstance(found, Deny):
        raise Answered(refusal(found, visitor.presented, transfers=True, head=head))
    response = send_file(site, visitor, found, request.environ)
    if response is not None:
        raise Answered(response)
    visitor.awaited = found
    # With JSON devpi would answer who uploaded the file, and when.
    request.environ["HTTP_ACCEPT"] = "*/*"
    _fetch_with_credentials(site, stage)


def _let_user(site: Site, request: Request, door: Door | None) -> None:
    verdict = judge(site, request)
    if verdict is Verdict.UNAUTHORIZED:
        response = response_of(_LOGIN)
        response.headers["WWW-Authenticate"] = DEVPI_CHALLENGE
        raise Answered(response)
    if verdict is Verdict.FORBIDDEN:
        raise Answered(response_of(_FORBIDDEN))
    if door is Door.FILE:
        _fetch_with_credentials(site, request.context._stage)  # noqa: SLF001 - see above


def _fetch_with_credentials(site: Site, stage: Any) -> None:  # noqa: ANN401 - of devpi-server
    """Let a replica fetch a private file from its primary as a replica, and not as a stranger."""
    if stage is not None and site.xom.is_replica() and stage.ixconfig["type"] != "mirror":
        stage.http = site.xom.replica_thread.http


_LOGIN: Final = problem(
    401,
    "Login or entitlement token required",
    "Give a devpi user and password, or an entitlement token as the password.",
    code="unauthorized",
)
_FORBIDDEN: Final = problem(
    403,
    "Reading this index is forbidden",
    "Ask its owner to add you to acl_pkg_read.",
    code="forbidden",
)
