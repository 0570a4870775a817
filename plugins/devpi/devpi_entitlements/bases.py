"""What an index inherits from, and whether somebody answers for it that it is seen by a token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from devpi_entitlements.access import is_open, user_reads
from devpi_entitlements.authentication import TokenRequest
from devpi_entitlements.devpi_types import Stage
from devpi_entitlements.marks import Marks
from devpi_entitlements.site import Site
from devpi_entitlements.stages import all_stages
from entitlements_core.policy.bases import Base, why_unseen

__all__ = ["all_bases", "sees_base"]


def _base_of(stage: Stage, base: Stage, user: str, marks: Marks, *, lockdown: bool) -> Base:
    """A base of an index as it is now.

    Args:
        stage: the index that inherits.
        base: the one that it inherits from.
        user: who answers for a user token; empty: the owner of `stage`.
        marks: of this server.
        lockdown: nothing is open to strangers, so nothing is open to a token by itself.
    """
    answering = user or stage.username
    return Base(
        name=base.name,
        mark=marks.of(base.name),
        is_open=not lockdown and is_open(base),
        is_readable=stage.model.get_user(answering) is not None and user_reads(base, answering),
    )


def all_bases(stage: Stage, user: str, marks: Marks, *, lockdown: bool) -> Iterator[Base]:
    """Everything that an index inherits from, whoever may see it; what is missing is left out."""
    stages = list(all_stages(stage))
    for base in stages[1:]:
        named_by = frozenset(
            one.name for one in stages if base.name in one.ixconfig.get("bases", ())
        )
        yield replace(_base_of(stage, base, user, marks, lockdown=lockdown), named_by=named_by)


def sees_base(site: Site, token_request: TokenRequest, stage: Stage, base: Stage) -> bool:
    """Whether a token holder sees `base` through `stage`, an index that the token opens.

    Through an index in which nobody was authenticated yet, only what is open to all is seen.
    """
    key = (stage.name, base.name)
    known = token_request.bases.get(key)
    if known is None:
        visible = token_request.known.get(stage.name)
        user = "" if visible is None else visible.caller.credential.user
        grant = None if visible is None else visible.caller.credential.grant_in(stage.name)
        one = _base_of(stage, base, user, site.marks, lockdown=site.is_locked_down)
        record = frozenset[tuple[str, str]]() if grant is None else grant.bases
        known = token_request.bases[key] = why_unseen(one, None if user else record) is None
    return known
