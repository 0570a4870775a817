"""Put entitlements before one pypiserver."""

from __future__ import annotations

import logging
from typing import Any, Final

from entitlements_core.errors import ConfigurationError
from pypiserver_entitlements import pypiserver_api
from pypiserver_entitlements.authentication import Publishers, was_admitted
from pypiserver_entitlements.configuration import Options
from pypiserver_entitlements.guarded_backend import GuardedBackend
from pypiserver_entitlements.middleware import PypiserverMiddleware
from pypiserver_entitlements.routes import Routes
from pypiserver_entitlements.servers import hand_over_forwarded, protect_server
from pypiserver_entitlements.site import Site
from pypiserver_entitlements.uploads import Uploads

__all__ = ["protect", "site_of"]

log: Final = logging.getLogger("entitlements.pypiserver")

_HIGHEST_PORT: Final = 65_535
SITE: Final = "_entitlements"


def protect(
    app: pypiserver_api.Bottle, config: pypiserver_api.RunConfig, options: Options | None = None
) -> pypiserver_api.Bottle:
    """Let nobody read or write past their entitlement.

    For an application that was made by hand, of ``pypiserver.app_from_config`` and a backend of
    your own; `factories.app` and the command do it by themselves. Once is enough.

    Args:
        app: pypiserver, with its routes.
        config: that it was made of; its backend, password check, overwrite and server are replaced.
        options: ours; None reads them from the environment.

    Returns:
        The same application.

    Raises:
        EntitlementsError: when something is configured wrongly, or the store cannot be opened.
    """
    if isinstance(app.wsgi, PypiserverMiddleware):
        return app
    if not 0 <= config.port <= _HIGHEST_PORT:
        raise ConfigurationError(f"There is no port {config.port}.", "Choose another --port.")
    options = options or Options.load()
    protect_server(config)
    hand_over_forwarded(options.settings.proxies)
    auther = pypiserver_api.default_auther(config)
    if auther is None:
        log.warning("no publisher is known: only tokens with an rw grant upload (see --passwords)")
    if options.settings.upstream and not pypiserver_api.fallback_given(config):
        # One index for all: publishers and readers are not sent to another one than customers.
        config.fallback_url = options.settings.upstream
    site = Site(config, options, logins=auther is not None)
    core, index = site.core, site.index
    app.wsgi = PypiserverMiddleware(
        app.wsgi,
        engine=site.engine,
        publishers=Publishers(auther, core.gate, index.repository, core.clock),
        uploads=Uploads(
            index,
            core.gate,
            core.clock,
            limit=options.upload_limit,
            metadata_limit=core.settings.metadata_limit,
        ),
        routes=Routes(base=_take_base(config), health=config.health_endpoint),
        public=options.public,
        addresses=core.addresses,
        keeps=None if pypiserver_api.fallback(config) is None else site.keeps,
        note=site.note,
    )
    setattr(app, SITE, site)
    config.auther = was_admitted
    config.backend = GuardedBackend(
        config.backend, index.catalog.recheck, overwrite=config.overwrite
    )
    # The backend refuses by itself, with words that clients show and where nothing comes between.
    config.overwrite = True
    return app


def site_of(app: Any) -> Site:  # noqa: ANN401 - bottle has no types
    """What is open for a protected application."""
    site: Site = getattr(app, SITE)
    return site


def _take_base(config: pypiserver_api.RunConfig) -> str:
    """The base path, which is ours from now on.

    pypiserver would put a second bottle before us, whose request is mixed up under gevent.
    """
    segments = [segment for segment in config.server_base_url.split("/") if segment]
    if "+t" in segments:
        raise ConfigurationError(
            f"--server-base-url {config.server_base_url} holds '+t', where tokens begin.",
            "Choose another path.",
        )
    config.server_base_url = "/"
    return "".join(f"/{segment}" for segment in segments)
