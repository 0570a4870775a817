"""What a token holder sees of an index: a customizer for the stage of one request.

devpi asks the customizer of the index that was asked for, and renders what it lets pass. The stage
objects belong to the transaction of a request, so nothing is shared between requests. Filters give
exactly one answer per item: devpi keeps whatever a filter is silent about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache, cached_property, partial
from typing import Any

from devpi_server.model import SimplelinkMeta
from packaging.utils import NormalizedName, canonicalize_name

from devpi_entitlements.authentication import VisibleRepository
from devpi_entitlements.customizers import Delegating, passes, shown_by
from devpi_entitlements.devpi_types import Customizer, Stage
from devpi_entitlements.file_facts import (
    FileFactsReader,
    Known,
    Latest,
    Link,
    latest_version,
    needs_of,
    stated,
)
from devpi_entitlements.stages import is_mirror
from devpi_entitlements.vendor_names import own_stages
from entitlements_core.policy.query import Admits

__all__ = ["EntitledCustomizer", "IndexView", "SubmittingCustomizer", "host_lists"]


class IndexView:
    """An index as one credential sees it.

    Args:
        stage: the index.
        visible: what is to be shown of it.
        file_facts: finds the facts.
    """

    def __init__(
        self, stage: Stage, visible: VisibleRepository, file_facts: FileFactsReader
    ) -> None:
        self._stage = stage
        self._visibility = visible.visibility
        self._file_facts = file_facts
        self._needs = needs_of(visible.caller.credential, visible.repository)

    def shows(self, project: NormalizedName, link: Link, latest: Latest) -> bool:
        """Whether a file is visible."""
        if not self._needs:  # every link of every page comes by here
            facts = stated(self._stage.name, *link)
            return facts is not None and facts.name == project and self._visibility.shows(facts)
        known = self.known(project, link, latest)
        return known is not None and self._visibility.shows(known.facts)

    def announces(self, link: Link) -> bool:
        """Whether the core metadata of a wheel that is shown may be announced."""
        if not self._stage.xom.config.args.enable_core_metadata:
            return True  # devpi announces none at all
        return self._file_facts.announces(self._stage, link.path)

    def known(self, project: NormalizedName, link: Link, latest: Latest) -> Known | None:
        """The facts of a file; None where one that is asked for is not known, which hides it."""
        known = self._file_facts.of_link(self._stage, project, link, self._needs, latest)
        return None if known is None or known.missing else known

    def may_show(self, project: NormalizedName) -> bool:
        """Whether the name of a project alone does not rule it out."""
        named = self._visibility.names is None or project in self._visibility.names
        return named and self._visibility.admits(project) is not Admits.NONE

    def shows_any(self, project: NormalizedName) -> bool:
        """Whether anything of a project is visible.

        Of a project on a mirror the name alone decides: its files are known only once somebody
        asked for them, and its name is public.
        """
        if not self.may_show(project):
            return False
        if self._visibility.admits(project) is Admits.ALL:
            return True
        stages = self._stages
        own = [stage for stage in stages if not is_mirror(stage)]
        latest = self.latest(project)
        return any(
            self.shows(project, link, latest)
            for stage in own
            for link in self._file_facts.links_of(stage, project).values()
        ) or (len(own) < len(stages) and not self._has_now(project))

    def _has_now(self, project: NormalizedName) -> bool:
        """Whether the vendor has a project, so that nothing of a mirror is shown for it.

        What the vendor had, or reserves, is found out at the page: here it would be asked for each
        project of the world.
        """
        return any(stage.has_project_perstage(project) for stage in self._own)

    @cached_property
    def _own(self) -> list[Stage]:
        return own_stages(self._stage)

    @cached_property
    def _stages(self) -> list[Stage]:
        """The index and what is seen of its bases: the same for every project."""
        return list(self._stage.sro())

    def latest(self, project: NormalizedName) -> Latest:
        """Finds the latest version of a project, once."""
        return cache(partial(latest_version, self._stage, project))


def host_lists(stage: Stage, project: NormalizedName, link: Link) -> bool:
    """Whether the index's own customizer (devpi-constrained, say) would list a file."""
    filename = link.path.rpartition("/")[2]
    found = SimplelinkMeta((filename, link.href, link.requires_python, link.yanked))
    customizer = stage.customizer
    named = passes(customizer.get_projects_filter_iter([project]))
    return named and shown_by(customizer, project)(found)


class EntitledCustomizer(Delegating):
    """Lets pass what the index's own customizer does, and the window shows.

    Args:
        inner: the index's own customizer.
        window: what is shown.
        of_project: for the page of a project, whose links are about to be looked at one by one, its
            name may pass unless it is ruled out. Whether anything was shown says `shown`.

    Attributes:
        shown: how many links passed.
    """

    def __init__(self, inner: Customizer, window: IndexView, *, of_project: bool) -> None:
        super().__init__(inner)
        self._window = window
        self._has = window.may_show if of_project else window.shows_any
        self.shown = 0

    def get_projects_filter_iter(self, projects: Collection[str]) -> Iterator[bool]:
        """See devpi's BaseStageCustomizer."""
        inner = self.inner.get_projects_filter_iter(projects)
        for project in projects:
            yield passes(inner) and self._has(canonicalize_name(project))

    def get_versions_filter_iter(
        self,
        project: str,  # noqa: ARG002 - of devpi
        versions: Collection[str],
    ) -> Iterator[bool]:
        """No route that is open to tokens lists versions; whoever asks is not meant to."""
        return (False for _ in versions)

    def get_simple_links_filter_iter(self, project: str, links: Collection[Any]) -> Iterator[bool]:
        """See devpi's BaseStageCustomizer."""
        name = canonicalize_name(project)
        latest = self._window.latest(name)
        shown = shown_by(self.inner, name)
        for found in links:
            link = Link(found.href, found.require_python, found.yanked or None)
            named = link.path.endswith(f"/{found.key}")
            keeps = named and self._window.shows(name, link, latest) and shown(found)
            if keeps and found.core_metadata and not self._window.announces(link):
                found.core_metadata = False  # devpi renders this very object
            self.shown += keeps
            yield keeps


class SubmittingCustomizer(Delegating):
    """Lets one token holder upload, after the upload was checked."""

    def __init__(self, inner: Customizer, username: str) -> None:
        super().__init__(inner)
        self._username = username

    def get_principals_for_upload(self, restrict_modify: Any = None) -> list[str]:  # noqa: ANN401 - of devpi
        """See devpi's BaseStageCustomizer."""
        inner = self.inner.get_principals_for_upload(restrict_modify=restrict_modify)
        return [*inner, self._username]
