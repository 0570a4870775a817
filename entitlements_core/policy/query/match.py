"""Turn a tree into one function of a file, once, so that thousands of files can be asked."""

import operator
from collections.abc import Callable
from datetime import datetime
from typing import Final

from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.query.field_table import ValueKind
from entitlements_core.policy.query.fields import ANY_FORMAT, FIELDS, FileField, file_field
from entitlements_core.policy.query.logic import Predicate, all_of, always, any_of, compose, negated
from entitlements_core.policy.query.patterns import normalised, text_test
from entitlements_core.policy.query.syntax import (
    Choice,
    Comparison,
    DateRange,
    Dependency,
    Flag,
    Node,
    Number,
    Term,
    TextPattern,
    VersionEqual,
    VersionSet,
)
from entitlements_core.policy.query.versions import dependency_test, version_test

__all__ = ["compile_tree"]

_COMPARE: Final[dict[Comparison, Callable[[int, int], bool]]] = {
    Comparison.EQ: operator.eq,
    Comparison.GT: operator.gt,
    Comparison.GE: operator.ge,
    Comparison.LT: operator.lt,
    Comparison.LE: operator.le,
}


def compile_tree(tree: Node, *, positive: bool = True) -> Predicate[FileFacts]:
    """Whether the tree is true of a file; with ``positive=False``, whether it is false.

    A tree that builds on an unknown fact may be neither. Relative dates must be bound before.
    """
    return compose(tree, term_test, positive=positive)


def term_test(term: Term, wanted: bool) -> Predicate[FileFacts]:  # noqa: FBT001 - a callback of `compose`
    """Whether the comparison of a term, without its ``~``, is known to be as wanted."""
    field = file_field(term.field)
    if isinstance(term.value, Dependency):
        outcome = _dependency_test(field, term.value, wanted)
    else:
        holds = _comparison_test(field, term)
        outcome = holds if wanted else negated(holds)
    return all_of([field.known, outcome])


def _comparison_test(field: FileField, term: Term) -> Predicate[FileFacts]:
    read = field.read
    match term.value:
        case TextPattern() as pattern:
            return _text_test(field, pattern) if field.name else _bare_test(pattern)
        case VersionEqual() | VersionSet() as version:
            admits = version_test(version)
            return lambda facts: admits(read(facts))
        case Number(wanted):
            compare = _COMPARE[term.comparison]
            return lambda facts: compare(read(facts), wanted)
        case DateRange() as dates:
            return _date_test(field, *dates.bounds(term.comparison))
        case Flag(value):
            return read if value else negated(read)
        case Choice(value):
            return always if value == ANY_FORMAT else lambda facts: read(facts) == value
        case _:
            raise TypeError("A relative date has no meaning before it is bound to now.")


def _bare_test(pattern: TextPattern) -> Predicate[FileFacts]:
    searched = (
        _text_test(FIELDS["name"], normalised(pattern)),
        _text_test(FIELDS["filename"], pattern),
        _text_test(FIELDS["version"], pattern),
    )
    return any_of(searched)


def _text_test(field: FileField, pattern: TextPattern) -> Predicate[FileFacts]:
    test, read, label = text_test(pattern), field.read, field.label
    if field.several:
        return _any_text_test(read, test)
    if label and any(":" in part for part in pattern.parts):
        return lambda facts: test(label + read(facts))
    match field.kind:
        case ValueKind.NAME:  # lower case as it is
            return lambda facts: test(read(facts))
        case ValueKind.VERSION:
            return lambda facts: test(str(read(facts)).lower())
        case _:
            return lambda facts: test(read(facts).lower())


def _any_text_test(
    read: Callable[[FileFacts], frozenset[str]], test: Callable[[str], bool]
) -> Predicate[FileFacts]:
    def matches(facts: FileFacts) -> bool:
        for text in read(facts):  # noqa: SIM110 - `any` over a generator costs twice as much
            if test(text.lower()):
                return True
        return False

    return matches


def _date_test(
    field: FileField, low: datetime | None, high: datetime | None
) -> Predicate[FileFacts]:
    read = field.read
    tests: list[Predicate[FileFacts]] = []
    if low is not None:
        tests.append(lambda facts: low <= read(facts))
    if high is not None:
        tests.append(lambda facts: read(facts) < high)
    return all_of(tests)


def _dependency_test(field: FileField, value: Dependency, wanted: bool) -> Predicate[FileFacts]:  # noqa: FBT001 - see above
    admits, read = dependency_test(value), field.read
    if wanted:
        return lambda facts: any(admits(required) for required in read(facts))
    # None: a requirement that cannot be read is neither.
    return lambda facts: all(admits(required) is False for required in read(facts))
