"""Which addresses of a pypiserver are for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from entitlements_core.engine.health import HEALTH_PATHS

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

__all__ = ["Routes", "is_reading", "is_upload", "project_of"]

_PAGES: Final = "/simple/"


@dataclass(frozen=True, slots=True)
class Routes:
    """What a vendor may have moved.

    Attributes:
        base: the path below which everything is served; empty, or beginning with a slash and not
            ending with one.
        health: the path of pypiserver's own health check, open to everybody.
    """

    base: str
    health: str

    def strip_base(self, environ: WSGIEnvironment) -> bool:
        """Move the base path to where servers keep what stands before an application.

        False where the request is for something that is not below it.
        """
        path = environ.get("PATH_INFO") or "/"
        if self.base:
            if not f"{path}/".startswith(f"{self.base}/"):
                return False
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + self.base
            path = path[len(self.base) :] or "/"
        environ["PATH_INFO"] = path
        return True

    def is_health(self, environ: WSGIEnvironment) -> bool:
        """Whether pypiserver's own health check is asked for."""
        return bool(environ["PATH_INFO"] == self.health)

    def is_our_health(self, environ: WSGIEnvironment) -> bool:
        """Whether ours is: see `engine.health`."""
        reads = environ["REQUEST_METHOD"] in {"GET", "HEAD"}
        return reads and environ["PATH_INFO"] in HEALTH_PATHS


def is_upload(method: str, path: str) -> bool:
    """Whether a form is sent; only uploads are, and removals by publishers."""
    return (method, path) == ("POST", "/")


def is_reading(method: str, path: str) -> bool:
    """Whether a request only reads; ``pip search`` asks by POST, and so do no others."""
    return method in {"GET", "HEAD"} or (method == "POST" and path == "/RPC2")


def project_of(path: str) -> str | None:
    """The project whose page is asked for, as it is spelled; None where it is no such page."""
    return path.removeprefix(_PAGES).strip("/") if path.startswith(_PAGES) else None
