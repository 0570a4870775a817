"""The Flask extension."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial, wraps
from importlib.metadata import version
from typing import Any, TypeVar, Unpack, overload

import click
from flask import Flask, Response, current_app, has_app_context
from flask.cli import FlaskGroup

from entitlements_core.engine.loading_errors import told_in_words
from entitlements_core.errors import ConfigurationError
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.facts import FileFacts
from entitlements_core.services.core import Core
from entitlements_core.services.redaction import RedactingFilter
from flask_static_entitlements.cli import commands
from flask_static_entitlements.configuration import Options, configure
from flask_static_entitlements.constants import EXTENSION
from flask_static_entitlements.middleware import TokenPathMiddleware
from flask_static_entitlements.signals import SignalHooks
from flask_static_entitlements.site import Site
from flask_static_entitlements.views import (
    MARK,
    FlaskViews,
    View,
    caller_of,
    run_file,
    run_open,
    stop_unguarded,
)

__all__ = ["Entitlements"]

Item = TypeVar("Item", FileFacts, str)


class Entitlements:
    """Serves repositories from a Flask app, or guards the app's own file views.

    One object may be given to several apps; each has a configuration of its own.

    Args:
        app: the app, or None to call `init_app` later.
        options: see `Options`. They win over ``app.config``, which wins over the environment.

    Raises:
        EntitlementsError: see `init_app`.
    """

    def __init__(self, app: Flask | None = None, **options: Unpack[Options]) -> None:
        self._options = options
        self._apps: list[Flask] = []
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Set up one app.

        The key, the store and the catalogs are opened now. Under the ``flask`` command they wait
        for the first request, so that ``flask entitlements`` can make what is still missing.

        Raises:
            ConfigurationError: when the configuration does not fit, or a repository is missing.
            EntitlementsError: when the key or the store cannot be used.
        """
        if EXTENSION in app.extensions:
            raise ConfigurationError(
                f"The app {app.name!r} has entitlements already.",
                "Call init_app once; name several repositories with repositories=.",
            )
        plugins = (SignalHooks(app), *self._options.get("plugins", ()))
        _protect_logger("werkzeug")
        _protect_logger(app.name)
        with told_in_words():
            configuration = configure({**self._options, "plugins": plugins}, app.config)
            site = Site(configuration, host=f"Flask {version('flask')}")
            if not _runs_flask_command():
                site.start()
        app.extensions[EXTENSION] = site
        app.wsgi_app = TokenPathMiddleware(app.wsgi_app, site, views=FlaskViews(app))  # type: ignore[method-assign] # as Flask's documentation does
        if configuration.routes.guards:
            app.before_request(partial(stop_unguarded, site))
        app.cli.add_command(commands)
        self._apps.append(app)

    @property
    def core(self) -> Core:
        """The services of the current app: tokens, repositories, reports."""
        return self._site.core

    def start(self) -> None:
        """Open the store and the catalogs of the current app now."""
        self._site.start()

    def close(self) -> None:
        """Let go of the store and the catalogs of every app, as a test does at its end."""
        for app in self._apps:
            app.extensions[EXTENSION].close()

    @overload
    def required(self, view: View) -> Callable[..., Response]: ...

    @overload
    def required(
        self, *, filename: str | None = None, repository: str = ""
    ) -> Callable[[View], Callable[..., Response]]: ...

    def required(
        self, view: View | None = None, *, filename: str | None = None, repository: str = ""
    ) -> Callable[..., Response] | Callable[[View], Callable[..., Response]]:
        """Open a view only to whoever has a credential; put it below the route.

        Args:
            view: the view, when used without arguments. It is opened by a living credential of the
                repository, whatever its restriction says.
            filename: the view's argument that names the distribution file that it sends. The file
                must be covered, and is counted.
            repository: ``owner/slug``; may be left out where the app has only one.
        """

        def decorate(view: View) -> Callable[..., Response]:
            @wraps(view)
            def guarded(*args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 - the view's
                site = _current_site()

                def run() -> Response:
                    return current_app.make_response(current_app.ensure_sync(view)(*args, **kwargs))

                if filename is None:
                    return run_open(site, repository, run)
                return run_file(site, repository, str(kwargs[filename]), run)

            setattr(guarded, MARK, True)
            return guarded

        return decorate if view is None else decorate(view)

    def filter(self, items: Iterable[Item], *, repository: str = "") -> list[Item]:
        """Those of some files that the credential of the current request may see.

        Args:
            items: facts, or file names; a name that the repository does not have is left out.
            repository: ``owner/slug``; may be left out where the app has only one.
        """
        site = _current_site()
        caller = caller_of(site, repository)
        if isinstance(caller, Deny):
            return []
        sees = site.gate_of(repository).visible(caller)
        return [item for item in items if sees(item)]

    @property
    def _site(self) -> Site:
        if has_app_context():
            return _current_site()
        if len(self._apps) != 1:
            raise ConfigurationError(
                f"There are {len(self._apps)} apps, and none is current.",
                "Enter the context of one: with app.app_context().",
            )
        site: Site = self._apps[0].extensions[EXTENSION]
        return site


def _current_site() -> Site:
    site: Site = current_app.extensions[EXTENSION]
    return site


def _protect_logger(name: str) -> None:
    """No secret in what Flask logs: its handlers are made when it first does, too late for us."""
    logger = logging.getLogger(name)
    if not any(isinstance(item, RedactingFilter) for item in logger.filters):
        logger.addFilter(RedactingFilter())


def _runs_flask_command() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and isinstance(context.find_root().command, FlaskGroup)
