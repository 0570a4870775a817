"""The one place that lets requests through, between routing and devpi's views.

Requests with a token pass a few routes, each as far as its restriction reaches, and no others.
Everybody else passes as devpi's permissions say; devpi itself asks for ``pkg_read`` only at files.
"""

from __future__ import annotations

from typing import Any, Final

from devpi_server.views import SIMPLE_API_V1_JSON, is_simple_json
from packaging.utils import canonicalize_name

from devpi_entitlements.access import is_open
from devpi_entitlements.authentication import (
    REQUEST_KEY,
    TokenRequest,
    may_be_anonymous,
    token_request_of,
)
from devpi_entitlements.authorization import admit_file, admit_page
from devpi_entitlements.customizers import is_settled
from devpi_entitlements.devpi_types import PyramidEvent, PyramidRequest, Stage
from devpi_entitlements.downloads import send_admitted
from devpi_entitlements.entitled_customizer import EntitledCustomizer, IndexView
from devpi_entitlements.responses import ImmediateResponse, moved, refusal, response_of
from devpi_entitlements.routes import RouteKind, route_kind
from devpi_entitlements.site import Site, site_of
from devpi_entitlements.stages import is_mirror
from devpi_entitlements.uploads import admit_upload
from devpi_entitlements.user_access import Verdict, judge, show_configuration_alone
from devpi_entitlements.vendor_names import keep_to_own
from entitlements_core.http import AuthScheme, read_authorization
from entitlements_core.policy.decide import NOT_FOUND, UNKNOWN, WRONG_LOGIN
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.refusals import problem

__all__ = ["DEVPI_CHALLENGE", "become_anonymous", "enforce", "is_unconcerned"]

DEVPI_CHALLENGE: Final = 'Basic realm="pypi"'
"""As devpi-server asks for a login."""

INSTALLER: Final = "pip/0"
"""Makes devpi render the plain form of a page: without a form whose address shows the secret."""

BARE_LIST: Final = "/{user}/{index}/+simple"
"""A list of projects without the slash that its links need (PEP 503)."""

UNCONCERNED: Final = frozenset({Reason.UNKNOWN_TOKEN, Reason.NOT_FOUND})
"""Refusals that say of a token only that it does not open this."""


def enforce(event: PyramidEvent) -> None:
    """Subscriber of ``ContextFound``: returns, or raises the answer.

    Raises:
        ImmediateResponse: the refusal, or the whole answer where no view of devpi is needed.
    """
    request = event.request
    site = site_of(request)
    token_request = token_request_of(request)
    route = request.matched_route
    kind = None if route is None else route_kind(route.name)
    if token_request is None or not _let_token_holder(site, request, token_request, kind):
        _let_user(site, request, kind)


def _let_token_holder(
    site: Site, request: PyramidRequest, token_request: TokenRequest, kind: RouteKind | None
) -> bool:
    """Whether the token holder may go on as one; False: as anybody else, to what is open to all."""
    reads = token_request.request.reads
    denied: Deny | None = NOT_FOUND
    if kind is RouteKind.PAGE and reads:
        denied = _open_page(site, request, token_request)
    elif kind is RouteKind.FILE and reads:
        denied = _open_file(site, request, token_request)
    elif kind is RouteKind.SUBMIT and request.method == "POST":
        _open_upload(site, request, token_request)
        return True
    if denied is None:
        return True
    if _is_anonymous(site, request, token_request, kind, denied):
        become_anonymous(request.environ)
        return False
    if is_manager(request) and kind not in {RouteKind.PAGE, RouteKind.FILE}:
        raise ImmediateResponse(response_of(_FOR_INSTALLERS))
    transfers = kind is RouteKind.FILE
    raise ImmediateResponse(refusal(denied, token_request, transfers=transfers))


def _is_anonymous(
    site: Site,
    request: PyramidRequest,
    token_request: TokenRequest,
    kind: RouteKind | None,
    denied: Deny,
) -> bool:
    """Whether a token in a header has nothing to say about this address, which is open to all."""
    if kind is RouteKind.LOGIN:
        return token_request.presented.scheme is not AuthScheme.PATH
    if kind not in {RouteKind.PAGE, RouteKind.FILE}:
        return False
    stage = request.context._stage  # noqa: SLF001 - `stage` raises devpi's own 404
    return is_unconcerned(site, token_request, stage, denied)


def is_manager(request: PyramidRequest) -> bool:
    """Whether devpi-client asks, which manages indexes; it says so, or asks for its login.

    Its ``install`` runs pip, which is known by another name.
    """
    return "devpi-client" in (request.user_agent or "")


def is_unconcerned(site: Site, token_request: TokenRequest, stage: Stage, denied: Deny) -> bool:
    """Whether a refused token has nothing to say about an index, which is open to all."""
    if stage is None or denied.reason not in UNCONCERNED:
        return False
    return is_open(stage) and may_be_anonymous(site, token_request, stage.name)


def become_anonymous(environ: dict[str, Any]) -> None:
    """Let a request go on as anybody's.

    The token says nothing to devpi, which would ask a directory service, or pass it on to a mirror.
    """
    del environ[REQUEST_KEY]
    environ.pop("HTTP_AUTHORIZATION", None)


