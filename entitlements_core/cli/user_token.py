"""``entitlements user-token``: the tokens of the host's users."""

from typing import Annotated

import typer

from entitlements_core.cli.options import JsonOption, ShowSecretOption, of_repository
from entitlements_core.cli.session import session
from entitlements_core.cli.token.display import emit_token

__all__ = ["app"]

app = typer.Typer(
    help="The tokens of the host's users, in repositories with `repo edit --user-tokens`.",
    no_args_is_help=True,
)


@app.callback()
def group() -> None:
    """The tokens of the host's users, in repositories with `repo edit --user-tokens`."""


@app.command("get")
def get(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="The name that the host knows.")],
    *,
    repo: Annotated[str, of_repository("What the token opens.")],
    show_secret: ShowSecretOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the token of a user; it is made when there is none.

    It opens the repository only while the host says that its user may read it. A secret that is not
    kept is shown now, and never again.
    """
    run = session(context)
    with run.open(repositories=[repo]) as core:
        issued = core.user_tokens.get(user, repo, actor=run.actor)
        token = issued.token
        secret = None if token.revealable else issued.secret
        if show_secret and secret is None:
            secret = core.rotation.reveal(token.identifier, actor=run.actor)
        emit_token(token, core.clock(), as_json=as_json, secret=secret, repository=repo)
