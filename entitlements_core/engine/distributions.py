"""What the name of a distribution file says, and whether its core metadata agree with it."""

import codecs
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from entitlements_core.engine.core_metadata import Fields, read_fields
from entitlements_core.errors import EntitlementsError
from entitlements_core.policy.facts import FileFacts, FileKind
from entitlements_core.policy.project_names import LEGACY_SUFFIXES, SUFFIXES

__all__ = [
    "METADATA_LIMIT",
    "SUFFIXES",
    "Description",
    "ParsedFilename",
    "TooLarge",
    "Unservable",
    "describe",
    "faults_of_one_file",
    "parse_filename",
    "requirements",
    "same_release",
]

_log = logging.getLogger("entitlements.engine")

METADATA_LIMIT = 2 * 1024 * 1024
"""Bytes of core metadata, inclusive, where no other bound is set; more is a mistake or a bomb."""

_NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE | re.ASCII)
"""PEP 508. Checked here because the sdist parser of `packaging` does not."""

_FILENAME = re.compile(r"[A-Za-z0-9!+._-]+")
"""Nothing that a header, a URL or a shell could take for its own; PEP 440 allows ! and +."""

_FILENAME_LENGTH = 255
"""Characters, inclusive, as file systems have it. The tags of a wheel multiply with its length."""

_IDENTITY_LENGTH = 255
"""Characters of a name or version that are looked at, inclusive; they stand in a file name."""

_REQUIRES_PYTHON_LENGTH = 1024
_REQUIREMENT_LENGTH = 4096
_REQUIREMENTS = 10_000
"""Characters and entries, inclusive. Each is parsed, and the first stands in every page."""

_LICENSE_LENGTH = 1024
_SUMMARY_LENGTH = 512
"""Characters kept: some projects put the whole text of their licence there."""

_SHOWN = 80
"""Characters of a text from a file that a message repeats."""

_COMPLETE = "Upload it again, complete; write to a temporary name first and rename."
_REBUILD = "Build it again with a current build tool; do not rename or edit a built file."


class Unservable(EntitlementsError):
    """A file that looks like a distribution and cannot be served."""

    code = "unservable"

    @classmethod
    def incomplete(cls, problem: str) -> "Unservable":
        """The archive ends early or is damaged."""
        return cls(problem, _COMPLETE)

    @classmethod
    def misbuilt(cls, problem: str) -> "Unservable":
        """The archive is whole, and its contents are not those of a distribution."""
        return cls(problem, _REBUILD)


class TooLarge(Unservable):
    """Core metadata that are longer than those that are read.

    Attributes:
        limit: bytes, inclusive, that they pass.
    """

    def __init__(self, name: str, limit: int, size: int | None = None) -> None:
        said = f" It has {size}." if size is not None else ""
        least = f"{size} or more" if size is not None else "more"
        super().__init__(
            f"{name} has more than {limit} bytes.{said}",
            "Shorten the description in it, such as a README or a list of changes, and build the"
            f" file again; or set ENTITLEMENTS_METADATA_LIMIT to {least}.",
        )
        self.limit = limit


