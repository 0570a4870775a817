"""``entitlements doctor``: is everything as it should be?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from entitlements_core.cli.files import scanned
from entitlements_core.cli.options import AsJson
from entitlements_core.cli.output import emit
from entitlements_core.cli.session import Session, session
from entitlements_core.errors import EntitlementsError

if TYPE_CHECKING:
    from rich.console import Console

    from entitlements_core.services.doctor import Finding

__all__ = ["doctor"]

_STYLES: Final = {"ok": "green", "warning": "yellow", "error": "bold red"}


def doctor(
    context: typer.Context,
    directories: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[DIR...]", help="Directories of distributions to look at."),
    ] = None,
    *,
    repo: Annotated[
        str, typer.Option("--repo", metavar="OWNER/SLUG", help="Whose directories they are.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Check home, key, store, clock, proxies, directories, settings and plugins.

    The exit status is 1 when something has to be mended.
    """
    from entitlements_core.services.doctor import (  # noqa: PLC0415 - a fast start
        Health,
        Patient,
        examine,
    )

    run = session(context)
    looked = [one.expanduser() for one in directories or []]
    found = examine(
        Patient(settings=run.settings, directories=tuple(looked), **_catalog(run, repo, looked))
    )
    failed = any(one.health is Health.ERROR for one in found)
    document = {
        "ok": not failed,
        "checks": [
            {
                "check": one.check,
                "status": one.health.value,
                "detail": one.detail,
                "remedy": one.remedy,
            }
            for one in found
        ],
    }
    emit(document, lambda console: _show(console, found), as_json=as_json)
    if failed:
        raise typer.Exit(1)


def _catalog(run: Session, repository: str, directories: list[Path]) -> dict[str, Any]:
    """What a look at the directories finds; what keeps us from looking is found elsewhere."""
    from entitlements_core.engine.scan import modified_at  # noqa: PLC0415 - a fast start

    repository = repository or run.settings.repository
    named = [*directories, *map(Path, run.settings.directories)]
    if not repository or not named:
        return {}
    try:
        with run.open() as core, scanned(core, repository, named) as (catalog, report):
            times = [file.mtime_ns for file in catalog.snapshot.files.values()]
    except EntitlementsError as error:
        return {"problems": ((str(named[0]), error.problem, error.remedy),)}
    newest = modified_at(max(times)) if times else None
    problems = tuple((one.path, one.reason, one.remedy) for one in report.problems)
    return {"problems": problems, "newest": newest}


def _show(console: "Console", found: "tuple[Finding, ...]") -> None:
    for one in found:
        console.print(f"{one.health.value:8}", style=_STYLES[one.health.value], end=" ")
        console.print(f"{one.check}: {one.detail}", soft_wrap=True)
        if one.remedy:
            console.print(f"         {one.remedy}", style="dim", soft_wrap=True)
