"""Who asks with one of our secrets, and what was found out about the request so far."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from devpi_entitlements.devpi_types import PyramidRequest
from devpi_entitlements.site import Site
from entitlements_core.http import (
    TOKEN_USERS,
    AuthScheme,
    Presented,
)
from entitlements_core.policy import secret as secrets
from entitlements_core.policy.decide import Question, RequestContext
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.visibility import Visibility
from entitlements_core.services.gate import Caller
from entitlements_core.wsgi import Request

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

__all__ = [
    "REQUEST_KEY",
    "AdmittedFile",
    "TokenRequest",
    "VisibleRepository",
    "may_be_anonymous",
    "opened_by",
    "read_token_request",
    "token_request_of",
]

REQUEST_KEY: Final = "entitlements.token_request"
"""The key in a WSGI environment; no header of a client can reach it."""


@dataclass(frozen=True, slots=True)
class VisibleRepository:
    """A repository as a credential sees it at the moment of the request.

    Attributes:
        caller: the credential, in this repository.
        visibility: what it sees.
    """

    caller: Caller
    visibility: Visibility

    @property
    def repository(self) -> str:
        """``user/index``."""
        return self.caller.repository

    @property
    def key(self) -> Hashable | None:
        """Whoever has this key sees the repository alike at one serial; None: more decides.

        Which bases are seen follows from devpi's commits, and from who answers for them.
        """
        if self.visibility.key is None:
            return None
        credential = self.caller.credential
        grant = credential.grant_in(self.repository)
        recorded = None if grant is None else grant.bases
        return self.visibility.key, credential.user, None if credential.user else recorded


@dataclass(frozen=True, slots=True)
class AdmittedFile:
    """A file that may be read.

    Attributes:
        question: that was answered with yes; a download is reserved with it.
        path: ``user/index/+f/…/filename``.
        is_metadata: only the core metadata of the file are asked for.
        key: under which the file may be remembered, or None.
        arrives_whole: devpi answers with the file, though only its metadata are asked for: a
            replica that has not got it yet does.
        entry: of devpi's file store.
    """

    question: Question
    path: str
    is_metadata: bool
    arrives_whole: bool
    key: Hashable | None
    entry: Any


@dataclass(slots=True)
class TokenRequest:
    """A request with one of our secrets.

    Attributes:
        request: as an index reads it; its environment is pyramid's, and changes on the way.
        presented: the secret.
        now: the moment of the request.
        user_agent: as the client sent it; devpi is told another one.
        opened: the repositories that the secret opens; see `opened_by`.
        page_path: the path that the links of a page are relative to, where that is another one
            than devpi is asked for (the alias).
        page_key: under which the page may be remembered, or None.
        is_empty: whether a page of a project turned out to show nothing.
        is_settled: the page depends on devpi's commits alone, and not on a mirror.
        visible: of a page: what may be shown on it.
        known: what was found out of the repositories that were looked at, by their names.
        bases: whether an index's base is seen, by the names of both.
        alone: indexes whose mirrors are left out, since the project that the request is about is
            the vendor's.
        awaited: the file that a view of devpi is to answer with.
        uploads: an upload was checked, and may be stored.
        identifier: of the token, once it is known; for devpi's log.
    """

    request: Request
    presented: Presented
    now: datetime
    user_agent: str
    opened: tuple[str, ...] | Deny | None = None
    page_path: str = ""
    page_key: Hashable | None = None
    is_empty: Callable[[], bool] = bool
    is_settled: bool = False
    visible: VisibleRepository | None = None
    known: dict[str, VisibleRepository] = field(default_factory=dict)
    bases: dict[tuple[str, str], bool] = field(default_factory=dict)
    alone: set[str] = field(default_factory=set)
    awaited: AdmittedFile | None = None
    uploads: bool = False
    identifier: str = ""

    def context(self, repository: str) -> RequestContext:
        """The request as the policy knows it; one that reads."""
        return RequestContext(repository=repository, address=self.request.address)


def token_request_of(request: PyramidRequest) -> TokenRequest | None:
    """What was found of a pyramid request with a token; None for users of devpi and for nobody."""
    found: TokenRequest | None = request.environ.get(REQUEST_KEY)
    return found


def read_token_request(
    site: Site, environ: WSGIEnvironment, *, method: str | None = None, path: str | None = None
) -> tuple[TokenRequest | None, str]:
    """The token request of a WSGI environment, and the path without the secret.

    A secret in the path is always ours, and wins over everything else. devpi's own login
    (``X-Devpi-Auth``) wins over what a netrc adds to every request to a host. What else comes in a
    header may as well be the password of a user of devpi, or the bearer with which a replica shows
    itself: it is ours if it opens anything, or if it can be nothing else. Either way no password is
    hashed to find out.

    Args:
        site: of the server.
        environ: of WSGI; not changed.
        method: where it is another one than that of `environ`.
        path: decoded, where it is another one than that of `environ`.
    """
    request = Request.of(environ, site.core.addresses.of, method=method, path=path)
    presented = request.presented
    if presented is None or (
        presented.scheme is not AuthScheme.PATH and "HTTP_X_DEVPI_AUTH" in environ
    ):
        return None, request.path
    found = TokenRequest(
        request=request, presented=presented, now=site.now(), user_agent=request.user_agent
    )
    return (found if _is_ours(site, found) else None), request.path


def _is_ours(site: Site, token_request: TokenRequest) -> bool:
    presented = token_request.presented
    if (
        presented.scheme is AuthScheme.PATH
        or _is_announced(site, presented)
        or secrets.looks_generated(presented.secret)
    ):
        return True
    known = site.gate.repositories(
        presented, token_request.request.address, token_request.now, only_tokens=False
    )
    if isinstance(known, Deny):
        return False
    token_request.opened = known
    return True


def _is_announced(site: Site, presented: Presented) -> bool:
    """Whether the user name of basic auth says that a token comes with it.

    What stands alone may as well be devpi's root, who has no password at first, or a token of
    devpi-tokens; unless it is spelled like one of ours, or like a variable for one.
    """
    if presented.scheme is not AuthScheme.BASIC or presented.username not in TOKEN_USERS:
        return False
    secret, named = presented.secret, bool(presented.username)
    foreign = site.core.plugins.implements("entitlements_find_credential")
    return named or foreign or secrets.may_exist(secret) or secret.startswith("${")


def opened_by(site: Site, token_request: TokenRequest) -> tuple[str, ...] | Deny:
    """The repositories that a token holder's secret opens; looked up once for a request.

    A secret that is good for another index is no guess, and one that is a guess counts once.
    """
    if token_request.opened is None:
        token_request.opened = site.gate.repositories(
            token_request.presented, token_request.request.address, token_request.now
        )
    return token_request.opened


def may_be_anonymous(site: Site, token_request: TokenRequest, repository: str) -> bool:
    """Whether a token holder who is refused here can go on like anybody else.

    A netrc names a host, so clients send its token to all indexes there, also to open ones that it
    was not made for. A secret in the path was put there on purpose, and so was a grant.
    """
    if token_request.presented.scheme is AuthScheme.PATH:
        return False
    opened = opened_by(site, token_request)
    return isinstance(opened, Deny) or repository not in opened
