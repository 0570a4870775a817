"""``entitlements explain``: whether a token may download a file, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entitlements_core.cli.console import emit, warn
from entitlements_core.cli.options import TIME, DirectoriesOption, JsonOption
from entitlements_core.cli.session import session
from entitlements_core.documents.explanation import explanation_document
from entitlements_core.documents.values import read_address, read_time
from entitlements_core.engine.repository_files import covered_files, known_files, mirrored_files
from entitlements_core.terminal import stdout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from entitlements_core.policy.facts import FileFacts
    from entitlements_core.policy.token import Token, TokenGrant
    from entitlements_core.services.core import Core
    from entitlements_core.services.explanation import Explained

__all__ = ["explain"]


def explain(  # noqa: PLR0913 - one option for each circumstance
    context: typer.Context,
    slug_perm: Annotated[str, typer.Argument(metavar="SLUG_PERM", help="The token.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="The name of the file.")],
    *,
    directories: DirectoriesOption = None,
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
    as_json: JsonOption = False,
) -> None:
    """Say whether a token may download a file, with every reason against it.

    A refusal is an answer: the exit status is 0 for it. The limits are judged by what is used now.
    """
    from entitlements_core.services import origins  # noqa: PLC0415 - a fast start
    from entitlements_core.services.explanation import (  # noqa: PLC0415 - a fast start
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
        known = known_files(core, repository, directories or [], seen)
        facts, origin = known.get(name), None
        if facts is None:
            names = origins.names_of(name)
            present = {one.name for one in known.values()}
            origin = origins.origin(core, repository, names, present, seen)
            if origin is not None and origin.mirrors:
                facts = mirrored_files(core, repository, names, seen).get(name)
                facts = facts or _named(grant, name, core)
        found = explain_file(
            core,
            slug_perm,
            name,
            facts,
            repository=repository,
            address=client,
            at=moment,
            origin=origin,
        )
        hidden = _hidden(core, token, repository, known, facts) if found.allowed else ()
    emit(explanation_document(found), lambda _: _show(found), as_json=as_json)
    warn((*found.warnings, *hidden), as_json=as_json)


def _hidden(
    core: "Core",
    token: "Token",
    repository: str,
    known: "Mapping[str, FileFacts]",
    facts: "FileFacts | None",
) -> tuple[str, ...]:
    """What a file that may be downloaded needs, and the token does not see."""
    from entitlements_core.services.previews import (  # noqa: PLC0415 - a fast start
        hidden_dependencies,
    )

    if facts is None or facts.filename not in known:
        return ()
    names = {one.name for one in covered_files(core, token, repository, known)}
    return hidden_dependencies([facts], {one.name for one in known.values()} - names)


def _named(grant: "TokenGrant | None", filename: str, core: "Core") -> "FileFacts | None":
    """What the name of a file says that no mirror has fetched yet, where no more is asked for."""
    from entitlements_core.engine.distributions import (  # noqa: PLC0415 - a fast start
        Unservable,
        identify,
    )
    from entitlements_core.policy.facts import FileFacts  # noqa: PLC0415 - a fast start

    query = None if grant is None else grant.limit_package_query
    if query and core.parse_query(query).needs:
        return None
    try:
        said = identify(filename)
    except Unservable:
        return None
    return FileFacts(
        filename=filename,
        name=said.name,
        version=said.version,
        kind=said.kind,
        python_tags=said.python_tags,
        platform_tags=said.platform_tags,
        uploaded_at=None,
    )


def _show(found: "Explained") -> None:
    console = stdout()
    origin = found.origin
    verdict = "may download" if found.allowed else "may not download"
    if found.allowed and origin is not None and origin.upstream:
        verdict = "is sent elsewhere for"
    console.print(f"{found.token.name} {verdict} {found.filename} of {found.repository}.")
    if origin is not None:
        console.print(f"  {origin}", soft_wrap=True)
    for deny in found.reasons:
        console.print(f"  {deny.reason.value}: {deny.title}. {deny.remedy}".rstrip())
    for clause in found.clauses:
        mark = "yes" if clause.matched else "no "
        console.print(f"  {mark}  {clause.text}: {clause.sentence}")
