"""How many there are of something, as text."""

__all__ = ["counted"]


def counted(number: int, one: str, several: str = "") -> str:
    """A number with its noun, in the singular for one.

    Args:
        number: how many.
        one: the noun, and what else changes with the number: ``day is``.
        several: the same for any other number; left out, it is `one` and an s.
    """
    return f"{number} {one if number == 1 else several or f'{one}s'}"
