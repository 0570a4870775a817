"""Boolean functions put together once, so that asking them costs no look at the tree.

Three-valued logic needs no third value here: negation is pushed down to the terms, each of which
says when it is *true* and when it is *false*. What is unknown is neither, so a tree is true only
if its known terms make it so.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from entitlements_core.policy.query.syntax import And, Node, Not, Term

__all__ = ["Predicate", "all_of", "always", "any_of", "compose", "negated", "never"]

_T = TypeVar("_T")
Predicate = Callable[[_T], bool]


def always(_: Any) -> bool:  # noqa: ANN401 - fits every test
    """True whatever is asked."""
    return True


def never(_: Any) -> bool:  # noqa: ANN401 - fits every test
    """False whatever is asked."""
    return False


def negated(test: Predicate[_T]) -> Predicate[_T]:
    """Whether the test is false."""
    if test is always:
        return never
    if test is never:
        return always
    return lambda subject: not test(subject)


def all_of(tests: Sequence[Predicate[_T]]) -> Predicate[_T]:
    """Whether every test is true; `always` and `never` are folded away."""
    if never in tests:
        return never
    match [test for test in tests if test is not always]:
        case []:
            return always
        case [one]:
            return one
        case [one, two]:
            return lambda subject: one(subject) and two(subject)
        case several:
            return lambda subject: _all(several, subject)


def any_of(tests: Sequence[Predicate[_T]]) -> Predicate[_T]:
    """Whether at least one test is true; `always` and `never` are folded away."""
    if always in tests:
        return always
    match [test for test in tests if test is not never]:
        case []:
            return never
        case [one]:
            return one
        case [one, two]:
            return lambda subject: one(subject) or two(subject)
        case several:
            return lambda subject: _any(several, subject)


# Plain loops: `all` over a generator costs twice as much.
def _all(tests: list[Predicate[_T]], subject: _T) -> bool:
    for test in tests:  # noqa: SIM110 - see above
        if not test(subject):
            return False
    return True


def _any(tests: list[Predicate[_T]], subject: _T) -> bool:
    for test in tests:  # noqa: SIM110 - see above
        if test(subject):
            return True
    return False


def compose(
    node: Node, leaf: Callable[[Term, bool], Predicate[_T]], *, positive: bool = True
) -> Predicate[_T]:
    """The tree as one function.

    Args:
        node: the tree.
        leaf: for a term, the test that it is true (True) or that it is false (False); a leading
            ``~`` is already accounted for.
        positive: False for the test that the tree is false.
    """
    match node:
        case Term():
            return leaf(node, positive is not node.negated)
        case Not():
            return compose(node.operand, leaf, positive=not positive)
        case _:
            tests = [compose(operand, leaf, positive=positive) for operand in node.operands]
            return all_of(tests) if isinstance(node, And) is positive else any_of(tests)
