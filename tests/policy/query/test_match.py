"""Which files a query is true of."""

from datetime import timedelta

import pytest

from entitlements_core.policy.facts import Fact, FileFacts
from entitlements_core.policy.query import FIELDS, Field, PackageQuery, ValueKind
from tests.policy.query.facts import NOW, bare, requiring, sdist, wheel


def matches(query: str, facts: FileFacts) -> bool:
    return PackageQuery.parse(query, extra_fields={"channel"}).matches(facts, NOW)


@pytest.mark.parametrize(
    ("query", "name", "expected"),
    [
        ("name:foo", "foo", True),
        ("name:foo", "libfoobar", True),
        ("name:^foo$", "foobar", False),
        ("name:^foo$", "libfoo", False),
        ("name:^foo", "foobar", True),
        ("name:^foo", "libfoo", False),
        ("name:foo$", "libfoo", True),
        ("name:foo$", "foobar", False),
        ("name:foo_bar", "foo-bar", True),
        ("name:^Foo.-_Bar$", "foo-bar", True),
        ("name:^foo*bar$", "foobar", True),
        ("name:^foo*bar$", "foo-x-bar", True),
        ("name:^foo*bar$", "foo-x-barb", False),
        ("name:^foo*foo$", "foo", False),
        ("name:^foo*oo*foo$", "foo-oo-foo", True),
        ("name:^foo*oo*foo$", "foo-o-foo", False),
        ("name:foo*bar", "a-foo-bar-b", True),
        ("name:foo*bar", "bar-foo", False),
        ("name:^foo*", "foobar", True),
        ("name:*foo$", "libfoo", True),
        ("name:*", "anything", True),
        ("name:^*$", "anything", True),
        ("name:^$", "anything", False),
        ("name:~^foo$", "foo", False),
        ("name:~^foo$", "bar", True),
        ("foo_bar", "foo-bar", True),
        ("^foo$", "foo", True),
        ("^foo$", "foobar", False),
        ("NOT (name:^a$ OR name:^b$ OR name:^c$)", "d", True),
        ("NOT (name:^a$ OR name:^b$ OR name:^c$)", "c", False),
        ("name:a name:b name:c", "abc", True),
        ("name:a name:b name:c", "ab", False),
    ],
)
def test_names(query: str, name: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert matches(query, wheel(name)) is expected


@pytest.mark.parametrize(
    ("query", "version", "expected"),
    [
        ("version:1.2", "1.2.0", True),
        ("version:1.2", "1.2.1", False),
        ("version:1.2", "1.2+local", False),
        ("version:==1.2", "1.2+local", True),
        ("version:==1.2.*", "1.2.5", True),
        ("version:!=1.2", "1.2.0", False),
        ("version:===1.2", "1.2", True),
        ("version:===1.2", "1.2.0", False),
        ("version:>1.0", "1.0.post1", False),
        ("version:>=1.0,<2", "1.5", True),
        ("version:>=1.0,<2", "2.0", False),
        ("version:'>=1.0, <2'", "1.5", True),
        ("version:>=1.0", "2.0rc1", True),
        ("version:<2.0", "2.0rc1", False),
        ("version:~=1.4.2", "1.4.9", True),
        ("version:~=1.4.2", "1.5.0", False),
        ("version:~>=1.0", "0.9", True),
        ("version:~1.0", "1.0", False),
        ("version:~~=1.0", "2.0", True),
        ("version:1.2.*", "1.2.5", True),
        ("version:^1.2.", "1.20", False),
        ("version:rc1$", "1.0rc1", True),
        ("version:~==1.0", "1.0", False),
        ("version:~===1.0", "1.0.0", True),
        ("version:V1.2", "1.2", True),
        ("prerelease:false", "1.0rc1", False),
        ("prerelease:True", "1.0.dev1", True),
        ("prerelease:~true", "1.0", True),
    ],
)
def test_versions(query: str, version: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert matches(query, wheel(version=version)) is expected


@pytest.mark.parametrize(
    ("query", "requirement", "expected"),
    [
        ("dependency:log4j", "log4j", True),
        ("dependency:Log_4j", "log.4J>=1; extra == 'x'", True),
        ("dependency:log4j", "log4j2", False),
        ("dependency:log4j", "log4j<0.dev0", True),
        ("dependency:log4j<2", "log4j", True),
        ("dependency:log4j<2", "log4j>=2", False),
        ("dependency:log4j<2", "log4j>=1.9", True),
        ("dependency:log4j<2", "log4j<1", True),
        ("dependency:'log4j < 2'", "log4j>=2", False),
        ("dependency:log4j>=1,<2", "log4j==1.*", True),
        ("dependency:log4j>=1,<2", "log4j==2.*", False),
        ("dependency:log4j=1.2.17", "log4j>=1", True),
        ("dependency:log4j=1.2.17", "log4j!=1.2.17", False),
        ("dependency:log4j==1.2.17", "log4j~=1.2.10", True),
        ("dependency:log4j>1.0", "log4j<1.0.0.1", True),
        ("dependency:log4j>1.0a1", "log4j<1.0b1", True),
        ("dependency:log4j>1.0", "log4j<1.0", False),
        ("dependency:log4j>=1.22", "log4j<3,!=1.22.*", True),
        ("dependency:log4j>=1.0,!=1.0", "log4j<1.0.post2", True),
        ("dependency:log4j>1.0.post1", "log4j<1.0.post3", True),
        ("dependency:log4j>1.0.post5", "log4j<1.0.post3", False),
        ("dependency:log4j>=1!0", "log4j<1!1", True),
        ("dependency:log4j>1", "log4j===old", False),
        ("dependency:~log4j", "urllib3", True),
        ("dependency:log4j", "log4j @ file:///x", True),
    ],
)
def test_dependencies(query: str, requirement: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert matches(query, requiring("six", requirement)) is expected


def test_a_requirement_that_cannot_be_read_is_unknown() -> None:
    facts = requiring("six", "log4j<1" + "0" * 5_000)
    assert not matches("dependency:log4j<2", facts)
    assert not matches("NOT dependency:log4j<2", facts)
    assert matches("dependency:log4j", facts)
    assert matches("dependency:six<2", facts)
    assert matches("NOT dependency:attrs<2", facts)


@pytest.mark.parametrize(
    ("query", "facts"),
    [
        ("format:python", wheel()),
        ("format:python", sdist()),
        ("format:~wheel", sdist()),
        ("type:source", sdist()),
        ("type:BINARY", wheel()),
        ("filename:.WHL$", wheel()),
        ("architecture:~x86", sdist()),
        ("python:py3", wheel()),
        ("NOT python:py3", sdist()),
        ("tag:^stable$", wheel(tags=frozenset({"latest", "Stable"}))),
        ("tag:~stable", wheel()),
        ("size:2000", wheel()),
        ("size:2kB", wheel()),
        ("size:>=2KB size:<=2kb", wheel()),
        ("size:<2KiB", wheel()),
        ("size:>0.0019MB", wheel()),
        ("size:'> 1 kB'", wheel()),
        ("downloads:0", wheel()),
        ("downloads:>=8", wheel(downloads=8)),
        ("downloads:<=8", wheel(downloads=8)),
        ("downloads:<9", wheel(downloads=8)),
        ("checksum:^5AFBA", wheel()),
        ("checksum:^sha256:5afba", wheel()),
        ("checksum:~md5:5afba", wheel()),
        ("license:'apache software'", wheel(license="Apache Software License")),
        ("license:^$", wheel(license="")),
        ("repository:^acme/stable$", wheel()),
        ("yanked:false", wheel()),
        ("yanked:true", wheel(yanked="")),
        ("requires_python:>=3.8", wheel(requires_python=">=3.8, <4")),
        ("requires_python:'^>= 3.8,'", wheel(requires_python=">=3.8, <4")),
        ("requires_python:^$", wheel()),
        ("requires_python:~>=3.8", wheel()),
        ("channel:^Edge$", wheel(extra={"channel": "edge"})),
        ("2.7.1", wheel(version="2.7.1")),
        ("uploaded:'3 days ago' OR uploaded:>='3 days ago'", wheel()),
        ("uploaded:2026-03-28", wheel()),
        ("name:^foo$ uploaded:>'1 month ago'", wheel()),
    ],
)
def test_files_that_match(query: str, facts: FileFacts) -> None:
    assert matches(query, facts)
    assert not matches(f"NOT ({query})", facts)


@pytest.mark.parametrize(
    "term",
    [
        "license:GPL",
        "license:^$",
        "dependency:log4j",
        "requires_python:3",
        "checksum:a",
        "checksum:sha256:a",
        "repository:a",
        "size:<10MB",
        "channel:edge",
    ],
)
def test_the_unknown_opens_no_door(term: str) -> None:
    """Neither a term nor its negation holds, however it is spelt."""
    negated = term.replace(":", ":~", 1)
    for query in (term, f"NOT {term}", f"NOT NOT {term}", negated, f"NOT {negated}"):
        assert not matches(query, bare())
    assert matches(f"{term} OR name:^foo$", bare())
    assert not matches(f"NOT ({term} AND name:^foo$)", bare())
    assert matches(f"NOT ({term} AND name:^bar$)", bare())


def test_the_index_may_state_requires_python_without_metadata() -> None:
    facts = wheel(license="", summary="", requires_python=">=3.8")
    assert matches("requires_python:3.8", facts)
    assert not matches("license:~GPL", facts)


def test_dependencies_alone_show_that_metadata_was_read() -> None:
    facts = requiring("six")
    assert matches("NOT license:GPL", facts)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name:^foo$ version:>1 format:wheel yanked:false", set()),
        ("license:MIT OR dependency:foo", {Fact.METADATA}),
        ("NOT requires_python:3", {Fact.METADATA}),
        ("checksum:a downloads:>1", {Fact.CHECKSUM, Fact.DOWNLOADS}),
        ("uploaded:today", {Fact.UPLOADED}),
        ("NOT size:>1MB", {Fact.SIZE}),
        ("tag:^latest$", {Fact.LATEST}),
        ("NOT tag:~^Latest$", {Fact.LATEST}),
        ("tag:latest", {Fact.LATEST, Fact.TAGS}),
        ("tag:*", {Fact.LATEST, Fact.TAGS}),
        ("tag:~^la", {Fact.LATEST, Fact.TAGS}),
        ("tag:^latest-stable$", {Fact.TAGS}),
        ("tag:^stable$", {Fact.TAGS}),
        ("foo channel:x", set()),
    ],
)
def test_needs(query: str, expected: set[Fact]) -> None:
    assert PackageQuery.parse(query, extra_fields=["channel"]).needs == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("uploaded:'1 day ago'", True),
        ("name:^a$ OR NOT uploaded:today", True),
        ("uploaded:2024-10-31", False),
        ("name:^a$", False),
    ],
)
def test_depends_on_now(query: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert PackageQuery.parse(query).depends_on_now is expected


def test_time_alone_changes_the_answer() -> None:
    query = PackageQuery.parse("uploaded:>'1 week ago'")
    assert query.matches(wheel(), NOW)
    assert not query.matches(wheel(), NOW + timedelta(weeks=1))


def test_a_query_without_relative_dates_is_compiled_once() -> None:
    query = PackageQuery.parse("version:>1 OR tag:x")
    assert query.predicate(NOW) is query.predicate(NOW + timedelta(days=1))


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_every_field_has_an_example_that_answers(field: Field) -> None:
    assert field.example.startswith(f"{field.name}:")
    assert matches(field.example, wheel()) is not matches(f"NOT {field.example}", wheel())


def test_every_kind_is_used() -> None:
    assert {field.kind for field in FIELDS.values()} == set(ValueKind)


@pytest.mark.parametrize("operator", ["", ">", ">=", "<", "<="])
@pytest.mark.parametrize("negation", ["", "NOT "])
def test_an_upload_time_that_nobody_knows_is_neither(operator: str, negation: str) -> None:
    query = f"{negation}uploaded:{operator}2026-01-01"
    assert not matches(query, wheel(uploaded_at=None))
    assert matches(query, wheel()) or matches(f"NOT ({query})", wheel())
