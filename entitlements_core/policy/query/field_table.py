"""What a field of a query language is, and how the name that is written leads to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import Enum, auto
from types import MappingProxyType

from entitlements_core.errors import QuerySyntaxError
from entitlements_core.policy.query.syntax import Span

__all__ = ["Field", "FieldTable", "ValueKind"]


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
        choices: for `ValueKind.CHOICE`, the words that may be written (lower case) and the word
            of the tree that each stands for.
    """

    name: str
    kind: ValueKind
    help: str
    example: str
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
