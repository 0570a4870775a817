"""A syntax error shows the place and says what was expected."""

from textwrap import dedent

import pytest

from entitlements_core.errors import QuerySyntaxError
from entitlements_core.policy.query import MAX_DEPTH, MAX_LENGTH, PackageQuery

_CASES = [
    (
        "",
        """
        The query is empty; expected a term such as name:^foo$.
            
            ^""",  # noqa: W293 - the empty query
    ),
    (
        "name:^foo$ AND OR bar",
        """
        Expected a term after AND, found OR.
            name:^foo$ AND OR bar
                           ~^""",
    ),
    (
        "AND foo",
        """
        Expected a term after the start, found AND.
            AND foo
            ~~^""",
    ),
    (
        "foo OR",
        """
        Expected a term after OR, found the end of the query.
            foo OR
                  ^""",
    ),
    (
        "foo OR ()",
        """
        Expected a term after '(', found ')'.
            foo OR ()
                    ^""",
    ),
    (
        "foo AND (bar OR baz",
        """
        This '(' is never closed; expected ')' or another term.
            foo AND (bar OR baz
                    ~~~~~~~~~~^""",
    ),
    (
        "foo) bar",
        """
        This ')' closes nothing; expected a '(' before it.
            foo) bar
               ^""",
    ),
    (
        "name: foo",
        """
        Expected a value directly after name:, found nothing.
            name: foo
            ~~~~^""",
    ),
    (
        "tag:~",
        """
        Expected a value directly after tag:~, found nothing.
            tag:~
            ~~~~^""",
    ),
    (
        "name:' '",
        """
        Expected a value directly after name:' ', found nothing.
            name:' '
            ~~~~~~~^""",
    ),
    (
        "versoin:1.0",
        """
        There is no field versoin. Did you mean version? The fields are: architecture, checksum, \
dependency, downloads, filename, format, license, name, prerelease, python, repository, \
requires_python, size, tag, type, uploaded, version, yanked.
            versoin:1.0
            ~~~~~~~~~~^""",
    ),
    (
        "version:>=1.0,<2.x",
        """
        <2.x is not a version specifier (PEP 440); expected one such as >=1.2 or ~=1.2
            version:>=1.0,<2.x
                          ~~~^""",
    ),
    (
        "version:>=1.0,",
        """
        Nothing is not a version specifier (PEP 440); expected one such as >=1.2 or ~=1.2
            version:>=1.0,
                          ^""",
    ),
    (
        "version:=1.0",
        """
        =1.0 is not a version specifier (PEP 440); write ==1.0
            version:=1.0
                    ~~~^""",
    ),
    (
        "version:one",
        """
        one is not a version (PEP 440); expected one such as 1.2, >=1.2,<3 or 1.2.*
            version:one
                    ~~^""",
    ),
    (
        "name:>foo",
        """
        The field name is text and cannot be compared with >; expected text such as in \
name:^acme-client$
            name:>foo
                 ~~~^""",
    ),
    (
        "version >=1.0",
        """
        A term without a field is text and cannot be compared with >=; write it directly after a \
field, such as version:>=1.2
            version >=1.0
                    ~~~~^""",
    ),
    (
        "~foo",
        """
        '~' negates the value of a field, such as tag:~latest; write NOT before a term without one.
            ~foo
            ~~~^""",
    ),
    (
        "name:^",
        """
        Expected text beside ^, which alone matches everything.
            name:^
                 ^""",
    ),
    (
        "name:'foo AND bar",
        """
        Expected a closing ', found the end of the query.
            name:'foo AND bar
                 ~~~~~~~~~~~^""",
    ),
    (
        "foo\\",
        """
        Expected a character after the backslash, found the end of the query.
            foo\\
               ^""",
    ),
    (
        "size:>=",
        """
        Expected a value after >=, found nothing.
            size:>=
                 ~^""",
    ),
    (
        "size:>10XB",
        """
        Expected bytes, or kB, MB, GB, TB, PB, KiB, MiB, GiB, TiB, PiB, such as in size:<10MB
            size:>10XB
                  ~~~^""",
    ),
    (
        "size:1.5",
        """
        1.5 is not a whole number of bytes.
            size:1.5
                 ~~^""",
    ),
    (
        "downloads:>many",
        """
        Expected a whole number, such as in downloads:>50
            downloads:>many
                       ~~~^""",
    ),
    (
        "downloads:9223372036854775808",
        """
        The number is too large; the largest is 9223372036854775807.
            downloads:9223372036854775808
                      ~~~~~~~~~~~~~~~~~~^""",
    ),
    (
        "prerelease:maybe",
        """
        maybe is not a value of prerelease; expected one of true, false.
            prerelease:maybe
                       ~~~~^""",
    ),
    (
        "format:rpm",
        """
        rpm is not a value of format; expected one of python, wheel, sdist.
            format:rpm
                   ~~^""",
    ),
    (
        "dependency:^foo$",
        """
        Expected a project name, with or without versions, such as urllib3 or urllib3<2.
            dependency:^foo$
                       ~~~~^""",
    ),
    (
        "dependency:foo<>2",
        """
        <>2 is not a version specifier (PEP 440); expected one such as >=1.2 or ~=1.2
            dependency:foo<>2
                          ~~^""",
    ),
    (
        "uploaded:soon",
        """
        soon is not a date; expected 2024-10-31, 2024-10-31T09:00Z, 'August 14, 2019' or \
'1 month ago'.
            uploaded:soon
                     ~~~^""",
    ),
    (
        "uploaded:10/11/2024",
        """
        10/11/2024 is ambiguous; write 2024-10-11 or 2024-11-10.
            uploaded:10/11/2024
                     ~~~~~~~~~^""",
    ),
    (
        "uploaded:2024-02-30",
        """
        There is no date 2024-02-30 in the calendar.
            uploaded:2024-02-30
                     ~~~~~~~~~^""",
    ),
    (
        "uploaded:>2024-10-31T09:00",
        """
        Expected a zone after 2024-10-31T09:00, such as 2024-10-31T09:00Z.
            uploaded:>2024-10-31T09:00
                      ~~~~~~~~~~~~~~~^""",
    ),
    (
        "uploaded:'2024-10-31 IST'",
        """
        The zone IST is not known; write an offset such as +01:00, or one of Z, UTC, GMT, EST, \
EDT, CST, CDT, MST, MDT, PST, PDT.
            uploaded:'2024-10-31 IST'
                      ~~~~~~~~~~~~~^""",
    ),
    (
        "uploaded:>'999999 years ago'",
        """
        A relative date reaches at most 100 years from now.
            uploaded:>'999999 years ago'
                       ~~~~~~~~~~~~~~~^""",
    ),
    (
        "name:\tfoo\x00bar",
        """
        The control character U+0000 cannot stand in a query.
            name: foo\N{REPLACEMENT CHARACTER}bar
                     ^""",
    ),
]


