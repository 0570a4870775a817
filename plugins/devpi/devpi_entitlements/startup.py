"""Wires the adapter into one devpi-server: everything is registered here, and only here."""

from __future__ import annotations

import atexit
import logging
import os
import weakref
from typing import Final

from devpi_server.main import Fatal
from pyramid.events import ContextFound
from pyramid.tweens import INGRESS

from devpi_entitlements.acl import AclHooks
from devpi_entitlements.configuration import Configuration, is_locked_down
from devpi_entitlements.devpi_types import (
    Config,
    Configurator,
    PyramidRequest,
    PyramidResponse,
    Xom,
)
from devpi_entitlements.enforcement import enforce
from devpi_entitlements.hooks import DevpiHooks
from devpi_entitlements.host import HostHooks
from devpi_entitlements.offline_host import HOST
from devpi_entitlements.own_token import show_own_token
from devpi_entitlements.responses import ImmediateResponse
from devpi_entitlements.search import protect_search
from devpi_entitlements.server_info import leave_note
from devpi_entitlements.server_lock import LEFT, occupy
from devpi_entitlements.site import SITE, Site
from devpi_entitlements.startup_checks import look_around
from devpi_entitlements.warmup import Warmup
from entitlements_core.errors import EntitlementsError
from entitlements_core.plugins import Plugins
from entitlements_core.services.core import Core
from entitlements_core.services.redaction import protect_logs

__all__ = ["include"]

log: Final = logging.getLogger("entitlements.devpi")

HOOKS_OF_PERMISSIONS: Final = "entitlements-acl"
HOOKS_OF_SERVER: Final = "entitlements-of-this-server"

OUTERMOST: Final = (
    "devpi_web.views.tween_trailing_slash_redirect",
    "devpi_server.views.tween_request_logging",
)
"""The tweens that must not see a request before the token is off its path."""


def include(configuration: Configuration, config: Config, pyramid_config: Configurator) -> None:
    """Open the store and take our places among hooks, tweens and subscribers.

    Raises:
        Fatal: of devpi-server, when the key or the store cannot be used: it does not start open.
    """
    xom = pyramid_config.registry["xom"]
    try:
        occupancy = occupy(xom.config.server_path)
    except BlockingIOError:
        raise Fatal("entitlements: `entitlements devpi leave` is at work here") from None
    left = xom.config.server_path / LEFT
    if left.exists():
        names = ", ".join(left.read_text("utf-8").split())
        raise Fatal(
            f"entitlements: `entitlements devpi leave` opened {names} to everybody. Take our"
            f" settings away, or uninstall the plugin. To stay instead: remove {left}, start once"
            " on a port that nobody reaches, and set acl_pkg_read of these indexes again."
        )
    protect_logs()
    try:
        site = _open(configuration, xom)
    except EntitlementsError as error:
        raise Fatal(f"entitlements: {error}") from None
    if occupancy is not None:
        weakref.finalize(site, os.close, occupancy)
    if site.core.settings.proxies and not getattr(config.args, "trusted_proxy", None):
        log.warning(
            "devpi-server takes away what the proxies of ENTITLEMENTS_TRUSTED_PROXIES say of their"
            " clients: set trusted-proxy and trusted-proxy-headers of devpi-server instead"
        )
    hooks = config.pluginmanager
    # An application may be made anew in one process: the hooks are those of the last one.
    for name, ours in {HOOKS_OF_PERMISSIONS: AclHooks(), HOOKS_OF_SERVER: DevpiHooks(site)}.items():
        if hooks.has_plugin(name):
            hooks.unregister(name=name)
        hooks.register(ours, name=name)
    pyramid_config.registry[SITE] = site
    protect_search(pyramid_config.registry)
    pyramid_config.add_tween(
        "devpi_entitlements.middleware.tween_entitlements", under=INGRESS, over=OUTERMOST
    )
    pyramid_config.add_subscriber(enforce, ContextFound)
    pyramid_config.add_exception_view(_answer, context=ImmediateResponse)
    pyramid_config.add_route("entitlements-me", "/+entitlements/me")
    pyramid_config.add_view(show_own_token, route_name="entitlements-me", request_method="GET")
    if not xom.config.requests_only:  # then devpi-server has no threads of its own
        xom.thread_pool.register(Warmup(site))
    look_around(site)
    leave_note(site.core.settings.home, config)


def _open(configuration: Configuration, xom: Xom) -> Site:
    HOST.mute()
    hooks = HostHooks(xom, lockdown=is_locked_down(xom.config))
    core = Core.open(
        configuration.settings(), create=True, plugins=Plugins([hooks]), mark_of=hooks.marks.of
    )
    atexit.register(core.close)
    return Site(core, xom, configuration, hooks.marks)


def _answer(answered: ImmediateResponse, request: PyramidRequest) -> PyramidResponse:  # noqa: ARG001 - of pyramid
    """The exception view that sends what was decided before any view of devpi ran."""
    return answered.response
