"""Answers of the store that are kept for as long as nothing at all was committed to it."""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

__all__ = ["Remembered"]

CAPACITY: Final = 16_384
"""How many answers are kept."""

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Remembered(Generic[Key, Answer]):
    """Answers by their question, each with the commit signal that was heard before it was asked.

    Threads may share it: an answer and its signal are one tuple, stored at once.
    """

    def __init__(self) -> None:
        self._answers: dict[Key, tuple[Hashable, Answer]] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: Key, heard: Hashable | None) -> Answer | None:
        """The answer, if it was asked for since the commit that `heard` stands for."""
        known = self._answers.get(key)
        return known[1] if known is not None and known[0] == heard else None

    def keep(self, key: Key, heard: Hashable | None, answer: Answer) -> None:
        """Keep what was asked for after `heard`; nothing is kept where no signal is heard."""
        if heard is None:
            return
        if len(self._answers) >= CAPACITY:
            self._answers.clear()
        self._answers[key] = (heard, answer)
