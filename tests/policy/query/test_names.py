"""What is known of a project from its name alone."""

import pytest

from entitlements_core.policy.query import Admits, PackageQuery
from tests.policy.query.facts import NOW, sdist, wheel

ALL, NONE, SOME = Admits


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name:^foo$", {"foo"}),
        ("name:^Foo_Bar$", {"foo-bar"}),
        ("name:foo", None),
        ("name:^foo", None),
        ("name:^fo*o$", None),
        ("name:~^foo$", None),
        ("NOT name:^foo$", None),
        ("NOT name:~^foo$", {"foo"}),
        ("NOT NOT name:^foo$", {"foo"}),
        ("version:1", None),
        ("foo", None),
        ("name:^foo$ version:1", {"foo"}),
        ("name:^foo$ OR version:1", None),
        ("name:^foo$ OR name:^bar$", {"foo", "bar"}),
        ("(name:^foo$ OR name:^bar$) name:^bar$", {"bar"}),
        ("name:^foo$ name:^bar$", set()),
        ("NOT (name:~^foo$ AND name:~^bar$)", {"foo", "bar"}),
        ("NOT (name:~^foo$ OR tag:x)", {"foo"}),
    ],
)
def test_names(query: str, expected: set[str] | None) -> None:
    assert PackageQuery.parse(query).names == expected


@pytest.mark.parametrize(
    ("query", "foo", "bar"),
    [
        ("name:^foo$", ALL, NONE),
        ("name:fo", ALL, NONE),
        ("NOT name:fo", NONE, ALL),
        ("name:~fo", NONE, ALL),
        ("name:^foo$ version:1", SOME, NONE),
        ("name:fo version:1", SOME, NONE),
        ("name:fo OR version:1", ALL, SOME),
        ("NOT (name:fo AND version:1)", SOME, ALL),
        ("NOT (name:fo OR version:1)", NONE, SOME),
        ("version:1", SOME, SOME),
        ("format:python", ALL, ALL),
        ("NOT format:python", NONE, NONE),
        ("name:fo format:python", ALL, NONE),
        ("format:wheel", SOME, SOME),
        ("fo", ALL, SOME),
        ("NOT fo", NONE, SOME),
        ("NOT f_o OR tag:x", SOME, SOME),
        ("name:^foo$ NOT name:^foo$", NONE, NONE),
        ("name:^foo$ OR name:^bar$ tag:x", ALL, SOME),
        ("name:^foo$ uploaded:today", SOME, NONE),
    ],
)
def test_admits(query: str, foo: Admits, bar: Admits) -> None:
    parsed = PackageQuery.parse(query)
    assert (parsed.admits(wheel("foo").name), parsed.admits(wheel("bar").name)) == (foo, bar)


@pytest.mark.parametrize("query", ["name:^foo$ OR name:^bar$", "name:^foo$ type:binary"])
def test_a_bound_name_is_looked_up_first(query: str) -> None:
    parsed = PackageQuery.parse(query)
    assert parsed.matches(wheel("foo"), NOW)
    assert not parsed.matches(sdist("baz"), NOW)
