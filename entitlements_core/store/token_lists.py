"""Tokens by the page: what is shown, what is searched for, in which order."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, or_, update
from sqlalchemy import select as plain_select
from sqlmodel import Session, col, select

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.credential import CredentialKind, State
from entitlements_core.policy.metering import Schedule, due_reset
from entitlements_core.policy.period import ResetPeriod
from entitlements_core.policy.query.syntax import Node
from entitlements_core.policy.token import Token
from entitlements_core.store.list_pages import page
from entitlements_core.store.models import GrantRow, TokenRow, UsageRow
from entitlements_core.store.records import ListFilter, ListPage
from entitlements_core.store.repositories import Repositories
from entitlements_core.store.search import Search
from entitlements_core.store.token_rows import load

__all__ = ["TokenLists"]

_COLUMNS: Final[dict[str, Any]] = {
    "name": col(TokenRow.name),
    "created": col(TokenRow.created_at),
    "last_used": col(UsageRow.last_used_at),
    "downloads": col(UsageRow.downloads),
    "clients": col(UsageRow.clients),
    "bandwidth": col(UsageRow.bandwidth),
    "limit_date_to": col(TokenRow.limit_date_range_to),
}
SORTS: Final = tuple(_COLUMNS)
"""What tokens can be sorted by; a dash before it turns the order round."""


@dataclass(frozen=True, slots=True)
class TokenLists:
    """Lists of tokens as one transaction sees them."""

    session: Session

    def page(  # noqa: PLR0913 - the choices of one list, all named
        self,
        *,
        now: datetime,
        repository: str = "",
        list_filter: ListFilter | None = None,
        search: Node | None = None,
        sort: str = "name",
        number: int = 1,
        size: int = 30,
    ) -> ListPage[Token]:
        """One page of the tokens that open `repository`, or of all tokens.

        Args:
            now: aware, UTC: what a search for ``state`` is asked for.
            repository: ``owner/slug``, or empty for all.
            list_filter: what is shown; enabled tokens that belong to no user by default.
            search: a tree of `policy.token_search`.
            sort: one of `SORTS`, with a dash before it for the reverse order. What a token does
                not have comes last.
            number: of the page, from 1.
            size: of a page, 1 to 500.

        Raises:
            NotFound: when there is no such repository.
            InvalidValue: when there is no such order or page.
        """
        query = _shown(select(TokenRow), list_filter or ListFilter())
        query = query.join(UsageRow, col(UsageRow.token_id) == col(TokenRow.id))
        if repository:
            query = query.join(GrantRow, col(GrantRow.token_id) == col(TokenRow.id)).where(
                GrantRow.repository_id == Repositories(self.session).row_id(repository)
            )
        if search is not None:
            query = query.where(Search.on(self.session, now).condition(search))
        found = page(self.session, query, _order(sort), number=number, size=size)
        tokens = load(self.session, found.items)
        return ListPage(items=tokens, total=found.total, number=number, size=size)

    def roll_due(self, now: datetime) -> int:
        """Zero the counters whose scheduled reset has passed; gives how many tokens they were.

        The request path does so for each token when it is used next. A search for counters, which
        sees them as they are written, needs it for all.
        """
        query = (
            plain_select(
                col(TokenRow.id),
                col(TokenRow.scheduled_reset_period),
                col(TokenRow.reset_anchor),
                col(UsageRow.since),
                col(UsageRow.last_used_at),
            )
            .join(UsageRow, col(UsageRow.token_id) == col(TokenRow.id))
            .where(
                col(TokenRow.scheduled_reset_period) != ResetPeriod.NEVER,
                col(TokenRow.state) != State.DELETED,
                col(TokenRow.reset_anchor) <= now,
            )
        )
        rolled = 0
        for number, period, anchor, since, used_at in self.session.execute(query).all():
            schedule = Schedule(period=ResetPeriod(period), anchor=anchor)
            start = due_reset(schedule, since, used_at, now)
            if start is not None:
                self._roll(number or 0, since, start)
                rolled += 1
        return rolled

    def _roll(self, number: int, since: datetime, start: datetime) -> None:
        self.session.execute(
            update(UsageRow)
            # The request path may have been faster.
            .where(col(UsageRow.token_id) == number, col(UsageRow.since) == since)
            .values(since=start, downloads=0, clients=0, bandwidth=0)
            .execution_options(synchronize_session=False)
        )


def _shown(query: Select[Any], list_filter: ListFilter) -> Any:  # noqa: ANN401 - a select of any shape
    states = [State.ENABLED.value]
    states += [State.DISABLED.value] if list_filter.disabled else []
    states += [State.DELETED.value] if list_filter.deleted else []
    query = query.where(col(TokenRow.state).in_(states))
    if list_filter.all_users:
        return query
    of_nobody = col(TokenRow.kind) != CredentialKind.USER
    return query.where(
        or_(of_nobody, col(TokenRow.user) == list_filter.user) if list_filter.user else of_nobody
    )


def _order(sort: str) -> tuple[Any, ...]:
    column = _COLUMNS.get(sort.removeprefix("-"))
    if column is None:
        raise InvalidValue(
            "sort",
            f"Tokens cannot be sorted by {sort!r}.",
            f"Use one of {', '.join(SORTS)}, with a dash before it for the reverse order.",
        )
    direction = column.desc() if sort.startswith("-") else column.asc()
    return direction.nulls_last(), col(TokenRow.id)
