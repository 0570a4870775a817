"""What can be said of a whole project when only its name is known."""

from collections.abc import Callable, Iterable
from enum import Enum
from functools import reduce

from packaging.utils import NormalizedName

from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.query.fields import ANY_FORMAT
from entitlements_core.policy.query.logic import Predicate, always, compose, negated, never
from entitlements_core.policy.query.patterns import normalised, text_test
from entitlements_core.policy.query.syntax import (
    And,
    Choice,
    Node,
    Not,
    Term,
    TextPattern,
    terms,
)

__all__ = ["Admits", "bounded_names", "compile_admits", "gate_by_name"]

_Names = frozenset[NormalizedName] | None


class Admits(Enum):
    """Which files of a project match."""

    ALL = "all"
    """Every file, whatever it is."""
    NONE = "none"
    """No file, whatever it is."""
    SOME = "some"
    """It depends on the file: look at each."""


def compile_admits(tree: Node) -> Callable[[NormalizedName], Admits]:
    """A fast function from the name of a project to what is known of all its files."""
    admits = _decide_by_name(tree)
    names = bounded_names(tree)
    if names is None:
        return admits
    table = {name: admits(name) for name in names}
    nothing = Admits.NONE
    return lambda name: table.get(name, nothing)


def _decide_by_name(tree: Node) -> Callable[[NormalizedName], Admits]:
    every, nothing, some = Admits.ALL, Admits.NONE, Admits.SOME
    surely = compose(tree, _surely)
    if all(term.field == "name" for term, _ in terms(tree)):
        return lambda name: every if surely(name) else nothing
    # What is not surely false is possible.
    possibly = compose(tree, lambda term, wanted: negated(_surely(term, not wanted)))

    def admits(name: NormalizedName) -> Admits:
        if not possibly(name):
            return nothing
        return every if surely(name) else some

    return admits


def gate_by_name(test: Predicate[FileFacts], tree: Node) -> Predicate[FileFacts]:
    """The test of a tree, preceded by one look-up of the name where the tree bounds the names."""
    names = bounded_names(tree)
    if names is None:
        return test
    admits = compile_admits(tree)
    if all(admits(name) is Admits.ALL for name in names):
        return lambda facts: facts.name in names
    return lambda facts: facts.name in names and test(facts)


def _surely(term: Term, wanted: bool) -> Predicate[NormalizedName]:  # noqa: FBT001 - a callback
    """Whether the name alone makes the comparison come out as wanted, for every file."""
    match term.field, term.value:
        case "name", TextPattern() as pattern:
            named = text_test(pattern)
            return named if wanted else negated(named)
        case "", TextPattern() as pattern if wanted:
            return text_test(normalised(pattern))
        case _, Choice(value) if value == ANY_FORMAT:
            return always if wanted else never
        case _:
            return never


def bounded_names(node: Node, *, positive: bool = True) -> _Names:
    """The names that the tree can match at most, or None for any name.

    Only a name that is anchored at both ends and has no ``*`` bounds them.
    """
    match node:
        case Term(field="name", value=TextPattern(exact=str(name))) if positive is not node.negated:
            return frozenset({NormalizedName(name)})
        case Term():
            return None
        case Not():
            return bounded_names(node.operand, positive=not positive)
        case _:
            bounds = [bounded_names(operand, positive=positive) for operand in node.operands]
            return _common(bounds) if isinstance(node, And) is positive else _united(bounds)


def _common(bounds: Iterable[_Names]) -> _Names:
    known = [names for names in bounds if names is not None]
    return reduce(frozenset.intersection, known) if known else None


def _united(bounds: list[_Names]) -> _Names:
    known = [names for names in bounds if names is not None]
    return frozenset().union(*known) if len(known) == len(bounds) else None
