"""Lists that the store gives in pages: one page of them, or all."""

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from entitlements_core.services.reports import ListPage

__all__ = ["paged"]

Item = TypeVar("Item")

_AT_ONCE: Final = 500
"""Items that are asked for at a time where all are wanted."""


class _Fetch(Protocol[Item]):
    def __call__(self, *, page: int, page_size: int) -> "ListPage[Item]": ...


def paged(fetch: _Fetch[Item], page: int | None, size: int) -> tuple[list[Item], int]:
    """The items of one page, or all of them; and how many there are.

    Args:
        fetch: gives one page.
        page: from 1; None is all.
        size: of a page.
    """
    if page is not None:
        found = fetch(page=page, page_size=size)
        return list(found.items), found.total
    found = fetch(page=1, page_size=_AT_ONCE)
    items = list(found.items)
    for number in range(2, found.pages + 1):
        items += fetch(page=number, page_size=_AT_ONCE).items
    return items, found.total
