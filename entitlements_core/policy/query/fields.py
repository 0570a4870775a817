"""The fields of a package query. A row says all that there is to say of one.

A fact may be missing because nobody read it, and then no rule may build on it; `FileField.known`
tells. Most are always known: an sdist has no platform tags, and that is a fact.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from entitlements_core.policy.facts import Fact, FileFacts
from entitlements_core.policy.query.field_table import Field, FieldTable, ValueKind
from entitlements_core.policy.query.logic import Predicate, always

__all__ = ["ANY_FORMAT", "BARE", "FIELDS", "FileField", "file_field", "package_fields"]

ANY_FORMAT: Final = "python"
"""The word of ``format`` that every file of a Python index has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileField(Field):
    """One field of the package query.

    Attributes:
        read: its value of a file. By kind: text for `TEXT`, `NAME` and `SPECIFIERS`, a `Version`,
            a tuple of `Requirement` for `DEPENDENCY`, a number for `NUMBER` and `SIZE`, an aware
            `datetime` for `DATE`, a truth value for `FLAG`, a `FileKind` for `CHOICE`.
        known: whether the value is known of a file; where it is not, no term is true or false.
        needs: the costly fact that it reads, or None.
        several: `read` gives a set of texts; a term is true if one of them matches.
        label: what may be written before the text, and counts where the wanted text has a colon.
    """

    read: Callable[[FileFacts], Any]
    known: Predicate[FileFacts] = always
    needs: Fact | None = None
    several: bool = False
    label: str = ""


def _metadata_was_read(facts: FileFacts) -> bool:
    """Whether anything of it is there; then what else is empty is known to be so."""
    return bool(facts.license or facts.summary or facts.dependencies)


def _requires_python_is_known(facts: FileFacts) -> bool:
    # The simple page states it as well, so it may be there without the metadata.
    return facts.requires_python is not None or _metadata_was_read(facts)


def _words(*words: str, **aliases: str) -> Mapping[str, str]:
    return MappingProxyType({**{word: word for word in words}, **aliases})


