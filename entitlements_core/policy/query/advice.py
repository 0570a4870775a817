"""Warnings about a query that is correct and may still not mean what its author thinks."""

from collections.abc import Iterator
from typing import Final

from entitlements_core.policy.query.syntax import Node, Term, TextPattern, terms

__all__ = ["warnings"]

_OPERATORS: Final = {"and", "or", "not"}


def warnings(tree: Node) -> tuple[str, ...]:
    """One sentence for each surprise, in the order of the query, none twice."""
    found = (
        sentence
        for term, positive in terms(tree)
        if isinstance(term.value, TextPattern)
        for sentence in _of_text(term, term.value, positive=positive)
    )
    return tuple(dict.fromkeys(found))


def _of_text(term: Term, pattern: TextPattern, *, positive: bool) -> Iterator[str]:
    match term.field:
        case "" if term.text in _OPERATORS:
            yield (
                f"{term.text} in lower case is looked for as text; "
                f"the operator is {term.text.upper()}."
            )
        case "":
            yield (
                f"{term.text} has no field and is looked for in name, filename and version; "
                f"write name:^{_plain(pattern)}$ for one project."
            )
        case "name":
            yield from _of_open_name(term, pattern, positive=positive)
        case "python" if any("." in part for part in pattern.parts):
            yield (
                f"{term.text} compares the python tag of a wheel, which has no dots; "
                f"write python:cp{_plain(pattern).replace('.', '')}."
            )


def _of_open_name(term: Term, pattern: TextPattern, *, positive: bool) -> Iterator[str]:
    # An end with "*" is open on purpose.
    open_start = not pattern.anchored_start and pattern.parts[0]
    open_end = not pattern.anchored_end and pattern.parts[-1]
    name = _plain(pattern)
    also = [f"{name}bar"] if open_end else []
    also += [f"lib{name}"] if open_start else []
    if also:
        verb = "opens" if positive else "shuts out"
        # No name ends with a separator: what does is meant to begin names.
        end = "*" if name.endswith(("-", "_", ".")) else "$"
        found = f"{term.text} is not anchored and also {verb} {' and '.join(also)}"
        yield f"{found}; write name:^{name}{end}"


def _plain(pattern: TextPattern) -> str:
    return "*".join(pattern.parts)
