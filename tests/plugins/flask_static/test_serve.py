"""Serve mode: the extension answers the index, the app everything else."""

from pathlib import Path

import pytest
from flask import Flask, request, url_for

from tests.actors import person
from tests.plugins.flask_static.conftest import (
    HIDDEN,
    LIBRARY,
    TOOL,
    Served,
    Start,
    counted,
    issue,
)

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


def test_the_list_shows_what_the_token_covers(served: Served) -> None:
    page = served.client().get("/simple/")
    assert page.status_code == 200
    assert b"acme-tool" in page.data
    assert b"secret-sauce" not in page.data
    assert page.headers["Cache-Control"] == "private, no-cache"


def test_a_page_is_not_modified_for_who_has_it(served: Served) -> None:
    client = served.client()
    etag = client.get("/simple/acme-tool/").headers["ETag"]
    assert client.get("/simple/acme-tool/", headers={"If-None-Match": etag}).status_code == 304


def test_pages_come_in_json(served: Served) -> None:
    page = served.client().get("/simple/acme-lib/", headers=JSON)
    assert page.get_json(force=True)["versions"] == ["1.0", "2.0"]


@pytest.mark.parametrize("filename", [TOOL, LIBRARY, "acme_lib-1.0.tar.gz"])
def test_a_file_is_sent_and_counted(served: Served, tree: Path, filename: str) -> None:
    answer = served.client().get(f"/packages/{filename}")
    assert answer.data == next(tree.rglob(filename)).read_bytes()
    assert counted(served.core) == 1


def test_a_range_and_a_head_are_as_in_http(served: Served) -> None:
    part = served.client().get(f"/packages/{LIBRARY}", headers={"Range": "bytes=1-3"})
    assert (part.status_code, len(part.data)) == (206, 3)
    assert served.client().head(f"/packages/{LIBRARY}").status_code == 200
    assert counted(served.core) == 0


def test_core_metadata_is_there(served: Served) -> None:
    answer = served.client().get(f"/packages/{TOOL}.metadata")
    assert b"Name: acme-tool" in answer.data
    assert counted(served.core) == 0


def test_a_token_in_the_path_opens_the_index(served: Served) -> None:
    client = served.client("")
    assert client.get(served.path("/simple/acme-tool/")).status_code == 200
    assert client.get(served.path(f"/packages/{TOOL}")).status_code == 200


def test_a_token_in_the_path_wins_over_a_header(served: Served) -> None:
    assert served.client("ent_wrong").get(served.path("/simple/")).status_code == 200
    assert served.client().get("/+t/wrong-secret/simple/").status_code == 410


@pytest.mark.parametrize(
    "path",
    ["/about", "/", "/static/x.css", "//simple/", "/+t/other-secret/simple/", "/simplex"],
)
def test_a_token_in_the_path_opens_nothing_else(served: Served, path: str) -> None:
    answer = served.client("").get(served.path(path))
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    [
        "/simple/secret-sauce/",
        "/simple/nothing-such/",
        f"/packages/{HIDDEN}",
        f"/packages/{HIDDEN}.metadata",
        "/packages/nothing-1.0.tar.gz",
        "/packages/",
        "/packages",
        "/packages/index.html",
        "/packages/packages.json",
        "/packages/../simple/index.html",
        "/packages/%2e%2e/simple/index.html",
        "/packages//secret-sauce/index.html",
        "/simple/secret-sauce/index.html",
        "/simple/secret-sauce/json",
    ],
)
def test_hidden_and_missing_look_the_same(served: Served, path: str) -> None:
    answer = served.client().get(path)
    assert answer.status == "404 Not available to this entitlement"
    assert b"sauce" not in answer.data


@pytest.mark.parametrize("path", ["/packages.json", "/RPC2", "/acme-tool/json", "/index.html"])
def test_what_the_app_does_not_have_is_not_there(served: Served, path: str) -> None:
    assert served.client().get(path).status_code == 404


def test_the_app_keeps_its_own_pages(served: Served) -> None:
    assert served.client("").get("/about").text == "about us"


@pytest.mark.parametrize("path", ["/simple/", "/simple/acme-tool/", f"/packages/{TOOL}", "/simple"])
def test_strangers_are_asked_for_a_token(served: Served, path: str) -> None:
    answer = served.client("").get(path)
    assert answer.status == "401 Entitlement token required"
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_only_reading_is_served(served: Served) -> None:
    assert served.client().post("/simple/").status_code == 405


def test_a_limit_is_told_at_the_file(served: Served) -> None:
    client = served.client(issue(served.core, limit_num_downloads=0))
    assert client.get("/simple/acme-tool/").status_code == 200
    answer = client.get(f"/packages/{TOOL}")
    assert answer.status.startswith("403 Download limit 0/0 reached")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.get_json(force=True)["code"] == "download_limit"


def test_several_repositories_each_below_its_prefix(start: Start, tree: Path, flat: Path) -> None:
    served = start(
        Flask("vendor"),
        repositories={
            "acme/prod": {"directories": [flat]},
            "acme/beta": {"directories": tree, "url_prefix": "/beta/"},
        },
    )
    client = served.client()
    assert client.get("/acme/prod/simple/acme-tool/").status_code == 200
    assert client.get(f"/acme/prod/packages/{TOOL}").status_code == 200
    # A token is known in its own repository only.
    assert client.get("/beta/simple/").status_code == 401
    assert client.get("/simple/").status_code == 404
    assert client.get("/acme/prod/").status_code == 404
    beta = issue(served.core, None, repository="acme/beta")
    assert served.client("").get(f"/+t/{beta}/beta/simple/").status_code == 200
    assert served.client("").get(f"/+t/{beta}/acme/prod/simple/").status_code == 410


def test_a_required_view_is_reached_with_a_token_in_the_path(served: Served) -> None:
    @served.app.get("/notes")
    @served.extension.required
    def notes() -> str:
        return f"{request.path} {url_for('notes')}"

    # Links that the app makes stay below the token.
    assert served.client("").get(served.path("/notes")).text == f"/notes {served.path('/notes')}"
    assert served.client("").get("/+t/wrong-secret/notes").status_code == 410
    assert served.client("").get("/notes").status_code == 401
    assert served.client("").post(served.path("/notes")).status_code == 404


def test_files_can_be_left_to_the_server_in_front(start: Start, tree: Path) -> None:
    served = start(
        Flask("vendor"),
        repository="acme/prod",
        directories=[tree],
        accel_redirect=["/_internal"],
    )
    answer = served.client().get(f"/packages/{TOOL}")
    assert answer.headers["X-Accel-Redirect"] == f"/_internal/acme-tool/{TOOL}"
    assert answer.data == b""


def test_each_repository_has_its_own_internal_locations(start: Start, tree: Path) -> None:
    served = start(
        Flask("vendor"),
        repositories={"acme/prod": {"directories": [tree], "accel_redirect": ["/_prod"]}},
    )
    answer = served.client().get(f"/acme/prod/packages/{TOOL}")
    assert answer.headers["X-Accel-Redirect"] == f"/_prod/acme-tool/{TOOL}"


def test_a_disabled_token_is_refused_on_the_next_request(served: Served) -> None:
    client = served.client()
    assert client.get("/simple/").status_code == 200
    token = next(item for item in served.core.lifecycle.list().items if not item.is_default)
    served.core.lifecycle.disable(token.identifier, actor=person("test"))
    assert client.get("/simple/").status_code == 200
    assert client.get(f"/packages/{TOOL}").status == "403 Entitlement token disabled"
