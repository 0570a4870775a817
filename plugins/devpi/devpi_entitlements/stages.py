"""What kind devpi's indexes are of, and what they inherit from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from devpi_entitlements.devpi_types import Stage

__all__ = ["MIRROR", "all_stages", "is_mirror"]

MIRROR: Final = "mirror"
"""The type of an index whose files come from elsewhere."""


def is_mirror(stage: Stage) -> bool:
    """Whether the files of an index come from elsewhere."""
    return bool(stage.ixconfig["type"] == MIRROR)


def all_stages(stage: Stage) -> Iterator[Stage]:
    """An index and everything it inherits from, each once; what is missing is left out."""
    todo, found = [stage], {stage.name}
    while todo:
        one = todo.pop(0)
        yield one
        for name in one.ixconfig.get("bases", ()):
            if name not in found:
                found.add(name)
                base = stage.model.getstage(name)
                if base is not None:
                    todo.append(base)
