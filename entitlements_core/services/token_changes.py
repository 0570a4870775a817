"""What can be changed of a token, and what a change makes of its terms."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from datetime import datetime
from typing import Any, Final, TypedDict, cast

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.credential import Access
from entitlements_core.policy.terms import Terms
from entitlements_core.policy.token import Token

__all__ = [
    "Edited",
    "GrantChanges",
    "TermChanges",
    "TokenChanges",
    "changed_terms",
    "check_fields",
    "checked_access",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A token after a change.

    Attributes:
        warnings: what whoever asked should know, one sentence each.
    """

    token: Token
    warnings: tuple[str, ...] = ()


class TermChanges(TypedDict, total=False):
    """Terms to set; what is left out stays as it is, and None clears a field to its default."""

    owner: str | None
    limit_num_downloads: int | None
    limit_num_clients: int | None
    limit_bandwidth: int | None
    limit_bandwidth_unit: str | None
    scheduled_reset_period: str | None
    scheduled_reset_at: datetime | None
    limit_date_range_from: datetime | None
    limit_date_range_to: datetime | None
    updates_until: datetime | None
    allow_networks: Sequence[str] | None
    deny_networks: Sequence[str] | None
    tags: Sequence[str] | None
    metadata: Mapping[str, object] | None
    eula_required: bool | None
    access_private_broadcasts: bool | None


class GrantChanges(TypedDict, total=False):
    """What to set of a grant in one repository; `bases` are names."""

    limit_package_query: str | None
    access: Access
    bases: Sequence[str] | None


class TokenChanges(TermChanges, GrantChanges, total=False):
    """Everything that an edit can change, in one step; a grant's belong to one repository."""

    name: str
    enabled: bool


_DEFAULTS: Final[dict[str, Any]] = {
    item.name: item.default if item.default_factory is MISSING else item.default_factory()
    for item in fields(Terms)
    if item.name != "name"
}


def changed_terms(before: Terms, owner: str, changes: Mapping[str, object]) -> Terms:
    """`before` with `changes`, not checked yet; those of a grant are passed over.

    Args:
        before: the terms so far.
        owner: who owns a token for which nobody is named.
        changes: None clears a field to its default.

    Raises:
        InvalidValue: when a list is no list, or a field is none: a restriction that is misspelt
            must not be one that is left out.
    """
    check_fields(changes, TokenChanges)
    wanted = {name: changes[name] for name in (*_DEFAULTS, "name") if name in changes}
    for name, value in wanted.items():
        if value is None:
            wanted[name] = _DEFAULTS.get(name, "")
        elif name in {"tags", "allow_networks", "deny_networks"}:
            wanted[name] = _listed(name, value)
    changed = replace(before, **cast("dict[str, Any]", wanted))
    return replace(changed, owner=changed.owner or owner)


def check_fields(changes: Mapping[str, object], fields: type) -> None:
    """Return when each of `changes` is a field of a typed dictionary.

    Raises:
        InvalidValue: naming the first that is none.
    """
    known = fields.__annotations__
    for name in changes:
        if name not in known:
            raise InvalidValue(
                name, f"{name} is no field of a token.", f"There are {', '.join(sorted(known))}."
            )


def _listed(field: str, value: object) -> tuple[object, ...]:
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(value)
    raise InvalidValue(field, f"{field} is one value, not a list.", "Give a list of texts.")


def checked_access(value: str) -> Access:
    """The access that `value` names.

    Raises:
        InvalidValue: when it is neither ``r`` nor ``rw``.
    """
    if value in {*Access}:
        return Access(value)
    raise InvalidValue("access", f"{value!r} is no access.", "Use r (read) or rw (also upload).")
