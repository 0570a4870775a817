"""Which project names are the vendor's: those of its files, and those it reserves.

A name that is the vendor's is answered from the vendor's index alone, so that nobody who registers
it elsewhere has a say in what customers install.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from packaging.utils import NormalizedName, canonicalize_name

from entitlements_core.errors import InvalidValue

__all__ = [
    "ENDS",
    "LEGACY_SUFFIXES",
    "SUFFIXES",
    "NamePattern",
    "cleaned",
    "is_name",
    "names_in",
    "parse_patterns",
]

SUFFIXES: Final = (".whl", ".tar.gz", ".zip")
"""Of the files that can be served."""
LEGACY_SUFFIXES: Final = (
    *(".egg", ".tgz", ".tar.bz2", ".tar.xz", ".tar.Z"),
    *(".exe", ".msi", ".rpm", ".deb"),
)
"""Of files that an index once took and that today's installers refuse."""
ENDS: Final = tuple(suffix.lower() for suffix in SUFFIXES + LEGACY_SUFFIXES)
"""In lower case: ``FOO-1.0.TAR.GZ`` is not served, but its owner meant it, and its name counts."""
_NAME: Final = re.compile(r"[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?", re.IGNORECASE | re.ASCII)
"""PEP 508."""
_BEGINNING: Final = re.compile(r"[A-Z0-9][A-Z0-9._-]*\*", re.IGNORECASE | re.ASCII)
_RUN: Final = re.compile(r"[-_.]+")
_LONGEST: Final = 200
_WHEEL: Final = ".whl"
_WHEEL_PARTS: Final = (5, 6)
"""Name, version and three tags; a build number is one more."""
_OTHERS: Final = re.compile(r"[^A-Z0-9._-]+", re.IGNORECASE | re.ASCII)
"""What no name has, and build tools once made one dash of (in setuptools, ``safe_name``)."""
_VERSION: Final = re.compile(r"[-_](?=v?[0-9])", re.IGNORECASE | re.ASCII)
"""Where the name of an sdist may end. It cannot be told for sure: names have numbers, too."""


@dataclass(frozen=True, slots=True, order=True)
class NamePattern:
    """A reserved name, or the beginning of reserved names.

    Attributes:
        text: a normalised name (PEP 503), or a normalised beginning.
        is_prefix: every name that begins with it is meant.
    """

    text: str
    is_prefix: bool = False

    @classmethod
    def parse(cls, text: str) -> "NamePattern":
        """Read a name such as ``acme-app``, or a beginning such as ``acme-*``.

        Spelling makes no difference: ``Acme_*`` is ``acme-*``. ``acme*`` is more than ``acme-*``.

        Raises:
            InvalidValue: when it is neither.
        """
        words = text.strip()
        if len(words) <= _LONGEST and _NAME.fullmatch(words):
            return cls(canonicalize_name(words))
        if len(words) <= _LONGEST and _BEGINNING.fullmatch(words):
            return cls(_RUN.sub("-", words[:-1]).lower(), is_prefix=True)
        raise InvalidValue(
            "name",
            f"{words[:60]!r} is no project name and no beginning of one.",
            "Write a name such as 'acme-app', or a beginning such as 'acme-*'.",
        )

    def __str__(self) -> str:
        return f"{self.text}*" if self.is_prefix else self.text

    def matches(self, name: NormalizedName) -> bool:
        """Whether the name is reserved by it."""
        return name.startswith(self.text) if self.is_prefix else name == self.text


def parse_patterns(texts: Iterable[str]) -> tuple[NamePattern, ...]:
    """Read several, each once, in the order given.

    Raises:
        InvalidValue: when one is neither a name nor a beginning.
    """
    return tuple(dict.fromkeys(map(NamePattern.parse, texts)))


def names_in(filename: str) -> frozenset[NormalizedName]:
    """The projects that a distribution's file name can be of; empty for a name without any.

    Of a wheel there is one, unless what should be its build number may be its version. The name of
    an sdist may end before any number in it, and that of a file that is named wrongly before any
    hyphen, so that all of these are given: one too many keeps a foreign project away, one too few
    lets one in.
    """
    if filename.lower().endswith(_WHEEL):
        parts = filename[: -len(_WHEEL)].split("-")
        is_right = len(parts) in _WHEEL_PARTS and parts[1][:1].isdigit()
        candidates = _cuts(parts[: len(parts) - _WHEEL_PARTS[0] + 1] if is_right else parts)
    else:
        candidates = [filename[: found.start()] for found in _VERSION.finditer(filename)]
        candidates = candidates or _cuts(_stem(filename).split("-"))
    return frozenset(name for name in map(cleaned, candidates) if name is not None)


def cleaned(text: str) -> NormalizedName | None:
    """The normalised name that build tools made of a text; None where none is left of it."""
    name = _OTHERS.sub("-", text).strip("-_.")
    return canonicalize_name(name) if _NAME.fullmatch(name) else None


def is_name(text: str) -> bool:
    """Whether it is a project name (PEP 508), in any spelling."""
    return _NAME.fullmatch(text) is not None


def _stem(filename: str) -> str:
    """Without its suffix; where it has none of ours, what stands before the last hyphen."""
    suffix = next((one for one in ENDS if filename.lower().endswith(one)), "")
    return filename[: -len(suffix)] if suffix else filename.rpartition("-")[0]


def _cuts(parts: Sequence[str]) -> list[str]:
    """What stands before each hyphen, and the whole."""
    return ["-".join(parts[: count + 1]) for count in range(len(parts))]
