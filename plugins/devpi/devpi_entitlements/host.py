"""What the core asks its host: which one this is, its indexes, their files, their readers."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from packaging.utils import NormalizedName, canonicalize_name

from devpi_entitlements.access import closed_indexes, user_reads
from devpi_entitlements.acl import inheriting_only
from devpi_entitlements.bases import all_bases
from devpi_entitlements.devpi_types import RootModel, Stage, Xom
from devpi_entitlements.file_facts import FileFactsReader, latest_version, resolved_links
from devpi_entitlements.marks import Marks
from devpi_entitlements.past_indexes import PastIndexes
from devpi_entitlements.stages import is_mirror
from devpi_entitlements.vendor_names import is_own, mirrors_of, mirrors_opened
from entitlements_core import hookimpl
from entitlements_core.policy.bases import Base
from entitlements_core.policy.facts import Fact, FileFacts

__all__ = ["HostHooks"]

ALL_FACTS = frozenset(Fact)


class HostHooks:
    """The host's side of the hooks, for one devpi-server.

    Args:
        xom: devpi-server's own composition root. It may be that of a server which does not run:
            the command line reads its database.
        lockdown: nothing of it is open to strangers.

    Attributes:
        marks: of its indexes and users.
    """

    def __init__(self, xom: Xom, *, lockdown: bool = False) -> None:
        self._xom = xom
        self._lockdown = lockdown
        self.marks = Marks(xom)
        self._file_facts = FileFactsReader()
        self._past_indexes = PastIndexes()

    @hookimpl
    def entitlements_host(self) -> str:
        """See the hook."""
        return f"devpi-server {version('devpi-server')}"

    @hookimpl
    def entitlements_repositories(self) -> Iterable[str]:
        """See the hook."""
        with self._xom.keyfs.read_transaction(allow_reuse=True):
            return tuple(
                f"{user.name}/{index}"
                for user in self._xom.model.get_userlist()
                for index in user.get().get("indexes", {})
            )

    @hookimpl
    def entitlements_files(
        self, repository: str, project: str | None, bases: frozenset[str] | None
    ) -> Iterable[FileFacts] | None:
        """See the hook; of a mirror, what it fetched so far."""
        with self._xom.keyfs.read_transaction(allow_reuse=True), inheriting_only(bases):
            stage = _stage(self._xom.model, repository)
            if stage is None:
                return None
            names = _projects(stage) if project is None else [canonicalize_name(project)]
            return [facts for name in names for facts in self._files(stage, name)]

    @hookimpl
    def entitlements_mark(self, repository: str, user: str) -> str:
        """See the hook."""
        return self.marks.of(repository, user)

    @hookimpl
    def entitlements_bases(self, repository: str, user: str) -> Iterable[Base] | None:
        """See the hook."""
        with self._xom.keyfs.read_transaction(allow_reuse=True):
            stage = _stage(self._xom.model, repository)
            if stage is None:
                return None
            return tuple(all_bases(stage, user, self.marks, lockdown=self._lockdown))

    @hookimpl
    def entitlements_mirrors(self, repository: str, project: str | None) -> Iterable[str] | None:
        """See the hook."""
        with self._xom.keyfs.read_transaction(allow_reuse=True):
            stage = _stage(self._xom.model, repository)
            if stage is None:
                return None
            if project is not None and is_own(
                self._past_indexes, stage, canonicalize_name(project)
            ):
                return ()
            return mirrors_of(stage)

    @hookimpl
    def entitlements_user_may_read(self, user: str, repository: str) -> bool | None:
        """See the hook. Who is no user, or where there is no index, the answer is no."""
        with self._xom.keyfs.read_transaction(allow_reuse=True):
            model = self._xom.model
            stage = _stage(model, repository)
            return (
                stage is not None and model.get_user(user) is not None and user_reads(stage, user)
            )

    @hookimpl
    def entitlements_user_is_admin(self, user: str, repository: str) -> bool | None:
        """See the hook: who may change the index."""
        with self._xom.keyfs.read_transaction(allow_reuse=True):
            stage = _stage(self._xom.model, repository)
            if stage is None or self._xom.model.get_user(user) is None:
                return False
            return user_reads(stage, user, permission="index_modify")

    def mirrors_opened(self) -> dict[str, tuple[str, ...]]:
        """What indexes let come from mirrors though it is the vendor's, see `mirrors_opened`."""
        with self._xom.keyfs.read_transaction(allow_reuse=True):
            stages = [self._xom.model.getstage(name) for name in self.entitlements_repositories()]
            found = {stage.name: mirrors_opened(stage) for stage in stages if stage is not None}
        return {name: names for name, names in found.items() if names}

    def closed_file(self) -> str | None:
        """The path of some file that not everybody may read; None where there is none."""
        with self._xom.keyfs.read_transaction(allow_reuse=True):
            for name in closed_indexes(self._xom.model):
                stage = self._xom.model.getstage(name)
                if is_mirror(stage):
                    continue
                for project in sorted(stage.list_projects_perstage()):
                    for path in self._file_facts.links_of(stage, canonicalize_name(project)):
                        return path
        return None

    def _files(self, stage: Stage, project: NormalizedName) -> Iterable[FileFacts]:
        latest = latest_version(stage, project)
        for link in resolved_links(stage, project):
            known = self._file_facts.of_link(stage, project, link, ALL_FACTS, lambda: latest)
            if known is not None:
                yield known.facts


def _stage(model: RootModel, repository: str) -> Stage | None:
    try:
        return model.getstage(repository)
    except ValueError:  # no owner/slug
        return None


def _projects(stage: Stage) -> list[NormalizedName]:
    """Those of the vendor's own indexes; a mirror names every project of the world."""
    own = [one for one in stage.sro() if not is_mirror(one)]
    return sorted({canonicalize_name(name) for one in own for name in one.list_projects_perstage()})
