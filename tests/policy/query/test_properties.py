"""What holds for every query and every file."""

from collections.abc import Iterable
from datetime import datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st
from packaging.utils import NormalizedName

from entitlements_core.errors import QuerySyntaxError
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.query import Admits, PackageQuery, unparse
from entitlements_core.policy.query.syntax import And, Node, Not, Term
from entitlements_core.policy.token_search import TOKEN_FIELDS, parse_token_search
from tests.policy.query.facts import NOW
from tests.policy.query.strategies import files, moments, names, queries, terms

_some = settings(max_examples=100, deadline=None)
_many = settings(max_examples=200, deadline=None)


def parse(text: str) -> PackageQuery:
    return PackageQuery.parse(text, extra_fields=["channel"])


def matches(text: str, facts: FileFacts) -> bool:
    return parse(text).matches(facts, NOW)


_FRAGMENTS = [
    *("name", "version", "size", "uploaded", "dependency", "tag", ":", "~", "^", "$", "*", "\\"),
    *("'", '"', "(", ")", " ", "\t", "AND", "OR", "NOT", ">", "<", ">=", "~=", "=", "!", ","),
    *("1.0", "foo", "2024-10-31", "1 day ago", "9" * 30, "\x00", "\N{SNOWMAN}", "\ud800", "\u2028"),
]


@_many
@given(st.one_of(st.text(), st.lists(st.sampled_from(_FRAGMENTS)).map("".join)))
@example("version:1" + "0" * 1_000)
@example("dependency:a>1" + "0" * 1_000)
@example("uploaded:'9999-12-31T23:59:59.999999Z'")
@example("name:" + "*" * 1_000)
@example("size:" + "9" * 1_000)
@example("uploaded:'" + "9" * 1_000 + " days ago'")
@example("(" * 1_024)
@example("NOT " * 256)
def test_any_text_is_a_query_or_a_syntax_error(text: str) -> None:
    for read in (parse, lambda given: parse_token_search(given, now=NOW)):
        try:
            read(text)
        except QuerySyntaxError as error:
            start, end = error.span
            assert 0 <= start <= end <= len(error.source)  # noqa: PT017 - it may also parse
            assert len(str(error).splitlines()) == 3  # noqa: PT017 - see above


@_some
@given(st.sampled_from(sorted(TOKEN_FIELDS)), st.text(max_size=20), moments)
def test_any_value_of_a_token_is_read_or_refused(field: str, value: str, now: datetime) -> None:
    try:
        parse_token_search(f"{field}:'{value}'", now=now)
    except QuerySyntaxError as error:
        assert str(error)  # noqa: PT017 - it may also parse


@_some
@given(queries)
def test_a_printed_tree_parses_to_an_equal_tree(text: str) -> None:
    tree = parse(text).tree
    assert parse(unparse(tree)).tree == tree


@_many
@given(queries, files())
def test_explain_agrees_with_matches(text: str, facts: FileFacts) -> None:
    query = parse(text)
    explanation = query.explain(facts, NOW)
    assert explanation.matched is query.matches(facts, NOW)
    assert explanation.clauses
    for clause in explanation.clauses:
        assert text[slice(*clause.span)] == clause.text
        assert matches(clause.text, facts) is clause.matched


@_many
@given(queries, files())
def test_answers_are_those_of_three_valued_logic(text: str, facts: FileFacts) -> None:
    assert matches(text, facts) is (_kleene(parse(text).tree, facts) is True)


def _kleene(node: Node, facts: FileFacts) -> bool | None:
    """Kleene's logic spelt out, on the answers of single terms."""
    if isinstance(node, Term):
        return _known(matches(node.text, facts), matches(f"NOT {node.text}", facts))
    if isinstance(node, Not):
        outcome = _kleene(node.operand, facts)
        return None if outcome is None else not outcome
    outcomes = [_kleene(operand, facts) for operand in node.operands]
    return _decided(outcomes, by=not isinstance(node, And))


def _known(holds: bool, fails: bool) -> bool | None:  # noqa: FBT001 - two answers
    assert not (holds and fails)
    return holds if holds or fails else None


def _decided(outcomes: Iterable[bool | None], *, by: bool) -> bool | None:
    found = set(outcomes)
    return by if by in found else None if None in found else not by


@_some
@given(queries, queries, files())
def test_de_morgan(left: str, right: str, facts: FileFacts) -> None:
    neither = matches(f"NOT (({left}) OR ({right}))", facts)
    assert neither is matches(f"(NOT ({left})) AND (NOT ({right}))", facts)
    not_both = matches(f"NOT (({left}) AND ({right}))", facts)
    assert not_both is matches(f"(NOT ({left})) OR (NOT ({right}))", facts)


@_some
@given(queries, files())
def test_two_negations_are_none(text: str, facts: FileFacts) -> None:
    assert matches(f"NOT NOT ({text})", facts) is matches(text, facts)
    assert not (matches(text, facts) and matches(f"NOT ({text})", facts))


@_some
@given(terms, files())
def test_a_negated_value_is_a_negated_term(text: str, facts: FileFacts) -> None:
    field, colon, value = text.partition(":")
    if colon:
        turned = value[1:] if value.startswith("~") and not value.startswith("~=") else f"~{value}"
        assert matches(f"{field}:{turned}", facts) is matches(f"NOT {text}", facts)


@_many
@given(queries, names, st.data())
def test_the_name_alone_never_contradicts_a_file(
    text: str, name: NormalizedName, data: st.DataObject
) -> None:
    query = parse(text)
    found = query.matches(data.draw(files(name)), NOW)
    assert query.admits(name) in (
        {Admits.ALL, Admits.SOME} if found else {Admits.NONE, Admits.SOME}
    )
    assert not found or query.names is None or name in query.names


@_some
@given(queries, files(), moments)
def test_only_relative_dates_make_an_answer_change_with_time(
    text: str, facts: FileFacts, now: datetime
) -> None:
    query = parse(text)
    if not query.depends_on_now:
        assert query.matches(facts, now) is query.matches(facts, NOW)
