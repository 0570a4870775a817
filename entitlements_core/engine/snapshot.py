"""What a catalog serves at one moment: projects and files that never change once made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType

from packaging.utils import NormalizedName
from packaging.version import Version

from entitlements_core.engine.catalog_cache import CatalogRow
from entitlements_core.engine.distributions import requirements
from entitlements_core.engine.scan import FileStat
from entitlements_core.policy.facts import LATEST_TAG, FileFacts, FileKind, latest_of
from entitlements_core.simple import html_name, json_name, json_uploaded

__all__ = [
    "EMPTY",
    "CatalogFile",
    "FilePlace",
    "Project",
    "Snapshot",
    "build_project",
    "versions_of",
]

_LATEST = frozenset({LATEST_TAG})
_NO_TAGS: frozenset[str] = frozenset()
_NO_EXTRA: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A root and a row of it.

    Attributes:
        index: of the root in the order given to the catalog, from 0.
        root: absolute path of the root.
        row: what was read of the file.
        uploaded_at: see `FileFacts`.
    """

    index: int
    root: str
    row: CatalogRow
    uploaded_at: datetime | None = None

    @property
    def path(self) -> str:
        """Absolute."""
        return f"{self.root.rstrip('/')}/{self.row.path}"

    @property
    def filename(self) -> str:
        """The last part of the path."""
        return self.row.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFile:
    """One distribution file as it is served.

    Attributes:
        facts: what a restriction can ask about it.
        root: absolute path of its root.
        root_index: of the root in the order given to the catalog, from 0.
        relative: its path below the root, with ``/``, as for ``X-Accel-Redirect`` (not encoded).
        mtime_ns, inode, ctime_ns: of the file that was read, see `scan.FileStat`.
        metadata_sha256: of its core metadata, None where none are served (sdists).
        html, undated_json: its part of a project page, see `simple.fragments`; the latter without
            the upload time.
    """

    facts: FileFacts
    root: str
    root_index: int
    relative: str
    mtime_ns: int
    inode: int
    ctime_ns: int
    metadata_sha256: str | None
    html: bytes
    undated_json: bytes

    @property
    def path(self) -> str:
        """Absolute path of the file."""
        return f"{self.root.rstrip('/')}/{self.relative}"

    @property
    def json(self) -> bytes:
        """Its part of a JSON project page, with the upload time where that is known."""
        moment = self.facts.uploaded_at
        return self.undated_json if moment is None else json_uploaded(self.undated_json, moment)

    @property
    def size(self) -> int:
        """In bytes."""
        return self.facts.size

    @property
    def look(self) -> FileStat:
        """The file as the file system showed it when it was read."""
        return FileStat(self.facts.size, self.mtime_ns, self.inode, self.ctime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The files of one project.

    Attributes:
        name: PEP 503-normalised.
        files: by version, then by file name; at least one.
        versions: of the files, ascending, each once (PEP 700).
        html, json: the project's part of the project list.
    """

    name: NormalizedName
    files: tuple[CatalogFile, ...]
    versions: tuple[str, ...]
    html: bytes
    json: bytes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything served at one moment.

    Attributes:
        serial: another one with every change; says nothing across processes or restarts.
        projects: by normalised name, in alphabetical order.
        files: by file name.
    """

    serial: int
    projects: Mapping[NormalizedName, Project]
    files: Mapping[str, CatalogFile]

    def file(self, filename: str) -> CatalogFile | None:
        """The file of that name, None when it is not served."""
        return self.files.get(filename)

    def facts_of(self, project: str | None) -> list[FileFacts]:
        """The facts of the files of a project, by its normalised name; None is of all."""
        if project is None:
            return [file.facts for file in self.files.values()]
        found = self.projects.get(NormalizedName(project))
        return [] if found is None else [file.facts for file in found.files]


EMPTY = Snapshot(0, MappingProxyType({}), MappingProxyType({}))


def versions_of(files: Iterable[CatalogFile]) -> list[str]:
    """The versions of some files of one project, each once, in the order of the files (PEP 700)."""
    return [str(version) for version in dict.fromkeys(file.facts.version for file in files)]


def build_project(
    name: NormalizedName, places: Sequence[FilePlace], repository: str
) -> tuple[Project, list[tuple[FilePlace, FilePlace]]]:
    """Make a project of rows that can be served, at least one.

    Of equal file names the first root wins, then the first path.

    Returns:
        The project, and each place left out with the one that won.
    """
    chosen: dict[str, FilePlace] = {}
    left_out = []
    for place in sorted(places, key=_rank):
        winner = chosen.setdefault(place.filename, place)
        if winner is not place:
            left_out.append((place, winner))
    ordered = sorted(chosen.items(), key=_by_version)
    latest = latest_of((_version(place.row.version), place.row.yanked) for _, place in ordered)
    files = tuple(_file(name, place, latest, repository) for _, place in ordered)
    project = Project(
        name=name,
        files=files,
        versions=tuple(versions_of(files)),
        html=html_name(name),
        json=json_name(name),
    )
    return project, left_out


def _rank(place: FilePlace) -> tuple[int, str]:
    return place.index, place.row.path


def _by_version(item: tuple[str, FilePlace]) -> tuple[Version, str]:
    return _version(item[1].row.version), item[0]


def _file(
    name: NormalizedName, place: FilePlace, latest: Version | None, repository: str
) -> CatalogFile:
    row = place.row
    version = _version(row.version)
    return CatalogFile(
        facts=FileFacts(
            filename=place.filename,
            name=name,
            version=version,
            kind=FileKind.SDIST if row.python_tags is None else FileKind.WHEEL,
            python_tags=_tags(row.python_tags),
            platform_tags=_tags(row.platform_tags),
            size=row.size,
            uploaded_at=place.uploaded_at,
            sha256=row.sha256,
            requires_python=row.requires_python,
            yanked=row.yanked,
            license=row.license,
            summary=row.summary,
            dependencies=requirements(row.requires_dist),
            tags=_LATEST if version == latest else _NO_TAGS,
            repository=repository,
            extra=_NO_EXTRA,
        ),
        root=place.root,
        root_index=place.index,
        relative=row.path,
        mtime_ns=row.mtime_ns,
        inode=row.inode,
        ctime_ns=row.ctime_ns,
        metadata_sha256=row.metadata_sha256,
        html=row.html,
        undated_json=row.json,
    )


@lru_cache(maxsize=8192)
def _version(text: str) -> Version:
    return Version(text)


@lru_cache(maxsize=1024)
def _tags(text: str | None) -> frozenset[str]:
    return frozenset((text or "").split())
