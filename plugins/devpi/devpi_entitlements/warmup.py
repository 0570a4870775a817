"""Reads the names of the vendor's files after the start, before somebody waits for a page of them.

A page asks what each file name says, and reading one takes as long as devpi takes to render it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from packaging.utils import NormalizedName, canonicalize_name

from devpi_entitlements.devpi_types import RootModel
from devpi_entitlements.file_facts import REMEMBERED, Link, stated
from devpi_entitlements.site import Site
from devpi_entitlements.stages import is_mirror

__all__ = ["Warmup"]

log: Final = logging.getLogger("entitlements.devpi")


class Warmup:
    """A thread of devpi-server's pool; it ends when everything was read once.

    Attributes:
        thread: set by the pool.
    """

    thread: Any

    def __init__(self, site: Site) -> None:
        self._site = site

    def thread_run(self) -> None:
        """Called by the pool. What goes wrong here costs a little time later, and nothing else."""
        try:
            read = sum(1 for _ in islice(self._read(), REMEMBERED))
            log.info("%d file names were read in advance", read)
        except self.thread.pool.Shutdown:
            raise
        except Exception:
            log.exception("file names are read when they are asked for")

    def _read(self) -> Iterator[object]:
        for repository in self._site.core.plugins.repositories():
            for project in self._projects(repository):
                self.thread.exit_if_shutdown()
                # One short transaction each: a long one would hold on to an old state.
                for link in self._links(repository, project):
                    yield stated(repository, *link)

    def _projects(self, repository: str) -> set[NormalizedName]:
        with self._site.reading() as model:
            names = [stage.list_projects_perstage() for stage in _own(model, repository)]
            return {canonicalize_name(name) for listed in names for name in listed}

    def _links(self, repository: str, project: NormalizedName) -> list[Link]:
        with self._site.reading() as model:
            own = _own(model, repository)
            file_facts = self._site.file_facts
            return [link for stage in own for link in file_facts.links_of(stage, project).values()]


def _own(model: RootModel, repository: str) -> list[Any]:
    """The vendor's indexes that a repository shows; a mirror has too many projects to read all."""
    stage = model.getstage(repository)
    found = [] if stage is None else stage.sro()
    return [one for one in found if not is_mirror(one)]
