"""The rows a catalog knows, and the snapshots made of them: only what changed is made again."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from packaging.utils import NormalizedName

from entitlements_core.engine.catalog_cache import CatalogRow
from entitlements_core.engine.scan import (
    Listing,
    Problem,
    distribution_of,
    modified_at,
    shown,
    told,
)
from entitlements_core.engine.snapshot import EMPTY, FilePlace, Project, Snapshot, build_project
from entitlements_core.interfaces import UploadKey

__all__ = ["SnapshotBuilder"]

_REBUILD = "Build it again with a current build tool."

_log = logging.getLogger("entitlements.engine")


class SnapshotBuilder:
    """Rows by root and path. Not thread-safe: the catalog holds its lock around every call.

    Args:
        roots: absolute paths, in order of precedence.
        repository: ``owner/slug``, for the facts.
    """

    def __init__(self, roots: Sequence[str], repository: str) -> None:
        self._roots = roots
        self._repository = repository
        self._rows: list[dict[str, CatalogRow]] = [{} for _ in roots]
        self._members: dict[NormalizedName, set[tuple[int, str]]] = {}
        self._changed: set[NormalizedName] = set()
        self._times: dict[UploadKey, datetime] = {}
        self._undated: dict[tuple[int, str], UploadKey] = {}
        self._snapshot = EMPTY
        self._broken: dict[tuple[int, str], Problem] = {}
        self._remarks: dict[tuple[int, str], Problem] = {}
        self._odd: dict[NormalizedName, list[Problem]] = {}
        self._shadowed: dict[NormalizedName, list[Problem]] = {}
        self._listed: list[dict[str, Problem]] = [{} for _ in roots]

    def row(self, root: int, path: str) -> CatalogRow | None:
        """The row of a file, None when it is not known."""
        return self._rows[root].get(path)

    def below(self, root: int, directory: str) -> list[str]:
        """The known paths in a directory and below it; all of a root for an empty one."""
        if not directory:
            return list(self._rows[root])
        return [path for path in self._rows[root] if path.startswith(directory + "/")]

    def put(self, root: int, row: CatalogRow) -> None:
        """Add a row or replace the one of the same path."""
        self.drop(root, row.path)
        self._rows[root][row.path] = row
        key = root, row.path
        if row.problem is not None:
            path = FilePlace(root, self._roots[root], row).path
            stated = NormalizedName(row.name)
            self._broken[key] = Problem(shown(path), row.problem, row.remedy, stated)
            return
        if row.remark is not None:
            path = FilePlace(root, self._roots[root], row).path
            self._remarks[key] = Problem(shown(path), row.remark, _REBUILD)
        name = NormalizedName(row.name)
        self._members.setdefault(name, set()).add(key)
        self._changed.add(name)
        upload = _upload(row)
        if upload not in self._times:
            self._undated[key] = upload

    def drop(self, root: int, path: str) -> bool:
        """Forget a file; False when it was not known."""
        row = self._rows[root].pop(path, None)
        if row is None:
            return False
        key = root, path
        self._undated.pop(key, None)
        self._remarks.pop(key, None)
        if self._broken.pop(key, None) is None:
            name = NormalizedName(row.name)
            self._members[name].discard(key)
            self._changed.add(name)
        return True

    def undated(self) -> dict[UploadKey, datetime]:
        """The files whose upload time is not known, or in doubt, with their modification times.

        The earliest, where a file lies in several places.
        """
        found: dict[UploadKey, datetime] = {}
        for (root, path), upload in self._undated.items():
            modified = modified_at(self._rows[root][path].mtime_ns)
            found[upload] = min(modified, found.get(upload, modified))
        return found

    def date(self, times: Mapping[UploadKey, datetime]) -> None:
        """Take over the upload times of files that were undated; further ones are ignored."""
        dated = {key: upload for key, upload in self._undated.items() if upload in times}
        for key, upload in dated.items():
            del self._undated[key]
            if self._times.get(upload) != times[upload]:
                self._times[upload] = times[upload]
                self._changed.add(NormalizedName(self._rows[key[0]][key[1]].name))

    def doubt(self) -> None:
        """Have all upload times given anew. Until then they stay as they are."""
        self._undated = {
            (root, path): _upload(self._rows[root][path])
            for members in self._members.values()
            for root, path in members
        }
        present = set(self._undated.values())
        self._times = {upload: at for upload, at in self._times.items() if upload in present}

    def note_problems(self, root: int, scope: str, listing: Listing) -> None:
        """Replace the problems met when a directory (all for an empty one) or file was listed."""
        base = f"{self._roots[root].rstrip('/')}/{scope}"
        kept = {
            path: problem
            for path, problem in self._listed[root].items()
            if scope and not _about(path, base)
        }
        self._listed[root] = kept | {problem.path: problem for problem in listing.problems}

    def problems(self) -> tuple[Problem, ...]:
        """Everything that is not served, or not as it was meant, by path."""
        by_project = (*self._shadowed.values(), *self._odd.values())
        grouped = (problem for found in by_project for problem in found)
        listed = (problem for found in self._listed for problem in found.values())
        return tuple(sorted((*self._broken.values(), *self._remarks.values(), *grouped, *listed)))

    def publish(self) -> Snapshot:
        """The present state; the same object as before where nothing changed."""
        if self._changed:
            self._snapshot = self._next()
            self._changed.clear()
        return self._snapshot

    def _next(self) -> Snapshot:
        projects, files = dict(self._snapshot.projects), dict(self._snapshot.files)
        for name in self._changed:
            before = projects.pop(name, None)
            for file in before.files if before else ():
                del files[file.facts.filename]
            now = self._project(name)
            if now is not None:
                projects[name] = now
                files |= {file.facts.filename: file for file in now.files}
        ordered = {name: projects[name] for name in sorted(projects)}
        return Snapshot(
            self._snapshot.serial + 1, MappingProxyType(ordered), MappingProxyType(files)
        )

    def _project(self, name: NormalizedName) -> Project | None:
        self._shadowed.pop(name, None)
        self._odd.pop(name, None)
        places = []
        for root, path in self._members[name]:
            row = self._rows[root][path]
            places.append(FilePlace(root, self._roots[root], row, self._times.get(_upload(row))))
        if not places:
            del self._members[name]
            return None
        try:
            project, left_out = build_project(name, places, self._repository)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - logged whole, once it is known which file it is
            return self._without(name, places, error)
        if left_out:
            self._shadowed[name] = [_shadow(loser, winner) for loser, winner in left_out]
        return project

    def _without(
        self, name: NormalizedName, places: Sequence[FilePlace], error: Exception
    ) -> Project | None:
        """The project of those files that it can be made of; the others are problems."""
        _log.error("Files of %s are left out", name, exc_info=error)
        sound: list[FilePlace] = []
        project = None
        for place in sorted(places, key=lambda place: (place.index, place.row.path)):
            try:
                project, _ = build_project(name, [*sound, place], self._repository)
            except MemoryError:
                raise
            except Exception as fault:  # noqa: BLE001 - as above; one odd file is left out
                reason = f"It cannot be listed: {told(fault)}."
                remedy = "Build it again with a current build tool, or report this as a bug."
                self._odd.setdefault(name, []).append(Problem(shown(place.path), reason, remedy))
            else:
                sound.append(place)
        return project


def _upload(row: CatalogRow) -> UploadKey:
    return row.path.rpartition("/")[2], row.sha256


def _about(path: str, base: str) -> bool:
    return distribution_of(path) == base or path.startswith(base + "/")


def _shadow(loser: FilePlace, winner: FilePlace) -> Problem:
    return Problem(
        shown(loser.path),
        f"The same file name is served from {shown(winner.path)}.",
        "Remove one of the two; an index cannot have two files of one name.",
    )
