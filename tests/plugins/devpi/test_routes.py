"""Every route of a full installation is classified, and each is closed to tokens by default."""

from __future__ import annotations

import pytest
from pyramid.interfaces import IRoutesMapper

from devpi_entitlements.routes import ROUTES, RouteKind, route_kind
from tests.plugins.devpi.apps import DevpiApp

pytestmark = pytest.mark.notransaction

READ_BY_TOKENS = {RouteKind.PAGE, RouteKind.FILE}


def routes(app: DevpiApp) -> list[str]:
    registry = app.testapp.app.app.registry if hasattr(app.testapp.app, "app") else None
    assert registry is not None
    return [route.name for route in registry.queryUtility(IRoutesMapper).get_routes()]


def test_every_route_of_a_full_installation_has_a_door(full_devpi: DevpiApp) -> None:
    found = routes(full_devpi)
    assert len(found) > 30
    unknown = [name for name in found if route_kind(name) is None]
    assert not unknown, f"Classify these routes in devpi_entitlements.routes: {unknown}"


def test_no_door_is_left_over_from_another_devpi(full_devpi: DevpiApp) -> None:
    assert set(ROUTES) <= set(routes(full_devpi))


def test_a_route_that_nobody_classified_has_no_door() -> None:
    assert route_kind("a-new-view-of-some-plugin") is None
