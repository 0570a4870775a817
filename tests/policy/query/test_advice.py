"""Warnings say what a query does that its author may not expect."""

import pytest

from entitlements_core.policy.query import PackageQuery


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name:^foo$", []),
        ("name:^foo*", []),
        ("name:*foo*", []),
        ("name:*", []),
        ("version:1.0 filename:foo tag:x", []),
        (
            "name:foo",
            ["name:foo is not anchored and also opens foobar and libfoo; write name:^foo$"],
        ),
        ("name:^foo", ["name:^foo is not anchored and also opens foobar; write name:^foo$"]),
        ("name:foo$", ["name:foo$ is not anchored and also opens libfoo; write name:^foo$"]),
        (
            "name:acme-*",
            ["name:acme-* is not anchored and also opens libacme-*; write name:^acme-*$"],
        ),
        (
            "NOT name:Foo_Bar",
            [
                (
                    "name:Foo_Bar is not anchored and also shuts out foo-barbar and libfoo-bar; "
                    "write name:^foo-bar$"
                )
            ],
        ),
        (
            "name:~foo",
            ["name:~foo is not anchored and also shuts out foobar and libfoo; write name:^foo$"],
        ),
        (
            "foo OR foo",
            [
                (
                    "foo has no field and is looked for in name, filename and version; "
                    "write name:^foo$ for one project."
                )
            ],
        ),
        (
            "name:^a$ and name:^b$",
            ["and in lower case is looked for as text; the operator is AND."],
        ),
        ("not name:^b$", ["not in lower case is looked for as text; the operator is NOT."]),
        (
            "python:3.11",
            [
                (
                    "python:3.11 compares the python tag of a wheel, which has no dots; "
                    "write python:cp311."
                )
            ],
        ),
        ("python:cp311", []),
    ],
)
def test_warnings(query: str, expected: list[str]) -> None:
    assert list(PackageQuery.parse(query).warnings) == expected


def test_a_quoted_operator_is_meant_as_text() -> None:
    (warning,) = PackageQuery.parse("'and'").warnings
    assert warning.startswith("'and' has no field")
