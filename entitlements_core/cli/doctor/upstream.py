"""What ``entitlements doctor --upstream`` asks, and what it makes of the answers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from entitlements_core.cli.session import Session
from entitlements_core.engine.progress import progress_bar
from entitlements_core.engine.repository_files import known_files
from entitlements_core.errors import EntitlementsError, InvalidValue
from entitlements_core.policy.counted import counted
from entitlements_core.policy.upstream import Upstream
from entitlements_core.services.certificates import HOW_TO_TRUST
from entitlements_core.services.patient import error, ok, warning
from entitlements_core.services.upstream_names import Registered, registered_names

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from entitlements_core.policy.health import Finding
    from entitlements_core.services.core import Core
    from entitlements_core.services.settings import Settings

__all__ = ["asked_upstream", "read_upstream"]

CHECK: Final = "upstream"
_SHOWN: Final = 10


def read_upstream(given: str, settings: "Settings") -> Upstream:
    """The index that is to be asked.

    Raises:
        InvalidValue: when the settings name none, or the address is none of an index.
    """
    if not (given or settings.upstream):
        raise InvalidValue(
            "upstream",
            "The settings name no upstream that could be asked.",
            "Set ENTITLEMENTS_UPSTREAM, or give --upstream URL.",
        )
    return Upstream.parse(given or settings.upstream)


def asked_upstream(
    run: Session, upstream: Upstream, repository: str, directories: Sequence[Path]
) -> "tuple[tuple[Registered, ...], tuple[Finding, ...]]":
    """What the upstream says of every name of the vendor's, and what to make of that.

    Args:
        run: with settings that can be used.
        upstream: the index that is asked.
        repository: ``owner/slug``; empty is that of the settings, or all.
        directories: of distributions, beside those of the settings.
    """
    try:
        names = _names(run, repository, directories)
    except EntitlementsError as refused:
        unread = f"The names to ask for cannot be read: {refused.problem}"
        return (), (error(CHECK, unread, refused.remedy),)
    with progress_bar(f"Asking {upstream.url}") as tell:
        answers = registered_names(upstream, names, tell=tell)
    return answers, tuple(_findings(upstream, answers))


def _names(run: Session, repository: str, directories: Sequence[Path]) -> "set[NormalizedName]":
    named = repository or run.settings.repository
    names: set[NormalizedName] = set()
    with run.open(repositories=[named] if named else []) as core:
        for one in [named] if named else [found.name for found in core.repositories.all()]:
            names |= core.reserved_names.whole_names(one)
            names |= _of_files(core, one, directories if named else ())
    return names


def _of_files(core: "Core", repository: str, directories: Sequence[Path]) -> "set[NormalizedName]":
    """The names of the files that are there now, which a server may not have seen yet."""
    own = core.settings.directories_of(repository)
    if not directories and not own and not core.plugins.host():
        return set()
    files = known_files(core, repository, [*own, *directories])
    return {facts.name for facts in files.values()}


def _findings(upstream: Upstream, answers: Sequence[Registered]) -> "Iterator[Finding]":
    """The answers as what the doctor says; of what cannot be told, each reason once."""
    for one in answers:
        if one.exists:
            many = "file" if one.files == 1 else "files"
            files = "" if one.files is None else f", with {one.files} {many}"
            newest = f", the newest {one.newest}" if one.newest else ""
            yield error(
                CHECK,
                f"{one.name} is yours, and {upstream.url} has it as well{files}{newest}.",
                "If that is not you: a customer who lists both indexes may install it (docs:"
                " Dependency confusion).",
            )
    reasons: dict[str, list[str]] = {}
    for one in answers:
        if one.exists is None:
            reasons.setdefault(one.why, []).append(one.name)
    for why, names in reasons.items():
        some = ", ".join(names[:_SHOWN])
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield warning(
            CHECK,
            f"Of {some}{more} it cannot be told whether {upstream.url} has them: {why}.",
            f"Look at the address and the network, and ask again. {HOW_TO_TRUST}",
        )
    if not any(one.exists is not False for one in answers):
        yield ok(CHECK, f"{upstream.url} has none of your {counted(len(answers), 'name')}.")
