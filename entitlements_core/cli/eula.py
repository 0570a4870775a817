"""``entitlements eula``: the licence texts of repositories, and who accepted them."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from entitlements_core.cli.console import emit, show_table
from entitlements_core.cli.options import (
    MOST,
    JsonOption,
    RepositoryArgument,
    SlugPermArgument,
    of_repository,
    read_path,
)
from entitlements_core.cli.session import session
from entitlements_core.cli.token.display import emit_token
from entitlements_core.documents.eula import eula_document
from entitlements_core.errors import InvalidValue

__all__ = ["app"]

_LONGEST: Final = 4_000_000
"""Bytes that are read of a text; a licence has at most a million characters."""

app = typer.Typer(help="Licences that have to be accepted.", no_args_is_help=True)

EulaRepositoryOption = Annotated[str, of_repository("Whose licence it is.")]


@app.command("add")
def add(
    context: typer.Context,
    repository: RepositoryArgument,
    file: Annotated[
        Path, typer.Argument(parser=read_path, help="The text, UTF-8; - reads it from stdin.")
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    """Put a new revision in force: every token has to accept again.

    It stands between tokens and files once the repository enforces it (`repo edit --enforce-eula`)
    and the token asks for it (`token edit --eula-required`).
    """
    run = session(context)
    text = _read(file)
    with run.open(repositories=[repository]) as core:
        found = core.eulas.add(repository, text, actor=run.actor)
    emit(
        eula_document(found),
        lambda console: console.print(f"Revision {found.number} is in force."),
        as_json=as_json,
    )


@app.command("list")
def list_(
    context: typer.Context, repository: RepositoryArgument, *, as_json: JsonOption = False
) -> None:
    """List the revisions, the one in force first."""
    with session(context).open(repositories=[repository]) as core:
        found = core.eulas.all(repository)
    rows = [
        (str(one.number), one.identifier, f"{one.created_at:%Y-%m-%d %H:%M}", one.created_by)
        for one in found
    ]
    headings = ["Revision", "Identifier", "Added (UTC)", "By"]
    documents = [eula_document(one) for one in found]
    emit(documents, lambda console: show_table(console, headings, rows), as_json=as_json)


@app.command("show")
def show(
    context: typer.Context,
    repository: RepositoryArgument,
    *,
    number: Annotated[
        int | None, typer.Option("--number", min=1, max=MOST, help="Default: the one in force.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the text of a revision."""
    with session(context).open(repositories=[repository]) as core:
        found = core.eulas.show(repository, number)
    document = eula_document(found, content=True)
    emit(document, lambda console: console.print(found.content, soft_wrap=True), as_json=as_json)


@app.command("accept")
def accept(  # noqa: PLR0913 - one option for each fact
    context: typer.Context,
    slug_perm: SlugPermArgument,
    *,
    repo: EulaRepositoryOption,
    number: Annotated[
        int, typer.Option("--number", min=1, max=MOST, help="The revision that was read.")
    ],
    address: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="The client's.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Note that the holder of a token accepts the revision in force."""
    run = session(context)
    with run.open() as core:
        token = core.eulas.accept(slug_perm, repo, number, address=address, actor=run.actor)
        emit_token(token, core.clock(), as_json=as_json, repository=repo)


@app.command("withdraw")
def withdraw(
    context: typer.Context,
    slug_perm: SlugPermArgument,
    *,
    repo: EulaRepositoryOption,
    as_json: JsonOption = False,
) -> None:
    """Forget an acceptance, so that the licence has to be accepted again."""
    run = session(context)
    with run.open() as core:
        token = core.eulas.withdraw(slug_perm, repo, actor=run.actor)
        emit_token(token, core.clock(), as_json=as_json, repository=repo)


def _read(file: Path) -> str:
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(_LONGEST + 1)
        else:
            with file.open("rb") as source:
                data = source.read(_LONGEST + 1)
    except OSError as error:
        raise InvalidValue(
            "content", f"{file} cannot be read: {error.strerror}.", "Name a readable file."
        ) from None
    if len(data) > _LONGEST:
        raise InvalidValue(
            "content", f"{file} has more than {_LONGEST} bytes.", "Name the text of a licence."
        )
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidValue("content", f"{file} is not UTF-8.", "Save it as UTF-8.") from None
