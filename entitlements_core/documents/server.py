"""Where a server that was started answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entitlements_core.services.settings import Settings

__all__ = ["server_document"]


def server_document(url: str, settings: Settings, pid: int) -> dict[str, object]:
    """The addresses of an index.

    Args:
        url: of the server, without a slash at the end.
        settings: that it goes by.
        pid: of the process that ends the whole server when it is terminated.
    """
    return {
        "url": url,
        "simple_url": f"{url}/simple/",
        "token_url": f"{url}/+t/SECRET/simple/",
        "health_url": f"{url}/+health",
        "repository": settings.repository,
        "directories": list(settings.directories),
        "pid": pid,
    }
