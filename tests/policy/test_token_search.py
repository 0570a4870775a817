"""The search language for tokens: text in, typed tree out."""

from datetime import UTC, datetime, timedelta

import pytest

from entitlements_core.errors import QuerySyntaxError
from entitlements_core.policy.query.syntax import (
    And,
    Choice,
    Comparison,
    DateRange,
    Flag,
    Not,
    Number,
    Or,
    Term,
    TextPattern,
    Value,
)
from entitlements_core.policy.token_search import TOKEN_FIELDS, parse_token_search

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
OCTOBER_10 = DateRange(datetime(2024, 10, 10, tzinfo=UTC), datetime(2024, 10, 11, tzinfo=UTC))


def text(*parts: str, start: bool = False, end: bool = False) -> TextPattern:
    return TextPattern(anchored_start=start, anchored_end=end, parts=parts)


@pytest.mark.parametrize(
    ("query", "field", "comparison", "value"),
    [
        ("acme", "name", Comparison.EQ, text("acme")),
        ("Foo_Bar", "name", Comparison.EQ, text("foo_bar")),
        ("name:some-name", "name", Comparison.EQ, text("some-name")),
        ("name:^A*b$", "name", Comparison.EQ, text("a", "b", start=True, end=True)),
        ("identifier:abced12345", "identifier", Comparison.EQ, text("abced12345")),
        ("active:false", "active", Comparison.EQ, Flag(value=False)),
        ("clients:>1", "clients", Comparison.GT, Number(1)),
        ("downloads:<=1", "downloads", Comparison.LE, Number(1)),
        ("bandwidth_limit:100", "bandwidth_limit", Comparison.EQ, Number(100)),
        ("bandwidth_limit_unit:GB", "bandwidth_limit_unit", Comparison.EQ, Choice("Gigabyte")),
        ("bandwidth_limit_unit:b", "bandwidth_limit_unit", Comparison.EQ, Choice("Byte")),
        ("bandwidth_limit_unit:Byte", "bandwidth_limit_unit", Comparison.EQ, Choice("Byte")),
        (
            "bandwidth_limit_unit:yottabyte",
            "bandwidth_limit_unit",
            Comparison.EQ,
            Choice("Yottabyte"),
        ),
        ("bandwidth_usage:>10", "bandwidth_usage", Comparison.GT, Number(10)),
        ("bandwidth_usage:>=1.5GB", "bandwidth_usage", Comparison.GE, Number(1_500_000_000)),
        ("token_type:user", "token_type", Comparison.EQ, Choice("user")),
        ("user:foo", "user", Comparison.EQ, text("foo")),
        ("created:>10/10/2024", "created", Comparison.GT, OCTOBER_10),
        ("last_reset:<10/10/2024", "last_reset", Comparison.LT, OCTOBER_10),
        ("limit_date_from:10/10/2024", "limit_date_from", Comparison.EQ, OCTOBER_10),
        ("limit_date_to:10/10/2024", "limit_date_to", Comparison.EQ, OCTOBER_10),
        ("expires:10/10/2024", "limit_date_to", Comparison.EQ, OCTOBER_10),
        ("last_used:2024-10-10", "last_used", Comparison.EQ, OCTOBER_10),
        ("state:not_yet_valid", "state", Comparison.EQ, Choice("not_yet_valid")),
        ("tag:trial", "tag", Comparison.EQ, text("trial")),
        ("metadata.region:emea", "metadata.region", Comparison.EQ, text("emea")),
        ("metadata.a-b.1.C_d:'x y'", "metadata.a-b.1.C_d", Comparison.EQ, text("x y")),
    ],
)
def test_term(query: str, field: str, comparison: Comparison, value: Value) -> None:
    expected = Term(field=field, comparison=comparison, value=value)
    assert parse_token_search(query, now=NOW) == expected


def test_relative_dates_are_resolved() -> None:
    tree = parse_token_search("NOT expires:<'in 30 days' (last_used:today OR acme) x", now=NOW)
    assert isinstance(tree, And)
    negation, alternatives, _ = tree.operands
    assert isinstance(negation, Not)
    assert isinstance(negation.operand, Term)
    assert isinstance(negation.operand.value, DateRange)
    assert negation.operand.value.bounds(Comparison.LT) == (None, NOW + timedelta(days=30))
    assert isinstance(alternatives, Or)
    used = alternatives.operands[0]
    assert isinstance(used, Term)
    midnight = NOW.replace(hour=0)
    assert used.value == DateRange(midnight, midnight + timedelta(days=1))


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("usr:1", "There is no field usr. Did you mean user?"),
        ("version:1", "There is no field version."),
        ("foo:1", r"There is no field foo\. The fields are: .*, metadata\.KEY\.\n"),
        ("metadata:x", "There is no field metadata"),
        ("metadata.:x", "There is no field metadata"),
        ("metadata..a:x", "There is no field metadata"),
        ("metadatas.a:x", "There is no field metadatas.a"),
        ("state:on", "expected one of enabled, disabled, deleted, expired, not_yet_valid, limited"),
        ("active:1", "expected one of true, false"),
        ("created:>10/11/2024", "ambiguous"),
        ("", "The query is empty"),
    ],
)
def test_error(query: str, problem: str) -> None:
    with pytest.raises(QuerySyntaxError, match=problem.replace("There", "^There")):
        parse_token_search(query, now=NOW)


@pytest.mark.parametrize("name", TOKEN_FIELDS)
def test_every_field_has_an_example(name: str) -> None:
    field = TOKEN_FIELDS[name]
    tree = parse_token_search(field.example, now=NOW)
    assert isinstance(tree, Term)
    assert tree.field == field.name
