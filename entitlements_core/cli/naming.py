"""Repositories as a command names them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from entitlements_core.errors import NotFound
from entitlements_core.policy.secret import shows_secret

if TYPE_CHECKING:
    from entitlements_core.services.core import Core

__all__ = ["require_repositories"]

_SHOWN: Final = 10


def require_repositories(core: "Core", names: Sequence[str]) -> None:
    """Return when all of `names` exist. Only here, where a vendor asks, the others are named.

    What the host serves and the store does not know yet is added.

    Raises:
        NotFound: saying which there are, and how a repository comes about.
    """
    known = _known(core)
    if not known.issuperset(names):
        served = set(names).intersection(core.plugins.repositories())
        core.repositories.ensure(served, actor="host")
        known = _known(core)  # a server of the host may have added them meanwhile
    missing = next((name for name in names if name not in known), None)
    if missing is None:
        return
    named = "of that name, which holds a secret" if shows_secret(missing) else repr(missing)
    raise NotFound(
        f"There is no repository {named}; {_there_is(sorted(known))}.",
        "Check the name (owner/slug), or add it with `entitlements repo add`."
        " The indexes of devpi-server are here once it was started with the plugin.",
    )


def _known(core: "Core") -> set[str]:
    return {found.name for found in core.repositories.all()}


def _there_is(known: Sequence[str]) -> str:
    if not known:
        return "there is none yet"
    rest = len(known) - _SHOWN
    return f"there is {', '.join(known[:_SHOWN])}" + (f" and {rest} more" if rest > 0 else "")
