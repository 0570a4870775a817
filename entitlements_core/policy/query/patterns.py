"""Text patterns: ``^`` and ``$`` anchor, ``*`` stands for any text, all else is contained.

No regular expression is made from what a user writes: each part is searched once, from where the
one before it ended, so the cost grows with the text and never with the ways to match it.
"""

import re
from collections.abc import Callable
from typing import Final

from entitlements_core.policy.query.syntax import TextPattern
from entitlements_core.policy.query.tokenizer import Excerpt

__all__ = ["normalised", "read_pattern", "text_test", "without_blanks"]

_NAME_SEPARATORS: Final = re.compile(r"[-_.]+")


def read_pattern(value: Excerpt) -> TextPattern:
    """``["^"] text ["$"]``, with ``*`` inside for any text.

    Raises:
        QuerySyntaxError: nothing is left to look for, which would match every text.
    """
    start = value.special(0, "^")
    end = value.special(-1, "$")
    body = value.without(int(start), int(end))
    parts = [""]
    for index, character in enumerate(body.text):
        if body.special(index, "*"):
            parts.append("")
        else:
            parts[-1] += character.lower()
    if parts == [""] and not (start and end):
        raise value.error(f"Expected text beside {value.text}, which alone matches everything.")
    return TextPattern(start, end, tuple(parts))


def normalised(pattern: TextPattern) -> TextPattern:
    """The pattern for PEP 503-normalised names: runs of ``-``, ``_`` and ``.`` become one ``-``."""
    return _with_parts(pattern, lambda part: _NAME_SEPARATORS.sub("-", part))


def without_blanks(pattern: TextPattern) -> TextPattern:
    """The pattern for text from which the blanks were taken out."""
    return _with_parts(pattern, lambda part: part.replace(" ", ""))


def _with_parts(pattern: TextPattern, change: Callable[[str], str]) -> TextPattern:
    parts = tuple(change(part) for part in pattern.parts)
    return TextPattern(pattern.anchored_start, pattern.anchored_end, parts)


def text_test(pattern: TextPattern) -> Callable[[str], bool]:
    """Whether a lower-case text matches; the cost is linear in the text."""
    # A "*" at an end says what an end without anchor says anyway.
    open_start = not pattern.anchored_start or not pattern.parts[0]
    open_end = not pattern.anchored_end or not pattern.parts[-1]
    if pattern.exact is None:
        parts = [part for part in pattern.parts if part]
    else:
        parts, open_start, open_end = [pattern.exact], False, False
    if len(parts) > 1:
        return _glob_test(parts, open_start=open_start, open_end=open_end)
    wanted = "".join(parts)
    match open_start, open_end:
        case False, False:
            return lambda text: text == wanted
        case False, True:
            return lambda text: text.startswith(wanted)
        case True, False:
            return lambda text: text.endswith(wanted)
        case _:
            return lambda text: wanted in text


def _glob_test(parts: list[str], *, open_start: bool, open_end: bool) -> Callable[[str], bool]:
    # An open end is like an anchored one with an empty part there, which is found at once.
    first, *middle, last = (
        *([""] if open_start else []),
        *parts,
        *([""] if open_end else []),
    )

    def matches(text: str) -> bool:
        end = len(text) - len(last)
        if not (text.startswith(first) and text.endswith(last)):
            return False
        position = len(first)
        for part in middle:
            # The earliest place leaves most room for the rest: no need ever to go back.
            found = text.find(part, position, end)
            if found < 0:
                return False
            position = found + len(part)
        return position <= end

    return matches
