"""A token is answered alike in an index that is closed to it and in one that does not exist."""

from __future__ import annotations

import re
from itertools import product
from typing import Any, Final

import pytest
from pyramid.interfaces import IRoutesMapper

from tests.plugins.devpi.apps import DevpiApp, basic, bearer, upload_form, wheel_name
from tests.wheelhouse import wheel_bytes

pytestmark = pytest.mark.notransaction

OTHER_METHODS: Final = ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ACCEPTED: Final = ("*/*", "application/json", "application/vnd.pypi.simple.v1+json", "text/html")
AGENTS: Final = ("pip/26.0", "Mozilla/5.0")
NOBODY: Final = {"Authorization": ""}
VALUES: Final = {
    "project": "acme-core",
    "version": "1.0",
    "relpath": f"12/34567890abcdef/{wheel_name('acme-core', '1.0')}",
    "doc": "index.html",
    "basename": wheel_name("acme-core", "1.0"),
    "toxresult": "x",
}


@pytest.fixture
def acme(full_devpi: DevpiApp) -> DevpiApp:
    full_devpi.closed_index("acme/own", bases=[])
    full_devpi.upload("acme/own", "acme-core", "1.0")
    full_devpi.closed_index("acme/alien", bases=[])
    full_devpi.upload("acme/alien", "acme-core", "1.0")
    return full_devpi


def addresses(app: DevpiApp) -> list[str]:
    """An address of every route of an index, with the index left open."""
    registry = app.testapp.app.app.registry
    found = []
    for route in registry.queryUtility(IRoutesMapper).get_routes():
        pattern = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", "/" + route.pattern.lstrip("/"))
        if not pattern.startswith("/{user}/{index}"):
            continue
        path = pattern.replace("/{user}/{index}", "/acme/{index}", 1)
        for name, value in VALUES.items():
            path = path.replace(f"{{{name}}}", value)
        path = path.replace("*doc", "index.html").replace("*subpath", "x")
        head, _, tail = path.partition("{index}")
        assert "{" not in tail, f"Give a value for {tail}"
        found += [head + "{index}" + tail]
    files = f"/acme/{{index}}/+f/12/34/{wheel_name('acme-core', '1.0')}"
    return [*found, files, f"{files}.metadata"]


def told(answer: Any, index: str) -> tuple[Any, ...]:  # noqa: ANN401 - webtest has no types
    """The whole answer; what repeats the address, as ``+api`` does, tells nothing."""
    headers = [(name, value.replace(index, "INDEX")) for name, value in answer.headers.items()]
    return answer.status, sorted(headers), answer.body.replace(index.encode(), b"INDEX")


def test_an_index_that_is_missing_is_as_one_that_is_closed(acme: DevpiApp) -> None:
    secret = acme.token("acme/own", access="rw")  # type: ignore[arg-type] # as a command gives it
    found = addresses(acme)
    assert len(found) > 15
    ways = [
        *product(("GET",), ACCEPTED, AGENTS),
        *product(OTHER_METHODS, ACCEPTED[1:2], AGENTS[:1]),
    ]
    seen = set()
    for path, (method, accept, agent) in product(found, ways):
        for form in ({}, basic("token", secret), bearer(secret)):
            given = None if form else secret
            headers = {"Accept": accept, "User_Agent": agent, **form}
            one, other = (
                acme.request(method, path.format(index=index), given, **headers)
                for index in ("alien", "never")
            )
            if form and path.endswith("/+api") and accept in {"*/*", "application/json"}:
                # Open to all: a token in a header says nothing there, and changes nothing.
                for answer, index in ((one, "alien"), (other, "never")):
                    bare = acme.request(method, path.format(index=index), **headers | NOBODY)
                    assert told(answer, index) == told(bare, index)
                continue
            assert told(one, "alien") == told(other, "never"), (method, path, accept, form)
            seen.add(one.status_code)
    assert {401, 404, 410} <= seen


def test_uploads_to_a_missing_index(acme: DevpiApp) -> None:
    secret = acme.token("acme/own", access="rw")  # type: ignore[arg-type] # as a command gives it
    name, data = wheel_name("acme-core", "2.0"), wheel_bytes("acme-core", "2.0")
    for headers, prefix in ((basic("token", secret), ""), ({}, f"/+t/{secret}")):
        one, other = (
            acme.testapp.post(
                f"{prefix}/acme/{index}/",
                upload_form("acme-core", "2.0", name, data),
                headers=headers,
                expect_errors=True,
            )
            for index in ("alien", "never")
        )
        assert told(one, "alien") == told(other, "never")
        assert one.status_code == (410 if prefix else 401)


def test_authorization_for_a_server_in_front(acme: DevpiApp) -> None:
    secret = acme.token("acme/own")
    path = f"/+t/{secret}/acme/{{index}}/+f/12/34/{wheel_name('acme-core', '1.0')}"
    one, other = (
        acme.get("/+authcheck", None, X_Original_URI=path.format(index=index))
        for index in ("alien", "never")
    )
    assert told(one, "alien") == told(other, "never")
    assert one.headers["X-Entitlements-Status"] == "410"
