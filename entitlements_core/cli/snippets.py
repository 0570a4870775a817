"""``entitlements snippets``: ready configuration for a customer's clients."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from entitlements_core.cli.console import emit, warn
from entitlements_core.cli.options import (
    DirectoriesOption,
    JsonOption,
    ShowSecretOption,
    read_secret,
)
from entitlements_core.cli.session import session
from entitlements_core.documents.snippets import snippets_document
from entitlements_core.errors import InvalidValue
from entitlements_core.policy.counted import counted

if TYPE_CHECKING:
    from rich.console import Console

    from entitlements_core.services.snippets import Snippet, Unfit

__all__ = ["snippets"]

_OPEN: Final = "The address is not encrypted: the secret can be read on its way. Use https."
_SAMPLE: Final = (
    "The packages are not known, so your-package stands for them. Name them with --package, or the"
    " directories of the distributions with --dir."
)
_TWO: Final = (
    "Without an upstream each customer needs a second index for public packages, which no client"
    " makes wholly safe; see Dependency confusion in the documentation."
)
_MIRROR: Final = (
    "Where the index inherits from a mirror, and the token's query lets public names in, it is the"
    " one index that a customer needs: then say --upstream."
)


def snippets(  # noqa: PLR0913 - one option for each choice
    context: typer.Context,
    slug_perm: Annotated[
        str, typer.Argument(metavar="[SLUG_PERM]", help="The token; left out with --secret.")
    ] = "",
    *,
    url: Annotated[
        str,
        typer.Option(
            "--url",
            metavar="URL",
            help="The public address of the server, with the path that a proxy puts before it.",
        ),
    ],
    mount: Annotated[
        str | None,
        typer.Option(
            "--mount",
            metavar="PATH",
            help="The path of the repository in a Flask application that has several, or ''. The"
            " form with the secret in the path depends on it.",
        ),
    ] = None,
    host: Annotated[
        Literal["serve", "flask", "pypiserver", "devpi"] | None,
        typer.Option("--host", help="Which server it is: addresses and uploads differ."),
    ] = None,
    upstream: Annotated[
        bool | None,
        typer.Option(
            "--upstream/--no-upstream",
            help="Whether the index sends clients on for public packages, so that they need no"
            " second one. Default: whether ENTITLEMENTS_UPSTREAM is set here.",
        ),
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option("--secret", metavar="S", help="Instead of SLUG_PERM; - reads stdin."),
    ] = None,
    client: Annotated[
        list[str] | None,
        typer.Option(
            "--client",
            help="netrc, pip, uv, poetry, pdm, pipenv, pip-tools, keyring, docker, gitlab, github,"
            " renovate, dependabot, curl, twine, path or link; again for more. Default: the first"
            " six.",
        ),
    ] = None,
    all_clients: Annotated[
        bool, typer.Option("--all-clients", help="For every client that there is.")
    ] = False,
    package: Annotated[
        list[str] | None,
        typer.Option(
            "--package",
            help="A package to install; again for more. Default: those that the token covers and"
            " no other one depends on.",
        ),
    ] = None,
    directories: DirectoriesOption = None,
    repo: Annotated[
        str,
        typer.Option("--repo", metavar="OWNER/SLUG", help="Needed for a token that opens several."),
    ] = "",
    form: Annotated[
        Literal["text", "markdown"],
        typer.Option("--format", help="markdown is for an e-mail, or a page."),
    ] = "text",
    show_secret: ShowSecretOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print configuration for a customer's clients, as it was run with each of them.

    The secret is left to the variable VENDOR_TOKEN where the client expands variables, and to the
    placeholder YOUR_TOKEN elsewhere; --show-secret writes it out.
    """
    from entitlements_core.engine.snippet_facts import (  # noqa: PLC0415 - a fast start
        SnippetFacts,
        snippet_access,
        snippet_facts,
    )
    from entitlements_core.services.snippets import (  # noqa: PLC0415 - a fast start
        CLIENTS,
        USUAL,
        make_snippets,
    )

    if bool(slug_perm) == (secret is not None):
        raise InvalidValue("token", "Whose configuration?", "Give SLUG_PERM or --secret.")
    given = None if secret is None else read_secret(secret)
    run = session(context)
    facts, kept = SnippetFacts(repository=repo), ""
    if slug_perm:
        with run.open() as core:
            facts = snippet_facts(core, slug_perm, repo, directories or ())
            kept = core.rotation.reveal(slug_perm, actor=run.actor) if show_secret else ""
    access, others = snippet_access(
        facts,
        url,
        mount=mount,
        host=host or ("devpi" if facts.is_devpi else ""),
        packages=package or (),
        secret=(kept if given is None else given) if show_secret else "",
        upstream=bool(run.settings.upstream) if upstream is None else upstream,
    )
    usual = (*USUAL, "twine") if facts.writes else USUAL
    found, unfit = make_snippets(access, CLIENTS if all_clients else client or usual)
    covered = f"The token covers {counted(others, 'more package')}: name what to install."
    warnings = [
        *([_OPEN] if access.is_open else []),
        *([_SAMPLE] if access.is_sample else []),
        *([] if access.upstream else [_MIRROR if access.is_hashed else _TWO]),
        *([covered] if others else []),
        *facts.hidden,
    ]
    document = snippets_document(access, found, unfit, warnings)
    show = _show_markdown if form == "markdown" else _show
    emit(document, lambda console: show(console, found, unfit), as_json=as_json)
    warn(warnings, as_json=as_json)


def _show(console: "Console", found: "Sequence[Snippet]", unfit: "Sequence[Unfit]") -> None:
    for one in found:
        console.print(f"# {one.client}: {one.title} ({one.file})", style="bold", soft_wrap=True)
        if one.warning:
            console.print(f"# {one.warning}", style="yellow", soft_wrap=True)
        console.print(one.text, soft_wrap=True)
    for none in unfit:
        console.print(f"# {none.client}: {none.reason}", style="bold", soft_wrap=True)
        console.print(f"# {none.remedy}\n", style="yellow", soft_wrap=True)


def _show_markdown(
    console: "Console", found: "Sequence[Snippet]", unfit: "Sequence[Unfit]"
) -> None:
    say: Callable[[str], None] = lambda text: console.print(text, soft_wrap=True)  # noqa: E731 - called often
    last = ""
    for one in found:
        if one.client != last:
            say(f"## {one.client}\n")
        last = one.client
        file = "" if one.file in {"shell", "browser"} else f" (`{one.file}`)"
        say(f"{one.title}{file}:\n")
        say(f"```{one.language}\n{one.text}```\n")
        if one.warning:
            say(f"> {one.warning}\n")
    for none in unfit:
        say(f"## {none.client}: not possible\n\n{none.reason} {none.remedy}\n")
