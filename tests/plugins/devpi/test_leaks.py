"""Every way to a closed index that was found on bare devpi-server, tried by everybody."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from typing import Any
from urllib.parse import urljoin

import pytest

from tests.plugins.devpi.apps import PASSWORD, DevpiApp, basic, bearer, wheel_name

pytestmark = pytest.mark.notransaction

HIDDEN = "other-lib"
CORE = "/acme/priv/acme-core"


@pytest.fixture
def acme(full_devpi: DevpiApp) -> DevpiApp:
    """A full installation: a closed index, one that inherits from it, and a stranger."""
    app = full_devpi
    app.closed_index("acme/priv", bases=[], volatile=True)
    for version in ("1.0", "2.0"):
        app.upload("acme/priv", "acme-core", version)
    app.upload("acme/priv", HIDDEN, "1.0")
    app.closed_index("acme/cust", bases=["acme/priv"])
    app.user("mallory")
    return app


@pytest.fixture
def secret(acme: DevpiApp) -> str:
    return acme.token("acme/priv", query="name:^acme-core$ version:<2")


WAYS = [
    ("/acme/priv", {"Accept": "application/json"}),
    ("/acme/priv/", {"Accept": "application/json"}),
    ("/acme/priv", {"Accept": "text/html"}),
    ("/acme/priv/", {"Accept": "text/html"}),
    ("/acme/priv?no_projects=", {"Accept": "application/json"}),
    (CORE, {"Accept": "application/json"}),
    (f"{CORE}?ignore_bases", {"Accept": "application/json"}),
    (f"{CORE}/1.0", {"Accept": "application/json"}),
    (f"{CORE}/2.0", {"Accept": "application/json"}),
    (CORE, {"Accept": "text/html"}),
    (f"{CORE}/1.0", {"Accept": "text/html"}),
    (f"{CORE}/latest", {"Accept": "text/html"}),
    (f"{CORE}/latest/+d/index.html", {"Accept": "text/html"}),
    (f"{CORE}/1.0/+doc/index.html", {"Accept": "text/html"}),
    (f"{CORE}/1.0/+toxresults/acme_core-1.0-py3-none-any.whl", {"Accept": "text/html"}),
    (f"{CORE}/refresh", {"Accept": "text/html"}),
]
"""Addresses about a closed index beside its simple pages, with what asks for each view."""

SERVER = ["/", "/acme", "/acme/", "/+status", "/+search?query=acme", "/+searchhelp", "/+api"]
"""Addresses of the whole server."""


def follow(app: DevpiApp, path: str, secret: str | None = None, **headers: str) -> Any:  # noqa: ANN401 - webtest has no types
    """GET; devpi-web redirects to addresses without a slash at their end, before anything else."""
    answer = app.get(path, secret, **headers)
    for _ in range(3):
        if answer.status_code not in {301, 302, 303, 307, 308}:
            break
        prefix = "" if secret is None else f"/+t/{secret}"
        path = urljoin(f"http://localhost{prefix}{path}", answer.location)
        path = path.removeprefix(f"http://localhost{prefix}")
        answer = app.get(path, secret, **headers)
    return answer


@pytest.mark.parametrize(("login", "status"), [(None, 401), ("mallory", 403)])
def test_no_view_of_a_closed_index_is_open_to_others(
    acme: DevpiApp, login: str | None, status: int
) -> None:
    if login is not None:
        acme.login(login)
    for path, headers in WAYS:
        answer = follow(acme, path, **headers)
        assert answer.status_code == status, path
        assert (answer.headers.get("WWW-Authenticate") == 'Basic realm="pypi"') is (status == 401)
        assert HIDDEN not in answer.text


def test_a_token_opens_no_other_view(acme: DevpiApp, secret: str) -> None:
    for path, headers in WAYS:
        for answer in (
            follow(acme, path, secret, **headers),
            follow(acme, path, None, **headers, **basic("token", secret)),
        ):
            assert answer.status_code == 404, path
            assert answer.content_type == "application/problem+json"
            assert answer.json["code"] == "not_found"
            assert not [name for name in answer.headers if name.lower().startswith("x-devpi")]


def test_a_token_opens_nothing_of_the_server(acme: DevpiApp, secret: str) -> None:
    for path in SERVER:
        for accept in ("application/json", "text/html"):
            assert follow(acme, path, secret, Accept=accept).status_code == 404, path


AGENTS = ("pip/26.0", "uv/0.9", "Mozilla/5.0")
LISTS = ("/acme/priv", "/acme/priv/", "/acme/priv/+simple", "/acme/priv/+simple/")
PAGES = (
    "/acme/priv/+simple/{}",
    "/acme/priv/+simple/{}/",
    "/acme/priv/{}",
    "/acme/priv/{}/",
)
JSON = "application/vnd.pypi.simple.v1+json"


def test_no_list_shows_what_is_hidden(acme: DevpiApp, secret: str) -> None:
    asked = [
        (path, {"Accept": accept, "User_Agent": agent})
        for path in LISTS
        for agent in AGENTS
        for accept in ("application/json", JSON, "text/html", "*/*")
    ]
    shown = 0
    for path, headers in asked:
        assert follow(acme, path, **headers).status_code == 401, path
        answer = follow(acme, path, secret, **headers)
        assert HIDDEN not in answer.text
        shown += "acme-core" in answer.text
    assert shown > len(asked) // 2
    acme.login("mallory")
    for path, headers in asked:
        assert follow(acme, path, **headers).status_code == 403, path


def test_no_page_shows_what_is_hidden(acme: DevpiApp, secret: str) -> None:
    unknown = follow(acme, "/acme/priv/+simple/never-was/", secret).json
    for form in PAGES:
        for agent in AGENTS:
            for accept in ("text/html", JSON):
                headers = {"Accept": accept, "User_Agent": agent}
                page = follow(acme, form.format("acme-core"), secret, **headers)
                assert "acme_core-2.0" not in page.text
                assert follow(acme, form.format("acme-core"), **headers).status_code == 401
                for name in (HIDDEN, "never-was", "Other_Lib"):
                    answer = follow(acme, form.format(name), secret, **headers)
                    assert answer.status_code == 404
                    assert answer.json == unknown


def test_the_file_of_a_hidden_project_is_hidden(acme: DevpiApp, secret: str) -> None:
    hidden = acme.path_of("acme/priv", HIDDEN, wheel_name(HIDDEN, "1.0"))
    later = acme.path_of("acme/priv", "acme-core", wheel_name("acme-core", "2.0"))
    shown = acme.path_of("acme/priv", "acme-core", wheel_name("acme-core", "1.0"))
    missing = shown.replace("1.0", "1.1")
    assert acme.get(shown, secret).status_code == 200
    texts = set()
    for path in (hidden, later, missing):
        for suffix in ("", ".metadata"):
            for method in ("GET", "HEAD"):
                for accept in ("*/*", "application/json"):
                    answer = acme.request(method, path + suffix, secret, Accept=accept)
                    assert answer.status_code == 404
                    texts.add(answer.text)
    assert len(texts) == 2  # the same words for all, and none for HEAD


def test_files_of_a_closed_index_are_closed_to_others(acme: DevpiApp) -> None:
    shown = acme.path_of("acme/priv", "acme-core", wheel_name("acme-core", "1.0"))
    ways = [
        (shown + suffix, {"Accept": accept})
        for suffix in ("", ".metadata")
        for accept in ("*/*", "application/json")
    ]
    for path, headers in ways:
        assert acme.get(path, **headers).status_code == 401
        assert acme.request("HEAD", path, **headers).status_code == 401
    acme.login("mallory")
    for path, headers in ways:
        assert acme.get(path, **headers).status_code == 403
    acme.login("acme")
    assert acme.get(shown).status_code == 200


def test_a_file_does_not_tell_who_uploaded_it(acme: DevpiApp, secret: str) -> None:
    shown = acme.path_of("acme/priv", "acme-core", wheel_name("acme-core", "1.0"))
    answer = acme.get(shown, secret, Accept="application/json")
    assert answer.status_code == 200
    assert answer.body.startswith(b"PK")


def test_a_token_changes_nothing(acme: DevpiApp, secret: str) -> None:
    shown = acme.path_of("acme/priv", "acme-core", wheel_name("acme-core", "1.0"))
    paths = [
        "/",
        "/newuser",
        "/acme",
        "/acme/priv",
        "/acme/new",
        CORE,
        f"{CORE}/1.0",
        shown,
        "/acme/priv/+simple/acme-core/refresh",
        "/+login",
        "/+logout",
        "/acme/+token-create",
    ]
    for method in ("PUT", "PATCH", "DELETE", "POST", "OPTIONS"):
        for path in paths:
            answer = acme.request(method, path, secret)
            assert answer.status_code in {403, 404}, (method, path)
    assert acme.get(shown, secret).status_code == 200
    assert "newuser" not in acme.mapp.getuserlist()


def test_a_token_does_not_log_in(acme: DevpiApp, secret: str) -> None:
    for user in ("token", "acme", "root"):
        answer = acme.testapp.post_json(
            "/+login",
            {"user": user, "password": secret},
            headers={"Accept": "application/json"},
            expect_errors=True,
        )
        assert answer.status_code == 401


def test_login_still_works_for_users(acme: DevpiApp) -> None:
    acme.login("acme")
    assert acme.get("/acme/priv/+simple/acme-core/").status_code == 200
    assert acme.get(CORE, Accept="application/json").status_code == 200


def test_the_token_wins_over_any_login(acme: DevpiApp, secret: str) -> None:
    acme.login("acme")  # X-Devpi-Auth
    assert acme.projects("acme/priv", secret) == ["acme-core"]
    assert acme.projects("acme/priv", secret, **basic("acme", PASSWORD)) == ["acme-core"]
    other = acme.token("acme/priv", name="other")
    assert acme.projects("acme/priv", secret, **basic("token", other)) == ["acme-core"]


def test_nobody_inherits_from_a_closed_index(acme: DevpiApp) -> None:
    acme.index("mallory/dev", bases=["acme/priv"])
    for login in (None, "mallory"):
        if login:
            acme.login(login)
        assert acme.projects("mallory/dev") == []
        assert acme.files("mallory/dev", "acme-core") == []
        answer = acme.get("/mallory/dev/acme-core", Accept="application/json")
        assert answer.status_code == 404
        for accept in ("text/html", "application/json"):
            assert "acme_core" not in acme.get("/mallory/dev/acme-core/1.0", Accept=accept).text


def test_a_token_for_an_index_that_inherits_reads_the_base_through_it(acme: DevpiApp) -> None:
    secret = acme.token("acme/cust", query="name:^acme-core$ version:<2")
    assert acme.projects("acme/cust", secret) == ["acme-core"]
    [found] = acme.get(
        "/acme/cust/+simple/acme-core/", secret, Accept="application/vnd.pypi.simple.v1+json"
    ).json["files"]
    assert found["url"].startswith("../../../priv/+f/")
    shown = acme.path_of("acme/priv", "acme-core", wheel_name("acme-core", "1.0"))
    assert acme.get(shown, secret).status_code == 200
    assert acme.get(shown.replace("1.0", "2.0"), secret).status_code == 404
    hidden = acme.path_of("acme/priv", HIDDEN, wheel_name(HIDDEN, "1.0"))
    assert acme.get(hidden, secret).status_code == 404
    # Through its own addresses, the base is as unknown as any other index.
    assert acme.get("/acme/priv/+simple/acme-core/", secret).status_code == 410


def test_push_from_a_closed_index_is_refused(acme: DevpiApp) -> None:
    acme.index("mallory/dev", bases=[])
    acme.login("mallory")
    request = {"name": "acme-core", "version": "1.0", "targetindex": "mallory/dev"}
    answer = acme.testapp.post_json("/acme/priv", request, expect_errors=True)
    assert answer.status_code == 403
    acme.logout()
    assert acme.files("mallory/dev", "acme-core") == []


def test_strangers_attach_no_test_results(acme: DevpiApp) -> None:
    shown = acme.path_of("acme/priv", "acme-core", wheel_name("acme-core", "1.0"))
    assert acme.testapp.post_json(shown, {"testenvs": {}}, expect_errors=True).status_code == 401
    acme.login("mallory")
    assert acme.testapp.post_json(shown, {"testenvs": {}}, expect_errors=True).status_code == 403


TRICKS = [
    "//acme/priv/+simple/",
    "/acme//priv/+simple/",
    "/acme/priv//+simple/",
    "/acme/priv/%2bsimple/",
    "/acme/priv/%2Bsimple/",
    "/./acme/priv/+simple/",
    "/acme/./priv/+simple/",
    "/acme/../acme/priv/+simple/",
    "/acme/priv/+simple/../+simple/",
    "/acme/priv/+simple/%2e%2e/",
    "/acme/priv/+simple/acme-core/..",
    "/acme/priv/+simple/other-lib%00/",
    "/acme/priv/+simple/other-lib%2f",
    "/acme/priv/+simple/other-lib%2F1.0",
    "/acme/priv/+simple/other-lib;x/",
    "/acme/priv/+simple/other-lib?x=1",
    "/acme/priv/+simple/OTHER_LIB/",
    "/acme/priv/+simple/other.lib/",
    "/acme/priv/other-lib/1.0/",
    "/acme%2fpriv/+simple/",
    "/+t/x/acme/priv/+simple/",
    "/+t/x/+t/y/acme/priv/+simple/",
    "/%2bt/x/acme/priv/+simple/",
    "/+t//acme/priv/+simple/",
    "/+t",
    "/+t/",
    "/\\acme\\priv\\+simple\\",
]


def test_path_tricks_show_nothing(acme: DevpiApp, secret: str) -> None:
    ways = [(path, given, agent) for path in TRICKS for given in (None, secret) for agent in AGENTS]
    for path, given, agent in ways:
        with contextlib.nullcontext(path):
            answer = acme.get(path, given, User_Agent=agent)
            assert answer.status_code < 500
            assert "other_lib" not in answer.text
            assert not re.search(r'href="[^"]*other-lib', answer.text)
            assert secret not in answer.text


def test_the_search_of_devpi_web_shows_only_what_one_may_read(acme: DevpiApp) -> None:
    from devpi_entitlements.search import protect_search

    def hit(path: str) -> dict[str, Any]:
        user, index, name = path.strip("/").split("/")
        data = {"path": path, "user": user, "index": index, "name": name, "version": "1.0"}
        return {"data": data, "sub_hits": []}

    class Index:
        def get_query_parser_html_help(self) -> list[str]:
            return []

        def query_projects(self, querystring: str, page: int | None = 1) -> dict[str, Any]:
            hits = ("/acme/priv/acme-core", "/mallory/open/tool", "/gone/index/old")
            return {
                "items": [hit(path) for path in hits],
                "info": {
                    "pagecount": 1,
                    "pagenum": 1,
                    "total": 3,
                    "collapsed_counts": Counter[str](),
                },
            }

    acme.index("mallory/open", bases=[])
    registry = acme.testapp.app.app.registry
    registry["search_index"] = Index()
    protect_search(registry)

    def found() -> list[str]:
        answer = acme.get("/+search?query=x", Accept="text/html")
        return sorted(set(re.findall(r"(acme/priv|mallory/open|gone/index)", answer.text)))

    assert found() == ["mallory/open"]
    acme.login("mallory")
    assert found() == ["mallory/open"]
    acme.login("acme")
    assert found() == ["acme/priv", "mallory/open"]


def test_a_token_of_a_netrc_does_not_close_what_is_open_to_all(acme: DevpiApp, secret: str) -> None:
    acme.index("mallory/open", bases=[])
    path = acme.upload("mallory/open", "tool", "1.0")
    for given in (basic("token", secret), basic("token", "ent_" + "x" * 38), bearer(secret)):
        assert acme.projects("mallory/open", None, **given) == ["tool"]
        assert acme.files("mallory/open", "tool", None, **given) == [wheel_name("tool", "1.0")]
        assert acme.get(path, **given).status_code == 200
        assert acme.get("/+api", **given).status_code == 200
        assert acme.get("/acme/cust/+simple/", **given).status_code == 401
    # In an address it was put on purpose.
    assert acme.get("/mallory/open/+simple/", secret).status_code == 410
    assert acme.get(path, secret).status_code == 410
    assert acme.get("/+api", secret).status_code == 404
    # A grant counts, also where everybody might read.
    granted = basic("token", acme.token("mallory/open", query="name:^other$", name="granted"))
    assert acme.projects("mallory/open", None, **granted) == []
    assert acme.get(path, **granted).status_code == 404


def test_a_login_of_devpi_client_wins_over_a_netrc(acme: DevpiApp, secret: str) -> None:
    acme.login("acme")
    both = basic("token", secret)
    assert acme.projects("acme/priv", None, **both) == ["acme-core", HIDDEN]


def test_pip_search_looks_only_into_what_one_may_read(acme: DevpiApp, secret: str) -> None:
    class Index:
        def query_packages(self, query: object, sro: list[Any]) -> list[dict[str, Any]]:
            return [{"name": stage.name, "summary": "", "version": "1.0"} for stage in sro]

    acme.index("mallory/dev", bases=["acme/priv"])
    acme.testapp.app.app.registry["search_index"] = Index()
    query = b"""<methodCall><methodName>search</methodName><params><param><value><struct><member>
        <name>name</name><value><string>acme</string></value></member></struct></value></param>
        </params></methodCall>"""

    def search(path: str) -> Any:  # noqa: ANN401 - webtest has no types
        headers = {"Content-Type": "text/xml"}
        return acme.testapp.post(path, query, headers=headers, expect_errors=True)

    for path in ("/acme/priv", "/acme/priv/"):
        acme.logout()
        assert search(path).status_code == 401
        assert search(f"/+t/{secret}{path}").status_code in {403, 404}
        acme.login("mallory")
        assert search(path).status_code == 403
    assert "acme/priv" not in search("/mallory/dev").text
    acme.login("acme")
    assert "acme/priv" in search("/acme/priv").text
