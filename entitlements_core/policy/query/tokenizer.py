"""Cut a query into words, operators and parentheses.

Quotes protect spaces and parentheses, a backslash makes the next character ordinary. Both may
stand anywhere in a word, as in a shell: ``name:^'foo bar'$``.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from entitlements_core.errors import QuerySyntaxError
from entitlements_core.policy.query.syntax import Span

__all__ = ["MAX_LENGTH", "Excerpt", "Lexeme", "LexemeKind", "shown", "tokenize"]

MAX_LENGTH: Final = 1_024
"""Characters in a query, as at Cloudsmith."""

_FIELD: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*):")
_PIECE: Final = re.compile(
    r"""
    '(?:[^'\\]|\\.)*'      # in single quotes
    | "(?:[^"\\]|\\.)*"    # in double quotes
    | \\.                  # escaped
    | [^\ ()'"\\]+         # plain
    """,
    re.VERBOSE,
)
_CHARACTER: Final = re.compile(r"\\?.")
_QUOTES: Final = "'\""


class LexemeKind(Enum):
    """What a lexeme is, in the words of an error message."""

    OPEN = "'('"
    CLOSE = "')'"
    AND = "AND"
    OR = "OR"
    NOT = "NOT"
    TERM = "a term"
    END = "the end of the query"


_OPERATORS: Final = {"AND": LexemeKind.AND, "OR": LexemeKind.OR, "NOT": LexemeKind.NOT}


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a query with quotes and escapes resolved, which knows where it came from.

    Attributes:
        source: the whole query, for error messages.
        text: what is meant.
        escaped: for each character of `text`, whether a backslash made it ordinary.
        offsets: for each character of `text`, where it stands in `source`; one more for the end.
    """

    source: str
    text: str
    escaped: tuple[bool, ...]
    offsets: tuple[int, ...]

    @property
    def span(self) -> Span:
        """Where it stands in the source."""
        return self.offsets[0], self.offsets[-1]

    def begins(self, prefix: str) -> bool:
        """Whether the text starts with this and none of it is escaped."""
        return self.text.startswith(prefix) and not any(self.escaped[: len(prefix)])

    def special(self, index: int, character: str) -> bool:
        """Whether the character stands at the index and is not escaped."""
        return self.text[index] == character and not self.escaped[index]

    def without(self, start: int, end: int = 0) -> "Excerpt":
        """The excerpt without so many characters at its start and at its end."""
        stop = len(self.text) - end
        return Excerpt(
            self.source,
            self.text[start:stop],
            self.escaped[start:stop],
            self.offsets[start : stop + 1],
        )

    def stripped(self) -> "Excerpt":
        """The excerpt without blanks at both ends."""
        start = len(self.text) - len(self.text.lstrip())
        return self.without(start, len(self.text[start:]) - len(self.text[start:].rstrip()))

    def error(self, problem: str) -> QuerySyntaxError:
        """A syntax error that points at the excerpt."""
        return QuerySyntaxError(problem, source=self.source, span=self.span)


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A word, an operator or a parenthesis.

    Attributes:
        kind: which of them.
        span: where it stands in the query, quotes included.
        field: what stands before the colon of a term; None for a term without a field.
        value: of a term, what follows the colon; of other lexemes, the lexeme.
    """

    kind: LexemeKind
    span: Span
    value: Excerpt
    field: str | None = None


def shown(text: str) -> str:
    """The query on one line and safe to print; every character keeps its place."""
    return "".join(
        character
        if character.isprintable()
        else " "
        if character.isspace()
        else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def tokenize(text: str) -> list[Lexeme]:
    """All lexemes of a query; the last is the end.

    Raises:
        QuerySyntaxError: the query is empty, too long, holds a control character or a quote that
            is never closed.
    """
    source = shown(text[:MAX_LENGTH])
    _refuse_unreadable(text, source)
    lexemes: list[Lexeme] = []
    position = 0
    while position < len(source):
        if source[position] == " ":  # the only white space that `shown` leaves
            position += 1
            continue
        lexemes.append(_read_lexeme(source, position))
        position = lexemes[-1].span[1]
    lexemes.append(_verbatim(LexemeKind.END, source, (len(source), len(source))))
    return lexemes


def _refuse_unreadable(text: str, source: str) -> None:
    if len(text) > MAX_LENGTH:
        raise QuerySyntaxError(
            f"The query has {len(text):,} characters; at most {MAX_LENGTH:,} are allowed.",
            source=source,
            span=(MAX_LENGTH, MAX_LENGTH),
        )
    if not source.strip(" "):
        raise QuerySyntaxError(
            "The query is empty; expected a term such as name:^foo$.", source=source, span=(0, 0)
        )
    for position, character in enumerate(text):
        if not character.isprintable() and not character.isspace():
            raise QuerySyntaxError(
                f"The control character U+{ord(character):04X} cannot stand in a query.",
                source=source,
                span=(position, position + 1),
            )


def _read_lexeme(source: str, position: int) -> Lexeme:
    for kind in (LexemeKind.OPEN, LexemeKind.CLOSE):
        if source[position] == kind.value[1]:
            return _verbatim(kind, source, (position, position + 1))
    field = _FIELD.match(source, position)
    value, end = _read_value(source, field.end() if field else position)
    span = position, end
    operator = _OPERATORS.get(source[slice(*span)])
    if operator is not None:
        return _verbatim(operator, source, span)
    return Lexeme(LexemeKind.TERM, span, value, field[1] if field else None)


def _verbatim(kind: LexemeKind, source: str, span: Span) -> Lexeme:
    start, end = span
    plain = (False,) * (end - start)
    return Lexeme(
        kind, span, Excerpt(source, source[start:end], plain, tuple(range(start, end + 1)))
    )


def _read_value(source: str, start: int) -> tuple[Excerpt, int]:
    """The value that starts here, and where it ends with its quotes."""
    characters: list[re.Match[str]] = []
    position = start
    while piece := _PIECE.match(source, position):
        position = piece.end()
        quoted = piece[0][0] in _QUOTES
        inside = (piece.start() + 1, position - 1) if quoted else piece.span()
        characters.extend(_CHARACTER.finditer(source, *inside))
    if position < len(source) and source[position] not in " ()":
        raise _unfinished(source, position)
    end = characters[-1].end() if characters else position
    value = Excerpt(
        source,
        "".join(character[0][-1] for character in characters),
        tuple(len(character[0]) > 1 for character in characters),
        (*(character.start() for character in characters), end),
    )
    return value, position


def _unfinished(source: str, position: int) -> QuerySyntaxError:
    opening = source[position]
    expected = f"a closing {opening}" if opening in _QUOTES else "a character after the backslash"
    return QuerySyntaxError(
        f"Expected {expected}, found the end of the query.",
        source=source,
        span=(position, len(source)),
    )
