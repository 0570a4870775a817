"""What devpi knows of a distribution file, as the facts that a restriction asks for.

A page and a download ask the same functions, so they cannot disagree. What devpi does not know
(the upload time of a file on a mirror, say) is said to be missing, and opens nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from cachetools import LRUCache
from devpi_server.model import UpstreamError
from packaging.utils import NormalizedName
from packaging.version import Version

from devpi_entitlements.customizers import Delegating, OneByOne
from devpi_entitlements.devpi_types import FileLink, FileStoreEntry, Stage
from devpi_entitlements.first_uploads import FirstUploads
from devpi_entitlements.metadata_announcements import MetadataAnnouncements
from devpi_entitlements.stages import is_mirror
from entitlements_core.engine.distributions import Unservable, parse_filename, requirements
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.facts import LATEST_TAG, Fact, FileFacts, latest_of

__all__ = [
    "REMEMBERED",
    "FileFactsReader",
    "Known",
    "Latest",
    "Link",
    "latest_version",
    "needs_of",
    "resolved_links",
    "stated",
]

log: Final = logging.getLogger("entitlements.devpi")

REMEMBERED: Final = 65536
"""Of how many links it is remembered what they say; about 1 KB each."""

ODD_DATA: Final = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    OSError,
)
"""What reading odd data of one file raises. A database that is out of reach concerns all files."""

Latest = Callable[[], Version | None]
Yanked = Literal[True] | str | None
"""As devpi keeps it: True is without a reason."""


class Link(NamedTuple):
    """A release file as the pages of an index list it.

    Attributes:
        href: ``user/index/+f/…/filename#sha256=…``, relative to the server.
        requires_python: as stated, or None.
        yanked: None, True, or the reason.
    """

    href: str
    requires_python: str | None
    yanked: Yanked

    @property
    def path(self) -> str:
        """The path of the file, without its hash."""
        return self.href.partition("#")[0]

    @property
    def holder(self) -> str:
        """The name of the index that holds the file."""
        return "/".join(self.href.split("/", 2)[:2])


@dataclass(frozen=True, slots=True)
class Known:
    """The facts of a file, and which of those that were asked for are not known."""

    facts: FileFacts
    missing: frozenset[Fact] = frozenset()


class FileFactsReader:
    """Finds facts, and remembers for each project where its files are listed."""

    def __init__(self) -> None:
        self._listed: LRUCache[tuple[str, str], tuple[int, Mapping[str, Link]]] = LRUCache(1024)
        self._lock = threading.Lock()
        self._arrivals = FirstUploads()
        self._announcing = MetadataAnnouncements()

    def of_link(
        self,
        stage: Stage,
        project: NormalizedName,
        link: Link,
        needs: frozenset[Fact],
        latest: Latest,
    ) -> Known | None:
        """What is known of a link on the pages of `stage`; None when its name says too little.

        Args:
            stage: the index that is asked, whose name becomes the repository. The file may lie in
                one of its bases.
            project: that the link is listed for.
            link: of the file.
            needs: the costly facts that are asked for; the others stay empty.
            latest: gives the project's `latest_version`; asked only when it is needed.
        """
        facts = stated(stage.name, link.href, link.requires_python, link.yanked)
        if facts is None or facts.name != project:
            return None
        if not needs:
            return Known(facts)
        try:
            return _complete(stage, facts, link, needs, latest, self._arrivals)
        except ODD_DATA:
            log.warning("%s is hidden: what devpi has of it is odd", link.path, exc_info=True)
            return None

    def announces(self, stage: Stage, path: str) -> bool:
        """Whether the core metadata of a wheel may be announced, see `MetadataAnnouncements`."""
        return self._announcing.of(stage.filestore, path)

    def listed(self, stage: Stage, project: NormalizedName, path: str) -> Link | None:
        """The link with which `stage` itself (not its bases) lists a file; None if it does not.

        For a mirror this may ask upstream, as a page does.
        """
        found = self.links_of(stage, project).get(path)
        if found is not None or not is_mirror(stage):
            return found
        try:
            fetched = stage.get_simplelinks_perstage(project)
        except UpstreamError:
            return None
        return next((link for link in map(_link, fetched) if link.path == path), None)

    def links_of(self, stage: Stage, project: NormalizedName) -> Mapping[str, Link]:
        """What `stage` itself lists for a project, by path; of a mirror, what was fetched so far.

        Remembered for the serial at which devpi last wrote it.
        """
        key = stage.key_projsimplelinks(project)
        known = stage.keyfs.tx.get_last_serial_and_value_at(
            key, stage.keyfs.tx.at_serial, raise_on_error=False
        )
        if known is None or not known[1]:
            return {}
        serial, stored = known
        with self._lock:
            found = self._listed.get((stage.name, project))
        if found is None or found[0] != serial:
            found = (serial, _by_path(stored))
            with self._lock:
                self._listed[stage.name, project] = found
        return found[1]


def needs_of(credential: Credential, repository: str) -> frozenset[Fact]:
    """The costly facts that decide what `credential` sees of a repository."""
    grant = credential.grant_in(repository)
    restriction = None if grant is None else grant.restriction
    needs = frozenset[Fact]() if restriction is None else restriction.needs
    return needs if credential.updates_until is None else needs | {Fact.UPLOADED}


def resolved_links(stage: Stage, project: NormalizedName) -> list[Link]:
    """Every link of a project in the resolution order of `stage`, whoever asks."""
    customizer = stage.customizer
    own = customizer.inner if isinstance(customizer, Delegating) else customizer
    stage.customizer = OneByOne(own)
    try:
        return [_link(found) for found in stage.get_simplelinks(project, sorted_links=False)]
    except UpstreamError:
        return []
    finally:
        stage.customizer = customizer


_WITH_ENTRY: Final = frozenset({Fact.METADATA, Fact.UPLOADED, Fact.SIZE})


def _complete(  # noqa: PLR0913, PLR0917 - one costly fact each
    stage: Stage,
    facts: FileFacts,
    link: Link,
    needs: frozenset[Fact],
    latest: Latest,
    arrivals: FirstUploads,
) -> Known:
    missing = set[Fact]()
    entry = stage.filestore.get_file_entry(link.path) if needs & _WITH_ENTRY else None
    if Fact.METADATA in needs:
        facts = _described(facts, _version_data(stage, facts, link, entry))
    if Fact.UPLOADED in needs:
        uploaded = None
        if entry is not None and (holder := _holder(stage, link, entry)) is not None:
            uploaded = arrivals.of(holder, facts.name, entry.version, link.path)
        missing.update(() if uploaded else (Fact.UPLOADED,))
        facts = replace(facts, uploaded_at=uploaded)
    if Fact.SIZE in needs:
        size = entry.file_size() if entry is not None and entry.file_exists() else None
        missing.update(() if size is not None else (Fact.SIZE,))
        facts = replace(facts, size=size or 0)
    if Fact.LATEST in needs and facts.version == latest():
        facts = replace(facts, tags=frozenset({LATEST_TAG}))
    return Known(facts, frozenset(missing))


@lru_cache(maxsize=REMEMBERED)
def stated(
    repository: str, href: str, requires_python: str | None, yanked: Yanked
) -> FileFacts | None:
    """What a link says by itself. The hash in it makes equal links equal files."""
    path, _, fragment = href.partition("#")
    filename = path.rpartition("/")[2]
    try:
        identity = parse_filename(filename)
    except Unservable:
        return None
    kind, _, digest = fragment.partition("=")
    return replace(
        identity.facts(filename),
        sha256=digest.lower() if kind == "sha256" else "",
        requires_python=requires_python or None,
        yanked="" if yanked is True else yanked,
        repository=repository,
    )


def _link(found: FileLink) -> Link:
    return Link(found.href, found.require_python, found.yanked or None)


def _by_path(stored: Mapping[str, Any]) -> Mapping[str, Link]:
    links = list(stored.get("links", ()))
    requires = [*stored.get("requires_python", ()), *[None] * len(links)]
    yanked = [*stored.get("yanked", ()), *[None] * len(links)]
    rows = (
        Link(href, required, withdrawn or None)
        for (_, href), required, withdrawn in zip(links, requires, yanked, strict=False)
    )
    return {link.path: link for link in rows}


def _version_data(
    stage: Stage,
    facts: FileFacts,
    link: Link,
    entry: FileStoreEntry,
) -> Mapping[str, Any]:
    """What was registered with the version of a file; a mirror has nothing."""
    holder = _holder(stage, link, entry)
    if holder is None:
        return {}
    found: Mapping[str, Any] = holder.get_versiondata_perstage(facts.name, entry.version)
    return found


def _holder(stage: Stage, link: Link, entry: FileStoreEntry) -> Stage | None:
    """The index that holds a file, unless it is a mirror, which knows nothing of its files."""
    holder = stage if link.holder == stage.name else stage.model.getstage(link.holder)
    if holder is None or entry is None or is_mirror(holder):
        return None
    return holder


def _described(facts: FileFacts, data: Mapping[str, Any]) -> FileFacts:
    return replace(
        facts,
        license=data.get("license_expression") or data.get("license") or "",
        summary=data.get("summary") or "",
        dependencies=requirements("\n".join(map(_one_line, data.get("requires_dist") or ()))),
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def latest_version(stage: Stage, project: NormalizedName) -> Version | None:
    """The version that ``tag:latest`` means, among all that an index has of a project."""
    listed = (stated(stage.name, *link) for link in resolved_links(stage, project))
    return latest_of(
        (facts.version, facts.yanked)
        for facts in listed
        if facts is not None and facts.name == project
    )