_ALL: Final = (
    FileField(
        name="name",
        kind=ValueKind.NAME,
        help="project name, normalised (PEP 503) on both sides",
        example="name:^acme-client$",
        read=attrgetter("name"),
    ),
    FileField(
        name="version",
        kind=ValueKind.VERSION,
        help="a version, PEP 440 specifiers, or text with ^, $ or *",
        example="version:>=1.2,<3",
        read=attrgetter("version"),
    ),
    FileField(
        name="filename",
        kind=ValueKind.TEXT,
        help="file name as served",
        example="filename:.whl$",
        read=attrgetter("filename"),
    ),
    FileField(
        name="format",
        kind=ValueKind.CHOICE,
        help="python (every file), wheel or sdist",
        example="format:wheel",
        choices=_words(ANY_FORMAT, "wheel", "sdist"),
        read=attrgetter("kind"),
    ),
    FileField(
        name="type",
        kind=ValueKind.CHOICE,
        help="binary (a wheel) or source (an sdist)",
        example="type:binary",
        choices=_words(binary="wheel", source="sdist"),
        read=attrgetter("kind"),
    ),
    FileField(
        name="architecture",
        kind=ValueKind.TEXT,
        help="any platform tag of a wheel; an sdist has none",
        example="architecture:x86_64",
        read=attrgetter("platform_tags"),
        several=True,
    ),
    FileField(
        name="python",
        kind=ValueKind.TEXT,
        help="any python tag of a wheel; an sdist has none",
        example="python:^cp311$",
        read=attrgetter("python_tags"),
        several=True,
    ),
    FileField(
        name="tag",
        kind=ValueKind.TEXT,
        help="any of the vendor's tags, and latest",
        example="tag:^stable$",
        read=attrgetter("tags"),
        several=True,
        needs=Fact.TAGS,
    ),
    FileField(
        name="prerelease",
        kind=ValueKind.FLAG,
        help="whether the version is a pre-release or a development release",
        example="prerelease:false",
        read=attrgetter("version.is_prerelease"),
    ),
    FileField(
        name="size",
        kind=ValueKind.SIZE,
        help="size of the file in bytes",
        example="size:<10MB",
        read=attrgetter("size"),
        known=lambda facts: facts.size > 0,  # no distribution is empty
        needs=Fact.SIZE,
    ),
    FileField(
        name="uploaded",
        kind=ValueKind.DATE,
        help="when the file was uploaded",
        example="uploaded:>'1 month ago'",
        read=attrgetter("uploaded_at"),
        known=lambda facts: facts.uploaded_at is not None,
        needs=Fact.UPLOADED,
    ),
    FileField(
        name="downloads",
        kind=ValueKind.NUMBER,
        help="downloads of the file by all tokens",
        example="downloads:>50",
        read=attrgetter("downloads"),
        needs=Fact.DOWNLOADS,
    ),
    FileField(
        name="checksum",
        kind=ValueKind.TEXT,
        help="SHA-256 in hexadecimal, with or without sha256: before it",
        example="checksum:^5afba",
        read=attrgetter("sha256"),
        known=lambda facts: bool(facts.sha256),
        needs=Fact.CHECKSUM,
        label="sha256:",
    ),
    FileField(
        name="dependency",
        kind=ValueKind.DEPENDENCY,
        help="a project that the file requires, with or without versions",
        example="dependency:urllib3<2",
        read=attrgetter("dependencies"),
        known=_metadata_was_read,
        needs=Fact.METADATA,
    ),
    FileField(
        name="license",
        kind=ValueKind.TEXT,
        help="licence expression or text of the core metadata",
        example="license:MIT",
        read=attrgetter("license"),
        known=_metadata_was_read,
        needs=Fact.METADATA,
    ),
    FileField(
        name="repository",
        kind=ValueKind.TEXT,
        help="the repository, owner/slug",
        example="repository:^acme/stable$",
        read=attrgetter("repository"),
        known=lambda facts: bool(facts.repository),
    ),
    FileField(
        name="yanked",
        kind=ValueKind.FLAG,
        help="whether the file is yanked (PEP 592)",
        example="yanked:false",
        read=lambda facts: facts.yanked is not None,
    ),
    FileField(
        name="requires_python",
        kind=ValueKind.SPECIFIERS,
        help="the stated Requires-Python, as text without blanks",
        example="requires_python:>=3.8",
        read=lambda facts: (facts.requires_python or "").replace(" ", ""),
        known=_requires_python_is_known,
        needs=Fact.METADATA,
    ),
)

FIELDS: Final[Mapping[str, FileField]] = MappingProxyType({known.name: known for known in _ALL})
"""Every field of a package query, in the order of the documentation."""

BARE: Final = FileField(
    name="",
    kind=ValueKind.TEXT,
    help="name, filename or version",
    example="acme",
    read=attrgetter("name", "filename", "version"),
)
"""The field of a term that is written without one: it looks in these three."""


def _plugin_field(name: str) -> FileField:
    return FileField(
        name=name,
        kind=ValueKind.TEXT,
        help="added by a plugin",
        example=f"{name}:text",
        read=lambda facts: facts.extra.get(name, ""),
        known=lambda facts: name in facts.extra,
    )


def package_fields(extra: Collection[str] = ()) -> FieldTable:
    """The table of the package query, with the text fields that plugins add.

    A name that the product has itself keeps the product's meaning.
    """
    added = {name: _plugin_field(name) for name in extra}
    return FieldTable(fields=MappingProxyType({**added, **FIELDS}), bare=BARE)


def file_field(name: str) -> FileField:
    """The row of a term of a parsed package query; what is not the product's is a plugin's."""
    return FIELDS.get(name) or (_plugin_field(name) if name else BARE)
