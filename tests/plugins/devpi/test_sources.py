"""Plugins of the core beside devpi: other sources of credentials, and vetoes."""

from __future__ import annotations

from typing import Final

import pytest

from devpi_entitlements.site import SITE, Site
from entitlements_core import hookimpl
from entitlements_core.policy.credential import Credential, Grant
from entitlements_core.policy.decide import Question, RequestContext
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.policy.query import PackageQuery
from entitlements_core.policy.resource import DistributionFile
from tests.plugins.devpi.apps import DevpiApp, basic, wheel_name

pytestmark = pytest.mark.notransaction

SECRET: Final = "from.a.licence.server"
PAGE: Final = "/acme/priv/+simple/acme-core/"


class LicenceServer:
    """Knows one secret, which opens one version of what is in one index."""

    @hookimpl
    def entitlements_find_credential(
        self, secret: str, request: RequestContext
    ) -> Credential | None:
        if secret != SECRET or request.repository != "acme/priv":
            return None
        restriction = PackageQuery.parse("version:1.0")
        grant = Grant(repository="acme/priv", restriction=restriction)
        return Credential(identifier="licence", grants=(grant,))


class Embargo:
    """Refuses files of version 2.0, once there is one."""

    holds = False

    @hookimpl
    def entitlements_veto(self, question: Question) -> Deny | None:
        resource = question.resource
        if not self.holds or not isinstance(resource, DistributionFile):
            return None
        return Deny(Reason.VETOED, "Under embargo")


def site_of(app: DevpiApp) -> Site:
    site: Site = app.testapp.app.app.registry[SITE]
    return site


@pytest.fixture
def acme(devpi: DevpiApp) -> DevpiApp:
    """A closed index with two releases, and another one."""
    for index in ("acme/priv", "acme/other"):
        devpi.closed_index(index, bases=[])
        for version in ("1.0", "2.0"):
            devpi.upload(index, "acme-core", version)
    return devpi


def wheel(app: DevpiApp, version: str, index: str = "acme/priv") -> str:
    return app.path_of(index, "acme-core", wheel_name("acme-core", version))


def test_a_secret_of_another_source_opens_what_it_says(acme: DevpiApp) -> None:
    site_of(acme).core.plugins.register(LicenceServer())
    for secret, headers in ((SECRET, {}), (None, basic("token", SECRET))):
        assert acme.files("acme/priv", "acme-core", secret, **headers) == [
            wheel_name("acme-core", "1.0")
        ]
        assert acme.get(wheel(acme, "1.0"), secret, **headers).status_code == 200
        assert acme.get(wheel(acme, "2.0"), secret, **headers).status_code == 404
        unknown = 410 if secret else 401
        for path in ("/acme/other/+simple/", wheel(acme, "1.0", "acme/other")):
            assert acme.get(path, secret, **headers).status_code == unknown
    assert acme.get("/simple/", SECRET).status_code == 410, "no source knows what a secret opens"
    # Those of the store go on as before.
    stored = acme.token("acme/priv", query="version:2.0")
    assert acme.get(wheel(acme, "2.0"), stored).status_code == 200
    assert acme.get(wheel(acme, "1.0"), stored).status_code == 404
    assert acme.get(wheel(acme, "2.0", "acme/other"), stored).status_code == 410


def test_a_veto_holds_from_the_next_request_on(acme: DevpiApp) -> None:
    embargo = Embargo()
    site_of(acme).core.plugins.register(embargo)
    issued = acme.issue(["acme/priv"])
    path = wheel(acme, "2.0")
    for _ in range(2):
        assert acme.get(path, issued.secret).status_code == 200
    embargo.holds = True
    for where in (path, path, wheel(acme, "1.0")):
        answer = acme.get(where, issued.secret)
        assert (answer.status, answer.json["code"]) == ("403 Under embargo", "vetoed")
    assert acme.get(f"{path}.metadata", issued.secret).status_code == 200
    usage = acme.core.lifecycle.read(issued.token.identifier).usage
    assert usage.downloads == 1
