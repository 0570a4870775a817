"""``entitlements usage``: who used what, and when."""

import csv
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Final

import typer

from entitlements_core.cli.console import emit, show_table
from entitlements_core.cli.options import (
    MOST,
    InRepositoryOption,
    JsonOption,
    SinceOption,
    UntilOption,
)
from entitlements_core.cli.session import session
from entitlements_core.documents.usage import usage_document
from entitlements_core.documents.values import read_time, readable_bytes
from entitlements_core.errors import EntitlementsError, InvalidValue
from entitlements_core.services.csv_cells import cell

if TYPE_CHECKING:
    from entitlements_core.services.core import Core
    from entitlements_core.services.reports import UsageLine

__all__ = ["usage"]

_DAYS: Final = 10
"""Days that are summed up after a report, so that the next one is quicker; about a second."""
_AGENT: Final = 60
"""Characters of a user agent in a table."""
_SUMS = ("downloads", "requests", "clients", "bandwidth", "last_at")


def usage(  # noqa: PLR0913 - one option for each choice
    context: typer.Context,
    *,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="WHAT",
            help="Any of token, repository, package, version, filename, client, user_agent, day;"
            " several with commas; '' for the total.",
        ),
    ] = None,
    token: Annotated[
        list[str] | None,
        typer.Option("--token", metavar="SLUG_PERM", help="Only this token; again for more."),
    ] = None,
    repo: InRepositoryOption = "",
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, max=MOST, help="At most so many lines.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Report counted downloads and bytes: who used what, and when."""
    if as_csv and as_json:
        raise InvalidValue("csv", "--csv and --json contradict.", "Give one of them.")
    what = [name.strip() for one in by or ["token"] for name in one.split(",") if name.strip()]
    with session(context).open(asked=[repo]) as core:
        lines = core.reports.usage(
            what,
            tokens=token or (),
            repository=repo,
            since=read_time("from", since),
            until=read_time("until", until),
            limit=limit,
        )
        _show_usage(what, lines, _names(core, what, lines), as_csv=as_csv, as_json=as_json)
        sys.stdout.flush()  # the report is complete; the sums below are for the next one
        _prepare_the_next(core)


def _show_usage(
    what: Sequence[str],
    lines: "Sequence[UsageLine]",
    names: dict[str, str],
    *,
    as_csv: bool,
    as_json: bool,
) -> None:
    keys = [*what, *(["name"] if "token" in what else [])]
    documents = [usage_document(what, line, names) for line in lines]
    if as_csv:
        _print_csv([*keys, *_SUMS], documents)
        return
    headings = [*keys, "downloads", "clients", "bandwidth", "last"]
    rows = [
        [
            *(_shortened(key, str(one[key])) for key in keys),
            str(line.downloads),
            str(line.clients),
            readable_bytes(line.bandwidth),
            f"{line.last_at:%Y-%m-%d %H:%M}",
        ]
        for one, line in zip(documents, lines, strict=True)
    ]
    emit(documents, lambda console: show_table(console, headings, rows), as_json=as_json)


def _shortened(key: str, text: str) -> str:
    """What clients call themselves is of any length; JSON and CSV have all of it."""
    if key != "user_agent" or len(text) <= _AGENT:
        return text
    return f"{text[: _AGENT - 1]}…"


def _prepare_the_next(core: "Core") -> None:
    """Sum up some days that are over. Where the store is read-only, the report stands anyway."""
    with suppress(EntitlementsError):
        core.rollups.catch_up(limit=_DAYS)


def _names(core: "Core", what: Sequence[str], lines: "Iterable[UsageLine]") -> dict[str, str]:
    """The names of the tokens of a report."""
    if "token" not in what:
        return {}
    place = list(what).index("token")
    return core.reports.names(sorted({line.keys[place] for line in lines}))


def _print_csv(columns: Sequence[str], documents: Iterable[dict[str, object]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for one in documents:
        writer.writerow([cell(one[column]) for column in columns])
