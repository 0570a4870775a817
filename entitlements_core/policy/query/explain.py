"""Say in words why a file matches a query, or why it does not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import shorten
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.instants import instant
from entitlements_core.policy.query.fields import FileField, file_field
from entitlements_core.policy.query.match import compile_tree
from entitlements_core.policy.query.syntax import (
    DateRange,
    Dependency,
    Flag,
    Node,
    Not,
    Span,
    Term,
    TextPattern,
)

__all__ = ["Clause", "Explanation", "explain"]

_LONGEST_FACT: Final = 60


@dataclass(frozen=True, slots=True)
class Clause:
    """One part of a query that decided.

    Attributes:
        text: the part as written: a term, or a term with its ``NOT``.
        span: where it stands in the query.
        matched: whether the part holds; False also where the fact is not known.
        sentence: what was found, such as ``version 2.0 is not >=1.0,<2.0``.
    """

    text: str
    span: Span
    matched: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a file matches, and the parts of the query that made it so.

    A part below a ``NOT (...)`` can hold and be the very reason why the file does not match.
    """

    matched: bool
    clauses: tuple[Clause, ...]


def explain(tree: Node, source: str, facts: FileFacts) -> Explanation:
    """Why the tree, in which relative dates are bound, matches the file or does not.

    Args:
        tree: the query.
        source: its text, from which the clauses are cut.
        facts: the file.
    """
    clauses = tuple(_deciding(tree, source, facts, wanted=True))
    return Explanation(compile_tree(tree)(facts), clauses)


def _deciding(node: Node, source: str, facts: FileFacts, *, wanted: bool) -> Iterator[Clause]:
    match node:
        case Term():
            yield _clause(node, node, source, facts)
        case Not(operand=Term() as term):
            yield _clause(node, term, source, facts)
        case Not():
            yield from _deciding(node.operand, source, facts, wanted=not wanted)
        case _:
            outcome = compile_tree(node, positive=wanted)(facts)
            for operand in node.operands:
                # Of a failed AND the parts that failed, of a true OR those that are true; else all.
                if compile_tree(operand, positive=wanted)(facts) is outcome:
                    yield from _deciding(operand, source, facts, wanted=wanted)


def _clause(node: Term | Not, term: Term, source: str, facts: FileFacts) -> Clause:
    return Clause(
        text=source[slice(*node.span)],
        span=node.span,
        matched=compile_tree(node)(facts),
        sentence=_sentence(term, facts),
    )


def _sentence(term: Term, facts: FileFacts) -> str:
    field = file_field(term.field)
    subject = field.name or field.help
    if not field.known(facts):
        return f"{subject} is not known"
    holds = compile_tree(term, positive=not term.negated)(facts)
    match term.value:
        case TextPattern() as pattern:
            return f"{subject}{_text(field, facts)} {_text_relation(term, pattern, holds)}"
        case DateRange() as dates:
            period = _period(*dates.bounds(term.comparison))
            return f"{subject} {instant(field.read(facts))} {_be(holds)} {period}"
        case Flag():
            return f"{subject} is {str(field.read(facts)).lower()}"
        case Dependency() as wanted:
            return _dependency(wanted, term.written, field.read(facts), holds)
        case _:
            return f"{subject} {field.read(facts)} {_be(holds)} {term.written}"


def _be(holds: bool) -> str:  # noqa: FBT001 - the outcome to put in words
    return "is" if holds else "is not"


def _text(field: FileField, facts: FileFacts) -> str:
    if not field.name:  # three texts were searched, too many to repeat
        return ""
    value = field.read(facts)
    text = ", ".join(sorted(value)) if field.several else str(value)
    return f" {shorten(text, _LONGEST_FACT, placeholder='...') or '(none)'}"


def _text_relation(term: Term, pattern: TextPattern, holds: bool) -> str:  # noqa: FBT001 - see _be
    end = len(term.written) - pattern.anchored_end
    wanted = term.written[pattern.anchored_start : end]
    if len(pattern.parts) > 1:
        return f"{'matches' if holds else 'does not match'} {term.written}"
    match pattern.anchored_start, pattern.anchored_end:
        case True, True:
            return f"{_be(holds)} {wanted or 'empty'}"
        case True, False:
            return f"{'starts' if holds else 'does not start'} with {wanted}"
        case False, True:
            return f"{'ends' if holds else 'does not end'} with {wanted}"
        case _:
            return f"{'contains' if holds else 'does not contain'} {wanted}"


def _dependency(
    wanted: Dependency,
    written: str,
    required: Sequence[Requirement],
    holds: bool,  # noqa: FBT001 - see _be
) -> str:
    stated = [one for one in required if canonicalize_name(one.name) == wanted.name]
    if not stated:
        return f"dependency {wanted.name} is not stated"
    found = "; ".join(map(str, stated))
    return f"dependency {found} {'admits' if holds else 'does not admit'} {written}"


def _period(low: datetime | None, high: datetime | None) -> str:
    words = []
    if low is not None:
        words.append(f"at or after {instant(low)}")
    if high is not None:
        words.append(f"before {instant(high)}")
    return " and ".join(words)
