"""Pages as a credential sees them, remembered for as long as nothing they show has changed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache
from packaging.utils import NormalizedName

from entitlements_core.engine.responses import not_modified
from entitlements_core.engine.snapshot import EMPTY, Project, Snapshot, versions_of
from entitlements_core.http import etag_matches
from entitlements_core.policy.query import Admits
from entitlements_core.policy.visibility import Visibility
from entitlements_core.simple import MediaType, list_html, list_json, project_html, project_json
from entitlements_core.wsgi import PAGE_HEADERS, Headers, Request, Response

__all__ = ["Page", "Pages"]

CACHE_BYTES: Final = 32 * 1024 * 1024
"""How much memory remembered pages may take."""


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered page.

    Attributes:
        body: complete.
        etag: strong and quoted, of this body in this form.
        headers: all of them; Content-Length included.
    """

    body: bytes
    etag: str
    headers: Headers

    @classmethod
    def of(cls, body: bytes, content_type: str) -> Page:
        """The page of a body in one of its forms."""
        digest = hashlib.sha256(content_type.encode() + b"\0" + body).hexdigest()
        etag = f'"{digest[:32]}"'
        headers = (
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("ETag", etag),
            *PAGE_HEADERS,
        )
        return cls(body, etag, headers)

    def response(self, request: Request) -> Response:
        """The page, or that it has not changed."""
        if etag_matches(request.if_none_match, self.etag):
            return not_modified(
                tuple(pair for pair in self.headers if not pair[0].startswith("Content-"))
            )
        return Response(200, "OK", self.headers, [self.body])


class Pages:
    """Renders the pages of a repository.

    A page is remembered under the key of the visibility together with the immutable part of the
    snapshot that it was made from. A changed project is another object, so a stale page cannot be
    found.

    Args:
        snapshot: gives what there is now; the same object for as long as nothing changes.
    """

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._cache: LRUCache[Hashable, tuple[object, Page]] = LRUCache(
            CACHE_BYTES, getsizeof=lambda entry: len(entry[1].body) + 512
        )
        self._lock = threading.Lock()
        self._lists = _Lists()

    def project(
        self, name: NormalizedName, visibility: Visibility, media: MediaType
    ) -> Page | None:
        """The page of a project; None where nothing of it is visible, or it does not exist."""
        project = self._snapshot().projects.get(name)
        if project is None:
            return None
        key = None if visibility.key is None else (visibility.key, name, media)
        page = self._recall(key, project)
        if page is None:
            body = _project_body(project, visibility, media)
            if body is None:
                return None
            page = self._keep(key, project, Page.of(body, media.content_type))
        return page

    def projects(self, visibility: Visibility, media: MediaType) -> Page:
        """The list of the projects of which anything is visible."""
        snapshot = self._snapshot()
        key = None if visibility.key is None else (visibility.key, media)
        page = self._recall(key, snapshot)
        if page is None:
            body = _list_body(self._lists.visible(snapshot, visibility), media)
            page = self._keep(key, snapshot, Page.of(body, media.content_type))
        return page

    def _recall(self, key: Hashable | None, source: object) -> Page | None:
        if key is None:
            return None
        with self._lock:
            entry = self._cache.get(key)
        return entry[1] if entry is not None and entry[0] is source else None

    def _keep(self, key: Hashable | None, source: object, page: Page) -> Page:
        if key is not None and len(page.body) < CACHE_BYTES // 4:
            with self._lock:
                self._cache[key] = (source, page)
        return page


def _project_body(project: Project, visibility: Visibility, media: MediaType) -> bytes | None:
    shows = visibility.shows
    visible = [file for file in project.files if shows(file.facts)]
    if not visible:
        return None
    if not media.is_json:
        return project_html(project.name, [file.html for file in visible])
    complete = len(visible) == len(project.files)
    versions = project.versions if complete else versions_of(visible)
    return project_json(project.name, [file.json for file in visible], versions)


def _list_body(projects: Iterable[Project], media: MediaType) -> bytes:
    if media.is_json:
        return list_json([project.json for project in projects])
    return list_html([project.html for project in projects])


class _Lists:
    """The visible projects of the visibilities that were listed last.

    A project that has not changed since is the same object, and need not be looked into again: a
    list costs what has changed, not what there is.
    """

    def __init__(self) -> None:
        self._last: LRUCache[Hashable, tuple[Snapshot, frozenset[NormalizedName]]] = LRUCache(8)
        self._lock = threading.Lock()

    def visible(self, snapshot: Snapshot, visibility: Visibility) -> list[Project]:
        """The projects of which `visibility` shows anything."""
        if visibility.key is None or visibility.names is not None:
            return [
                one
                for one in _candidates(snapshot, visibility.names)
                if _is_visible(one, visibility)
            ]
        with self._lock:
            before, seen = self._last.get(visibility.key, (EMPTY, frozenset()))
        known = before.projects
        found = [
            project
            for name, project in snapshot.projects.items()
            if (name in seen if known.get(name) is project else _is_visible(project, visibility))
        ]
        with self._lock:
            self._last[visibility.key] = (snapshot, frozenset(project.name for project in found))
        return found


def _is_visible(project: Project, visibility: Visibility) -> bool:
    verdict = visibility.admits(project.name)
    if verdict is not Admits.SOME:
        return verdict is Admits.ALL
    shows = visibility.shows
    for file in project.files:  # noqa: SIM110 - a generator costs as much as the question
        if shows(file.facts):
            return True
    return False


def _candidates(snapshot: Snapshot, names: frozenset[NormalizedName] | None) -> Iterable[Project]:
    if names is None:
        return snapshot.projects.values()
    return [snapshot.projects[name] for name in sorted(names) if name in snapshot.projects]
