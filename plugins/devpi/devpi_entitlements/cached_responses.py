"""Answers that were found before, at the same serial of devpi, after the same decision.

Nothing in here lets anybody in: a token is authenticated and decided about on each request. What is
spared is devpi's transaction, its look-ups and its rendering.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Final

from devpi_server.views import is_simple_json
from packaging.utils import canonicalize_name

from devpi_entitlements.authentication import (
    TokenRequest,
    VisibleRepository,
    may_be_anonymous,
    opened_by,
)
from devpi_entitlements.authorization import admit_page, file_key, see
from devpi_entitlements.devpi_types import PyramidRequest, PyramidResponse
from devpi_entitlements.downloads import send_local
from devpi_entitlements.responses import refusal, response_of
from devpi_entitlements.site import Site
from entitlements_core.policy.decide import decide
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.resource import DistributionFile

__all__ = ["cached_response"]

log: Final = logging.getLogger("entitlements.devpi")


PAGE: Final = re.compile(r"/(?P<index>[^+/]+/[^+/]+)/\+simple/(?:(?P<project>[^+/]+)/)?")
FILE: Final = re.compile(r"/(?P<path>(?P<index>[^+/]+/[^+/]+)/\+f/[^#]+)")
"""The forms of address that are remembered; every other goes the long way."""


def cached_response(
    site: Site, request: PyramidRequest, token_request: TokenRequest
) -> PyramidResponse | None:
    """The answer to a request whose page or file was found before; None: it has to be found."""
    if not token_request.request.reads:
        return None
    path: str = request.environ["PATH_INFO"]
    page = PAGE.fullmatch(path)
    if page is not None:
        return _page(site, request, token_request, page["index"], page["project"])
    file = FILE.fullmatch(path)
    if file is not None:
        return _file(site, request, token_request, file["index"], file["path"])
    return None


def _page(
    site: Site,
    request: PyramidRequest,
    token_request: TokenRequest,
    index: str,
    project: str | None,
) -> PyramidResponse | None:
    if project is not None and project != canonicalize_name(project):
        return None
    visible = admit_page(site, token_request, index, project)
    if not isinstance(visible, Deny):
        token_request.visible = visible
        return _rendered(site, request, token_request, visible, project)
    if may_be_anonymous(site, token_request, index):
        return None
    return refusal(visible, token_request, transfers=False)


def _rendered(
    site: Site,
    request: PyramidRequest,
    token_request: TokenRequest,
    visible: VisibleRepository,
    project: str | None,
) -> PyramidResponse | None:
    if visible.key is None:
        return None
    # Equal links in both: those of the alias begin elsewhere.
    aliased = bool(token_request.page_path)
    key = (visible.repository, project, visible.key, aliased, _is_json(request))
    token_request.page_key = key
    page = site.pages.recall(key, site.serial)
    if page is None:
        return None
    log.info("%s %s (remembered)", request.method, request.path)
    return response_of(page.response(token_request.request))


def _is_json(request: PyramidRequest) -> bool:
    """Which of its two forms devpi would give; clients send few different headers."""
    accept = request.environ.get("HTTP_ACCEPT")
    known = _FORMS.get(accept)
    if known is None:
        known = bool(is_simple_json(request))  # type: ignore[no-untyped-call] # devpi's own
        if len(_FORMS) >= MOST_FORMS:
            _FORMS.clear()
        _FORMS[accept] = known
    return known


_FORMS: Final[dict[str | None, bool]] = {}
MOST_FORMS: Final = 256


def _file(
    site: Site, request: PyramidRequest, token_request: TokenRequest, index: str, path: str
) -> PyramidResponse | None:
    for visible in _seen(site, token_request, index):
        key = file_key(visible, path)
        found = None if key is None else site.files.recall(key, site.serial)
        if found is None:
            continue
        facts, file = found
        question = visible.caller.question(DistributionFile(facts))
        if isinstance(decide(question), Deny):
            return None  # another grant may allow it, and the long way knows which refusal counts
        vetoed = site.gate.ask_vetoes(question)
        if isinstance(vetoed, Deny):
            return refusal(vetoed, token_request, transfers=True)
        log.info("%s %s (remembered)", request.method, request.path)
        return send_local(site, token_request, question, file)
    return None


def _seen(site: Site, token_request: TokenRequest, index: str) -> Iterator[VisibleRepository]:
    """The repositories in which a file may have been found, that of its address first."""
    here = see(site, token_request, index)
    if not isinstance(here, Deny):
        yield here
    opened = opened_by(site, token_request)
    for repository in () if isinstance(opened, Deny) else opened:
        visible = here if repository == index else see(site, token_request, repository)
        if visible is not here and not isinstance(visible, Deny):
            yield visible
