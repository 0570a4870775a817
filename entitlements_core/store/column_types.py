"""Column types that mean the same on SQLite and PostgreSQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator

from entitlements_core.store.moments import from_micros, to_micros

__all__ = ["Moment"]


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime, kept as whole microseconds since 1970.

    An integer compares, groups by day and travels the same way on every database and through the
    raw statements of the request path; no driver can lose the zone of it.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """To the database."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        """From the database."""
        return None if value is None else from_micros(value)
