"""The one place that lets requests through, between routing and devpi's views.

Visitors with a token pass a few routes, each as far as its restriction reaches, and no others.
Everybody else passes as devpi's permissions say; devpi itself asks for ``pkg_read`` only at files.
"""

from __future__ import annotations

from typing import Any, Final

from devpi_server.views import SIMPLE_API_V1_JSON, is_simple_json
from packaging.utils import canonicalize_name

from devpi_entitlements.access import is_open
from devpi_entitlements.admission import admit_file, admit_page
from devpi_entitlements.answers import Answered, moved, refusal, response_of
from devpi_entitlements.customizers import is_settled
from devpi_entitlements.filtering import EntitledCustomizer, Window
from devpi_entitlements.routes import Door, door_of
from devpi_entitlements.sending import send_file
from devpi_entitlements.site import Site, site_of
from devpi_entitlements.uploads import admit_upload
from devpi_entitlements.users import Verdict, judge, show_configuration_alone
from devpi_entitlements.vendor_names import keep_to_own
from devpi_entitlements.visitor import VISITOR, Visitor, may_be_stranger, visitor_of
from entitlements_core.http import Form, problem, read_authorization
from entitlements_core.policy.decide import NOT_FOUND, UNKNOWN, WRONG_LOGIN
from entitlements_core.policy.decision import Deny, Reason

__all__ = ["DEVPI_CHALLENGE", "INSTALLER", "become_stranger", "enforce", "is_unconcerned"]

DEVPI_CHALLENGE: Final = 'Basic realm="pypi"'
"""As devpi-server asks for a login."""

INSTALLER: Final = "pip/0"
"""Makes devpi render the plain form of a page: without a form whose address shows the secret."""

BARE_LIST: Final = "/{user}/{index}/+simple"
"""A list of projects without the slash that its links need (PEP 503)."""

READING: Final = frozenset({"GET", "HEAD"})
UNCONCERNED: Final = frozenset({Reason.UNKNOWN_TOKEN, Reason.NOT_FOUND})
"""Refusals that say of a token only that it does not open this."""

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
    if visitor is None or not _let_visitor(site, request, visitor, door):
        _let_user(site, request, door)


def _let_visitor(site: Site, request: Request, visitor: Visitor, door: Door | None) -> bool:
    """Whether the visitor may go on as one; False: as anybody else, to what is open to all."""
    reads = request.method in READING
    denied: Deny | None = NOT_FOUND
    if door is Door.PAGE and reads:
        denied = _open_page(site, request, visitor)
    elif door is Door.FILE and reads:
        denied = _open_file(site, request, visitor)
    elif door is Door.SUBMIT and request.method == "POST":
        _open_upload(site, request, visitor)
        return True
    if denied is None:
        return True
    if _is_stranger(site, request, visitor, door, denied):
        become_stranger(request.environ)
        return False
    head = request.method == "HEAD"
    if is_manager(request) and door not in {Door.PAGE, Door.FILE}:
        raise Answered(response_of(_FOR_INSTALLERS))
    transfers = door is Door.FILE
    raise Answered(refusal(denied, visitor, transfers=transfers, head=head))


def _is_stranger(
    site: Site, request: Request, visitor: Visitor, door: Door | None, denied: Deny
) -> bool:
    """Whether a token in a header has nothing to say about this address, which is open to all."""
    if door is Door.LOGIN:
        return visitor.presented.form is not Form.PATH
    if door not in {Door.PAGE, Door.FILE}:
        return False
    stage = request.context._stage  # noqa: SLF001 - `stage` raises devpi's own 404
    return is_unconcerned(site, visitor, stage, denied)


def is_manager(request: Request) -> bool:
    """Whether devpi-client asks, which manages indexes; it says so, or asks for its login.

    Its ``install`` runs pip, which is known by another name.
    """
    return "devpi-client" in (request.user_agent or "")


def is_unconcerned(site: Site, visitor: Visitor, stage: Any, denied: Deny) -> bool:  # noqa: ANN401 - of devpi-server
    """Whether a refused token has nothing to say about an index, which is open to all."""
    if stage is None or denied.reason not in UNCONCERNED:
        return False
    return is_open(stage) and may_be_stranger(site, visitor, stage.name)


