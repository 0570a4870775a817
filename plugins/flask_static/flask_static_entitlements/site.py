"""The open repositories of one app, and the answers to the requests that are theirs."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

from entitlements_core.engine.app import IndexApp
from entitlements_core.engine.files import Offload, Sender
from entitlements_core.engine.index import Incoming, Index, Outgoing, outgoing
from entitlements_core.engine.pages import Pages
from entitlements_core.engine.serving import open_index
from entitlements_core.errors import ConfigurationError, Conflict, EntitlementsError, NotFound
from entitlements_core.http import (
    Form,
    Presented,
    TokenPath,
    client_address,
    problem,
    read_authorization,
)
from entitlements_core.plugins import Plugins
from entitlements_core.services.redaction import protect_logs
from entitlements_core.services.wiring import Core
from flask_static_entitlements.checkpoint import Checkpoint
from flask_static_entitlements.configuration import Configuration
from flask_static_entitlements.guard import Guard
from flask_static_entitlements.hooks import HostHooks
from flask_static_entitlements.links import linked_pages
from flask_static_entitlements.mounts import Mount
from flask_static_entitlements.passage import Passage

__all__ = ["Site"]

log: Final = logging.getLogger("entitlements.flask")

Environ = dict[str, Any]

PRESENTED: Final = "entitlements.presented"
"""Where a token path's secret is kept in a WSGI environment; its ``repr`` does not show it."""
PASSAGE: Final = "entitlements.passage"
"""Where a view finds that its file was already let through."""
CREDENTIAL: Final = "entitlements.credential"
"""Where a view finds who asks."""


class Site:
    """Opens the store and the catalogs when they are first needed, once in each process.

    Args:
        configuration: what to serve and guard.
        host: the name and version of the framework.
        sender: how files are sent; None is what the settings say.
    """

    def __init__(
        self, configuration: Configuration, *, host: str = "WSGI", sender: Sender | None = None
    ) -> None:
        self.configuration = configuration
        self._host = host
        self._sender = sender
        self._lock = threading.Lock()
        self._open: _Open | None = None

    @property
    def core(self) -> Core:
        """The services.

        Raises:
            EntitlementsError: when the key, the store or a repository cannot be used.
        """
        return self._opened().core

    def start(self) -> None:
        """Open everything now; the catalogs are built in the background.

        Raises:
            EntitlementsError: when the key, the store or a repository cannot be used.
        """
        self._opened()

    def checkpoint(self, repository: str = "") -> Checkpoint:
        """The gate of a repository.

        Args:
            repository: ``owner/slug``; may be left out where there is only one.

        Raises:
            ConfigurationError: when it is none of this app.
        """
        names = [mount.repository for mount in self.configuration.mounts]
        name = repository or (names[0] if len(names) == 1 else "")
        if name not in names:
            raise ConfigurationError(
                f"{repository!r} is no repository of this app.", f"Name one of {', '.join(names)}."
            )
        return self._opened().checkpoints[name]

    def answer(
        self, environ: Environ, path: str, tokened: TokenPath | None
    ) -> Outgoing | Passage | None:
        """The answer to a request, leave to pass it on, or None when it is not ours.

        Args:
            environ: of WSGI; its PATH_INFO still holds the token.
            path: without it.
            tokened: the token path, if there is one.
        """
        routes = self.configuration.routes
        served = routes.serves(path)
        guarded = None if served else routes.guard(path)
        if not served and guarded is None:
            return None
        try:
            opened = self._opened()
            if guarded is None:
                return opened.app.respond(environ)
            mount, plain = guarded
            request = self.incoming(environ, path, presented(environ, tokened))
            return opened.guards[mount.repository].answer(request, plain=plain)
        except EntitlementsError as error:
            log.error("the index is not set up: %s", error)  # noqa: TRY400 - expected kind
            return outgoing(problem(503, "The index is not set up", code=error.code))
        except Exception:
            log.exception("a request failed")
            return outgoing(problem(500, "Internal error", code="internal"))

    def incoming(self, environ: Environ, path: str, secret: Presented | None) -> Incoming:
        """A request as the engine reads it."""
        trusted = self.configuration.settings.trusted_networks
        address = client_address(
            environ.get("REMOTE_ADDR"), environ.get("HTTP_X_FORWARDED_FOR"), trusted
        )
        method = environ["REQUEST_METHOD"]
        return Incoming(
            method=method, path=path, presented=secret, address=address, headers=environ
        )

    def close(self) -> None:
        """Let go of the store and the catalogs; the next request opens them again."""
        with self._lock:
            opened, self._open = self._open, None
        if opened is not None:
            opened.close()

    def _opened(self) -> _Open:
        opened = self._open
        if opened is not None:
            return opened
        with self._lock:
            if self._open is None:
                self._open = _Open(self.configuration, self._host, self._sender)
            return self._open


