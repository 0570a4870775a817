"""Which projects are the vendor's, so that no mirror has a say in them.

devpi leaves mirrors out for a project that an index has itself, unless ``mirror_whitelist`` says
otherwise, and only for as long as the index has it. Whoever registers the name of a project that
was deleted, is only reserved, or lies in a base that a token does not see, would be installed in
its place. So for tokens a name is the vendor's when any index of the same user, or that it could
come from, has it or ever had it, whatever the token sees and whether that index is still there.
"""

from __future__ import annotations

from typing import Final

from packaging.utils import NormalizedName, canonicalize_name

from devpi_entitlements.authentication import TokenRequest
from devpi_entitlements.devpi_types import Stage
from devpi_entitlements.past_indexes import PastIndexes
from devpi_entitlements.site import Site
from devpi_entitlements.stages import all_stages, is_mirror
from entitlements_core.policy.decide import NOT_FOUND

__all__ = ["is_own", "keep_to_own", "mirrors_of", "mirrors_opened", "own_stages"]

EVERYTHING: Final = "*"


def own_stages(stage: Stage) -> list[Stage]:
    """The index and all that it inherits from but mirrors, whoever may see them."""
    return [one for one in all_stages(stage) if not is_mirror(one)]


def has_mirror(stage: Stage) -> bool:
    """Whether an index inherits from a mirror, or is one."""
    return bool(mirrors_of(stage))


def mirrors_of(stage: Stage) -> tuple[str, ...]:
    """The mirrors that an index inherits from, whoever may see them; of a mirror, itself."""
    return tuple(one.name for one in all_stages(stage) if is_mirror(one))


def keep_to_own(
    site: Site, token_request: TokenRequest, stage: Stage, project: NormalizedName
) -> None:
    """Leave the mirrors out for the project that a request is about, if it is the vendor's.

    To be called before devpi resolves anything: it then asks no mirror for the project.
    """
    if stage.name in token_request.alone or is_mirror(stage) or not has_mirror(stage):
        return
    own = _own_indexes(site.past_indexes, stage)
    if any(_ever_had(stage, one, project) or _reserves(site, one, project) for one in own):
        token_request.alone.add(stage.name)


def is_own(past: PastIndexes, stage: Stage, project: NormalizedName) -> bool:
    """Whether a project is the vendor's by devpi's history, whatever is reserved in the store."""
    if is_mirror(stage):
        return False
    return any(_ever_had(stage, one, project) for one in _own_indexes(past, stage))


def _own_indexes(past: PastIndexes, stage: Stage) -> list[str]:
    names = past.of(stage).union(one.name for one in own_stages(stage))
    return sorted(name for name in names if not _is_mirror(stage, name))


def _is_mirror(stage: Stage, name: str) -> bool:
    """Whether another index is a mirror; one that is not there any more is taken for none."""
    other = stage.model.getstage(name)
    return other is not None and is_mirror(other)


def _reserves(site: Site, repository: str, project: NormalizedName) -> bool:
    """Whether a repository reserves a name; one that was removed reserves none."""
    denied = site.gate.own_name(project, repository)
    if denied is None:
        return False
    return denied is not NOT_FOUND or site.core.reader.has_repository(repository)


def _ever_had(stage: Stage, name: str, project: NormalizedName) -> bool:
    """Whether an index has a project, or had it: devpi's history forgets no key.

    That of an index which was deleted, and made again under its name or not, is there as well.

    Args:
        stage: any, in a transaction.
        name: of the index, ``user/index``.
        project: normalised.
    """
    transaction = stage.keyfs.tx
    user, _, index = name.partition("/")
    key = stage.keyfs.PROJVERSIONS(user=user, index=index, project=project)
    found = transaction.get_last_serial_and_value_at(
        key, transaction.at_serial, raise_on_error=False
    )
    return found is not None


def mirrors_opened(stage: Stage) -> tuple[str, ...]:
    """What ``mirror_whitelist`` lets come from mirrors though it is the vendor's: names, or ``*``.

    Tokens are kept away from that; users of devpi are not.
    """
    if is_mirror(stage) or not has_mirror(stage):
        return ()
    listed = stage.ixconfig.get("mirror_whitelist") or ()
    if EVERYTHING in listed:
        return (EVERYTHING,)
    own = own_stages(stage)
    names = sorted({canonicalize_name(name) for name in listed})
    return tuple(name for name in names if any(_ever_had(stage, one.name, name) for one in own))