def _open_page(site: Site, request: PyramidRequest, token_request: TokenRequest) -> Deny | None:
    """Let devpi render the page, of what the token holder sees."""
    context = request.context
    repository = f"{context.username}/{context.index}"
    visible = token_request.visible
    if visible is None or visible.repository != repository:
        # `project` redirects to the normalised name, within the token's own addresses.
        found = admit_page(site, token_request, repository, context.project)
        if isinstance(found, Deny):
            return found
        visible = token_request.visible = found
    stage = context._stage  # noqa: SLF001 - `stage` raises devpi's own 404
    if stage is None:
        return UNKNOWN
    if request.matched_route.name == BARE_LIST:
        path = token_request.page_path or request.path_info
        raise ImmediateResponse(moved(path, f"{path}/"))
    # By all that it inherits from: a reservation is no commit of devpi's.
    token_request.is_settled = token_request.page_key is not None and is_settled(stage)
    of_project = context.project is not None
    if of_project:
        keep_to_own(site, token_request, stage, canonicalize_name(context.project))
    window = IndexView(stage, visible, site.file_facts)
    customizer = EntitledCustomizer(stage.customizer, window, of_project=of_project)
    stage.customizer = customizer
    token_request.is_empty = lambda: of_project and not customizer.shown
    request.environ["HTTP_USER_AGENT"] = INSTALLER
    # Without an Accept that it knows, devpi answers with a type that no client reads, and that
    # would be remembered.
    is_json = bool(is_simple_json(request))  # type: ignore[no-untyped-call] # devpi's own
    request.environ["HTTP_ACCEPT"] = SIMPLE_API_V1_JSON if is_json else "text/html"
    if token_request.page_path:
        request.environ["PATH_INFO"] = token_request.page_path
    return None


def _open_file(site: Site, request: PyramidRequest, token_request: TokenRequest) -> Deny | None:
    """Answer with the file; or let devpi do it, where the file is not on this disk."""
    stage = request.context._stage  # noqa: SLF001 - `stage` raises devpi's own 404
    path = request.path_info.strip("/")
    found = NOT_FOUND if "#" in path else admit_file(site, token_request, stage, path)
    if isinstance(found, Deny):
        return found
    response = send_admitted(site, token_request, found)
    if response is not None:
        raise ImmediateResponse(response)
    token_request.awaited = found
    _forget_headers(request.environ)
    _fetch_with_credentials(site, stage)
    return None


def _forget_headers(environ: dict[str, Any]) -> None:
    """Leave nothing of the client's headers: devpi asks upstream for core metadata with them.

    The secret is among them, and a range or a condition would spoil the answer.
    """
    for name in [name for name in environ if name.startswith(("HTTP_", "CONTENT_"))]:
        if name != "HTTP_HOST":
            del environ[name]
    # With JSON devpi would answer who uploaded the file, and when.
    environ["HTTP_ACCEPT"] = "*/*"


def _open_upload(site: Site, request: PyramidRequest, token_request: TokenRequest) -> None:
    refused = admit_upload(site, request, token_request)
    if refused is not None:
        raise ImmediateResponse(refused)


def _let_user(site: Site, request: PyramidRequest, kind: RouteKind | None) -> None:
    verdict = judge(site, request)
    if verdict is Verdict.UNAUTHORIZED:
        response = response_of(_WRONG if _tried(request.environ) else _LOGIN)
        response.headers["WWW-Authenticate"] = DEVPI_CHALLENGE
        raise ImmediateResponse(response)
    if verdict is Verdict.FORBIDDEN:
        raise ImmediateResponse(response_of(_FORBIDDEN))
    if verdict is Verdict.CONFIGURES:
        show_configuration_alone(request.environ, request.context._stage)  # noqa: SLF001 - see above
    if kind is RouteKind.FILE:
        _fetch_with_credentials(site, request.context._stage)  # noqa: SLF001 - see above


def _tried(environ: dict[str, Any]) -> bool:
    """Whether a user name and a password were sent that devpi does not take."""
    presented = read_authorization(environ.get("HTTP_AUTHORIZATION"))
    return presented is not None and presented.names_account and "HTTP_X_DEVPI_AUTH" not in environ


def _fetch_with_credentials(site: Site, stage: Stage) -> None:
    """Let a replica fetch a private file from its primary as a replica, and not as a stranger."""
    if stage is None or not site.xom.is_replica() or is_mirror(stage):
        return
    if site.lockdown or not is_open(stage):
        stage.http = site.xom.replica_thread.http


_LOGIN: Final = problem(
    401,
    "Login or entitlement token required",
    "Give a devpi user and password, or an entitlement token as the password.",
    code="unauthorized",
)
_WRONG: Final = problem(401, WRONG_LOGIN.title, WRONG_LOGIN.remedy, code=WRONG_LOGIN.reason.value)
_FOR_INSTALLERS: Final = problem(
    403,
    "An entitlement token is for pip, uv or twine; devpi needs a login",
    "Give the address that ends with /+simple/ to an installer, or use devpi with a user of devpi.",
    code="not_for_devpi_client",
)
_FORBIDDEN: Final = problem(
    403,
    "Reading this index is forbidden",
    "Ask its owner to add you to acl_pkg_read.",
    code="forbidden",
)
