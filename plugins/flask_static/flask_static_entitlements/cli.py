"""``flask entitlements …``: the ``entitlements`` command with the settings of the app."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import current_app
from flask.cli import with_appcontext

from entitlements_core.services.settings import Settings
from flask_static_entitlements.configuration import Configuration
from flask_static_entitlements.constants import EXTENSION, PREFIX
from flask_static_entitlements.site import Site

__all__ = ["commands"]


@click.command(
    "entitlements",
    add_help_option=False,  # --help is answered by the command itself
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    short_help="Tokens, repositories and reports of the package index.",
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@with_appcontext
def commands(words: tuple[str, ...]) -> None:
    """Run a command of ``entitlements`` on the store of this app."""
    # Typer brings a Click of its own, so its group cannot be a subcommand: it gets the words.
    from typer.main import get_command  # noqa: PLC0415 - a server does without

    from entitlements_core.cli.program import app  # noqa: PLC0415 - a server does without

    site: Site = current_app.extensions[EXTENSION]
    with environment(_settings(site.configuration)):
        get_command(app).main(args=list(words), prog_name="flask entitlements")


def _settings(configuration: Configuration) -> Settings:
    """The app's, with the repository that it serves where that is a single one."""
    settings, mounts = configuration.settings, configuration.mounts
    if len(mounts) != 1:
        return settings
    only = mounts[0]
    given = {
        "repository": only.repository,
        "directories": only.directories,
        "accel_redirect": only.accel_redirect or settings.accel_redirect,
        "upstream": settings.upstream if only.upstream is None else only.upstream,
    }
    return settings.model_copy(update=given)


@contextmanager
def environment(settings: Settings) -> Iterator[None]:
    """Settings as the environment that commands read them from, for the length of the block."""
    before = dict(os.environ)
    os.environ.update(
        {
            f"{PREFIX}{name.upper()}": _text(name, getattr(settings, name))
            for name in settings.model_fields_set
        }
    )
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _text(name: str, value: object) -> str:
    if isinstance(value, tuple):
        return (os.pathsep if name == "directories" else ",").join(map(str, value))
    return "" if value is None else str(value)
