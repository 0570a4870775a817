"""Use cases that only look: what was used, by whom, and what was changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.terms import check_time
from entitlements_core.services.gc_pause import gc_paused
from entitlements_core.store.records import AuditEntry, ClientRecord, ListPage, UsageLine

if TYPE_CHECKING:
    from entitlements_core.store.database import Database
    from entitlements_core.store.unit_of_work import UnitOfWork

__all__ = ["AuditEntry", "ClientRecord", "ListPage", "Reports", "UsageLine"]


class Reports:
    """Reports over the store.

    Args:
        database: the store.
    """

    def __init__(self, *, database: "Database") -> None:
        self._database = database

    def usage(  # noqa: PLR0913 - the choices of one report, all named
        self,
        by: Sequence[str] = ("token",),
        *,
        tokens: Sequence[str] = (),
        repository: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> tuple[UsageLine, ...]:
        """Counted downloads and bytes, summed up by dimensions and ordered by them.

        Args:
            by: any of ``token repository package version filename client user_agent day``; none
                gives the total in one line. A day is one of UTC.
            tokens: identifiers; none is all.
            repository: ``owner/slug``; empty is all.
            since: aware, inclusive.
            until: aware, exclusive.
            limit: at most so many lines.

        Raises:
            InvalidValue: when there is no such dimension, or twice, a time is naive, or they are
                reversed.
            NotFound: when there never was such a token or repository.
            Refused: when it would begin or end amid a day whose downloads were removed.
        """
        since, until = _period(since, until)
        with self._database.read() as unit:
            for token in tokens:
                unit.tokens.get(token)
            _require_known(unit, repository)
            with gc_paused():
                return unit.usage.report(
                    by, tokens=tokens, repository=repository, since=since, until=until, limit=limit
                )

    def names(self, tokens: Sequence[str]) -> dict[str, str]:
        """The names of tokens, deleted ones included, by their identifiers."""
        with self._database.read() as unit:
            return unit.tokens.names(tokens)

    def clients(self, token: str) -> tuple[ClientRecord, ...]:
        """The clients that ever used a token, the latest first.

        Raises:
            NotFound: when there is no such token.
        """
        with self._database.read() as unit:
            return unit.tokens.clients(token)

    def audit(  # noqa: PLR0913 - the filters of one list, all named
        self,
        *,
        repository: str = "",
        token: str = "",
        actor: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        page: int = 1,
        page_size: int = 30,
    ) -> ListPage[AuditEntry]:
        """The record of changes, the newest first.

        Args:
            repository: ``owner/slug``; empty is any.
            token: an identifier; empty is any.
            actor: who did it; empty is anybody.
            since: aware, inclusive.
            until: aware, exclusive.
            page: from 1.
            page_size: 1 to 500.

        Raises:
            InvalidValue: when there is no such page, a time is naive, or they are reversed.
            NotFound: when there never was such a token or repository.
        """
        since, until = _period(since, until)
        with self._database.read() as unit:
            if token:
                unit.tokens.get(token)
            _require_known(unit, repository)
            return unit.audit.entries(
                repository=repository,
                token=token,
                actor=actor,
                since=since,
                until=until,
                number=page,
                size=page_size,
            )


def _require_known(unit: "UnitOfWork", repository: str) -> None:
    """Return when a repository is there, or was: what it was used for stays."""
    if repository and not unit.audit.knows(repository):
        unit.repositories.get(repository)


def _period(
    since: datetime | None, until: datetime | None
) -> tuple[datetime | None, datetime | None]:
    since, until = check_time("since", since), check_time("until", until)
    if since is not None and until is not None and since >= until:
        raise InvalidValue(
            "until", "The report would end before it begins, or just then.", "Choose a later end."
        )
    return since, until
