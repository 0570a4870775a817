"""Every route of a devpi-server, and who may pass. What is not named here is closed.

The names are those of devpi-server 6.20, devpi-web, devpi-tokens and devpi-lockdown; a test walks
the routes of a full installation and fails on one that is missing here.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = ["ROUTES", "Door", "door_of"]


class Door(Enum):
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
    "/{user}/{index}/+simple": Door.PAGE,
    "/{user}/{index}/+simple/": Door.PAGE,
    "/{user}/{index}/+simple/{project}": Door.PAGE,
    "/{user}/{index}/+simple/{project}/": Door.PAGE,
    "installer_simple": Door.PAGE,
    "installer_simple_project": Door.PAGE,
    "/{user}/{index}/+e/{relpath:.*}": Door.FILE,
    "/{user}/{index}/+f/{relpath:.*}": Door.FILE,
    "/{user}/{index}/": Door.SUBMIT,
    "/{user}/{index}": Door.INDEX,
    "/{user}/{index}/+simple/{project}/refresh": Door.INDEX,
    "/{user}/{index}/{project}": Door.INDEX,
    "/{user}/{index}/{project}/{version}": Door.INDEX,
    "project_refresh": Door.INDEX,
    "docroot": Door.INDEX,
    "docviewroot": Door.INDEX,
    "toxresults": Door.INDEX,
    "toxresult": Door.INDEX,
    "/+api": Door.LOGIN,
    "/{user}/+api": Door.LOGIN,
    "/{user}/{index}/+api": Door.LOGIN,
    "/+login": Door.LOGIN,
    "/+authcheck": Door.LOGIN,
    "login": Door.LOGIN,
    "logout": Door.LOGIN,
    "/": Door.SERVER,
    "/{user}": Door.SERVER,
    "/{user}/": Door.SERVER,
    "/+status": Door.SERVER,
    "root": Door.SERVER,
    "search": Door.SERVER,
    "search_help": Door.SERVER,
    "user-token-create": Door.SERVER,
    "user-token-delete": Door.SERVER,
    "user-tokens": Door.SERVER,
    "entitlements-me": Door.SERVER,
    "/+changelog/{serial}": Door.REPLICA,
    "/+changelog/{serial}-": Door.REPLICA,
}


def door_of(route: str) -> Door | None:
    """The door of a route's name; None where nobody classified it.

    The static files of devpi-web and of its themes carry their version in the name.
    """
    if route.startswith("__") or "+static" in route or "+theme-static" in route:
        return Door.LOGIN
    return ROUTES.get(route)
