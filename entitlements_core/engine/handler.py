"""One authenticated request: from its path to a page, a file or a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from packaging.utils import NormalizedName, canonicalize_name

from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.content_cache import ContentCache
from entitlements_core.engine.downloads import Sender, part_sent_elsewhere, send_file
from entitlements_core.engine.files import is_nameable, open_current
from entitlements_core.engine.pages import Pages
from entitlements_core.engine.reason_links import only_words
from entitlements_core.engine.responses import (
    not_acceptable,
    not_modified,
    redirect,
    refused,
)
from entitlements_core.engine.snapshot import CatalogFile
from entitlements_core.http import etag_matches
from entitlements_core.policy.decide import NOT_FOUND, Question
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.project_names import is_name
from entitlements_core.policy.resource import (
    CoreMetadata,
    DistributionFile,
    ProjectList,
    ProjectPage,
    Resource,
    Unidentified,
)
from entitlements_core.policy.upstream import Upstream
from entitlements_core.policy.visibility import Visibility
from entitlements_core.services.gate import Caller, Gate
from entitlements_core.simple import METADATA_SUFFIX, MediaType, negotiate
from entitlements_core.wsgi import FILE_HEADERS, Request, Response

__all__ = ["Parts", "RequestHandler"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a repository is served with.

    Attributes:
        catalog: of its files.
        pages: renders its pages.
        gate: decides and counts.
        sender: how files are sent.
        bodies: small files in memory.
        upstream: has the projects that are not the vendor's; None: nobody is sent elsewhere.
    """

    catalog: Catalog
    pages: Pages
    gate: Gate
    sender: Sender
    bodies: ContentCache
    upstream: Upstream | None = None


