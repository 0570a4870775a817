"""Reports over the counted downloads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, distinct, func, select, type_coerce
from sqlmodel import Session, col

from entitlements_core.errors import InvalidValue
from entitlements_core.store.models import DownloadRow, RepositoryRow, TokenRow
from entitlements_core.store.moments import from_micros
from entitlements_core.store.records import UsageLine

__all__ = ["DIMENSIONS", "UsageReports"]

_DAY: Final = 86_400_000_000
_KEYS: Final[dict[str, Any]] = {
    "token": col(TokenRow.identifier),
    "repository": col(RepositoryRow.owner) + "/" + col(RepositoryRow.slug),
    "package": col(DownloadRow.project),
    "version": col(DownloadRow.version),
    "filename": col(DownloadRow.filename),
    "client": col(DownloadRow.client),
    "user_agent": col(DownloadRow.user_agent),
    "day": type_coerce(DownloadRow.at, BigInteger) // _DAY,
}
_SUMS: Final[tuple[Any, ...]] = (
    func.count(col(DownloadRow.id)),
    func.sum(DownloadRow.requests),
    func.count(distinct(col(DownloadRow.client))),
    func.sum(DownloadRow.bandwidth),
    func.max(type_coerce(DownloadRow.at, BigInteger)),
)
DIMENSIONS: Final = tuple(_KEYS)
"""What a report can be broken down by; a day is one of UTC."""


@dataclass(frozen=True, slots=True)
class UsageReports:
    """Downloads as one transaction sees them."""

    session: Session

    def report(  # noqa: PLR0913 - the choices of one report, all named
        self,
        by: Sequence[str],
        *,
        tokens: Sequence[str] = (),
        repository: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> tuple[UsageLine, ...]:
        """Downloads summed up by dimensions, ordered by them.

        Args:
            by: of `DIMENSIONS`; none gives one line with the total, or no line for no download.
            tokens: identifiers; none is all.
            repository: ``owner/slug``; empty is all.
            since: inclusive.
            until: exclusive.
            limit: at most so many lines.

        Raises:
            InvalidValue: when there is no such dimension.
        """
        _check_dimensions(by)
        keys = [_KEYS[name].label(name) for name in by]
        query = select(*keys, *_SUMS)
        query = query.join(TokenRow, col(TokenRow.id) == DownloadRow.token_id)
        query = query.join(RepositoryRow, col(RepositoryRow.id) == DownloadRow.repository_id)
        if tokens:
            query = query.where(col(TokenRow.identifier).in_(list(tokens)))
        if repository:
            owner, _, slug = repository.partition("/")
            query = query.where(col(RepositoryRow.owner) == owner, col(RepositoryRow.slug) == slug)
        query = query if since is None else query.where(col(DownloadRow.at) >= since)
        query = query if until is None else query.where(col(DownloadRow.at) < until)
        rows = self.session.execute(query.group_by(*keys).order_by(*keys).limit(limit))
        return tuple(_line(by, row) for row in rows if row[-1] is not None)


def _check_dimensions(by: Sequence[str]) -> None:
    for name in by:
        if name not in _KEYS:
            raise InvalidValue(
                "by",
                f"A report cannot be broken down by {name!r}.",
                f"Use any of {', '.join(DIMENSIONS)}.",
            )


def _line(by: Sequence[str], row: Any) -> UsageLine:  # noqa: ANN401 - a row of any width
    *keys, downloads, requests, clients, bandwidth, last_at = row
    return UsageLine(
        keys=tuple(_key(name, value) for name, value in zip(by, keys, strict=True)),
        downloads=downloads,
        requests=int(requests),
        clients=clients,
        bandwidth=int(bandwidth),
        last_at=from_micros(last_at),
    )


def _key(name: str, value: object) -> str:
    if name == "day" and isinstance(value, int):
        return f"{datetime.fromtimestamp(value * 86_400, UTC):%Y-%m-%d}"
    return str(value)