class _Open:
    """What is open between start and end."""

    def __init__(self, configuration: Configuration, host: str, sender: Sender | None) -> None:
        protect_logs()
        hooks = HostHooks(host)
        self._settings = configuration.settings
        self.core = Core.open(
            self._settings, create=True, plugins=Plugins([hooks, *configuration.plugins])
        )
        self.indexes: dict[str, Index] = {}
        try:
            for mount in configuration.mounts:
                _require(self.core, mount.repository, create=configuration.create_repositories)
                self.indexes[mount.repository] = self._index(mount, sender)
        except BaseException:
            self.close()
            raise
        hooks.indexes = self.indexes
        self._wire(configuration.mounts)
        opened = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _after_fork(opened()))

    def close(self) -> None:
        for index in self.indexes.values():
            index.catalog.close()
        self.core.close()

    def resume(self) -> None:
        """In a forked child, where the parent's threads are not: watch again."""
        for index in self.indexes.values():
            threading.Thread(target=self._watch, args=(index,), daemon=True).start()

    def _watch(self, index: Index) -> None:
        try:
            index.catalog.watch(polling=self._settings.watch == "polling")
            index.catalog.rescan()
        except Exception:
            log.exception("changes of %s are not seen", index.repository)

    def _index(self, mount: Mount, sender: Sender | None) -> Index:
        if mount.accel_redirect:
            sender = Offload("X-Accel-Redirect", mount.accel_redirect)
            if len(mount.accel_redirect) != len(mount.directories):
                raise ConfigurationError(
                    f"accel_redirect of {mount.repository} does not fit its directories.",
                    "Name one internal location for each directory, in the same order.",
                )
        pages: Callable[..., Pages] = linked_pages(mount) if mount.protect else Pages
        return open_index(
            self.core, mount.repository, mount.directories, sender=sender, pages=pages
        )

    def _wire(self, mounts: tuple[Mount, ...]) -> None:
        core = self.core
        self.checkpoints = {
            name: Checkpoint(index, core.gate, core.clock) for name, index in self.indexes.items()
        }
        self.guards = {
            mount.repository: Guard(mount, self.checkpoints[mount.repository])
            for mount in mounts
            if mount.protect
        }
        prefixes = {
            prefix: self.indexes[mount.repository]
            for mount in mounts
            for prefix in mount.protect or (mount.prefix,)
        }
        self.app = IndexApp(prefixes, trusted=self._settings.trusted_networks)


def presented(environ: Environ, tokened: TokenPath | None) -> Presented | None:
    """The secret of a request; one in the path wins over any header."""
    if tokened is not None:
        return Presented(tokened.secret, Form.PATH)
    moved: Presented | None = environ.get(PRESENTED)
    return moved or read_authorization(environ.get("HTTP_AUTHORIZATION"))


def _require(core: Core, repository: str, *, create: bool) -> None:
    try:
        core.repositories.show(repository)
    except NotFound:
        if not create:
            raise ConfigurationError(
                f"The store has no repository {repository}.",
                f"Add it with `flask entitlements repo add {repository}`"
                f" or `entitlements repo add {repository}`, or set create_repositories.",
            ) from None
        try:
            core.repositories.add(repository, actor="flask")
        except Conflict:
            log.info("another process added %s first", repository)


def _after_fork(opened: _Open | None) -> None:
    if opened is not None:
        opened.resume()