class RequestHandler:
    """One authenticated request.

    Args:
        parts: what the repository is served with.
        request: what is asked for.
        caller: who asks.
        reason_links: see `responses.refused`.
    """

    __slots__ = ("_caller", "_catalog", "_gate", "_parts", "_reason_links", "_request")

    def __init__(
        self, parts: Parts, request: Request, caller: Caller, *, reason_links: bool = True
    ) -> None:
        self._parts = parts
        self._gate = parts.gate
        self._catalog = parts.catalog
        self._request = request
        self._caller = caller
        self._reason_links = reason_links

    def respond(self) -> Response:
        """The response to a GET or HEAD."""
        match self._request.path.split("/"):
            case ["", "simple", ""]:
                return self._list()
            case ["", "simple", name, ""] | ["", "simple", "", name, ""] if name:
                return self._project(name)
            case ["", "simple", name, *words, ""] if words and only_words(words):
                return self._refuse(self._denied(_project_page(name)) or NOT_FOUND)
            case ["", "packages", *words, filename] if only_words(words):
                return self._file(filename)
            case ["", "simple", *bare] if len(bare) <= 1:
                return self._slash(*bare)
        return self._refuse(NOT_FOUND)

    def authorize(self) -> CatalogFile | Deny | None:
        """The file that a server in front may send, or why not; an allowed download is counted.

        Core metadata is allowed without a file, since it lies in none.
        """
        found = self._find(self._request.path.rpartition("/")[2])
        if isinstance(found, Deny):
            return found
        file, question = found
        if isinstance(question.resource, CoreMetadata):
            return None
        opened = open_current(self._catalog, file) if is_nameable(file) else None
        if opened is None:
            return NOT_FOUND
        opened.close()
        if self._request.is_head:
            return file
        part = part_sent_elsewhere(self._request, file.size)
        reserved = self._gate.reserve(question, part, self._request.user_agent)
        return reserved if isinstance(reserved, Deny) else file

    def _list(self) -> Response:
        admitted = self._admitted(ProjectList())
        if isinstance(admitted, Response):
            return admitted
        visibility, media = admitted
        return self._parts.pages.projects(visibility, media).response(self._request)

    def _project(self, name: str) -> Response:
        resource = _project_page(name)
        admitted = self._admitted(resource)
        if isinstance(admitted, Response):
            return admitted
        visibility, media = admitted
        page = self._parts.pages.project(resource.name, visibility, media)
        if page is None:
            return self._elsewhere(resource.name)
        return page.response(self._request)

    def _elsewhere(self, name: NormalizedName) -> Response:
        """To the upstream's page of a project that never was the vendor's, else nowhere.

        Fetching it would make the vendor's pages wait for somebody else's server. Whoever may see
        pages is sent on, also when no file would be given: else an installation would stop at a
        public project, where most clients say nothing, and not at the file, where all say why.
        """
        upstream = self._parts.upstream
        if upstream is None or not is_name(name) or self._catalog.has_name(name):
            return self._refuse(NOT_FOUND)
        denied = self._gate.own_name(name, self._caller.repository)
        return redirect(upstream.page(name)) if denied is None else self._refuse(denied)

    def _admitted(self, resource: Resource) -> tuple[Visibility, MediaType] | Response:
        """What a page is made with, or the answer instead of it."""
        denied = self._denied(resource)
        if denied is not None:
            return self._refuse(denied)
        media = self._media()
        if media is None:
            return not_acceptable()
        visibility = self._gate.visibility(self._caller)
        return self._refuse(visibility) if isinstance(visibility, Deny) else (visibility, media)

    def _file(self, filename: str) -> Response:
        found = self._find(filename)
        if isinstance(found, Deny):
            return self._refuse(found, transfers=True)
        file, question = found
        if isinstance(question.resource, CoreMetadata):
            return self._metadata(file)
        opened = open_current(self._catalog, file, self._parts.bodies)
        if opened is None:
            return self._refuse(NOT_FOUND, transfers=True)
        sent = send_file(
            opened, question, self._request, gate=self._gate, sender=self._parts.sender
        )
        return self._refuse(sent, transfers=True) if isinstance(sent, Deny) else sent

    def _metadata(self, file: CatalogFile) -> Response:
        data = self._catalog.metadata(file)
        if data is None:
            return self._refuse(NOT_FOUND, transfers=True)
        etag = f'"{file.metadata_sha256}"'
        if etag_matches(self._request.if_none_match, etag):
            return not_modified((("ETag", etag), *FILE_HEADERS))
        headers = (
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(data))),
            ("ETag", etag),
            *FILE_HEADERS,
        )
        return Response(200, "OK", headers, [data])

    def _find(self, filename: str) -> tuple[CatalogFile, Question] | Deny:
        """The file that is named and may be read, or why not; hidden and missing look the same."""
        snapshot = self._catalog.snapshot
        file = snapshot.file(filename)
        parent = None
        if file is None and filename.endswith(METADATA_SUFFIX):
            parent = snapshot.file(filename.removesuffix(METADATA_SUFFIX))
        known = file or parent
        if known is None:
            return self._denied(Unidentified(filename)) or NOT_FOUND
        resource = DistributionFile if file is not None else CoreMetadata
        question = self._gate.decide_file(self._caller, known.facts, resource)
        return question if isinstance(question, Deny) else (known, question)

    def _denied(self, resource: Resource) -> Deny | None:
        decision = self._gate.decide(self._caller.question(resource))
        return decision if isinstance(decision, Deny) else None

    def _media(self) -> MediaType | None:
        environ = self._request.environ
        query = environ.get("QUERY_STRING")
        wanted = None
        if query and query.startswith("format="):
            wanted = query.removeprefix("format=").replace("%2B", "+").replace("%2F", "/")
        return negotiate(environ.get("HTTP_ACCEPT"), wanted)

    def _slash(self, *name: str) -> Response:
        """To the same page with the slash that its relative links need; never remembered."""
        location = quote(canonicalize_name(*name), safe="") if name else "simple"
        denied = self._denied(_project_page(*name) if name else ProjectList())
        return redirect(f"{location}/") if denied is None else self._refuse(denied)

    def _refuse(self, deny: Deny, *, transfers: bool = False) -> Response:
        return refused(deny, self._request, transfers=transfers, reason_links=self._reason_links)


def _project_page(name: str) -> ProjectPage:
    return ProjectPage(canonicalize_name(name))
