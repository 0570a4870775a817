"""A row of the table says all of a field: what it reads, when that is known, what is documented."""

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from entitlements_core.policy.facts import Fact, FileFacts, FileKind
from entitlements_core.policy.query import FIELDS, FileField, PackageQuery, ValueKind
from entitlements_core.policy.query.fields import BARE, file_field
from tests.policy.query.facts import NOW, wheel

_NOTHING_READ: Final = wheel(
    size=0,
    uploaded_at=None,
    sha256="",
    license="",
    summary="",
    tags=frozenset(),
    repository="",
)
"""Nobody read anything of it but its name."""
_ALL_READ: Final = wheel(
    version="1.0rc1",
    requires_python=">=3.8",
    dependencies=(Requirement("six>=1"),),
    tags=frozenset({"stable"}),
    downloads=8,
)
_TYPES: Final[dict[ValueKind, type]] = {
    ValueKind.TEXT: str,
    ValueKind.NAME: str,
    ValueKind.SPECIFIERS: str,
    ValueKind.VERSION: Version,
    ValueKind.DEPENDENCY: Requirement,
    ValueKind.NUMBER: int,
    ValueKind.SIZE: int,
    ValueKind.DATE: datetime,
    ValueKind.FLAG: bool,
    ValueKind.CHOICE: FileKind,
}
_PLUGINS: Final = file_field("channel")
_EDGE: Final = {"channel": "edge"}
_PAGE: Final = Path(__file__).parents[3].joinpath("docs", "query.md").read_text(encoding="utf-8")

every_field = pytest.mark.parametrize(
    "field", [*FIELDS.values(), _PLUGINS], ids=lambda one: one.name
)


def _query(text: str) -> PackageQuery:
    return PackageQuery.parse(text, extra_fields=_EDGE)


def _written(field: FileField, facts: FileFacts) -> str:
    """The term that asks for just what the field reads of the file."""
    value: Any = field.read(facts)
    if field.several or field.kind is ValueKind.DEPENDENCY:
        (value,) = value
    if field.kind in {ValueKind.TEXT, ValueKind.NAME, ValueKind.SPECIFIERS}:
        return f"{field.name}:'^{value}$'"
    if field.kind is ValueKind.CHOICE:
        (value,) = (word for word, stands_for in field.choices.items() if stands_for == value)
    if field.kind is ValueKind.DATE:
        value = value.isoformat()
    return f"{field.name}:'{value}'"


@every_field
def test_it_is_read(field: FileField) -> None:
    facts = wheel(extra=_EDGE) if field is _PLUGINS else _ALL_READ
    value = field.read(facts)
    values = value if field.several or field.kind is ValueKind.DEPENDENCY else (value,)
    assert all(isinstance(one, _TYPES[field.kind]) for one in values)
    query = _written(field, facts)
    assert _query(query).matches(facts, NOW)
    assert not _query(f"NOT {query}").matches(facts, NOW)
    (clause,) = _query(query).explain(facts, NOW).clauses
    assert clause.sentence.startswith(f"{field.name} ")


@every_field
@pytest.mark.parametrize("facts", [_NOTHING_READ, _ALL_READ], ids=["nothing", "all"])
def test_it_is_known_or_no_rule_builds_on_it(field: FileField, facts: FileFacts) -> None:
    term = f"{field.name}:'^edge$'" if field is _PLUGINS else field.example
    answers = [_query(text).matches(facts, NOW) for text in (term, f"NOT {term}")]
    assert any(answers) is field.known(facts)
    assert not all(answers)
    (clause,) = _query(term).explain(facts, NOW).clauses
    assert (clause.sentence == f"{field.name} is not known") is not field.known(facts)


@every_field
def test_what_is_known_without_reading_costs_nothing(field: FileField) -> None:
    """What can be unknown is announced as a costly fact, so that somebody reads it."""
    free = {"repository", _PLUGINS.name}
    assert field.known(_NOTHING_READ) or field.needs is not None or field.name in free
    assert _query(field.example).needs >= ({field.needs} if field.needs else set())


def test_every_costly_fact_has_a_field() -> None:
    found = {field.needs for field in FIELDS.values()} - {None}
    assert found == set(Fact) - {Fact.LATEST}, "of a tag's value it depends whether it asks for it"


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_it_is_documented(field: FileField) -> None:
    (line,) = (line for line in _PAGE.splitlines() if line.startswith(f"| `{field.name}` |"))
    assert line.endswith(f"| `{field.example}` |")
    assert field.help
    assert field.example.startswith(f"{field.name}:")


def test_a_term_without_a_field_looks_in_three() -> None:
    facts = wheel("foo-bar", "1.0")
    assert BARE.read(facts) == ("foo-bar", "foo_bar-1.0-py3-none-any.whl", Version("1.0"))
    assert all(_query(word).matches(facts, NOW) for word in ("foo.bar", "any.whl", "^1.0$"))
    assert BARE.known(_NOTHING_READ)


@pytest.mark.parametrize("name", FIELDS)
def test_the_name_in_a_tree_leads_to_its_row(name: str) -> None:
    assert file_field(name) is FIELDS[name]


def test_a_plugins_field_has_no_other_way_to_be_known() -> None:
    assert _PLUGINS.name not in FIELDS
    known = [_PLUGINS.known(facts) for facts in (_ALL_READ, wheel(extra=_EDGE))]
    assert known == [False, True]
    assert _PLUGINS.read(_ALL_READ) == ""
