"""Every route of a devpi-server, and who may pass. What is not named here is closed.

The names are those of devpi-server 6.20, devpi-web, devpi-tokens and devpi-lockdown; a test walks
the routes of a full installation and fails on one that is missing here.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = ["ROUTES", "RouteKind", "route_kind"]


class RouteKind(Enum):
    """Who may pass a route. A token passes the first three only, as far as it reaches."""

    PAGE = "page"
    """A PEP 503 or 691 page of an index."""
    FILE = "file"
    """A distribution file or its core metadata."""
    SUBMIT = "submit"
    """An upload to an index; the same route shows the index to people."""
    INDEX = "index"
    """Anything else of an index: for whoever may read it, or administers it."""
    LOGIN = "login"
    """Open to all: without it nobody could log in. The identity is not asked for on the way."""
    SERVER = "server"
    """Of the whole server: open, unless it is locked down."""
    REPLICA = "replica"
    """Between servers; devpi-server checks the other one by itself."""


ROUTES: Final = {
    "/{user}/{index}/+simple": RouteKind.PAGE,
    "/{user}/{index}/+simple/": RouteKind.PAGE,
    "/{user}/{index}/+simple/{project}": RouteKind.PAGE,
    "/{user}/{index}/+simple/{project}/": RouteKind.PAGE,
    "installer_simple": RouteKind.PAGE,
    "installer_simple_project": RouteKind.PAGE,
    "/{user}/{index}/+e/{relpath:.*}": RouteKind.FILE,
    "/{user}/{index}/+f/{relpath:.*}": RouteKind.FILE,
    "/{user}/{index}/": RouteKind.SUBMIT,
    "/{user}/{index}": RouteKind.INDEX,
    "/{user}/{index}/+simple/{project}/refresh": RouteKind.INDEX,
    "/{user}/{index}/{project}": RouteKind.INDEX,
    "/{user}/{index}/{project}/{version}": RouteKind.INDEX,
    "project_refresh": RouteKind.INDEX,
    "docroot": RouteKind.INDEX,
    "docviewroot": RouteKind.INDEX,
    "toxresults": RouteKind.INDEX,
    "toxresult": RouteKind.INDEX,
    "/+api": RouteKind.LOGIN,
    "/{user}/+api": RouteKind.LOGIN,
    "/{user}/{index}/+api": RouteKind.LOGIN,
    "/+login": RouteKind.LOGIN,
    "/+authcheck": RouteKind.LOGIN,
    "login": RouteKind.LOGIN,
    "logout": RouteKind.LOGIN,
    "/": RouteKind.SERVER,
    "/{user}": RouteKind.SERVER,
    "/{user}/": RouteKind.SERVER,
    "/+status": RouteKind.SERVER,
    "root": RouteKind.SERVER,
    "search": RouteKind.SERVER,
    "search_help": RouteKind.SERVER,
    "user-token-create": RouteKind.SERVER,
    "user-token-delete": RouteKind.SERVER,
    "user-tokens": RouteKind.SERVER,
    "entitlements-me": RouteKind.SERVER,
    "/+changelog/{serial}": RouteKind.REPLICA,
    "/+changelog/{serial}-": RouteKind.REPLICA,
}


def route_kind(route: str) -> RouteKind | None:
    """The kind of a route, by its name; None where nobody classified it.

    The static files of devpi-web and of its themes carry their version in the name.
    """
    if route.startswith("__") or "+static" in route or "+theme-static" in route:
        return RouteKind.LOGIN
    return ROUTES.get(route)
