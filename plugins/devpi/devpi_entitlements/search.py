"""devpi-web's search: it knows every index, and asks nobody who may read them."""

from __future__ import annotations

from typing import Any

from pyramid.threadlocal import get_current_request

from devpi_entitlements.access import is_open
from devpi_entitlements.authentication import token_request_of
from devpi_entitlements.devpi_types import PyramidRequest, Registry
from devpi_entitlements.user_access import SHIELDED

__all__ = ["protect_search"]

Hit = dict[str, Any]


def protect_search(registry: Registry) -> None:
    """Let the search of this server find only what the asking user may read.

    Nothing happens where devpi-web is not installed.
    """
    index = registry.get("search_index")
    if index is None:
        return
    query = index.query_projects

    def query_projects(querystring: str, page: int | None = 1) -> dict[str, Any]:
        found: dict[str, Any] = query(querystring, page=page)
        request = get_current_request()
        if request is not None:
            found["items"] = [hit for hit in found["items"] if _may_see(request, hit)]
        return found

    index.query_projects = query_projects


def _may_see(request: PyramidRequest, hit: Hit) -> bool:
    if token_request_of(request) is not None:
        return False
    user, index = hit["data"]["path"].strip("/").split("/")[:2]
    stage = request.registry["xom"].model.getstage(user, index)
    if stage is None:
        return False
    if is_open(stage):
        return True
    request.environ[SHIELDED] = True
    return bool(request.has_permission("pkg_read", stage))
