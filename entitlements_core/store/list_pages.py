"""A page of a query's rows, and how many rows there are."""

from typing import Any, Final, TypeVar

from sqlalchemy import func
from sqlmodel import Session, select
from sqlmodel.sql.expression import SelectOfScalar

from entitlements_core.errors import InvalidValue
from entitlements_core.store.records import ListPage

__all__ = ["page"]

LARGEST_PAGE: Final = 500
"""As at Cloudsmith's API."""

Row = TypeVar("Row")


def page(
    session: Session, query: SelectOfScalar[Row], order: tuple[Any, ...], *, number: int, size: int
) -> ListPage[Row]:
    """Page `number` (from 1) of `query` in `order`, which must be total.

    Raises:
        InvalidValue: when there can be no such page.
    """
    if not 1 <= size <= LARGEST_PAGE:
        raise InvalidValue(
            "page_size", f"A page of {size} cannot be listed.", f"Use 1 to {LARGEST_PAGE}."
        )
    if number < 1:
        raise InvalidValue("page", f"There is no page {number}.", "Pages are counted from 1.")
    total = session.exec(select(func.count()).select_from(query.subquery())).one()
    rows = session.exec(query.order_by(*order).limit(size).offset((number - 1) * size))
    return ListPage(items=tuple(rows), total=total, number=number, size=size)
