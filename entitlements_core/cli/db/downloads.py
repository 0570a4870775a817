"""``entitlements db rollups`` and ``prune``: the care of what was counted."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entitlements_core.cli.console import emit, note
from entitlements_core.cli.options import JsonOption, read_path
from entitlements_core.cli.session import session
from entitlements_core.documents.usage import pruned_document, rollups_document
from entitlements_core.documents.values import read_duration
from entitlements_core.engine.progress import progress_bar
from entitlements_core.errors import EntitlementsError, InvalidValue
from entitlements_core.policy.counted import counted

if TYPE_CHECKING:
    from entitlements_core.services.retention import Pruned

__all__ = ["catch_up", "prune", "rollups"]


def rollups(
    context: typer.Context,
    *,
    check: Annotated[
        bool,
        typer.Option("--check", help="Compare them with the downloads; exit 1 if they differ."),
    ] = False,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Sum everything up anew, as far as downloads are kept."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Sum up the days that are over, so that reports are quick; safe at any time."""
    if check and rebuild:
        raise InvalidValue("check", "--check and --rebuild contradict.", "Give one of them.")
    run = session(context)
    problems: tuple[str, ...] = ()
    summed = 0
    with run.open() as core:
        if check:
            with progress_bar("Comparing") as tell:
                problems = core.rollups.check(tell)
        else:
            with progress_bar("Summing up days") as tell:
                summed = (
                    core.rollups.rebuild(actor=run.actor, progress=tell)
                    if rebuild
                    else core.rollups.catch_up(tell)
                )
        found = core.rollups.report()
    document = rollups_document(found, summed_up=summed, problems=problems)
    days = counted(found.days, "day")
    state = f"{days} up to {found.closed_until:%Y-%m-%d}, {found.stale} to be done."
    text = "\n".join(problems) or f"{'They agree' if check else f'{summed} summed up'}: {state}"
    emit(document, lambda console: console.print(text, soft_wrap=True), as_json=as_json)
    if problems:
        raise typer.Exit(1)


def prune(  # noqa: PLR0913 - one option for each choice
    context: typer.Context,
    *,
    older_than: Annotated[
        str,
        typer.Option(
            "--downloads-older-than",
            metavar="AGE",
            help="Such as 400d or 60w; what is younger than 32d is still needed.",
        ),
    ],
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="FILE.csv.gz",
            parser=read_path,
            help="Write them to this file first; one of an earlier run is continued.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many there are.")
    ] = False,
    clock_is_right: Annotated[
        bool,
        typer.Option(
            "--clock-is-right", help="Go on although nothing has happened in the store for a month."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove counted downloads of long ago; reports of whole days, and all limits, stay.

    Servers go on counting meanwhile. What was stopped half-way goes on with the same command.
    """
    age = read_duration("downloads_older_than", older_than)
    if age is None:  # pragma: no cover - the option is required
        raise InvalidValue("downloads_older_than", "No age was given.")
    run = session(context)
    with run.open() as core:
        if dry_run:
            found = core.retention.preview(age, clock_is_right=clock_is_right)
        else:
            with progress_bar("Removing downloads") as tell:
                found = core.retention.prune(
                    age,
                    actor=run.actor,
                    export=export,
                    clock_is_right=clock_is_right,
                    progress=tell,
                )
    emit(
        pruned_document(found, dry_run=dry_run),
        lambda console: console.print(_told(found, dry_run=dry_run), soft_wrap=True),
        as_json=as_json,
    )


def catch_up(context: typer.Context) -> None:
    """Sum up what is over; where that cannot be now, it is a remark."""
    with session(context).open() as core, progress_bar("Summing up days") as tell:
        try:
            core.rollups.catch_up(tell)
        except EntitlementsError as error:
            note(f"Reports are slower for now: {error.problem}")


def _told(found: "Pruned", *, dry_run: bool) -> str:
    what = f"{counted(found.removed, 'download')} from before {found.before:%Y-%m-%d}"
    if dry_run:
        return f"{what} would be removed."
    kept = "" if found.export is None else f" They are in {found.export}."
    return f"{what} {'was' if found.removed == 1 else 'were'} removed.{kept}"
