"""One authenticated request: from its path to a page, a file or a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from packaging.utils import NormalizedName, canonicalize_name

from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.content_cache import ContentCache
from entitlements_core.engine.files import OpenFile, Sender, is_nameable, open_current, plan
from entitlements_core.engine.pages import Page, Pages
from entitlements_core.engine.reason_links import only_words
from entitlements_core.engine.responses import (
    Incoming,
    Outgoing,
    not_acceptable,
    redirect,
    refused,
    unsatisfiable,
)
from entitlements_core.engine.snapshot import CatalogFile
from entitlements_core.http import FILE_HEADERS, encodes, etag_matches, read_range
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.decide import NOT_FOUND, Question, RequestContext
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
from entitlements_core.services.gate import Delivery, Gate
from entitlements_core.simple import MediaType, negotiate

__all__ = ["Parts", "RequestHandler"]

METADATA_SUFFIX: Final = ".metadata"


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
    """One authenticated request."""

    __slots__ = ("_catalog", "_context", "_credential", "_gate", "_now", "_parts", "_request")

    def __init__(
        self,
        parts: Parts,
        request: Incoming,
        context: RequestContext,
        credential: Credential,
        now: datetime,
    ) -> None:
        self._parts = parts
        self._gate = parts.gate
        self._catalog = parts.catalog
        self._request = request
        self._context = context
        self._credential = credential
        self._now = now

    def serve(self, path: str) -> Outgoing:
        """The answer to a GET or HEAD of `path`."""
        match path.split("/"):
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

    def authorize(self, path: str) -> CatalogFile | Deny | None:
        """The file that a server in front may send, or why not; an allowed download is counted.

        Core metadata is allowed without a file, since it lies in none.
        """
        found = self._find(path.rpartition("/")[2])
        if isinstance(found, Deny):
            return found
        file, question = found
        if isinstance(question.resource, CoreMetadata):
            return None
        opened = open_current(self._catalog, file) if is_nameable(file) else None
        if opened is None:
            return NOT_FOUND
        opened.close()
        if self._request.method == "HEAD":
            return file
        # The server in front knows the file by another ETag, and may then send all of it.
        conditional = self._header("HTTP_IF_RANGE") is not None or encodes(
            self._header("HTTP_ACCEPT_ENCODING")
        )
        try:
            wanted = read_range(None if conditional else self._header("HTTP_RANGE"), file.size)
        except ValueError:
            # That server answers 416, unless the file on its disk is another one by now.
            wanted = None
        start, stop = (0, file.size) if wanted is None else (wanted.start, wanted.stop)
        reserved = self._gate.reserve(question, self._delivery(start, stop - start))
        return reserved if isinstance(reserved, Deny) else file

    def _list(self) -> Outgoing:
        admitted = self._admitted(ProjectList())
        if isinstance(admitted, Outgoing):
            return admitted
        visibility, media = admitted
        return self._page(self._parts.pages.projects(visibility, media))

    def _project(self, name: str) -> Outgoing:
        resource = _project_page(name)
        admitted = self._admitted(resource)
        if isinstance(admitted, Outgoing):
            return admitted
        visibility, media = admitted
        page = self._parts.pages.project(resource.name, visibility, media)
        if page is None:
            return self._elsewhere(resource.name)
        return self._page(page)

    def _elsewhere(self, name: NormalizedName) -> Outgoing:
        """To the upstream's page of a project that never was the vendor's, else nowhere.

        Fetching it would make the vendor's pages wait for somebody else's server. Whoever may see
        pages is sent on, also when no file would be given: else an installation would stop at a
        public project, where most clients say nothing, and not at the file, where all say why.
        """
        upstream = self._parts.upstream
        if upstream is None or not is_name(name) or self._catalog.has_name(name):
            return self._refuse(NOT_FOUND)
        denied = self._gate.own_name(name, self._context.repository)
        return redirect(upstream.page(name)) if denied is None else self._refuse(denied)

    def _admitted(self, resource: Resource) -> tuple[Visibility, MediaType] | Outgoing:
        """What a page is made with, or the answer instead of it."""
        denied = self._denied(resource)
        if denied is not None:
            return self._refuse(denied)
        media = self._media()
        if media is None:
            return not_acceptable(self._request)
        visibility = self._gate.visibility(self._credential, self._context.repository, self._now)
        return self._refuse(visibility) if isinstance(visibility, Deny) else (visibility, media)

    def _file(self, filename: str) -> Outgoing:
        found = self._find(filename)
        if isinstance(found, Deny):
            return self._refuse(found, transfers=True)
        file, question = found
        if isinstance(question.resource, CoreMetadata):
            return self._metadata(file)
        opened = open_current(self._catalog, file, self._parts.bodies)
        if opened is None:
            return self._refuse(NOT_FOUND, transfers=True)
        try:
            answer = self._send(opened, question)
        except BaseException:
            opened.close()
            raise
        return answer

    def _send(self, opened: OpenFile, question: Question) -> Outgoing:
        if etag_matches(self._header("HTTP_IF_NONE_MATCH"), opened.etag):
            opened.close()
            return Outgoing("304 Not Modified", (("ETag", opened.etag), *FILE_HEADERS), [])
        try:
            body = plan(opened, read_range(self._range(opened.etag), opened.file.size))
        except ValueError:
            opened.close()
            return unsatisfiable(opened.file.size, self._request)
        status = "200 OK" if body.status == 200 else "206 Partial Content"  # noqa: PLR2004 - HTTP
        if self._request.method == "HEAD":
            opened.close()
            return Outgoing(status, body.headers, [])
        reserved = self._gate.reserve(question, self._delivery(body.start, body.length))
        if isinstance(reserved, Deny):
            opened.close()
            return self._refuse(reserved, transfers=True)
        try:
            headers, chunks = self._parts.sender.send(opened, body, self._request.headers)
        except BaseException:
            self._gate.settle(reserved, delivered=False)
            raise
        return Outgoing(status, headers, chunks)

    def _metadata(self, file: CatalogFile) -> Outgoing:
        data = self._catalog.metadata(file)
        if data is None:
            return self._refuse(NOT_FOUND, transfers=True)
        etag = f'"{file.metadata_sha256}"'
        if etag_matches(self._header("HTTP_IF_NONE_MATCH"), etag):
            return Outgoing("304 Not Modified", (("ETag", etag), *FILE_HEADERS), [])
        headers = (
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(data))),
            ("ETag", etag),
            *FILE_HEADERS,
        )
        return Outgoing("200 OK", headers, [] if self._request.method == "HEAD" else [data])

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
        facts = self._gate.facts(self._credential, self._context.repository, known.facts)
        if isinstance(facts, Deny):
            return facts
        resource = DistributionFile(facts) if file is not None else CoreMetadata(facts)
        question = self._question(resource)
        decision = self._gate.decide(question)
        return decision if isinstance(decision, Deny) else (known, question)

    def _question(self, resource: Resource) -> Question:
        return Question(
            credential=self._credential, request=self._context, resource=resource, now=self._now
        )

    def _denied(self, resource: Resource) -> Deny | None:
        decision = self._gate.decide(self._question(resource))
        return decision if isinstance(decision, Deny) else None

    def _delivery(self, start: int, length: int) -> Delivery:
        return Delivery(
            start=start, length=length, user_agent=self._header("HTTP_USER_AGENT") or ""
        )

    def _media(self) -> MediaType | None:
        query = self._header("QUERY_STRING")
        wanted = None
        if query and query.startswith("format="):
            wanted = query.removeprefix("format=").replace("%2B", "+").replace("%2F", "/")
        return negotiate(self._header("HTTP_ACCEPT"), wanted)

    def _range(self, etag: str) -> str | None:
        """The Range header of a GET, unless an If-Range names another state of the file."""
        condition = self._header("HTTP_IF_RANGE")
        elsewhere = self._parts.sender.elsewhere
        if elsewhere and encodes(self._header("HTTP_ACCEPT_ENCODING")):
            return None  # a server that compresses sends all of it
        # Another server knows the file by another ETag, and may send all of it: that is counted.
        accepted = {None} if elsewhere else {None, etag}
        applies = self._request.method == "GET" and condition in accepted
        return self._header("HTTP_RANGE") if applies else None

    def _header(self, name: str) -> str | None:
        value: str | None = self._request.headers.get(name)
        return value

    def _page(self, page: Page) -> Outgoing:
        if etag_matches(self._header("HTTP_IF_NONE_MATCH"), page.etag):
            kept = tuple(pair for pair in page.headers if not pair[0].startswith("Content-"))
            return Outgoing("304 Not Modified", kept, [])
        return Outgoing(
            "200 OK", page.headers, [] if self._request.method == "HEAD" else [page.body]
        )

    def _slash(self, *name: str) -> Outgoing:
        """To the same page with the slash that its relative links need; never remembered."""
        location = quote(canonicalize_name(*name), safe="") if name else "simple"
        denied = self._denied(_project_page(*name) if name else ProjectList())
        return redirect(f"{location}/") if denied is None else self._refuse(denied)

    def _refuse(self, deny: Deny, *, transfers: bool = False) -> Outgoing:
        return refused(deny, self._request, transfers=transfers)


def _project_page(name: str) -> ProjectPage:
    return ProjectPage(canonicalize_name(name))
