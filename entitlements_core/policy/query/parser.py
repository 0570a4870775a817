"""Recursive descent from text to tree; the docstring of each function is its grammar rule.

::

    query   : or END
    or      : and ("OR" and)*
    and     : not (["AND"] not)*
    not     : "NOT" not | atom
    atom    : "(" or ")" | term
    term    : [FIELD ":"] ["~"] VALUE
"""

from typing import Final

from entitlements_core.errors import QuerySyntaxError
from entitlements_core.policy.query.field_table import FieldTable
from entitlements_core.policy.query.syntax import And, Node, Not, Or, Term
from entitlements_core.policy.query.tokenizer import Lexeme, LexemeKind, tokenize
from entitlements_core.policy.query.values import read_value

__all__ = ["MAX_DEPTH", "parse"]

MAX_DEPTH: Final = 32
"""How many parentheses and ``NOT`` may enclose a term."""


def parse(text: str, table: FieldTable) -> Node:
    """The tree of a query in the language of these fields.

    Raises:
        QuerySyntaxError: the text is no query; says where, and what was expected.
    """
    return _Parser(tokenize(text), table).query()


class _Parser:
    def __init__(self, lexemes: list[Lexeme], table: FieldTable) -> None:
        self._lexemes = lexemes
        self._table = table
        self._position = 0
        self._depth = 0
        self._source = lexemes[-1].value.source

    @property
    def _next(self) -> Lexeme:
        return self._lexemes[self._position]

    def _consume(self) -> Lexeme:
        lexeme = self._next
        self._position += 1
        return lexeme

    def _accept(self, kind: LexemeKind) -> Lexeme | None:
        return self._consume() if self._next.kind is kind else None

    def query(self) -> Node:
        """Read ``query : or END``."""
        tree = self._or()
        if self._next.kind is LexemeKind.CLOSE:
            raise self._next.value.error("This ')' closes nothing; expected a '(' before it.")
        return tree

    def _or(self) -> Node:
        """Read ``or : and ("OR" and)*``."""
        operands = [self._and()]
        while self._accept(LexemeKind.OR):
            operands.append(self._and())
        return Or(tuple(operands)) if len(operands) > 1 else operands[0]

    def _and(self) -> Node:
        """Read ``and : not (["AND"] not)*``."""
        operands = [self._not()]
        while self._next.kind not in {LexemeKind.OR, LexemeKind.CLOSE, LexemeKind.END}:
            self._accept(LexemeKind.AND)
            operands.append(self._not())
        return And(tuple(operands)) if len(operands) > 1 else operands[0]

    def _not(self) -> Node:
        """Read ``not : "NOT" not | atom``."""
        negation = self._accept(LexemeKind.NOT)
        if negation is None:
            return self._atom()
        self._enter(negation)
        operand = self._not()
        self._depth -= 1
        return Not(operand, (negation.span[0], self._lexemes[self._position - 1].span[1]))

    def _atom(self) -> Node:
        """Read ``atom : "(" or ")" | term``."""
        opening = self._accept(LexemeKind.OPEN)
        if opening is None:
            return self._term()
        self._enter(opening)
        tree = self._or()
        if self._accept(LexemeKind.CLOSE) is None:
            raise QuerySyntaxError(
                "This '(' is never closed; expected ')' or another term.",
                source=self._source,
                span=(opening.span[0], len(self._source)),
            )
        self._depth -= 1
        return tree

    def _term(self) -> Term:
        """Read ``term : [FIELD ":"] ["~"] VALUE``."""
        lexeme = self._accept(LexemeKind.TERM)
        if lexeme is None:
            raise self._next.value.error(self._expected_term())
        span = lexeme.span
        field = self._table.look_up(lexeme.field, source=self._source, span=span)
        value = lexeme.value
        # "~=" is an operator, "~==" is the negation of one.
        negated = value.begins("~") and (not value.begins("~=") or value.begins("~=="))
        if negated and lexeme.field is None:
            raise value.error(
                "'~' negates the value of a field, such as tag:~latest; "
                "write NOT before a term without one."
            )
        value = value.without(int(negated))
        if not value.text.strip():
            raise QuerySyntaxError(
                f"Expected a value directly after {self._source[slice(*span)]}, found nothing.",
                source=self._source,
                span=span,
            )
        comparison, read = read_value(value, field)
        return Term(
            field=field.name,
            value=read,
            comparison=comparison,
            negated=negated,
            written=value.text,
            text=self._source[slice(*span)],
            span=span,
        )

    def _expected_term(self) -> str:
        before = self._lexemes[self._position - 1].kind.value if self._position else "the start"
        return f"Expected a term after {before}, found {self._next.kind.value}."

    def _enter(self, lexeme: Lexeme) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise lexeme.value.error(f"At most {MAX_DEPTH} '(' and NOT may enclose a term.")