@pytest.mark.parametrize(("query", "expected"), _CASES, ids=[query for query, _ in _CASES])
def test_error_text(query: str, expected: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        PackageQuery.parse(query)
    # A trailing blank would not survive in the table above.
    found = [line.rstrip() for line in str(caught.value).splitlines()]
    assert found == [line.rstrip() for line in dedent(expected).strip("\n").splitlines()]


@pytest.mark.parametrize("query", [" ", "\t\r\n", "\N{NO-BREAK SPACE}"])
def test_blank_is_no_query(query: str) -> None:
    with pytest.raises(QuerySyntaxError, match="The query is empty"):
        PackageQuery.parse(query)


def test_longest_query() -> None:
    assert PackageQuery.parse("x" * MAX_LENGTH).text
    with pytest.raises(QuerySyntaxError, match=r"has 1,025 characters; at most 1,024 are allowed"):
        PackageQuery.parse("x" * (MAX_LENGTH + 1))


@pytest.mark.parametrize("field", ["version:", "dependency:foo"])
def test_specifiers_are_bounded(field: str) -> None:
    specifiers = [f"!={number}" for number in range(33)]
    assert PackageQuery.parse(field + ",".join(specifiers[1:])).text
    with pytest.raises(QuerySyntaxError, match="At most 32 specifiers may stand in one value"):
        PackageQuery.parse(field + ",".join(specifiers))


def test_a_huge_query_makes_a_small_error() -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        PackageQuery.parse("(" * 1_000_000)
    assert len(str(caught.value)) < 3 * MAX_LENGTH


@pytest.mark.parametrize(
    ("opening", "closing"), [("(", ")"), ("NOT ", ""), ("NOT (", ")"), ("(NOT ", ")")]
)
def test_depth_is_bounded(opening: str, closing: str) -> None:
    times = MAX_DEPTH // sum(map(opening.count, ("(", "NOT")))
    assert PackageQuery.parse(opening * times + "foo" + closing * times).text
    with pytest.raises(QuerySyntaxError, match="At most 32 '\\(' and NOT may enclose a term"):
        PackageQuery.parse(opening * (times + 1) + "foo" + closing * (times + 1))


@pytest.mark.parametrize("query", ["(" * MAX_LENGTH, "NOT " * (MAX_LENGTH // 4)])
def test_depth_never_overflows_the_stack(query: str) -> None:
    with pytest.raises(QuerySyntaxError, match="At most 32"):
        PackageQuery.parse(query)


def test_depth_counts_what_encloses_not_what_follows() -> None:
    assert PackageQuery.parse(" OR ".join(["(NOT a)"] * 90)).text
