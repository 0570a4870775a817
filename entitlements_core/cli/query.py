"""``entitlements preview`` and ``explain``: what a restriction opens, and why."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entitlements_core.cli.documents import instant
from entitlements_core.cli.files import known_files
from entitlements_core.cli.options import TIME, AsJson, Directories, of_repository
from entitlements_core.cli.output import emit, show_table, stdout, warn
from entitlements_core.cli.session import session
from entitlements_core.cli.values import read_address, read_time

if TYPE_CHECKING:
    from entitlements_core.policy.facts import FileFacts
    from entitlements_core.services.explaining import Explained
    from entitlements_core.services.previews import Preview
    from entitlements_core.services.wiring import Core

__all__ = ["explain", "preview"]


def preview(  # noqa: PLR0913 - one option for each choice
    context: typer.Context,
    query: Annotated[
        str, typer.Argument(metavar="Q", help="A package query; name:* is everything.")
    ],
    *,
    repo: Annotated[str, of_repository("Whose files they are.")],
    directories: Directories = None,
    token: Annotated[
        str,
        typer.Option(
            "--token",
            metavar="SLUG_PERM",
            help="Say what the query would add and remove for this token.",
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show which files a package query opens; nothing is changed."""
    with session(context).open() as core:
        found = _preview(core, query, repo, directories or [], token)
    document: dict[str, object] = {
        "files": list(found.files),
        "projects": list(found.projects),
        "warnings": list(found.warnings),
    }
    if found.added is not None and found.removed is not None:
        document |= {"added": list(found.added), "removed": list(found.removed)}
    rows = _rows(found)
    emit(document, lambda console: show_table(console, ["", "File"], rows), as_json=as_json)
    warn(found.warnings, as_json=as_json)


def explain(  # noqa: PLR0913 - one option for each circumstance
    context: typer.Context,
    slug_perm: Annotated[str, typer.Argument(metavar="SLUG_PERM", help="The token.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="The name of the file.")],
    *,
    directories: Directories = None,
    repo: Annotated[
        str,
        typer.Option("--repo", metavar="OWNER/SLUG", help="Needed for a token that opens several."),
    ] = "",
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help=f"As of then. {TIME}")
    ] = None,
    address: Annotated[
        str | None, typer.Option("--from", metavar="ADDRESS", help="The client's address.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a token may download a file, with every reason against it.

    A refusal is an answer: the exit status is 0 for it. The limits are judged by what is used now.
    """
    from entitlements_core.services.explaining import (  # noqa: PLC0415 - a fast start
        explain_file,
        repository_of,
    )

    moment, client = read_time("at", at), read_address("from", address)
    name = Path(file).name
    with session(context).open() as core:
        token = core.lifecycle.read(slug_perm)
        repository = repository_of(token, repo, core.settings.repository)
        grant = token.grant_in(repository)
        seen = None if grant is None else core.binding.seen(grant, token.user)
        facts = known_files(core, repository, directories or [], seen).get(name)
        found = explain_file(
            core, slug_perm, name, facts, repository=repository, address=client, at=moment
        )
    emit(_document(found), lambda _: _show(found), as_json=as_json)
    warn(found.warnings, as_json=as_json)


def _preview(
    core: "Core", query: str, repository: str, directories: list[Path], slug_perm: str
) -> "Preview":
    from entitlements_core.policy.token import TokenGrant  # noqa: PLC0415 - a fast start
    from entitlements_core.services import outside_facts, previews  # noqa: PLC0415 - a fast start

    token = core.lifecycle.read(slug_perm, repository=repository) if slug_perm else None
    grant = None if token is None else token.grant_in(repository)
    opened = grant or core.binding.bound(TokenGrant(repository=repository))
    user = "" if token is None else token.user
    seen = core.binding.seen(opened, user)
    known = known_files(core, repository, directories, seen)
    files: tuple[FileFacts, ...] = tuple(known.values())
    for text in (query, None if grant is None else grant.limit_package_query):
        files = outside_facts.with_outside_facts(
            files,
            core.parse_query(text) if text and text.strip() else None,
            repository=repository,
            source=core.reader,
            plugins=core.plugins,
        )
    found = previews.preview(
        query,
        files,
        now=core.clock(),
        parse=core.parse_query,
        token=token,
        repository=repository,
    )
    return replace(found, warnings=(*found.warnings, *core.binding.warnings(opened, user)))


def _rows(found: "Preview") -> list[tuple[str, str]]:
    added = set(found.added or ())
    rows = [("+" if name in added else "", name) for name in found.files]
    return rows + [("-", name) for name in found.removed or ()]


def _document(found: "Explained") -> dict[str, object]:
    return {
        "allowed": found.allowed,
        "reasons": [
            {
                "code": deny.reason.value,
                "detail": f"{deny.title}. {deny.remedy}".strip(),
                "retry_at": instant(deny.retry_at),
            }
            for deny in found.reasons
        ],
        "query": [
            {"text": clause.text, "matched": clause.matched, "sentence": clause.sentence}
            for clause in found.clauses
        ],
        "slug_perm": found.token.identifier,
        "name": found.token.name,
        "repository": found.repository,
        "file": found.filename,
        "at": instant(found.at),
        "warnings": list(found.warnings),
    }


def _show(found: "Explained") -> None:
    console = stdout()
    verdict = "may download" if found.allowed else "may not download"
    console.print(f"{found.token.name} {verdict} {found.filename} of {found.repository}.")
    for deny in found.reasons:
        console.print(f"  {deny.reason.value}: {deny.title}. {deny.remedy}".rstrip())
    for clause in found.clauses:
        mark = "yes" if clause.matched else "no "
        console.print(f"  {mark}  {clause.text}: {clause.sentence}")
