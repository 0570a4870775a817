"""The application: mounts, health, the decision for a server in front, and faults."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entitlements_core.engine.app import IndexApp
from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.index import Index
from entitlements_core.policy.credential import State
from entitlements_core.services.readiness import Ailment
from entitlements_core.services.throttle import Throttle
from tests.factories import CLIENT, NOW, REPOSITORY, Response, Site, open_site, rows
from tests.file_times import FileTimes
from tests.wheelhouse import build_wheel

FOO = "foo-1.0-py3-none-any.whl"
HIDDEN = "hidden-1.0-py3-none-any.whl"
SECRET = "customer-42.secret"
ONLY_FOO = "name:^foo$"


@pytest.fixture
def site(tmp_path: Path, sqlite_template: Path) -> Iterator[Site]:
    """An index of foo and hidden, at the top."""
    build_wheel(tmp_path / "files", "foo", "1.0")
    build_wheel(tmp_path / "files", "hidden", "1.0")
    with open_site(tmp_path, sqlite_template) as site:
        yield site


def under(site: Site, *prefixes: str) -> Site:
    """The same index at other places."""
    [(_, index)] = site.app._mounts
    return replace(site, app=IndexApp(dict.fromkeys(prefixes, index)))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/acme/stable/simple/", 200),
        ("/acme/stable/simple/foo/", 200),
        (f"/acme/stable/packages/{FOO}", 200),
        ("/acme/stable/", 404),
        ("/acme/stable", 404),
        ("/acme/stables/simple/", 404),
        ("/acme/simple/", 404),
        ("/simple/", 404),
        ("/", 404),
        ("", 404),
        ("//acme/stable/simple/", 404),
        ("/acme/stable/../stable/simple/", 404),
    ],
)
@pytest.mark.parametrize("form", ["basic", "path"])
def test_an_index_is_below_its_prefix(site: Site, path: str, status: int, form: str) -> None:
    site.token()
    mounted = under(site, "/acme/stable")
    if form == "path":
        assert mounted.get(f"/+t/{SECRET}{path}").code == status
    else:
        assert mounted.get(path, SECRET).code == status


def test_the_longest_prefix_is_asked(site: Site) -> None:
    site.token()
    [(_, index)] = site.app._mounts
    other = Index(
        repository="acme/beta",
        catalog=index.catalog,
        gate=index._parts.gate,
        clock=lambda: NOW,
    )
    both = replace(site, app=IndexApp({"": other, "/acme": other, "/acme/stable": index}))
    assert both.get("/acme/stable/simple/", SECRET).code == 200
    assert both.get("/acme/beta/simple/", SECRET).code == 401
    assert both.get("/simple/", SECRET).code == 401


def test_nowhere_is_a_refusal_like_any(site: Site) -> None:
    response = under(site, "/acme/stable").get("/nowhere")
    assert response.status == "404 Not found"
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    assert json.loads(response.body)["code"] == "not_found"
    head = under(site, "/acme/stable").get("/nowhere", method="HEAD")
    assert (head.headers, head.body) == (response.headers, b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health_needs_no_token(site: Site, method: str) -> None:
    response = site.get("/+health", method=method)
    assert response.status == "200 OK"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Length"] == "16"
    assert response.body == (b'{"status": "ok"}' if method == "GET" else b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_readiness_is_apart_from_life(site: Site, method: str) -> None:
    ailments = [Ailment("store_locked", "The store is locked."), None]
    [(_, index)] = site.app._mounts
    asked = replace(site, app=IndexApp({"": index}, ailment=ailments.pop))
    assert asked.get("/+health/ready", method=method).status == "200 OK"
    ill = asked.get("/+health/ready", method=method)
    assert ill.status == "503 Not ready"
    assert (ill.headers["Retry-After"], ill.headers["Cache-Control"]) == ("1", "no-store")
    if method == "GET":
        assert json.loads(ill.body) == {
            "status": "unavailable",
            "code": "store_locked",
            "reason": "The store is locked.",
        }
    for path in ("/+health", "/+health/live"):  # neither asks the store
        assert asked.get(path, method=method).status == "200 OK"
    for path in ("/+health/", "/+health/other", "/+healthy"):
        assert asked.get(path, method=method).code in {401, 404}


def test_before_the_catalog_is_built_nothing_is_said_of_it(site: Site, tmp_path: Path) -> None:
    site.token()
    [(_, index)] = site.app._mounts
    catalog = Catalog(
        [tmp_path / "files"],
        repository=REPOSITORY,
        cache=tmp_path / "second.db",
        clock=lambda: NOW,
        uploads=FileTimes(),
    )
    starting = replace(
        site,
        app=IndexApp(
            {
                "": Index(
                    repository=REPOSITORY,
                    catalog=catalog,
                    gate=index._parts.gate,
                    clock=lambda: NOW,
                )
            }
        ),
    )
    assert starting.get("/+health").status == "503 Starting"
    assert starting.get("/+health/ready").status == "503 Starting"
    assert starting.get("/+health/live").status == "200 OK"
    for path in ("/simple/", f"/packages/{FOO}", "/simple/missing/"):
        response = starting.get(path, SECRET)
        assert response.status == "503 The index is being built"
        assert json.loads(response.body)["code"] == "index_building"
        assert "Retry-After" not in response.headers
    found = ask(starting, f"/packages/{FOO}")
    assert (found.code, found.headers["X-Entitlements-Code"]) == (403, "index_building")
    catalog.close()


def test_a_fault_shows_nothing_of_itself(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("inner workings")

    monkeypatch.setattr(Index, "respond", fail)
    response = site.get("/simple/", SECRET)
    assert response.status == "500 Internal error"
    assert b"inner" not in response.body
    assert "inner workings" in caplog.text
    assert site.get("/simple/", SECRET, method="HEAD").body == b""


# /+auth


def ask(site: Site, uri: str | None, secret: str | None = SECRET, **headers: str) -> Response:
    """The decision on what a server in front was asked."""
    original = {} if uri is None else {"X-Original-URI": uri}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.get("/+auth", secret, headers={**original, **named}, strict=False)


@pytest.mark.parametrize(
    ("uri", "headers", "counted"),
    [
        (f"/packages/{FOO}", {}, 1),
        (f"/packages/{FOO}?x=1", {}, 1),
        (f"/any/where/{FOO}", {}, 1),
        (f"/packages/{FOO.replace('-', '%2D')}", {}, 1),
        (f"/packages/{FOO}", {"X_Original_Method": "GET"}, 1),
        (f"/packages/{FOO}", {"X_Original_Method": "HEAD"}, 0),
        (f"/packages/{FOO}.metadata", {}, 0),
        (f"/packages/{FOO}", {"Range": "bytes=0-1"}, 1),
        (f"/packages/{FOO}", {"Range": "bytes=5-9"}, 0),
        # Nothing of the file that we know; of the one that is there by now, it could be much.
        (f"/packages/{FOO}", {"Range": "bytes=99999999-"}, 1),
        (f"/packages/{FOO}", {"Range": "bytes=5-9", "If_Range": '"x"'}, 1),
        (f"/packages/{FOO}", {"Range": "bytes =5-9"}, 1),
    ],
)
def test_an_allowed_download_is_counted(
    site: Site, uri: str, headers: dict[str, str], counted: int
) -> None:
    site.token(query=ONLY_FOO)
    response = ask(site, uri, **headers)
    assert response.status == "204 Allowed"
    assert response.body == b""
    assert response.headers["Cache-Control"] == "no-store"
    assert site.used()[0] == counted


PLACES = {
    "foo-1.0-py3-none-any.whl": ("0", "/foo-1.0-py3-none-any.whl"),
    "folder-1.0-py3-none-any.whl": ("0", "/a b/c%2e$d?#/folder-1.0-py3-none-any.whl"),
    "space-1.0-py3-none-any.whl": ("0", "/ /space-1.0-py3-none-any.whl"),
    "second-1.0-py3-none-any.whl": ("1", "/x/second-1.0-py3-none-any.whl"),
}
UNNAMED = {"umlaut-1.0-py3-none-any.whl": "fünf", "line-1.0-py3-none-any.whl": "a\r\nX: y"}


@pytest.fixture
def folders(tmp_path: Path, sqlite_template: Path) -> Iterator[Site]:
    """An index of files in folders of two directories."""
    files, more = tmp_path / "files", tmp_path / "more"
    for filename, (directory, place) in PLACES.items():
        root = more if directory == "1" else files
        build_wheel((root / place[1:]).parent, filename.partition("-")[0], "1.0")
    for filename, folder in UNNAMED.items():
        build_wheel(files / folder, filename.partition("-")[0], "1.0")
    with open_site(tmp_path, sqlite_template, more=[more]) as site:
        yield site


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("filename", PLACES)
def test_the_answer_says_which_file_it_was_made_for(
    folders: Site, filename: str, method: str
) -> None:
    folders.token()
    response = ask(folders, f"/packages/{filename}", X_Original_Method=method)
    directory, place = PLACES[filename]
    assert response.code == 204
    assert response.headers["X-Entitlements-Directory"] == directory
    assert response.headers["X-Entitlements-File"] == place


@pytest.mark.parametrize("filename", UNNAMED)
def test_what_does_not_fit_into_a_header_is_left_to_the_index(folders: Site, filename: str) -> None:
    folders.token()
    response = ask(folders, f"/packages/{filename}")
    assert response.code == 403
    assert response.headers["X-Entitlements-Status"] == "404"
    assert folders.used() == (0, 0, 0)
    assert folders.get(f"/packages/{filename}", SECRET).code == 200


def test_core_metadata_lies_in_no_file(site: Site) -> None:
    site.token()
    response = ask(site, f"/packages/{FOO}.metadata")
    assert response.code == 204
    assert "X-Entitlements-File" not in response.headers


def test_a_file_that_is_gone_is_not_allowed(site: Site, tmp_path: Path) -> None:
    site.token()
    (tmp_path / "files" / FOO).unlink()
    assert ask(site, f"/packages/{FOO}").code == 403
    assert site.used() == (0, 0, 0)


def test_a_token_in_the_original_path_is_read(site: Site) -> None:
    site.token(query=ONLY_FOO)
    assert ask(site, f"/+t/{SECRET}/packages/{FOO}", None).code == 204
    refused = ask(site, f"/+t/unknown-secret/packages/{FOO}")
    assert refused.status == "403 Refused"
    assert refused.headers["X-Entitlements-Status"] == "410"
    assert "WWW-Authenticate" not in refused.headers


@pytest.mark.parametrize(
    ("terms", "secret", "status", "would_be", "code"),
    [
        ({}, None, "401 Refused", "401", "unauthorized"),
        ({}, "unknown-secret", "401 Refused", "401", "unknown_token"),
        ({"state": State.DISABLED}, SECRET, "403 Refused", "403", "token_disabled"),
        ({"limit_date_range_to": NOW}, SECRET, "403 Refused", "403", "token_expired"),
        ({"limit_num_downloads": 0}, SECRET, "403 Refused", "403", "download_limit"),
    ],
)
def test_a_refusal_says_what_the_answer_would_have_been(
    site: Site, terms: dict[str, Any], secret: str | None, status: str, would_be: str, code: str
) -> None:
    site.token(query=ONLY_FOO, **terms)
    response = ask(site, f"/packages/{FOO}", secret)
    assert response.status == status
    assert response.headers["X-Entitlements-Status"] == would_be
    assert response.headers["X-Entitlements-Code"] == code
    assert response.headers["X-Entitlements-Reason"].isascii()
    assert response.headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in response.headers) is (status[:3] == "401")
    assert site.used() == (0, 0, 0)


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "",
        "/",
        "/simple/",
        "/simple/foo/",
        f"/packages/{HIDDEN}",
        f"/packages/{HIDDEN}.metadata",
        "/packages/missing-1.0-py3-none-any.whl",
        f"/packages/{FOO}/",
        f"/packages/{HIDDEN}?/{FOO}",
        # What a server in front takes for another file than the text says.
        f"/packages/{HIDDEN}#/{FOO}",
        f"/packages/{FOO}#",
        f"/packages/..%5c{HIDDEN}/{FOO}",
        f"/packages/{HIDDEN}%00/{FOO}",
        f"/packages/{HIDDEN}/../{FOO}",
        f"/packages/{HIDDEN}/%2e%2e/{FOO}",
        f"/packages/{HIDDEN}/..%2f{FOO}",
        f"/packages/./{FOO}",
        f"/packages//{FOO}",
        f"//packages/{FOO}",
        f"/packages/{FOO}/..",
        f"/packages/{HIDDEN}%00/{FOO}%00",
    ],
)
def test_what_is_no_plain_file_is_refused(site: Site, uri: str | None) -> None:
    site.token(query=ONLY_FOO)
    assert ask(site, uri).status == "403 Refused"
    assert site.used() == (0, 0, 0)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_reading_is_authorized(site: Site, method: str) -> None:
    site.token()
    assert ask(site, f"/packages/{FOO}", X_Original_Method=method).status == "403 Refused"


def test_another_repository_cannot_be_reached_through_dots(site: Site) -> None:
    site.token()
    mounted = under(site, "/acme/stable")
    assert ask(mounted, f"/acme/stable/packages/{FOO}").code == 204
    assert ask(mounted, f"/acme/stable/../beta/packages/{FOO}").code == 403
    assert ask(mounted, f"/acme/beta/packages/{FOO}").code == 403
    assert ask(mounted, f"/acme/beta/../stable/packages/{FOO}").code == 403


def test_the_client_of_an_authorized_download_is_the_clients(site: Site) -> None:
    site.token()
    ask(site, f"/packages/{FOO}", User_Agent="pip/26.3")
    assert rows(site.database, "SELECT client, user_agent FROM downloads") == [
        ("203.0.113.9", "pip/26.3")
    ]


WHEEL_PATH = f"/packages/{FOO}"
ORIGINAL = {"X-Original-URI": WHEEL_PATH, "X-Original-Method": "GET"}
ASKED: dict[str, list[tuple[str, str, dict[str, str]]]] = {
    "auth_request, then the index": [("GET", "/+auth", ORIGINAL), ("GET", WHEEL_PATH, {})],
    "HEAD, then GET": [("HEAD", WHEEL_PATH, {}), ("GET", WHEEL_PATH, {})],
    "core metadata, then the file": [
        ("GET", f"{WHEEL_PATH}.metadata", {}),
        ("GET", WHEEL_PATH, {}),
    ],
    "a page, its list, the file": [
        ("GET", "/simple/foo/", {}),
        ("GET", "/simple/", {}),
        ("GET", WHEEL_PATH, {}),
    ],
    "words": [("GET", WHEEL_PATH, {}), ("GET", f"/packages/~Unknown-or-revoked/{FOO}", {})],
}


@pytest.mark.parametrize("asked", ASKED)
def test_one_unknown_secret_is_one_guess_however_often_a_client_asks(
    site: Site, asked: str
) -> None:
    """Also behind nginx, which asks twice for one request, and for a client that asks before."""
    [(_, index)] = site.app._mounts
    throttle = Throttle(guesses_per_minute=60, monotonic=lambda: 0.0)
    index._parts.gate._guesses._throttle = throttle
    assert site.get(WHEEL_PATH).code == 401  # a client is asked for it first
    assert throttle._spent_by(CLIENT) == 0
    for number in (1, 2, 3):
        for method, path, headers in ASKED[asked]:
            secret = f"never-issued-{number}"
            answer = site.get(path, secret, method=method, headers=headers, strict=False)
            assert answer.code in {401, 404}, path
        assert round(throttle._spent_by(CLIENT)) == number
