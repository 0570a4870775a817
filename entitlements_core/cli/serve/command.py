"""``entitlements serve``: the index over directories, on granian or waitress."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from entitlements_core.cli.console import note, warn
from entitlements_core.cli.options import JsonOption, of_repository, read_path
from entitlements_core.cli.session import Session, session
from entitlements_core.errors import ConfigurationError

if TYPE_CHECKING:
    from entitlements_core.engine.snapshot import Snapshot
    from entitlements_core.services.settings import Settings

__all__ = ["serve"]

_WORKERS = 2
_SHOWN = 5


def serve(  # noqa: PLR0913 - one option for each setting
    context: typer.Context,
    directories: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...", parser=read_path, help="The directories of distributions."
        ),
    ],
    *,
    repo: Annotated[str, of_repository("Whose tokens open them.")],
    upstream: Annotated[
        str | None,
        typer.Option(
            "--upstream",
            metavar="URL",
            help="The simple index to which clients are sent for whatever is not yours, so that"
            " they need no second one.",
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes a free one and prints it.")
    ] = 8080,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, max=64, help="Processes. Default: 2, or 1 on one core."),
    ] = None,
    threads: Annotated[
        int, typer.Option("--threads", min=1, max=256, help="Threads of each process.")
    ] = 4,
    server: Annotated[
        Literal["granian", "waitress"],
        typer.Option(
            "--server",
            help="granian is the fast one. waitress has one process, and passes our own reason"
            " phrases on, which pip prints when a file is refused.",
        ),
    ] = "granian",
    access_log: Annotated[
        bool,
        typer.Option("--access-log/--no-access-log", help="Log requests on stderr, redacted."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Serve directories of distributions to the tokens of a repository.

    The simple index is at /simple/ for tokens in headers and at /+t/SECRET/simple/ for tokens in
    the path; /+health says when it is ready. Any WSGI server can load the same application:
    entitlements_core.engine.serving:create_app.
    """
    from entitlements_core.cli.serve import listener, servers  # noqa: PLC0415 - a fast start

    run = session(context)
    settings = _settings(run, repo, directories, upstream)
    servers.require(server)
    _prepare(settings, as_json=as_json)
    with listener.bind_socket(host, port) as bound:
        if listener.leads_here(settings.upstream, bound):
            raise ConfigurationError(
                f"The upstream {settings.upstream} is this server itself.",
                "Name the index of everybody, whose packages yours need.",
            )
        host, port = bound.getsockname()[:2]
        options = listener.ServeOptions(
            host=host,
            port=port,
            bound=bound,
            workers=workers or min(_WORKERS, os.cpu_count() or 1),
            threads=threads,
            access_log=access_log,
        )
        listener.announce_when_ready(options, settings, as_json=as_json)
        servers.RUN[server](options, settings)


def _settings(run: Session, repo: str, directories: list[Path], upstream: str | None) -> "Settings":
    """The settings of the workers, which they read from the environment."""
    from entitlements_core.policy.upstream import Upstream  # noqa: PLC0415 - a fast start

    given = {} if upstream is None else {"upstream": upstream and Upstream.parse(upstream).url}
    return run.settings.model_copy(
        update={
            "repository": repo,
            "directories": tuple(str(one.expanduser().absolute()) for one in directories),
            **given,
        }
    )


def _note_lacking(snapshot: "Snapshot") -> None:
    """Say what the newest files depend on that is not here, where customers would look in vain."""
    from entitlements_core.services.previews import lacking  # noqa: PLC0415 - a fast start

    names = sorted(lacking(snapshot.facts_of(None)))
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        note(
            f"Packages here need what is not here: {', '.join(names[:_SHOWN])}{more}. With"
            " --upstream URL customers get it from that index, without one they do not."
        )


def _emptiness(snapshot: "Snapshot", directories: Sequence[str]) -> list[str]:
    if snapshot.files:
        return []
    return [f"No distribution is in {', '.join(directories)}: there is nothing to serve yet."]


def _prepare(settings: "Settings", *, as_json: bool) -> None:
    """Check the repository and build the catalog, so that every worker starts from its cache."""
    from entitlements_core.engine.progress import build, note_problems  # noqa: PLC0415 - a fast start
    from entitlements_core.engine.serving import (  # noqa: PLC0415 - a fast start
        open_catalog,
        require_sender,
    )
    from entitlements_core.services.home_access import (  # noqa: PLC0415 - a fast start
        require_access,
    )

    require_access(settings, serves=True)  # else each worker would fail by itself
    with Session(given=settings).open(asked=[settings.repository]) as core:
        require_sender(settings, settings.directories)
        core.repositories.show(settings.repository)
        catalog = open_catalog(core, settings.repository, settings.directories)
        try:
            note_problems(build(catalog))
            warn(_emptiness(catalog.snapshot, settings.directories), as_json=as_json)
            if not (settings.upstream or as_json):
                _note_lacking(catalog.snapshot)
        finally:
            catalog.close()
