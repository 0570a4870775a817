"""The package query: parsed and compiled once, then asked about many files."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from packaging.utils import NormalizedName

from entitlements_core.policy.facts import LATEST_TAG, Fact, FileFacts
from entitlements_core.policy.query.advice import warnings
from entitlements_core.policy.query.dates import bind, moves_with_time
from entitlements_core.policy.query.explain import Explanation, explain
from entitlements_core.policy.query.fields import FIELDS, package_fields
from entitlements_core.policy.query.logic import Predicate, never
from entitlements_core.policy.query.match import compile_tree
from entitlements_core.policy.query.names import (
    Admits,
    bounded_names,
    compile_admits,
    gate_by_name,
)
from entitlements_core.policy.query.parser import parse
from entitlements_core.policy.query.patterns import text_test
from entitlements_core.policy.query.syntax import Node, Term, TextPattern, terms
from entitlements_core.policy.query.tokenizer import shown

__all__ = ["PackageQuery"]


def _needs(tree: Node) -> Iterator[Fact]:
    for term, _ in terms(tree):
        fact = FIELDS[term.field].needs if term.field in FIELDS else None
        if fact is Fact.TAGS and _reads_latest(term):
            yield Fact.LATEST
        if fact is not None and not (fact is Fact.TAGS and _reads_latest_alone(term)):
            yield fact


def _reads_latest(term: Term) -> bool:
    return isinstance(term.value, TextPattern) and text_test(term.value)(LATEST_TAG)


def _reads_latest_alone(term: Term) -> bool:
    """Whether no tag of the vendor's can match: ``latest`` itself is reserved."""
    return isinstance(term.value, TextPattern) and term.value.exact == LATEST_TAG


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageQuery:
    """Which files a restriction covers. Make one with `parse`; it never changes.

    Unknown is no: a file matches only if what is known of it makes the query true, also where a
    ``NOT`` stands before the fact that is missing.

    Attributes:
        text: as given.
        tree: as parsed, relative dates unresolved.
        needs: the costly facts that it reads; the others may be left out of `FileFacts`.
        foreign: it reads a field that a plugin adds.
        depends_on_now: a relative date is in it, so the answer may change with time alone.
        names: the names it can match at most, or None for any.
        warnings: one sentence for each thing that may not mean what its author thinks.
        admits: called with the name of a project, what is known of all its files: `Admits.ALL`,
            `Admits.NONE` or `Admits.SOME`. A function, not a method: it is called for every
            name of an index.
    """

    text: str
    tree: Node
    needs: frozenset[Fact] = field(compare=False)
    foreign: bool = field(compare=False)
    depends_on_now: bool = field(compare=False)
    names: frozenset[NormalizedName] | None = field(compare=False)
    warnings: tuple[str, ...] = field(compare=False, repr=False)
    admits: Callable[[NormalizedName], Admits] = field(compare=False, repr=False)
    _test: Predicate[FileFacts] = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str, *, extra_fields: Collection[str] = ()) -> Self:
        """The query that the text states.

        Args:
            text: at most `MAX_LENGTH` characters, not blank.
            extra_fields: the text fields that plugins add, read from `FileFacts.extra`; a name
                that the product has itself keeps its meaning.

        Raises:
            QuerySyntaxError: the text is no query; shows where, and what was expected.
        """
        tree = parse(text, package_fields(extra_fields))
        depends_on_now = moves_with_time(tree)
        return cls(
            text=text,
            tree=tree,
            needs=frozenset(_needs(tree)),
            foreign=any(term.field and term.field not in FIELDS for term, _ in terms(tree)),
            depends_on_now=depends_on_now,
            names=bounded_names(tree),
            warnings=warnings(tree),
            admits=compile_admits(tree),
            _test=never if depends_on_now else gate_by_name(compile_tree(tree), tree),
        )

    def __str__(self) -> str:
        return self.text

    def matches(self, facts: FileFacts, now: datetime) -> bool:
        """Whether the query is true of the file; `now` is aware, UTC."""
        return self.predicate(now)(facts)

    def predicate(self, now: datetime) -> Callable[[FileFacts], bool]:
        """One fast function for many files at the same instant; `now` is aware, UTC."""
        if not self.depends_on_now:
            return self._test
        return gate_by_name(compile_tree(bind(self.tree, now)), self.tree)

    def explain(self, facts: FileFacts, now: datetime) -> Explanation:
        """The parts of the query that decide about the file; `now` is aware, UTC."""
        return explain(bind(self.tree, now), shown(self.text), facts)
