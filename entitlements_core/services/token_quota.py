"""How many active tokens an owner may have."""

from entitlements_core.errors import Refused
from entitlements_core.policy.credential import State
from entitlements_core.policy.token import Token
from entitlements_core.services.operations import Operation

__all__ = ["check_quota", "check_quota_of_change"]


def check_quota(operation: Operation, owner: str, quota: int | None) -> None:
    """Refuse the operation when `owner` now has more active tokens than `quota`.

    Enabled standard tokens count, as at Cloudsmith ("Counting Token Usage": disabled and deleted
    ones do not). Default and user tokens come about by themselves and do not count either. Called
    after the change and inside its transaction, so that two at once cannot both be the last.

    Raises:
        Refused: then nothing is changed.
    """
    if quota is None:
        return
    active = operation.unit.tokens.count_active(owner)
    if active > quota:
        raise Refused(
            f"{owner} would have {active} active tokens, more than its quota of {quota}.",
            "Disable or delete tokens that are no longer used, or raise the quota.",
        )


def check_quota_of_change(operation: Operation, before: Token, quota: int | None) -> None:
    """Check the quota if a change made a token count, or count on another owner.

    Args:
        operation: the one under way, after the change.
        before: the token as it was.
        quota: see `check_quota`.

    Raises:
        Refused: when there was none left.
    """
    after = operation.unit.tokens.get(before.identifier)
    if after.state is State.ENABLED and (before.state, before.owner) != (after.state, after.owner):
        check_quota(operation, after.owner, quota)
