"""Use case: mend what a clock that was ahead has written."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from entitlements_core.policy.actor import Actor
from entitlements_core.policy.instants import instant
from entitlements_core.services.operations import Operations
from entitlements_core.store.records import AuditEntry, FutureReset

if TYPE_CHECKING:
    from entitlements_core.store.future_moments import FutureMoments

__all__ = ["ClockRepair", "FromTheFuture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FromTheFuture:
    """What lies in the future that cannot.

    Attributes:
        now: by which clock.
        resets: counters that were zeroed then, with what mends them.
        moments: how many others, by table and column; they are set to now.
        downloads: counted then. They stay, under that date in reports; nobody rides on them.
    """

    now: datetime
    resets: tuple[FutureReset, ...] = ()
    moments: dict[str, int] = field(default_factory=dict)
    downloads: int = 0

    @property
    def is_mendable(self) -> bool:
        """Something can be mended."""
        return bool(self.resets or self.moments)


class ClockRepair:
    """Looks for moments of the future in one store.

    Args:
        operations: begins the transactions; its clock should be right.
    """

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def preview(self) -> FromTheFuture:
        """What `repair` would mend; changes nothing.

        Raises:
            StoreError: when the store cannot be read.
        """
        now = self._operations.clock()
        with self._operations.database.read() as unit:
            return _found(unit.future_moments(now))

    def repair(self, *, actor: Actor) -> FromTheFuture:
        """Mend it, and give what was there. Counts stay; resets come at their times again.

        Raises:
            StoreError: when the store cannot be written; nothing is, then.
        """
        with self._operations.begin(actor) as operation:
            moments = operation.unit.future_moments(operation.now)
            found = _found(moments)
            if not found.is_mendable:
                return found
            moments.mend()
            for reset in found.resets:
                operation.unit.audit.write(
                    AuditEntry(
                        at=operation.now,
                        actor=actor.name,
                        action="token.reset_mended",
                        token=reset.token,
                        before={"since": instant(reset.since)},
                        after={"since": instant(reset.mended)},
                    )
                )
            operation.record("moments.mended", "", after=dict(found.moments))
        return found


def _found(moments: "FutureMoments") -> FromTheFuture:
    return FromTheFuture(
        now=moments.now,
        resets=tuple(moments.resets()),
        moments=moments.counts(),
        downloads=moments.downloads(),
    )
