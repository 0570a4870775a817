"""The fenced blocks of README and of the documentation, for the tests that run them.

A test takes a block from its page when its module is imported, so that the blocks that no test has
taken are known without running any; see `tests/test_docs.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["PAGES", "ROOT", "TAKEN", "Block", "blocks", "commands", "replaced", "take", "take_all"]

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = ("README.md", *sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md")))

_FENCED: Final = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1[ ]*$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
_COMMENTS: Final = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: as in `PAGES`.
        line: of its fence, counted from 1.
        heading: the one that it stands below.
        language: what the fence names; empty for nothing.
        text: with a line break at its end.
    """

    page: str
    line: int
    heading: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


TAKEN: Final[set[Block]] = set()
"""The blocks that a test has taken to run them."""


@cache
def blocks(page: str) -> tuple[Block, ...]:
    """All blocks of a page, in their order."""
    text = _COMMENTS.sub(lambda found: "\n" * found[0].count("\n"), (ROOT / page).read_text())
    return tuple(_blocks(page, text))


def _blocks(page: str, text: str) -> list[Block]:
    found = []
    for fenced in _FENCED.finditer(text):
        before = _FENCED.sub("", text[: fenced.start()])
        heading = (_HEADING.findall(before) or [""])[-1]
        line = text.count("\n", 0, fenced.start()) + 1
        found.append(Block(page, line, heading, fenced[2].strip(), fenced[3]))
    return found


def take_all(page: str, language: str, heading: str | None = None) -> tuple[Block, ...]:
    """The blocks of a language, below a heading if one is named, to be run."""
    found = tuple(
        block
        for block in blocks(page)
        if block.language == language and heading in {None, block.heading}
    )
    assert found, f"{page} has no block of {language} below {heading}"
    TAKEN.update(found)
    return found


def take(page: str, language: str, word: str) -> str:
    """The text of the one block of a language that has a word in it, to be run."""
    found = [block for block in blocks(page) if block.language == language and word in block.text]
    assert len(found) == 1, f"{page}: {len(found)} blocks of {language} with {word!r}"
    TAKEN.update(found)
    return found[0].text


def commands(text: str) -> list[str]:
    """The commands of a console block, each in one line, without the prompt."""
    joined = text.replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in joined.splitlines() if line.startswith("$ ")]


def replaced(text: str, table: Mapping[str, str]) -> str:
    """`text` with each key replaced by its value; the longest first. Every key has to be there."""
    missing = [key for key in table if key not in text]
    assert not missing, f"not in the text: {missing}"
    pattern = "|".join(map(re.escape, sorted(table, key=len, reverse=True)))
    return re.sub(pattern, lambda found: table[found[0]], text)