def become_stranger(environ: dict[str, Any]) -> None:
    """Let a request go on as anybody's.

    The token says nothing to devpi, which would ask a directory service, or pass it on to a mirror.
    """
    del environ[VISITOR]
    environ.pop("HTTP_AUTHORIZATION", None)


def _open_page(site: Site, request: Request, visitor: Visitor) -> Deny | None:
    """Let devpi render the page, of what the visitor sees."""
    context = request.context
    repository = f"{context.username}/{context.index}"
    seen = visitor.seen
    if seen is None or seen.repository != repository:
        # `project` redirects to the normalised name, within the token's own addresses.
        found = admit_page(site, visitor, repository, context.project)
        if isinstance(found, Deny):
            return found
        seen = visitor.seen = found
    stage = context._stage  # noqa: SLF001 - `stage` raises devpi's own 404
    if stage is None:
        return UNKNOWN
    if request.matched_route.name == BARE_LIST:
        path = visitor.page_path or request.path_info
        raise Answered(moved(path, f"{path}/"))
    # By all that it inherits from: a reservation is no commit of devpi's.
    visitor.is_settled = visitor.page_key is not None and is_settled(stage)
    of_project = context.project is not None
    if of_project:
        keep_to_own(site, visitor, stage, canonicalize_name(context.project))
    window = Window(stage, seen, site.knowledge)
    customizer = EntitledCustomizer(stage.customizer, window, of_project=of_project)
    stage.customizer = customizer
    visitor.is_empty = lambda: of_project and not customizer.shown
    request.environ["HTTP_USER_AGENT"] = INSTALLER
    # Asked for neither form, devpi gives a type that no client reads, and it would be remembered.
    is_json = bool(is_simple_json(request))  # type: ignore[no-untyped-call] # devpi's own
    request.environ["HTTP_ACCEPT"] = SIMPLE_API_V1_JSON if is_json else "text/html"
    if visitor.page_path:
        request.environ["PATH_INFO"] = visitor.page_path
    return None


def _open_file(site: Site, request: Request, visitor: Visitor) -> Deny | None:
    """Answer with the file; or let devpi do it, where the file is not on this disk."""
    stage = request.context._stage  # noqa: SLF001 - `stage` raises devpi's own 404
    path = request.path_info.strip("/")
    found = NOT_FOUND if "#" in path else admit_file(site, visitor, stage, path)
    if isinstance(found, Deny):
        return found
    response = send_file(site, visitor, found, request.environ)
    if response is not None:
        raise Answered(response)
    visitor.awaited = found
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


def _open_upload(site: Site, request: Request, visitor: Visitor) -> None:
    refused = admit_upload(site, request, visitor)
    if refused is not None:
        raise Answered(refused)


def _let_user(site: Site, request: Request, door: Door | None) -> None:
    verdict = judge(site, request)
    if verdict is Verdict.UNAUTHORIZED:
        response = response_of(_WRONG if _tried(request.environ) else _LOGIN)
        response.headers["WWW-Authenticate"] = DEVPI_CHALLENGE
        raise Answered(response)
    if verdict is Verdict.FORBIDDEN:
        raise Answered(response_of(_FORBIDDEN))
    if verdict is Verdict.CONFIGURES:
        show_configuration_alone(request.environ, request.context._stage)  # noqa: SLF001 - see above
    if door is Door.FILE:
        _fetch_with_credentials(site, request.context._stage)  # noqa: SLF001 - see above


def _tried(environ: dict[str, Any]) -> bool:
    """Whether a user name and a password were sent that devpi does not take."""
    presented = read_authorization(environ.get("HTTP_AUTHORIZATION"))
    return presented is not None and presented.names_account and "HTTP_X_DEVPI_AUTH" not in environ


def _fetch_with_credentials(site: Site, stage: Any) -> None:  # noqa: ANN401 - of devpi-server
    """Let a replica fetch a private file from its primary as a replica, and not as a stranger."""
    if stage is None or not site.xom.is_replica() or stage.ixconfig["type"] == "mirror":
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
