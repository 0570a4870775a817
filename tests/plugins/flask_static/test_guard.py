"""Guard mode: our pages, the app's own file views, nothing else below the protected prefixes."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from flask import Flask, Response, abort, redirect, request, send_from_directory
from flask.typing import ResponseReturnValue

from flask_static_entitlements import Entitlements, current_entitlement
from tests.plugins.flask_static.conftest import (
    HIDDEN,
    LIBRARY,
    REPOSITORY,
    TOOL,
    Served,
    Start,
    counted,
    issue,
    vendor,
    wait,
)
from tests.wheelhouse import build_wheel, sdist_bytes

FILE = f"/simple/acme-tool/{TOOL}"
BIG = f"/simple/acme-lib/{LIBRARY}"


def links(page: str) -> list[str]:
    return re.findall(r'href="([^"#]+)', page)


def bandwidth(served: Served) -> int:
    return sum(token.usage.bandwidth for token in served.core.lifecycle.list().items)


def test_pages_are_ours_and_filtered(guarded: Served) -> None:
    page = guarded.client().get("/simple/")
    assert b"acme-tool" in page.data
    assert b"secret-sauce" not in page.data
    assert links(guarded.client().get("/simple/acme-tool/").text) == [
        f"../../simple/acme-tool/{TOOL}"
    ]


def test_a_file_comes_from_the_view_of_the_app(guarded: Served, tree: Path) -> None:
    answer = guarded.client().get(FILE)
    assert answer.data == (tree / "acme-tool" / TOOL).read_bytes()
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Authorization" in answer.headers.getlist("Vary")[-1]
    assert answer.headers["Last-Modified"]
    assert (counted(guarded.core), bandwidth(guarded)) == (1, len(answer.data))


@pytest.mark.parametrize("json", [False, True])
def test_every_link_leads_to_a_file_and_its_metadata(guarded: Served, *, json: bool) -> None:
    client = guarded.client("")
    base = guarded.path("/simple/acme-lib/")
    if json:
        headers = {"Accept": "application/vnd.pypi.simple.v1+json"}
        files = client.get(base, headers=headers).get_json(force=True)["files"]
        found = [file["url"] for file in files]
    else:
        found = links(client.get(base).text)
    assert len(found) == 2
    for link in found:
        address = urljoin(base, link)
        assert client.get(address).status_code == 200
        assert client.get(f"{address}.metadata").status_code == (200 if ".whl" in link else 404)


@pytest.mark.parametrize(
    "path",
    [
        "/simple/index.html",
        "/simple/packages.json",
        "/simple/secret-sauce/",
        "/simple/secret-sauce/index.html",
        f"/simple/secret-sauce/{HIDDEN}",
        f"/simple/secret-sauce/{HIDDEN}.metadata",
        "/simple/nothing/",
        "/simple/nothing/nothing-1.0.tar.gz",
        "/simple/a/b/c/",
        "/simple//secret-sauce/",
        "/simple/./index.html",
        "/simple/acme-tool/../index.html",
        "/about/../simple/index.html",
        "/SIMPLE/index.html",
        "/simple;x/index.html",
        "/about/..\\simple\\index.html",
        "/%2573imple/index.html",
        "/simple%252findex.html",
    ],
)
def test_nothing_else_is_there(guarded: Served, path: str) -> None:
    answer = guarded.client().get(path)
    assert answer.status_code in {404, 307}
    assert b"sauce" not in answer.data.replace(b"secret-sauce/", b"")
    anonymous = guarded.client("").get(path)
    assert anonymous.status_code == 401


def test_an_unknown_name_and_a_hidden_one_are_answered_alike(guarded: Served) -> None:
    client = guarded.client()
    hidden = client.get(f"/simple/secret-sauce/{HIDDEN}")
    unknown = client.get("/simple/secret-sauce/unknown-1.0-py3-none-any.whl")
    assert (hidden.status, hidden.data) == (unknown.status, unknown.data)


ABSENT = HIDDEN.replace("secret", "absent")
STATES: dict[str, dict[str, Any]] = {
    "enabled": {},
    "disabled": {"enabled": False},
    "ended": {"limit_date_range_to": datetime(2020, 1, 1, tzinfo=UTC)},
    "early": {"limit_date_range_from": datetime(2999, 1, 1, tzinfo=UTC)},
    "used up": {"limit_num_downloads": 0},
    "elsewhere": {"allow_networks": ("192.0.2.0/24",)},
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("flat", [False, True])
def test_no_request_tells_a_hidden_file_from_one_that_does_not_exist(
    start: Start, tree: Path, state: str, *, flat: bool
) -> None:
    sdist = ("secret_sauce-1.0.tar.gz", "absent_sauce-1.0.tar.gz")
    (tree / "secret-sauce" / sdist[0]).write_bytes(sdist_bytes("secret-sauce", "1.0"))
    link = {"file_url": "/simple/{filename}"} if flat else {}
    served = start(
        vendor(tree, "/simple"),
        repository=REPOSITORY,
        directories=[tree],
        protect=["/simple"],
        **link,
    )
    client = served.client(issue(served.core, **STATES[state]))
    told = []
    for before, end, (hidden, absent), method, headers in product(
        ["", "secret-sauce/", "acme-tool/", "a/b/"],
        ["", ".metadata", "/", "/x"],
        [(HIDDEN, ABSENT), sdist],
        ["GET", "HEAD", "POST"],
        [{}, {"Range": "bytes=0-1"}, {"If-None-Match": "*"}, {"User-Agent": "pip/26"}],
    ):
        answers = [
            client.open(f"/simple/{before}{name}{end}", method=method, headers=headers)
            for name in (hidden, absent)
        ]
        seen = [
            re.sub("(secret|absent)[-_]sauce", "N", f"{one.status} {list(one.headers)} {one.text}")
            for one in answers
        ]
        if seen[0] != seen[1]:
            told.append((before, end, hidden, method, headers, seen))
    assert told == []


@pytest.mark.parametrize("path", ["/simple/", "/simple", FILE, f"{FILE}.metadata"])
def test_strangers_are_asked_for_a_token(guarded: Served, path: str) -> None:
    assert guarded.client("").get(path).status == "401 Entitlement token required"
    assert guarded.client("").get(f"/+t/wrong-secret{path}").status_code == 410


@pytest.mark.parametrize("path", ["/simple/", FILE])
def test_nothing_is_written(guarded: Served, path: str) -> None:
    assert guarded.client().post(path).status_code == 405


def test_pages_without_their_slash_lead_to_it(guarded: Served) -> None:
    assert guarded.client().get("/simple").headers["Location"] == "simple/"
    assert guarded.client().get("/simple/Acme_Tool").headers["Location"] == "acme-tool/"


def test_the_rest_of_the_app_is_free_but_not_for_tokens_in_the_path(guarded: Served) -> None:
    assert guarded.client("").get("/about").text == "about us"
    assert guarded.client("").get(guarded.path("/about")).status_code == 404
    assert guarded.client("").get(guarded.path(FILE)).status_code == 200


def test_what_carries_no_file_is_not_counted(guarded: Served) -> None:
    client = guarded.client()
    etag = client.head(FILE).headers["ETag"]
    assert client.get(FILE, headers={"If-None-Match": etag}).status_code == 304
    assert client.get(FILE, headers={"Range": "bytes=9999999-"}).status_code == 416
    assert (counted(guarded.core), bandwidth(guarded)) == (0, 0)


def test_a_range_is_counted_as_what_it_is(guarded: Served) -> None:
    part = guarded.client().get(BIG, headers={"Range": "bytes=10-19"})
    assert (part.status_code, len(part.data)) == (206, 10)
    assert (counted(guarded.core), bandwidth(guarded)) == (0, 10)


def test_a_condition_on_a_range_is_judged_by_the_view(guarded: Served, tree: Path) -> None:
    size = (tree / "acme-lib" / LIBRARY).stat().st_size
    headers = {"Range": "bytes=10-19", "If-Range": '"other"'}
    assert guarded.client().get(BIG, headers=headers).status_code == 200
    assert (counted(guarded.core), bandwidth(guarded)) == (1, size)


def test_a_limit_refuses_before_the_view_is_asked(guarded: Served) -> None:
    client = guarded.client(issue(guarded.core, limit_num_downloads=0))
    answer = client.get(FILE)
    assert answer.status.startswith("403 Download limit 0/0 reached")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert client.head(FILE).status_code == 200
    assert client.get("/simple/acme-tool/").status_code == 200


def test_a_limit_refuses_after_the_view_where_only_that_knows(guarded: Served) -> None:
    client = guarded.client(issue(guarded.core, limit_bandwidth=100))
    headers = {"Range": "bytes=0-9", "If-Range": '"other"'}
    answer = client.get(BIG, headers=headers)
    assert answer.status_code == 403
    assert answer.get_json(force=True)["code"] == "bandwidth_limit"
    assert client.head(BIG, headers=headers).data == b""


def acting_app(tree: Path) -> Flask:
    """Its file view does what it is told."""
    app = Flask("vendor")
    kinds: dict[str, Callable[[], ResponseReturnValue]] = {
        "missing": lambda: abort(404),
        "broken": lambda: str(1 / 0),
        "elsewhere": lambda: redirect("https://cdn.example/signed"),
        "whole": lambda: Response((tree / "acme-lib" / LIBRARY).read_bytes()),
        "offloaded": lambda: Response(headers={"X-Accel-Redirect": "/_internal"}),
        "odd": lambda: Response(b"x", status=206, headers={"Content-Range": "items 1"}),
    }

    @app.get("/packages/<filename>")
    def files(filename: str) -> ResponseReturnValue:
        assert current_entitlement is not None
        assert current_entitlement.name == "Customer"
        return kinds[request.args["kind"]]()

    return app


@pytest.fixture
def acting(start: Start, tree: Path) -> Served:
    return start(
        acting_app(tree),
        repository=REPOSITORY,
        directories=[tree],
        protect=["/simple", "/packages"],
    )


@pytest.mark.parametrize(("kind", "status"), [("missing", 404), ("broken", 500)])
def test_what_the_view_fails_to_send_is_given_back(acting: Served, kind: str, status: int) -> None:
    assert acting.client().get(f"/packages/{TOOL}?kind={kind}").status_code == status
    assert (counted(acting.core), bandwidth(acting)) == (0, 0)


def test_an_error_that_leaves_the_app_gives_back(acting: Served) -> None:
    acting.app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(ZeroDivisionError):
        acting.client().get(f"/packages/{TOOL}?kind=broken")
    assert counted(acting.core) == 0


def test_a_link_to_a_signed_address_is_a_download(acting: Served) -> None:
    assert acting.client().get(f"/packages/{TOOL}?kind=elsewhere").status_code == 302
    assert counted(acting.core) == 1


@pytest.mark.parametrize(
    ("kind", "headers", "taken"),
    [
        ("whole", {"Range": "bytes=1-1"}, "all"),
        ("whole", {"Range": "bytes=9999999-"}, "all"),
        ("odd", {"Range": "bytes=1-1"}, "all"),
        ("offloaded", {"Range": "bytes=1-1"}, 1),
        ("offloaded", {"Range": "bytes=1-1", "If-Range": '"x"'}, "all"),
    ],
)
def test_no_view_lets_a_client_take_more_than_is_counted(
    acting: Served, tree: Path, kind: str, headers: dict[str, str], taken: int | str
) -> None:
    size = (tree / "acme-lib" / LIBRARY).stat().st_size
    acting.client().get(f"/packages/{LIBRARY}?kind={kind}", headers=headers)
    assert bandwidth(acting) == (size if taken == "all" else taken)


def test_nobody_is_current_outside(guarded: Served) -> None:
    assert not current_entitlement
    with guarded.app.test_request_context("/about"):
        assert not current_entitlement


def test_links_lead_to_flat_files(acting: Served) -> None:
    assert links(acting.client().get("/simple/acme-tool/").text) == [f"../../packages/{TOOL}"]


@pytest.mark.parametrize(
    ("url", "protect", "file_url", "root", "link"),
    [
        ("/files", ["/pypi", "/files"], "/files/{path}", "/pypi", f"../../files/acme-tool/{TOOL}"),
        ("", ["/"], "", "", f"../acme-tool/{TOOL}"),
        ("/a/simple", ["/a/simple"], "", "/a/simple", f"../../../a/simple/acme-tool/{TOOL}"),
    ],
)
def test_other_layouts(
    start: Start,
    tree: Path,
    url: str,
    protect: list[str],
    file_url: str,
    root: str,
    link: str,
) -> None:
    served = start(
        vendor(tree, url),
        repository=REPOSITORY,
        directories=[tree],
        protect=protect,
        file_url=file_url,
    )
    client = served.client()
    base = f"{root}/acme-tool/"
    assert links(client.get(base).text) == [link]
    assert client.get(urljoin(base, link)).status_code == 200
    assert client.get(f"{root}/").status_code == 200
    assert client.get(f"{root}/index.html").status_code in {404, 307}
    assert client.get(f"{root}/index.html/").status_code == 404
    if root:
        name = root.rpartition("/")[2]
        assert client.get(root).headers["Location"] == f"{name}/"


@pytest.mark.parametrize("file_url", ["", "/simple/{filename}"])
def test_links_to_where_a_flat_directory_may_not_be_are_warned_of(
    start: Start, tmp_path: Path, file_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    flat = tmp_path / "flat"
    path = build_wheel(flat, "acme-tool", "1.0")
    app = Flask("vendor")
    app.add_url_rule("/simple/<path:path>", "files", partial(send_from_directory, flat))
    served = start(
        app, repository=REPOSITORY, directories=[flat], protect=["/simple"], file_url=file_url
    )
    client = served.client()
    [link] = links(client.get("/simple/acme-tool/").text)
    found = client.get(urljoin("/simple/acme-tool/", link))
    warned = [one.getMessage() for one in caplog.records if "file_url" in one.getMessage()]
    assert (found.status_code, len(warned)) == ((200, 0) if file_url else (404, 1))
    assert all(path.name in one and "/simple/{filename}" in one for one in warned)


def test_pages_follow_the_directory(guarded: Served, tree: Path) -> None:
    client = guarded.client()
    assert "3.0" not in client.get("/simple/acme-tool/").text
    build_wheel(tree / "acme-tool", "acme-tool", "3.0")
    wait(lambda: "3.0" in client.get("/simple/acme-tool/").text)
    assert client.get("/simple/acme-tool/").text.count("../../simple/acme-tool/") == 2


@pytest.mark.parametrize(
    "path",
    [
        "/simple/%252e%252e/../secret-sauce/{name}",
        "/simple/..;x/../secret-sauce/{name}",
        "/simple/../simple/secret-sauce/{name}",
        "/simple/.%2e/secret-sauce/{name}",
        "/packages/x/..;/../secret-sauce/{name}",
    ],
)
def test_no_odd_spelling_reaches_a_guarded_view(start: Start, tree: Path, path: str) -> None:
    served = start(
        vendor(tree, ""),
        repository=REPOSITORY,
        directories=[tree],
        protect=["/simple", "/packages"],
    )
    for name in (HIDDEN, TOOL):
        assert served.client("").get(path.format(name=name)).status_code in {401, 404}
        assert served.client().get(path.format(name=name)).status_code == 404


def test_views_elsewhere_keep_their_odd_addresses(start: Start, tree: Path) -> None:
    app = vendor(tree, "/simple")
    app.add_url_rule("/wiki/<path:title>", "wiki", lambda title: f"on {title}")
    served = start(app, repository=REPOSITORY, directories=[tree], protect=["/simple"])
    client = served.client("")
    assert client.get("/wiki/100%25;x/../y").text == "on 100%;x/../y"
    assert client.get("/wiki//x").status_code == 308  # Werkzeug's own: to the plain spelling
    assert client.get("/simple//x/").status_code == 401
    assert client.get("/nothing/..;x/").status_code == 404


def test_a_name_that_is_not_the_last_names_no_file(start: Start, tree: Path) -> None:
    app = Flask("vendor")

    @app.get("/simple/<filename>/<label>")
    def labelled(filename: str, label: str) -> Response:
        return send_from_directory(tree / "secret-sauce", filename)

    served = start(app, repository=REPOSITORY, directories=[tree], protect=["/simple"])
    answer = served.client().get(f"/simple/{HIDDEN}/{TOOL}")
    # The extension sends the file that it decided about; the view is not asked.
    assert answer.data == (tree / "acme-tool" / TOOL).read_bytes()


def test_a_view_that_asks_for_its_file_is_let_through_for_that_file(
    start: Start, tree: Path
) -> None:
    app, extension = Flask("vendor"), Entitlements()

    @app.get("/simple/<project>/<label>")
    @extension.required(filename="name")
    def named(project: str, label: str, name: str = HIDDEN) -> Response:
        return send_from_directory(tree / "secret-sauce", name)

    served = start(app, repository=REPOSITORY, directories=[tree], protect=["/simple"])
    app.view_functions["named"] = partial(app.view_functions["named"], name=HIDDEN)
    assert served.client().get(f"/simple/acme-tool/{TOOL}").status_code == 404
    assert counted(served.core) == 0


def rewriting(app: Flask, **addresses: str) -> None:
    """Something between the extension and the routing changes addresses."""
    inner = app.wsgi_app

    def rewrite(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        name = environ["PATH_INFO"].strip("/")
        return inner({**environ, "PATH_INFO": addresses.get(name, name)}, start_response)

    app.wsgi_app = rewrite  # type: ignore[method-assign] # as Flask's documentation does


def test_what_a_guarded_view_sends_leaves_only_if_it_was_let_through(
    start: Start, tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = vendor(tree, "/simple")
    rewriting(app, about="/about", get=f"/simple/secret-sauce/{HIDDEN}")
    served = start(app, repository=REPOSITORY, directories=[tree], protect=["/simple"])
    assert served.client("").get("/about").text == "about us"
    assert served.client("").get("/get").status_code == 404
    assert served.client().get("/get").status_code == 404
    assert "was not let through" in caplog.text
    # What stands between may read an odd spelling in its own way.
    assert served.client("").get("/about;x").status_code == 404
