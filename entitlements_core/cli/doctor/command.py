"""``entitlements doctor``: is everything as it should be?"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from entitlements_core.cli.console import emit
from entitlements_core.cli.options import JsonOption, read_path
from entitlements_core.cli.session import Session, session
from entitlements_core.documents.doctor import clock_repair_document, health_document
from entitlements_core.engine.repository_files import scanned
from entitlements_core.errors import EntitlementsError, InvalidValue, NotFound
from entitlements_core.policy.counted import counted

if TYPE_CHECKING:
    from rich.console import Console

    from entitlements_core.services.clock_repair import FromTheFuture
    from entitlements_core.services.doctor import Finding

__all__ = ["doctor"]

_STYLES: Final = {"ok": "green", "warning": "yellow", "error": "bold red"}


def doctor(  # noqa: PLR0913 - one option for each choice
    context: typer.Context,
    directories: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[DIR...]", parser=read_path, help="Directories of distributions to look at."
        ),
    ] = None,
    *,
    repo: Annotated[
        str, typer.Option("--repo", metavar="OWNER/SLUG", help="Whose directories they are.")
    ] = "",
    upstream: Annotated[
        str,
        typer.Option(
            "--upstream",
            metavar="URL",
            help="Ask this simple index which of your project names somebody has there.",
        ),
    ] = "",
    ask_upstream: Annotated[
        bool, typer.Option("--ask-upstream", help="The same of the index of the settings.")
    ] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Mend what a clock that was ahead has left in the store, only that."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --repair: only say what would be mended.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check home, key, store, clock, proxies, directories, settings and plugins.

    The exit status is 1 when something is an error; a warning leaves it 0. Nobody else's server is
    asked anything, except with --upstream or --ask-upstream; a name of yours that somebody has
    there is an error.
    """
    if dry_run and not repair:
        raise InvalidValue("dry_run", "--dry-run is for --repair.", "Give both, or neither.")
    if repair:
        _repair(context, dry_run=dry_run, as_json=as_json)
        return
    from entitlements_core.cli.doctor.upstream import (  # noqa: PLC0415 - a fast start
        asked_upstream,
        read_upstream,
    )
    from entitlements_core.services.doctor import (  # noqa: PLC0415 - a fast start
        Patient,
        examine,
    )

    run = session(context)
    looked = [one.expanduser() for one in directories or []]
    settings, unusable = run.usable
    run = replace(run, given=settings)
    found = examine(
        Patient(
            settings=settings,
            unusable=unusable,
            directories=tuple(looked),
            **_catalog(run, repo, looked),
        )
    )
    found = (*found, *_repository(run, repo))
    answers = None
    if upstream or ask_upstream:
        asked = read_upstream(upstream, settings)
        answers, seen = asked_upstream(run, asked, repo, looked)
        found = (*found, *seen)
    document = health_document(found, answers)
    emit(document, lambda console: _show(console, found), as_json=as_json)
    if not document["ok"]:
        raise typer.Exit(1)


def _repair(context: typer.Context, *, dry_run: bool, as_json: bool) -> None:
    run = session(context)
    with run.open() as core:
        mending = core.clock_repair
        found = mending.preview() if dry_run else mending.repair(actor=run.actor)
    document = clock_repair_document(found, dry_run=dry_run)
    emit(document, lambda console: _show_repair(console, found), as_json=as_json)


def _show_repair(console: "Console", found: "FromTheFuture") -> None:
    console.print(f"It is {found.now:%Y-%m-%d %H:%M:%S} UTC by this clock.", soft_wrap=True)
    for one in found.resets:
        since, mended = f"{one.since:%Y-%m-%d %H:%M}", f"{one.mended:%Y-%m-%d %H:%M}"
        console.print(f"{one.token}: counts since {mended} instead of {since}.", soft_wrap=True)
    for name, count in found.moments.items():
        console.print(f"{name}: {count} set to now.", soft_wrap=True)
    if found.downloads:
        where = "in the future"
        stay = counted(found.downloads, f"download {where} stays", f"downloads {where} stay")
        console.print(f"{stay}.", soft_wrap=True)
    if not found.is_mendable:
        console.print("There is nothing to mend.")


def _catalog(run: Session, repository: str, directories: list[Path]) -> dict[str, Any]:
    """What a look at the directories finds; what keeps us from looking is found elsewhere."""
    from entitlements_core.engine.scan import modified_at  # noqa: PLC0415 - a fast start

    repository = repository or run.settings.repository
    named = [*directories, *map(Path, run.settings.directories)]
    if not named:
        return {}
    if not repository:
        unseen = "The files in it were not looked at: it is not said whose they are."
        return {"problems": ((str(named[0]), unseen, "Add --repo OWNER/SLUG."),)}
    try:
        with (
            run.open(repositories=[repository]) as core,
            scanned(core, repository, named) as (catalog, report),
        ):
            times = [file.mtime_ns for file in catalog.snapshot.files.values()]
    except EntitlementsError as error:
        return {"problems": ((str(named[0]), error.problem, error.remedy),)}
    newest = modified_at(max(times)) if times else None
    problems = tuple((one.path, one.reason, one.remedy) for one in report.problems)
    return {"problems": problems, "newest": newest}


def _repository(run: Session, name: str) -> "tuple[Finding, ...]":
    """That there is none of the name that was given; other faults are found elsewhere."""
    from entitlements_core.policy.health import (  # noqa: PLC0415 - a fast start
        Finding,
        Health,
    )

    if not name:
        return ()
    try:
        with run.open(repositories=[name]):
            return ()
    except NotFound as error:
        return (
            Finding(
                check="repository",
                health=Health.ERROR,
                detail=error.problem,
                remedy=error.remedy,
            ),
        )
    except EntitlementsError:
        return ()


def _show(console: "Console", found: "tuple[Finding, ...]") -> None:
    for one in found:
        console.print(f"{one.health.value:8}", style=_STYLES[one.health.value], end=" ")
        console.print(f"{one.check}: {one.detail}", soft_wrap=True)
        if one.remedy:
            console.print(f"         {one.remedy}", style="dim", soft_wrap=True)
