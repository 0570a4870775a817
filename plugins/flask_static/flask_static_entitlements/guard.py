"""In front of an app's own file views: pages are ours, files are checked and passed on."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from entitlements_core.engine.distributions import Unservable, parse_filename
from entitlements_core.simple import METADATA_SUFFIX
from entitlements_core.wsgi import Request, Response
from flask_static_entitlements.authorization import RepositoryGate
from flask_static_entitlements.linked_pages import addresses
from flask_static_entitlements.responses import ReservedDownload
from flask_static_entitlements.routes import Mount

__all__ = ["Guard"]

NOTHING: Final = "/"
"""A path at which the index has nothing, for any credential."""


class Guard:
    """Names what an address below the protected prefixes is for. Whatever it cannot name is not.

    Args:
        mount: of the repository.
        gate: asks.
    """

    def __init__(self, mount: Mount, gate: RepositoryGate) -> None:
        self._mount = mount
        self._root = mount.page_root
        self._gate = gate

    def respond(self, request: Request, *, plain: bool = True) -> Response | ReservedDownload:
        """The whole answer, or permission to pass a request for a file on to the app.

        Args:
            request: its path is that of the app.
            plain: the path can only be read in one way.
        """
        filename = request.path.rpartition("/")[2]
        if plain and filename:
            file = self._gate.index.catalog.snapshot.file(filename)
            if filename.endswith(METADATA_SUFFIX) or (
                file is not None and request.path in addresses(self._mount, file)
            ):
                return self._gate.file(request, filename)
        return self._page(request, self._page_path(request.path) if plain else NOTHING)

    def _page_path(self, path: str) -> str:
        """The path of the index that stands for one of the app; the app's own pages are none."""
        inside = f"{path}/".startswith(f"{self._root}/")
        below = path[len(self._root) :] if inside else ""
        filename = path.rpartition("/")[2]
        # A file that does not exist is asked for as one that does, which its reader may not see.
        is_page = inside and not _names_file(filename)
        if is_page and below.count("/") <= (1 if filename else 2):
            return f"/simple{below}"
        return f"/packages/{filename}" if filename else NOTHING

    def _page(self, request: Request, path: str) -> Response:
        # No reasons in links: they lead to views of the app, which would not overlook them.
        answer = self._gate.index.respond(request.at(path), reason_links=False)
        if path != "/simple":
            return answer
        own = f"{self._root.rpartition('/')[2]}/"
        headers = tuple(
            (name, own if name == "Location" else value) for name, value in answer.headers
        )
        return replace(answer, headers=headers)


def _names_file(filename: str) -> bool:
    try:
        parse_filename(filename)
    except Unservable:
        return False
    return True
