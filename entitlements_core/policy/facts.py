"""What is known of one distribution file, and the name, version and tags its file name states."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import NormalizedName
from packaging.version import Version

__all__ = ["LATEST_TAG", "Fact", "FileFacts", "FileKind", "latest_of"]

LATEST_TAG: Final = "latest"
"""The tag that the files of a project's latest version have by themselves."""


class FileKind(StrEnum):
    """The two kinds of distribution file that an index serves."""

    WHEEL = "wheel"
    SDIST = "sdist"


class Fact(Enum):
    """A fact that costs something to know; a query says which of these it needs."""

    METADATA = "metadata"
    """Core metadata was read: licence, summary, dependencies, requires_python."""
    CHECKSUM = "checksum"
    DOWNLOADS = "downloads"
    LATEST = "latest"
    """Whether the version is the project's latest."""
    TAGS = "tags"
    """The vendor's tags of the package, ``latest`` apart."""
    UPLOADED = "uploaded"
    SIZE = "size"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """Everything a restriction can ask about one distribution file.

    Attributes:
        filename: as served, such as ``lab_foo-1.0-py3-none-any.whl``.
        name: PEP 503-normalised project name.
        version: PEP 440 version.
        kind: wheel or sdist.
        python_tags: the wheel's python tags (``py3``, ``cp311``); empty for an sdist.
        platform_tags: the wheel's platform tags (``any``, ``manylinux_2_17_x86_64``); empty for
            an sdist.
        size: in bytes.
        uploaded_at: when it came into the index, aware, UTC; None while that is not known.
        sha256: lower-case hexadecimal, or empty while unknown.
        requires_python: the specifier set as text, or None.
        yanked: the reason (possibly empty) when yanked (PEP 592), None when not.
        license: licence expression or free text of the core metadata; empty when unknown.
        summary: of the core metadata; empty when unknown.
        dependencies: the parsed ``Requires-Dist`` entries.
        tags: the vendor's tags, plus ``latest`` for files of the project's latest version: the
            highest final release, or the highest of all where there is no final one.
        downloads: counted downloads of this file by all tokens.
        repository: ``owner/slug``.
        extra: facts that plugins add, by query field name; values are text.
    """

    filename: str
    name: NormalizedName
    version: Version
    kind: FileKind
    python_tags: frozenset[str] = frozenset()
    platform_tags: frozenset[str] = frozenset()
    size: int = 0
    uploaded_at: datetime | None
    sha256: str = ""
    requires_python: str | None = None
    yanked: str | None = None
    license: str = ""
    summary: str = ""
    dependencies: tuple[Requirement, ...] = ()
    tags: frozenset[str] = frozenset()
    downloads: int = 0
    repository: str = ""
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def was_there(self, moment: datetime) -> bool:
        """Whether it was uploaded at `moment` or before; False while that is not known."""
        return self.uploaded_at is not None and self.uploaded_at <= moment


def latest_of(files: Iterable[tuple[Version, str | None]]) -> Version | None:
    """The version that ``tag:latest`` means: the highest final one, or else the highest of all.

    Yanked files do not count while there are others (PEP 592), and neither do restrictions: a
    customer's latest version is the vendor's.

    Args:
        files: of a project: the version of each, and why it is yanked (None where it is not).
    """
    known = list(files)
    versions = [version for version, yanked in known if yanked is None]
    versions = versions or [version for version, _ in known]
    finals = [version for version in versions if not version.is_prerelease]
    return max(finals or versions, default=None)
