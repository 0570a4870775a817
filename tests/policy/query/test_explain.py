"""Why a file matches, or why it does not."""

import pytest

from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.query import PackageQuery
from tests.policy.query.facts import NOW, bare, requiring, sdist, wheel


@pytest.mark.parametrize(
    ("query", "facts", "expected"),
    [
        ("version:>=1.0,<2.0", wheel(version="2.0"), "version 2.0 is not >=1.0,<2.0"),
        ("version:2", wheel(version="2.0"), "version 2.0 is 2"),
        ("version:1.*", wheel(), "version 1.0 matches 1.*"),
        ("name:^Foo$", wheel(), "name foo is Foo"),
        ("name:^foo$", wheel("bar"), "name bar is not foo"),
        ("name:^foo", wheel(), "name foo starts with foo"),
        ("name:^foo", wheel("bar"), "name bar does not start with foo"),
        ("name:foo$", wheel(), "name foo ends with foo"),
        ("name:foo$", wheel("bar"), "name bar does not end with foo"),
        ("name:foo", wheel(), "name foo contains foo"),
        ("name:~foo", wheel("bar"), "name bar does not contain foo"),
        ("name:^f*o$", wheel("bar"), "name bar does not match ^f*o$"),
        ("license:^$", wheel(), "license MIT is not empty"),
        ("license:GPL", wheel(license=""), "license (none) does not contain GPL"),
        (
            "license:GPL",
            wheel(license="word " * 50),
            f"license {'word ' * 10}word... does not contain GPL",
        ),
        ("license:GPL", bare(), "license is not known"),
        ("uploaded:today", wheel(uploaded_at=None), "uploaded is not known"),
        ("NOT license:GPL", bare(), "license is not known"),
        ("architecture:x86", sdist(), "architecture (none) does not contain x86"),
        ("tag:b", wheel(tags=frozenset({"b", "a"})), "tag a, b contains b"),
        ("format:sdist", wheel(), "format wheel is not sdist"),
        ("type:binary", wheel(), "type wheel is binary"),
        ("prerelease:true", wheel(), "prerelease is false"),
        ("yanked:~true", wheel(yanked="broken"), "yanked is true"),
        ("size:>2kB", wheel(), "size 2000 is not >2kB"),
        ("downloads:0", wheel(), "downloads 0 is 0"),
        (
            "uploaded:'1 day ago'",
            wheel(),
            "uploaded 2026-03-28T12:00:00Z is before 2026-03-30T12:00:00Z",
        ),
        (
            "uploaded:>2026-03-28",
            wheel(),
            "uploaded 2026-03-28T12:00:00Z is not at or after 2026-03-29T00:00:00Z",
        ),
        (
            "uploaded:2026-03-28",
            wheel(),
            (
                "uploaded 2026-03-28T12:00:00Z is at or after 2026-03-28T00:00:00Z "
                "and before 2026-03-29T00:00:00Z"
            ),
        ),
        ("dependency:six<2", requiring("six>=1"), "dependency six>=1 admits six<2"),
        ("dependency:six<2", requiring("six>=2"), "dependency six>=2 does not admit six<2"),
        ("dependency:six<2", wheel(), "dependency six is not stated"),
        ("acme", wheel(), "name, filename or version does not contain acme"),
    ],
)
def test_sentence(query: str, facts: FileFacts, expected: str) -> None:
    (clause,) = PackageQuery.parse(query).explain(facts, NOW).clauses
    assert clause.sentence == expected


@pytest.mark.parametrize(
    ("query", "matched", "clauses"),
    [
        ("name:^foo$ version:1", True, [("name:^foo$", True), ("version:1", True)]),
        ("name:^foo$ version:2", False, [("version:2", False)]),
        ("name:^bar$ version:2", False, [("name:^bar$", False), ("version:2", False)]),
        ("name:^foo$ OR version:2", True, [("name:^foo$", True)]),
        ("name:^bar$ OR version:2", False, [("name:^bar$", False), ("version:2", False)]),
        ("NOT name:^foo$", False, [("NOT name:^foo$", False)]),
        ("NOT name:^bar$", True, [("NOT name:^bar$", True)]),
        ("name:~^foo$", False, [("name:~^foo$", False)]),
        ("NOT (name:^foo$ OR tag:x)", False, [("name:^foo$", True)]),
        ("NOT (name:^foo$ AND tag:x)", True, [("tag:x", False)]),
        ("NOT NOT name:^foo$", True, [("NOT name:^foo$", False)]),
        ("version:1 (tag:x OR tag:y)", False, [("tag:x", False), ("tag:y", False)]),
        ("version:1 channel:x", False, [("channel:x", False)]),
    ],
)
def test_only_the_parts_that_decide(
    query: str,
    matched: bool,  # noqa: FBT001 - a table
    clauses: list[tuple[str, bool]],
) -> None:
    explanation = PackageQuery.parse(query, extra_fields=["channel"]).explain(wheel(), NOW)
    assert explanation.matched is matched
    assert [(clause.text, clause.matched) for clause in explanation.clauses] == clauses


def test_a_clause_knows_where_it_stands() -> None:
    (clause,) = PackageQuery.parse("name:^foo$\tversion:'2'").explain(wheel(), NOW).clauses
    assert (clause.text, clause.span) == ("version:'2'", (11, 22))
