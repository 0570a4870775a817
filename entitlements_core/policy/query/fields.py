"""The fields of a package query: what each compares, what it needs to know, and its help text."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import Enum, auto
from types import MappingProxyType

from entitlements_core.errors import QuerySyntaxError
from entitlements_core.policy.facts import Fact
from entitlements_core.policy.query.syntax import Span

__all__ = ["FIELDS", "Field", "FieldTable", "ValueKind", "package_fields"]


class ValueKind(Enum):
    """What the values of a field are; it decides how a value is read."""

    TEXT = auto()
    NAME = auto()
    """Text, PEP 503-normalised on both sides."""
    SPECIFIERS = auto()
    """Text that may start with an operator and in which blanks do not count."""
    VERSION = auto()
    DEPENDENCY = auto()
    NUMBER = auto()
    SIZE = auto()
    DATE = auto()
    FLAG = auto()
    CHOICE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a query language.

    Attributes:
        name: as it stands in a tree; an alias in the table leads to the field it stands for.
        kind: how its values are read.
        help: what it compares, a few words for documentation.
        example: a term that uses it.
        needs: the costly fact that it reads, or None.
        choices: for `ValueKind.CHOICE`, the words that may be written (lower case) and the word of
            the tree that each stands for.
    """

    name: str
    kind: ValueKind
    help: str
    example: str
    needs: Fact | None = None
    choices: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTable:
    """The fields that one language knows.

    Attributes:
        fields: by the name that is written.
        bare: the field of a term that is written without one.
        open_field: a field below which any key may be asked for, such as ``metadata``
            (``metadata.region``), or None.
    """

    fields: Mapping[str, Field]
    bare: Field
    open_field: Field | None = None

    def look_up(self, name: str | None, *, source: str, span: Span) -> Field:
        """The field that is written ``name:``, or the bare one for None.

        Raises:
            QuerySyntaxError: there is no such field; lists the known ones.
        """
        if name is None:
            return self.bare
        found = self.fields.get(name) or self._below_open_field(name)
        if found is None:
            raise QuerySyntaxError(self._unknown(name), source=source, span=span)
        return found

    def _below_open_field(self, name: str) -> Field | None:
        prefix, _, key = name.partition(".")
        if self.open_field is None or prefix != self.open_field.name or not all(key.split(".")):
            return None
        return replace(self.open_field, name=name)

    def _unknown(self, name: str) -> str:
        known = sorted(self.fields)
        near = get_close_matches(name.lower(), known, n=1)
        if self.open_field is not None:
            known.append(f"{self.open_field.name}.KEY")
        hint = f" Did you mean {near[0]}?" if near else ""
        return f"There is no field {name}.{hint} The fields are: {', '.join(known)}."


def _words(*words: str, **aliases: str) -> Mapping[str, str]:
    return MappingProxyType({**{word: word for word in words}, **aliases})


_ALL = (
    Field(
        name="name",
        kind=ValueKind.NAME,
        help="project name, normalised (PEP 503) on both sides",
        example="name:^acme-client$",
    ),
    Field(
        name="version",
        kind=ValueKind.VERSION,
        help="a version, PEP 440 specifiers, or text with ^, $ or *",
        example="version:>=1.2,<3",
    ),
    Field(
        name="filename", kind=ValueKind.TEXT, help="file name as served", example="filename:.whl$"
    ),
    Field(
        name="format",
        kind=ValueKind.CHOICE,
        help="python (every file), wheel or sdist",
        example="format:wheel",
        choices=_words("python", "wheel", "sdist"),
    ),
    Field(
        name="type",
        kind=ValueKind.CHOICE,
        help="binary (a wheel) or source (an sdist)",
        example="type:binary",
        choices=_words(binary="wheel", source="sdist"),
    ),
    Field(
        name="architecture",
        kind=ValueKind.TEXT,
        help="any platform tag of a wheel; an sdist has none",
        example="architecture:x86_64",
    ),
    Field(
        name="python",
        kind=ValueKind.TEXT,
        help="any python tag of a wheel; an sdist has none",
        example="python:^cp311$",
    ),
    Field(
        name="tag",
        kind=ValueKind.TEXT,
        help="any of the vendor's tags, and latest",
        example="tag:^stable$",
        needs=Fact.TAGS,
    ),
    Field(
        name="prerelease",
        kind=ValueKind.FLAG,
        help="whether the version is a pre-release or a development release",
        example="prerelease:false",
    ),
    Field(
        name="size",
        kind=ValueKind.SIZE,
        help="size of the file in bytes",
        example="size:<10MB",
        needs=Fact.SIZE,
    ),
    Field(
        name="uploaded",
        kind=ValueKind.DATE,
        help="when the file was uploaded",
        example="uploaded:>'1 month ago'",
        needs=Fact.UPLOADED,
    ),
    Field(
        name="downloads",
        kind=ValueKind.NUMBER,
        help="downloads of the file by all tokens",
        example="downloads:>50",
        needs=Fact.DOWNLOADS,
    ),
    Field(
        name="checksum",
        kind=ValueKind.TEXT,
        help="SHA-256 in hexadecimal, with or without sha256: before it",
        example="checksum:^5afba",
        needs=Fact.CHECKSUM,
    ),
    Field(
        name="dependency",
        kind=ValueKind.DEPENDENCY,
        help="a project that the file requires, with or without versions",
        example="dependency:urllib3<2",
        needs=Fact.METADATA,
    ),
    Field(
        name="license",
        kind=ValueKind.TEXT,
        help="licence expression or text of the core metadata",
        example="license:MIT",
        needs=Fact.METADATA,
    ),
    Field(
        name="repository",
        kind=ValueKind.TEXT,
        help="the repository, owner/slug",
        example="repository:^acme/stable$",
    ),
    Field(
        name="yanked",
        kind=ValueKind.FLAG,
        help="whether the file is yanked (PEP 592)",
        example="yanked:false",
    ),
    Field(
        name="requires_python",
        kind=ValueKind.SPECIFIERS,
        help="the stated Requires-Python, as text without blanks",
        example="requires_python:>=3.8",
        needs=Fact.METADATA,
    ),
)

FIELDS: Mapping[str, Field] = MappingProxyType({known.name: known for known in _ALL})
"""Every field of a package query, in the order of the documentation."""

_BARE = Field(
    name="",
    kind=ValueKind.TEXT,
    help="name, filename or version",
    example="acme",
)


def package_fields(extra: Collection[str] = ()) -> FieldTable:
    """The table of the package query, with the text fields that plugins add.

    A name that the product has itself keeps the product's meaning.
    """
    added = {
        name: Field(
            name=name, kind=ValueKind.TEXT, help="added by a plugin", example=f"{name}:text"
        )
        for name in extra
    }
    return FieldTable(fields=MappingProxyType({**added, **FIELDS}), bare=_BARE)
