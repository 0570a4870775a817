"""The short address of a token that opens one index: ``/+t/SECRET/simple/``."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

import pytest

from tests.actors import person
from tests.plugins.devpi.apps import JSON_PAGE, DevpiApp, basic, wheel_name
from tests.plugins.devpi.conftest import MakeDevpiApp

pytestmark = pytest.mark.notransaction

ROOT: Final = "http://localhost"
HTML: Final = {"Accept": "text/html"}
AGENTS: Final = ("pip/26.0", "Mozilla/5.0")


def stocked(app: DevpiApp) -> DevpiApp:
    """An index with two projects, and one that inherits from it and has a third."""
    app.closed_index("acme/priv", bases=[])
    app.closed_index("acme/cust", bases=["acme/priv"])
    app.upload("acme/priv", "acme-core", "1.0")
    app.upload("acme/priv", "acme-core", "2.0")
    app.upload("acme/priv", "other-lib", "1.0")
    app.upload("acme/cust", "acme-own", "1.0")
    return app


def links(app: DevpiApp, page: str, secret: str, **headers: str) -> list[str]:
    """The addresses that a page links to, as a client resolves them; without hashes."""
    answer = app.get(page, secret, **headers)
    assert answer.status_code == 200, answer.text
    assert secret not in answer.text
    if "json" in answer.content_type:
        found = [file["url"] for file in answer.json["files"]]
    else:
        found = re.findall(r'href="([^"]+)"', answer.text)
    address = f"{ROOT}/+t/{secret}{page}"
    return sorted(urljoin(address, link).partition("#")[0] for link in found)


def test_the_alias_is_the_index_of_the_token(devpi: DevpiApp) -> None:
    stocked(devpi)
    secret = devpi.token("acme/cust", query="version:1.0 NOT name:other-lib")
    prefix = f"{ROOT}/+t/{secret}"
    for page in ("/simple/", "/acme/cust/+simple/"):
        for agent in AGENTS:
            found = links(devpi, page, secret, User_Agent=agent, **HTML)
            assert found == [f"{prefix}{page}acme-core/", f"{prefix}{page}acme-own/"]
            answer = devpi.get(page.rstrip("/"), secret, User_Agent=agent, **HTML)
            assert answer.status_code == 307
            assert secret not in answer.location
            assert urljoin(f"{prefix}{page.rstrip('/')}", answer.location) == f"{prefix}{page}"
    names = devpi.get("/simple/", secret, **JSON_PAGE).json["projects"]
    assert sorted(project["name"] for project in names) == ["acme-core", "acme-own"]

    for page in ("/simple/acme-core/", "/simple/acme-core"):
        for headers in (HTML, JSON_PAGE):
            for agent in AGENTS:
                [link] = links(devpi, page, secret, User_Agent=agent, **headers)
                assert link.startswith(f"{prefix}/acme/priv/+f/")
                path = urlsplit(link).path
                assert devpi.get(path).body.startswith(b"PK")
                assert devpi.get(f"{path}.metadata").status_code == 200
    [own] = links(devpi, "/simple/acme-own/", secret, **HTML)
    assert own.startswith(f"{prefix}/acme/cust/+f/")
    assert devpi.get(urlsplit(own).path).status_code == 200
    # The full form has the same links, written otherwise.
    [link] = links(devpi, "/acme/cust/+simple/acme-core/", secret, **HTML)
    assert urlsplit(link).path == path

    for name in ("other-lib", "never-was"):
        answer = devpi.get(f"/simple/{name}/", secret)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    for path in ("/simple/acme-core/1.0", "/simplex", "/simple/acme-core/+f/x", "//simple/"):
        assert devpi.get(path, secret).status_code == 404
    assert devpi.request("POST", "/simple/", secret).status_code == 404
    assert devpi.request("HEAD", "/simple/acme-core/", secret).status_code == 200
    # It is an address of tokens in a path alone.
    assert devpi.get("/simple/", None, **basic("token", secret)).status_code == 404
    assert devpi.get("/simple/").status_code == 404


def test_redirects_stay_below_the_token(devpi: DevpiApp) -> None:
    stocked(devpi)
    secret = devpi.token("acme/cust")
    prefix = f"{ROOT}/+t/{secret}"
    for start in ("/simple", "/acme/cust/+simple"):
        for name in ("Acme_Core", "acme.core", "ACME-CORE"):
            for agent in AGENTS:
                answer = devpi.get(f"{start}/{name}/", secret, User_Agent=agent, **HTML)
                assert answer.status_code == 307
                assert secret not in answer.location
                followed = urljoin(f"{prefix}{start}/{name}/", answer.location)
                assert followed == f"{prefix}/acme/cust/+simple/acme-core/"
                assert secret not in answer.text
                assert answer.headers["Cache-Control"] == "no-store"
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                page = devpi.get(urlsplit(followed).path)
                assert wheel_name("acme-core", "2.0") in page.text


def test_the_alias_needs_one_index(devpi: DevpiApp) -> None:
    stocked(devpi)
    both = devpi.token("acme/priv", "acme/cust")
    for path in ("/simple/", "/simple/acme-core/"):
        answer = devpi.get(path, both)
        assert (answer.status_code, answer.json["code"]) == (404, "ambiguous_index")
        assert answer.status == "404 This token opens several indexes"
        assert devpi.request("HEAD", path, both).body == b""
        unknown = devpi.get(path, "nonsense")
        assert (unknown.status_code, unknown.json["code"]) == (410, "unknown_token")
    disabled = devpi.issue(["acme/cust"], name="disabled")
    devpi.core.lifecycle.disable(disabled.token.identifier, actor=person("test"))
    assert devpi.get("/simple/", disabled.secret).status_code == 200
    gone = devpi.token("acme/cust", name="gone")
    devpi.login("acme")
    devpi.mapp.delete_index("acme/cust")
    devpi.logout()
    assert devpi.get("/simple/", gone).status_code == 410


def test_links_below_an_outside_url(make_devpi_app: MakeDevpiApp) -> None:
    outside = "https://packages.example/devpi"
    app = stocked(make_devpi_app("--outside-url", outside, "--absolute-urls"))
    secret = app.token("acme/cust", query="name:acme-core version:1")
    for page in ("/simple/acme-core/", "/acme/cust/+simple/acme-core/"):
        for headers in (HTML, JSON_PAGE):
            answer = app.get(page, secret, X_Devpi_Absolute_Urls="1", **headers)
            assert secret not in answer.text
            [link] = re.findall(r'"([^"]*/\+f/[^"#]+)', answer.text)
            resolved = urljoin(f"{outside}/+t/{secret}{page}", link)
            assert resolved.startswith(f"{outside}/+t/{secret}/acme/priv/+f/")
            assert app.get(resolved.removeprefix(outside)).status_code == 200
    other = app.token("acme/cust", query="name:acme-core version:1", name="other")
    assert secret not in app.get("/simple/acme-core/", other, **HTML).text
    app.login("acme")
    assert f'"{outside}/acme/priv/+f/' in app.get("/acme/cust/+simple/acme-core/", **HTML).text
    app.logout()
    answer = app.get("/simple/Acme_Core/", secret)
    assert secret not in answer.location
    followed = urljoin(f"{outside}/+t/{secret}/simple/Acme_Core/", answer.location)
    assert followed == f"{outside}/+t/{secret}/acme/cust/+simple/acme-core/"


@pytest.mark.parametrize("start", ["/simple", "/acme/cust/+simple"])
def test_no_answer_repeats_the_address_of_a_token(full_devpi: DevpiApp, start: str) -> None:
    stocked(full_devpi)
    secret = full_devpi.token("acme/cust", query="name:^acme-core$")
    tails = (
        *("", "/", "/acme-core", "/acme-core/", "/Acme_Core", "/Acme.Core/", "/acme-core/1.0/"),
        *("/other-lib", "/other-lib/", "/Other_Lib/", "/never-was", "/never-was/", "/Never.Was/"),
        *("/acme-core/refresh", "/acme-core/refresh/", "/x/y/", "//", "/%2F/", "/..", "/?a=1"),
    )
    for agent in AGENTS:
        for method in ("GET", "HEAD", "POST"):
            for tail in tails:
                answer = full_devpi.request(method, f"{start}{tail}", secret, User_Agent=agent)
                told = f"{answer.headers.items()} {answer.text if method != 'HEAD' else ''}"
                assert secret not in told, (method, tail)
                if answer.status_code == 307 and "ever" not in tail.lower():
                    at = f"{ROOT}/+t/{secret}{start}{tail}"
                    assert urlsplit(urljoin(at, answer.location)).path.startswith(f"/+t/{secret}/")
        for missing in ("never-was", "other-lib"):
            for tail in ("", "/"):
                answer = full_devpi.get(f"{start}/{missing}{tail}", secret, User_Agent=agent)
                assert answer.status_code == 404, (missing, tail)