@contextmanager
def faults_of_one_file() -> Iterator[None]:
    """Make any error that is raised while one file is read an `Unservable` of that file.

    Files are read with libraries, and each has errors of its own that no file should bring out.
    What says nothing of the file goes on: that memory is short, or that somebody ends the program.

    Raises:
        Unservable: in place of any error but these and an `OSError`.
    """
    try:
        yield
    except (Unservable, OSError, MemoryError):
        raise
    except Exception as error:
        _log.warning("A file cannot be read", exc_info=True)
        raise Unservable.misbuilt(f"It cannot be read: {error!r:.200}.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFilename:
    """What a file name says. The tags are those of a wheel, empty for an sdist."""

    name: NormalizedName
    version: Version
    kind: FileKind
    python_tags: frozenset[str] = frozenset()
    platform_tags: frozenset[str] = frozenset()

    def facts(self, filename: str) -> FileFacts:
        """The facts of the file of this name, as long as nothing else is known of it."""
        return FileFacts(
            filename=filename,
            name=self.name,
            version=self.version,
            kind=self.kind,
            python_tags=self.python_tags,
            platform_tags=self.platform_tags,
            uploaded_at=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the core metadata say.

    Attributes:
        requires_python: on one line, or None.
        license: ``License-Expression``, else ``License`` cut to 1,024 characters, else empty.
        summary: cut to 512 characters; empty when there is none.
        requires_dist: the ``Requires-Dist`` entries, one a line, as they were written.
    """

    requires_python: str | None = None
    license: str = ""
    summary: str = ""
    requires_dist: str = ""


def parse_filename(filename: str) -> ParsedFilename:
    """The name, version and tags in a file name.

    Raises:
        Unservable: it is not the name of a wheel or sdist.
    """
    if len(filename) > _FILENAME_LENGTH:
        raise Unservable.misbuilt(f"The file name has more than {_FILENAME_LENGTH} characters.")
    if not _FILENAME.fullmatch(filename):
        raise Unservable.misbuilt("The file name has characters that no distribution may have.")
    if filename.endswith(LEGACY_SUFFIXES):
        raise Unservable(
            "Installers no longer take this kind of file.", "Publish a wheel or a .tar.gz instead."
        )
    try:
        return _wheel(filename) if filename.endswith(".whl") else _sdist(filename)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion) as error:
        raise Unservable.misbuilt(f"The file name is not valid: {error}.") from error


def describe(metadata: bytes, identity: ParsedFilename, *, source: str) -> Description:
    """Read core metadata, leniently but for the name and the version.

    Args:
        metadata: whatever was found.
        identity: what the file name says.
        source: ``METADATA`` or ``PKG-INFO``, for the message.

    Raises:
        Unservable: they state another name or version than the file name, or none.
    """
    fields = read_fields(metadata)
    name, version = _single(fields, "name"), _single(fields, "version")
    if not same_release(name, version, identity):
        if metadata.startswith(codecs.BOM_UTF8):
            raise Unservable.misbuilt(f"{source} begins with a byte order mark, so it has no name.")
        found = f"{name[:_SHOWN] or 'no name'} {version[:_SHOWN] or 'without version'}"
        raise Unservable.misbuilt(
            f"{source} is of {found!r}, the file name of '{identity.name} {identity.version}'."
        )
    requires_python = _one_line(_single(fields, "requires-python"))
    requires_dist = list(map(_one_line, fields.get("requires-dist", [])))
    _check_bounds(requires_python, requires_dist, source)
    return Description(
        requires_python=requires_python or None,
        license=_license(fields)[:_LICENSE_LENGTH],
        summary=_one_line(_single(fields, "summary"))[:_SUMMARY_LENGTH],
        requires_dist="\n".join(requires_dist),
    )


def _check_bounds(requires_python: str, requires_dist: list[str], source: str) -> None:
    if len(requires_python) > _REQUIRES_PYTHON_LENGTH:
        raise Unservable.misbuilt(
            f"Requires-Python in {source} has more than {_REQUIRES_PYTHON_LENGTH} characters."
        )
    if len(requires_dist) > _REQUIREMENTS:
        raise Unservable.misbuilt(f"{source} has more than {_REQUIREMENTS} Requires-Dist.")
    if any(len(line) > _REQUIREMENT_LENGTH for line in requires_dist):
        raise Unservable.misbuilt(
            f"A Requires-Dist in {source} has more than {_REQUIREMENT_LENGTH} characters."
        )


def same_release(name: str, version: str, identity: ParsedFilename) -> bool:
    """Whether a name and version, as written, are those of the file name (PEP 503, PEP 440)."""
    if max(len(name), len(version)) > _IDENTITY_LENGTH:
        return False
    try:
        return canonicalize_name(name) == identity.name and Version(version) == identity.version
    except InvalidVersion:
        return False


@lru_cache(maxsize=8192)
def requirements(requires_dist: str) -> tuple[Requirement, ...]:
    """Parse the lines of `Description.requires_dist`; one that is not valid is left out.

    The releases of a project mostly require the same, so equal texts share one result.
    """
    parsed = (_requirement(line) for line in requires_dist.splitlines())
    return tuple(requirement for requirement in parsed if requirement is not None)


@lru_cache(maxsize=8192)
def _requirement(line: str) -> Requirement | None:
    try:
        return Requirement(line)
    except (InvalidRequirement, RecursionError):  # of parentheses, nested without end
        return None


def _wheel(filename: str) -> ParsedFilename:
    _check_name(filename.split("-", 1)[0])
    name, version, _build, tags = parse_wheel_filename(filename)
    return ParsedFilename(
        name=name,
        version=version,
        kind=FileKind.WHEEL,
        python_tags=frozenset(tag.interpreter for tag in tags),
        platform_tags=frozenset(tag.platform for tag in tags),
    )


def _sdist(filename: str) -> ParsedFilename:
    _check_name(filename.rpartition("-")[0])
    name, version = parse_sdist_filename(filename)
    return ParsedFilename(name=name, version=version, kind=FileKind.SDIST)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Unservable.misbuilt(f"{name!r} is not a valid project name.")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _single(fields: Fields, name: str) -> str:
    """The value of a field that may be there once; empty when it is there more often."""
    values = fields.get(name, [])
    return values[0] if len(values) == 1 else ""


def _license(fields: Fields) -> str:
    return _one_line(_single(fields, "license-expression") or _single(fields, "license"))
