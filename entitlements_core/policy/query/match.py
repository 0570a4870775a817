"""Turn a tree into one function of a file, once, so that thousands of files can be asked."""

import operator
from collections.abc import Callable
from datetime import datetime

from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.query.logic import Test, all_of, always, any_of, compose, negated
from entitlements_core.policy.query.patterns import normalised, text_test
from entitlements_core.policy.query.readings import (
    FLAGS,
    KINDS,
    NUMBERS,
    SEVERAL_TEXTS,
    known_test,
    text_reader,
)
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

__all__ = ["compile_tree", "term_test"]

_COMPARE: dict[Comparison, Callable[[int, int], bool]] = {
    Comparison.EQ: operator.eq,
    Comparison.GT: operator.gt,
    Comparison.GE: operator.ge,
    Comparison.LT: operator.lt,
    Comparison.LE: operator.le,
}


def compile_tree(tree: Node, *, positive: bool = True) -> Test[FileFacts]:
    """Whether the tree is true of a file; with ``positive=False``, whether it is false.

    A tree that builds on an unknown fact may be neither. Relative dates must be bound before.
    """
    return compose(tree, term_test, positive=positive)


def term_test(term: Term, wanted: bool) -> Test[FileFacts]:  # noqa: FBT001 - a callback of `compose`
    """Whether the comparison of a term, without its ``~``, is known to be as wanted."""
    if isinstance(term.value, Dependency):
        outcome = _dependency_test(term.value, wanted)
    else:
        holds = _comparison_test(term)
        outcome = holds if wanted else negated(holds)
    return all_of([known_test(term.field), outcome])


def _comparison_test(term: Term) -> Test[FileFacts]:
    match term.value:
        case TextPattern() as pattern:
            return _text_test(term.field, pattern)
        case VersionEqual() | VersionSet() as version:
            admits = version_test(version)
            return lambda facts: admits(facts.version)
        case Number(wanted):
            read, compare = NUMBERS[term.field], _COMPARE[term.comparison]
            return lambda facts: compare(read(facts), wanted)
        case DateRange() as dates:
            return _uploaded_test(*dates.bounds(term.comparison))
        case Flag(value):
            return FLAGS[term.field] if value else negated(FLAGS[term.field])
        case Choice(value):
            kind = KINDS[value]
            return always if kind is None else lambda facts: facts.kind is kind
        case _:
            raise TypeError("A relative date has no meaning before it is bound to now.")


def _text_test(field: str, pattern: TextPattern) -> Test[FileFacts]:
    test = text_test(pattern)
    if not field:
        searched = (
            _text_test("name", normalised(pattern)),
            _text_test("filename", pattern),
            _text_test("version", pattern),
        )
        return any_of(searched)
    if field == "name":
        return lambda facts: test(facts.name)
    if field in SEVERAL_TEXTS:
        return _any_text_test(SEVERAL_TEXTS[field], test)
    if field == "checksum" and any(":" in part for part in pattern.parts):
        return lambda facts: test("sha256:" + facts.sha256)
    read = text_reader(field)
    return lambda facts: test(read(facts).lower())


def _any_text_test(
    read: Callable[[FileFacts], frozenset[str]], test: Callable[[str], bool]
) -> Test[FileFacts]:
    def matches(facts: FileFacts) -> bool:
        for text in read(facts):  # noqa: SIM110 - `any` over a generator costs twice as much
            if test(text.lower()):
                return True
        return False

    return matches


def _uploaded_test(low: datetime | None, high: datetime | None) -> Test[FileFacts]:
    tests: list[Test[FileFacts]] = []
    if low is not None:
        tests.append(lambda facts: facts.uploaded_at is not None and low <= facts.uploaded_at)
    if high is not None:
        tests.append(lambda facts: facts.uploaded_at is not None and facts.uploaded_at < high)
    return all_of(tests)


def _dependency_test(value: Dependency, wanted: bool) -> Test[FileFacts]:  # noqa: FBT001 - see above
    admits = dependency_test(value)
    if wanted:
        return lambda facts: any(admits(required) for required in facts.dependencies)
    # None: a requirement that cannot be read is neither.
    return lambda facts: all(admits(required) is False for required in facts.dependencies)
