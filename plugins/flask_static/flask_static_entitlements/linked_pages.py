"""Project pages whose links lead to an app's own file views."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import quote

from packaging.utils import NormalizedName

from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.pages import Pages
from entitlements_core.engine.snapshot import CatalogFile, Project, Snapshot
from entitlements_core.simple import file_url
from flask_static_entitlements.routes import Mount

__all__ = ["addresses", "linked_pages"]

log: Final = logging.getLogger("entitlements.flask")

LinkTo = Callable[[CatalogFile], str]


def linked_pages(mount: Mount) -> Callable[[Catalog], Pages]:
    """Makes the pages of a guarded repository from its catalog."""
    link = _link(mount)
    warn = partial(_warn_of_flat_directories, mount)
    return lambda catalog: Pages(_LinkedSnapshots(catalog, link, warn))


def _link(mount: Mount) -> LinkTo:
    # Relative to <page root>/<project>/, so that a token or a mount point before it is kept.
    climb = "../" * (mount.page_root.count("/") + 1)
    template = mount.link.removeprefix("/")

    def link(file: CatalogFile) -> str:
        names = {
            "filename": quote(file.facts.filename, safe=""),
            "project": quote(file.facts.name, safe=""),
            "path": quote(file.relative),
        }
        return climb + template.format(**names)

    return link


def addresses(mount: Mount, file: CatalogFile) -> frozenset[str]:
    """The paths, not encoded, at which the app's own views may be asked for a file.

    The one that the pages link to, and below each protected prefix the file alone, in its project,
    and where it lies in its directory. At any other, what is no part of the file's own name or
    place could be the name of another file to the view.
    """
    names = {
        "filename": file.facts.filename,
        "project": file.facts.name,
        "path": file.relative,
    }
    forms = ("{filename}", "{project}/{filename}", "{path}")
    return frozenset(
        template.format(**names)
        for template in (
            mount.link,
            *(f"{root}/{form}" for root in mount.protect for form in forms),
        )
    )


class _LinkedSnapshots:
    """The snapshots of a catalog, with other links in their files."""

    def __init__(self, catalog: Catalog, link: LinkTo, begin: Callable[[Snapshot], None]) -> None:
        self._catalog = catalog
        self._link = link
        self._begin = begin
        self._last = (catalog.snapshot, self._linked(catalog.snapshot))

    def __call__(self) -> Snapshot:
        """What there is now; the same object for as long as nothing changes, see `Pages`."""
        source, linked = self._last
        if source is not self._catalog.snapshot:
            source = self._catalog.snapshot
            linked = self._linked(source)
            self._last = (source, linked)
        return linked

    def _linked(self, snapshot: Snapshot) -> Snapshot:
        if snapshot.projects:
            self._begin(snapshot)
            self._begin = _nothing
        return replace(snapshot, projects=_LinkedProjects(snapshot.projects, self._link))


class _LinkedProjects(Mapping[NormalizedName, Project]):
    """Links the files of a project when it is first asked for."""

    def __init__(self, source: Mapping[NormalizedName, Project], link: LinkTo) -> None:
        self._source = source
        self._link = link
        self._made: dict[NormalizedName, Project] = {}

    def __getitem__(self, name: NormalizedName) -> Project:
        found = self._made.get(name)
        if found is None:
            project = self._source[name]
            files = tuple(_relinked(file, self._link(file)) for file in project.files)
            found = self._made.setdefault(name, replace(project, files=files))
        return found

    def __iter__(self) -> Iterator[NormalizedName]:
        return iter(self._source)

    def __len__(self) -> int:
        return len(self._source)


def _nothing(_: Snapshot) -> None: ...


def _warn_of_flat_directories(mount: Mount, snapshot: Snapshot) -> None:
    """Say what an app whose pages lead nowhere may lack: its own views know where its files are."""
    first = next(iter(snapshot.projects.values())).files[0]
    if "/" in first.relative or mount.file_url or "{project}" not in mount.link:
        return
    log.warning(
        "The pages of %s link to %s, though %s lies in no directory of its project: if the views"
        " of the app have it elsewhere, set file_url, such as %s/{filename}.",
        mount.repository,
        mount.link,
        first.facts.filename,
        mount.page_root,
    )


def _relinked(file: CatalogFile, url: str) -> CatalogFile:
    # The first occurrence is the link: what stands before it cannot hold a slash.
    old, new = file_url(file.facts.filename).encode(), url.encode()
    html, undated = file.html.replace(old, new, 1), file.undated_json.replace(old, new, 1)
    return replace(file, html=html, undated_json=undated)
