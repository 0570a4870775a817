"""From text to tree and back."""

import pytest

from entitlements_core.errors import QuerySyntaxError
from entitlements_core.policy.query import PackageQuery, unparse
from entitlements_core.policy.query.syntax import And, Node, Not, Or, Term, TextPattern, terms


def tree(text: str) -> Node:
    return PackageQuery.parse(text).tree


def word(text: str, field: str = "", *, negated: bool = False) -> Term:
    pattern = TextPattern(anchored_start=False, anchored_end=False, parts=(text,))
    return Term(field=field, value=pattern, negated=negated)


A, B, C = word("a"), word("b"), word("c")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", A),
        ("(a)", A),
        ("((a))", A),
        ("a b", And((A, B))),
        ("a AND b", And((A, B))),
        ("a b AND c", And((A, B, C))),
        ("a OR b", Or((A, B))),
        ("a OR b AND c", Or((A, And((B, C))))),
        ("a b OR c", Or((And((A, B)), C))),
        ("a AND (b OR c)", And((A, Or((B, C))))),
        ("a(b)c", And((A, B, C))),
        ("(a AND b) AND c", And((And((A, B)), C))),
        ("NOT a b", And((Not(A), B))),
        ("NOT (a b)", Not(And((A, B)))),
        ("NOT NOT a", Not(Not(A))),
        ("a NOT b", And((A, Not(B)))),
        ("a AND NOT b OR c", Or((And((A, Not(B))), C))),
        ("tag:~a", word("a", "tag", negated=True)),
        ("tag:a:b", word("a:b", "tag")),
        ("tag:'a b'", word("a b", "tag")),
        ("tag:'(a) b'", word("(a) b", "tag")),
        ('tag:"a\'b"', word("a'b", "tag")),
        ("tag:a' 'b", word("a b", "tag")),
        (r"tag:'it\'s'", word("it's", "tag")),
        (r"tag:a\ b", word("a b", "tag")),
        (r"tag:\~a", word("~a", "tag")),
        (r"tag:\>a", word(">a", "tag")),
        (r"tag:\^a\*\$", word("^a*$", "tag")),
        ("'tag:a'", word("tag:a")),
        ("'AND'", word("and")),
        ("AND:", None),
        ("a\tAND\r\nb", And((A, B))),
        ("A", A),
    ],
)
def test_tree(text: str, expected: Node | None) -> None:
    if expected is None:
        with pytest.raises(QuerySyntaxError, match="There is no field AND"):
            tree(text)
    else:
        assert tree(text) == expected


def test_a_term_knows_where_it_stands() -> None:
    parsed = tree("a OR NOT tag:~'b c'")
    assert isinstance(parsed, Or)
    negation = parsed.operands[1]
    assert isinstance(negation, Not)
    assert negation.span == (5, 19)
    term = negation.operand
    assert isinstance(term, Term)
    assert (term.text, term.span, term.written) == ("tag:~'b c'", (9, 19), "b c")


def test_terms_say_whether_they_must_hold() -> None:
    found = {term.text: wanted for term, wanted in terms(tree("a NOT (b OR tag:~c) NOT NOT d"))}
    assert found == {"a": True, "b": False, "tag:~c": True, "d": True}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", "a AND b"),
        ("a  OR (b  c)", "a OR b AND c"),
        ("(a OR b) c", "(a OR b) AND c"),
        ("(a AND b) AND c", "(a AND b) AND c"),
        ("(a OR b) OR c", "(a OR b) OR c"),
        ("NOT (NOT (a))", "NOT NOT a"),
        ("NOT (a AND b)", "NOT (a AND b)"),
        ("tag:~'b c' OR 'AND'", "tag:~'b c' OR 'AND'"),
    ],
)
def test_unparse(text: str, expected: str) -> None:
    assert unparse(tree(text)) == expected
    assert tree(expected) == tree(text)


def test_a_plugin_adds_a_field() -> None:
    with pytest.raises(QuerySyntaxError, match="no field channel"):
        PackageQuery.parse("channel:a")
    assert PackageQuery.parse("channel:a", extra_fields=["channel"]).tree == word("a", "channel")


def test_a_plugin_cannot_take_a_field_over() -> None:
    query = PackageQuery.parse("size:>10", extra_fields=["size"])
    assert query == PackageQuery.parse("size:>10")


def test_a_query_shows_its_text() -> None:
    query = PackageQuery.parse("  name:^a$ ")
    assert str(query) == query.text == "  name:^a$ "
    assert len({query, PackageQuery.parse(query.text)}) == 1
