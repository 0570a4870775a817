"""Customizers in front of the one that an index has; devpi asks them what to leave out of pages.

A filter gives one answer for each item, in order, and devpi keeps whatever it is silent about.
Where it is silent about an item in the middle (devpi-constrained is, about file names spelled by
PEP 625), devpi takes the next answer for it, and all that follow are shifted. So the index's own
customizer is asked about each file alone here, on pages as at downloads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from packaging.utils import NormalizedName

from devpi_entitlements.devpi_types import Customizer, Stage

__all__ = ["Delegating", "OneByOne", "is_settled", "passes", "shown_by"]

SETTLED_TYPES: Final = frozenset({"stage", "constrained"})
"""Of devpi-server and devpi-constrained: what these list, their configuration and files decide."""

Listed = Any
"""devpi's SimplelinkMeta."""


class Delegating:
    """Delegates every other attribute to the customizer that it wraps."""

    def __init__(self, inner: Customizer) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the other one has
        return getattr(self.inner, name)


class OneByOne(Delegating):
    """Shows what the index's own customizer shows of each file alone."""

    def get_simple_links_filter_iter(
        self, project: NormalizedName, links: Collection[Listed]
    ) -> Iterator[bool]:
        """See devpi's BaseStageCustomizer."""
        return map(shown_by(self.inner, project), links)


def is_settled(stage: Stage) -> bool:
    """Whether the pages of an index follow from devpi's commits alone, for one who sees all of it.

    A mirror looks upstream, and the customizer of another plugin's type of index may look at
    anything: at the clock, or at who asks.
    """
    return all(one.ixconfig["type"] in SETTLED_TYPES for one in stage.sro())


def shown_by(customizer: Customizer, project: NormalizedName) -> Callable[[Listed], bool]:
    """Whether an index's own customizer shows a file: neither it nor its version is left out."""
    by_link = customizer.get_simple_links_filter_iter
    by_version = customizer.get_versions_filter_iter
    if by_link(project, []) is None and by_version(project, []) is None:
        return lambda _: True  # as most indexes; a version is costly to find out
    return lambda found: (
        passes(by_version(project, [found.version])) and passes(by_link(project, [found]))
    )


def passes(answers: Iterator[bool] | None) -> bool:
    """The next answer of a filter; where it stops early, devpi keeps, and so do we."""
    return True if answers is None else bool(next(answers, True))
