"""The eighteen ways in which a pypiserver behind entitlements could leak; each is closed."""

from __future__ import annotations

import hashlib
import io
import logging
from http import HTTPStatus
from pathlib import Path

import pytest
from werkzeug.test import EnvironBuilder

from entitlements_core.policy.credential import Access
from tests.plugins.pypiserver.conftest import (
    COVERED,
    HIDDEN,
    LIBRARY,
    TOOL,
    Shop,
    Start,
    upload,
)
from tests.wheelhouse import build_sdist, build_wheel, core_metadata, wheel_bytes

ROUTES = [
    "/",
    "/simple",
    "/simple/",
    "/simple/secret-sauce",
    "/simple/secret-sauce/",
    "/simple/Secret.Sauce/",
    "/simple/nothing-like-it/",
    "/packages",
    "/packages/",
    f"/packages/{HIDDEN}",
    f"/packages/{HIDDEN}.metadata",
    f"/packages/libs/../{HIDDEN}",
    "/secret-sauce",
    "/secret-sauce/",
    "/secret-sauce/json",
    "/RPC2",
    "/favicon.ico",
]


SPELLINGS = [
    "//simple/secret-sauce/",
    "/simple//secret-sauce/",
    "/./simple/secret-sauce/",
    "/x/../simple/secret-sauce/",
    "/simple/../packages/",
    "/simple/acme-tool/../secret-sauce/",
    f"/packages//{HIDDEN}",
    f"/packages/./{HIDDEN}",
    f"/packages/x/../{HIDDEN}",
    f"/packages/%2e%2e/{HIDDEN}",
    f"/packages/{HIDDEN}\x00",
    f"/packages/{TOOL}\x00/../{HIDDEN}",
    f"/packages/{HIDDEN};x",
    f"\\packages\\{HIDDEN}",
    "/SIMPLE/secret-sauce/",
    f"http://elsewhere/packages/{HIDDEN}",
    "/+t/{secret}/simple/secret-sauce/",
    f"/+t/{{secret}}/packages/{HIDDEN}",
    "",
]


def raw(shop: Shop, path: str, method: str = "GET", **extra: str) -> tuple[str, str, str]:
    """A request whose path no client library has tidied up: status, Location and body."""
    environ = EnvironBuilder(method=method).get_environ()
    environ |= {"PATH_INFO": path, "REMOTE_ADDR": "127.0.0.1", **extra}
    seen: list[tuple[str, dict[str, str]]] = []
    body = shop.app(environ, lambda status, headers, *_: seen.append((status, dict(headers))))
    text = b"".join(body).decode("latin-1")
    getattr(body, "close", lambda: None)()
    status, headers = seen[0]
    return status, headers.get("Location", ""), text


@pytest.mark.parametrize("options", [{}, {"disable_fallback": True}])
def test_1_no_redirect_to_the_public_index(start: Start, options: dict[str, bool]) -> None:
    """But for a token, where it was asked for, and for a project that is not the vendor's."""
    shop = start(fallback_url="https://public.example/simple/", **options)

    for path in ROUTES:
        assert "public.example" not in str(shop.anonymous(path).headers)
        for asked in (f"/+t/{shop.secret}{path}", path):
            answer = shop.get(asked)
            if "nothing-like-it" in path and not options:
                to = "https://public.example/simple/nothing-like-it/"
                assert (answer.status_code, answer.headers["Location"]) == (307, to)
                continue
            assert "public.example" not in str(answer.headers) + answer.text, asked
            location = answer.headers.get("Location", "")
            assert "://" not in location
            assert not location.startswith("/")


def test_2_nothing_is_open_by_default(shop: Shop) -> None:
    answers = {path: shop.anonymous(path) for path in ROUTES}

    assert {answer.status_code for answer in answers.values()} == {401}
    assert {answer.data for answer in answers.values()} == {answers["/"].data}


def test_3_the_other_lists_of_pypiserver_are_closed_to_tokens(shop: Shop) -> None:
    for path in ("/", "/packages", "/packages/", "/acme-tool/json", "/acme-tool", "/acme-tool/"):
        assert shop.get(path).status_code == 404, path
        assert "acme" not in shop.get(path).text
    for path in ("/RPC2", f"/+t/{shop.secret}/RPC2", f"/+t/{shop.secret}/simple/"):
        answer = shop.get(path, method="POST", data="<methodCall/>", content_type="text/xml")
        assert answer.status_code == 405, path


def test_4_no_password_file_makes_nobody_a_publisher(start: Start, packages: Path) -> None:
    trusting = start(password_file=".", authenticate=[])
    nobody = start(password_file=None)

    for shop in (trusting, nobody):
        assert shop.open("/simple/", ("anybody", "anything")).status_code == 401
        form = upload()
        assert shop.open("/", ("anybody", "x"), method="POST", data=form).status_code == 401
    assert not (packages / "acme_tool-2.0-py3-none-any.whl").exists()


def test_5_no_answer_may_be_kept_by_a_shared_cache(start: Start) -> None:
    shop = start(cache_control=600)

    for answer in (
        shop.get("/simple/"),
        shop.get("/simple/acme-tool/"),
        shop.get(f"/packages/{TOOL}"),
        shop.publisher("/simple/"),
    ):
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert "Authorization" in answer.headers["Vary"]
    kept = shop.publisher(f"/packages/{HIDDEN}")
    assert kept.headers["Cache-Control"] == "private, max-age=600"
    assert shop.get(f"/packages/{HIDDEN}").headers["Cache-Control"] == "no-store"
    assert shop.anonymous("/simple/").headers["Cache-Control"] == "no-store"


def test_5_a_public_index_tells_caches_who_sees_what(start: Start) -> None:
    shop = start(cache_control=600, entitlements_public=True)

    answer = shop.anonymous(f"/packages/{HIDDEN}")

    assert answer.headers["Cache-Control"] == "public, max-age=600"
    assert answer.headers["Vary"] == "Authorization"


def test_6_an_etag_is_of_what_the_token_sees(shop: Shop) -> None:
    other = ("token", shop.issue("name:^secret-sauce$"))
    first = shop.get("/simple/")

    again = shop.get("/simple/", headers={"If-None-Match": first.headers["ETag"]})
    changed = shop.get("/simple/", other, headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert changed.status_code == 200
    assert "secret-sauce" in changed.text
    assert "acme" not in changed.text


@pytest.mark.parametrize(
    "suffix", [".asc", ".metadata", ".provenance", ".sig", ".yanked", ".sha256"]
)
def test_7_what_lies_beside_a_file_is_as_visible_as_the_file(shop: Shop, suffix: str) -> None:
    (shop.root / f"{HIDDEN}{suffix}").write_text("about the secret sauce")

    assert shop.get(f"/packages/{HIDDEN}{suffix}").status_code == 404
    assert shop.get(f"/packages/libs/{HIDDEN}{suffix}").status_code == 404


def test_8_hidden_looks_like_missing(shop: Shop) -> None:
    for hidden, missing in (
        ("/simple/secret-sauce/", "/simple/nothing-like-it/"),
        (f"/packages/{HIDDEN}", "/packages/nothing_like_it-1.0-py3-none-any.whl"),
        (f"/packages/{HIDDEN}.metadata", "/packages/nothing_like_it-1.0-py3-none-any.whl.metadata"),
    ):
        one, other = shop.get(hidden), shop.get(missing)
        assert (one.status, one.data) == (other.status, other.data)
        assert dict(one.headers) == dict(other.headers)


def test_8_an_upload_does_not_tell_whether_a_file_exists(shop: Shop) -> None:
    writer = shop.issue(COVERED, access=Access.WRITE)
    there = upload((shop.root / HIDDEN).read_bytes(), HIDDEN)
    name = "secret_sauce-9.0-py3-none-any.whl"
    not_there = upload(wheel_bytes("secret-sauce", "9.0"), name)

    one, other = shop.post(writer, there), shop.post(writer, not_there)

    assert one.status_code == 403
    assert (one.status, one.data) == (other.status, other.data)


def test_9_a_name_is_read_in_one_way_only(start: Start, packages: Path) -> None:
    # A wheel with a build number is of version 1.2-3 to pypiserver, and of 1.2 to installers.
    numbered = "acme_tool-1.2-3-py3-none-any.whl"
    data = wheel_bytes("acme-tool", "1.2")
    (packages / numbered).write_bytes(data)
    (packages / "secret-sauce-2004d.tar.gz").write_bytes(b"x")
    (packages / "acme-tool-dev.tgz").write_bytes(b"x")
    shop = start()
    shop.await_file(numbered)
    narrow = ("token", shop.issue("name:^acme-tool$ version:<1.2"))
    exact = ("token", shop.issue("name:^acme-tool$ version:1.2"))

    assert numbered not in shop.get("/simple/acme-tool/", narrow).text
    assert shop.get(f"/packages/{numbered}", narrow).status_code == 404
    assert shop.get(f"/packages/{numbered}", exact).data == data
    for legacy in ("acme-tool-0.9.tar.bz2", "secret-sauce-2004d.tar.gz", "acme-tool-dev.tgz"):
        assert shop.get(f"/packages/{legacy}").status_code == 404
        assert legacy not in shop.get("/simple/acme-tool/").text


@pytest.mark.parametrize(
    "name", ["evil\r\nX: y-1.0.tar.gz", "evil\n-1.0.tar.gz", "évil-1.0.tar.gz", "a b-1.0.tar.gz"]
)
def test_10_an_odd_name_reaches_no_header(shop: Shop, name: str) -> None:
    writer = shop.issue(None, access=Access.WRITE)

    status, location, _ = raw(
        shop, f"/+t/{shop.secret}/packages/" + name.encode().decode("latin-1")
    )
    answer = shop.post(writer, upload(wheel_bytes("evil", "1.0"), name))

    assert status.startswith("404")
    assert location == ""
    assert answer.status_code == 400
    assert "X" not in answer.headers
    assert answer.status.isprintable()
    assert answer.status.isascii()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PROXY", "ANY", "PUT", "DELETE"])
def test_11_no_spelling_leads_past_the_engine(shop: Shop, method: str) -> None:
    paths = [path.format(secret=shop.secret) for path in SPELLINGS]
    for path in [*paths, *(f"/+t/{shop.secret}{path}" for path in paths)]:
        status, location, text = raw(shop, path, method)
        assert int(status[:3]) in {401, 404, 405, 410}, (path, status)
        assert location == ""
        assert "sauce" not in text


def test_12_a_file_in_parts_is_a_download(shop: Shop) -> None:
    limited = ("token", shop.issue(COVERED, limit_num_downloads=1))
    size = (shop.root / "libs" / LIBRARY).stat().st_size
    half = f"bytes=0-{size // 2}", f"bytes={size // 2 + 1}-"

    parts = [shop.get(f"/packages/{LIBRARY}", limited, headers={"Range": one}) for one in half]
    refused = shop.get(f"/packages/{TOOL}", limited)

    assert [part.status_code for part in parts] == [206, 206]
    assert b"".join(part.data for part in parts) == (shop.root / "libs" / LIBRARY).read_bytes()
    assert refused.status_code == 403
    assert refused.status.startswith("403 Download limit")


def test_13_no_secret_reaches_a_log(start: Start) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    level = logging.root.level
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.DEBUG)
    try:
        shop = start(log_req_frmt="%s", verbosity=3)
        writer = shop.issue(COVERED, access=Access.WRITE)
        shop.get(f"/+t/{shop.secret}/simple/")
        extra = {"RAW_URI": f"/+t/{writer}/", "REQUEST_URI": f"/+t/{writer}/"}
        answer = shop.anonymous(
            f"/+t/{writer}/", method="POST", data=upload(), environ_overrides=extra
        )
        shop.publisher("/simple/")
        logging.getLogger("gunicorn.access").warning('"%s"', f"GET /+t/{writer}/simple/ HTTP/1.1")
    finally:
        logging.root.removeHandler(handler)
        logging.root.setLevel(level)

    assert answer.status_code == 200
    logged = stream.getvalue()
    assert "stored 'acme_tool-2.0-py3-none-any.whl'" in logged
    assert "entitlement-" in logged
    assert writer not in logged
    assert shop.secret not in logged
    assert "d29uZGVybGFuZA" not in logged  # "wonderland" in Base64
    assert "/+t/***/simple/" in logged


def test_14_forwarded_headers_are_believed_of_proxies_only(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = start()
    headers = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "203.0.113.9",
    }
    denied = ("token", shop.issue(COVERED, deny_networks=["127.0.0.0/8"]))

    assert shop.publisher("/simple", headers=headers).headers["Location"].startswith("http://")
    assert shop.get(f"/packages/{TOOL}", denied, headers=headers).status_code == 403

    monkeypatch.setenv("ENTITLEMENTS_TRUSTED_PROXIES", "127.0.0.1")
    trusting = start()
    denied = ("token", trusting.issue(COVERED, deny_networks=["203.0.113.0/24"]))
    # A proxy that does not write the host passes on what a client wrote.
    for scheme, believed in (("https", "https"), ("http", "http"), ("javascript", "http")):
        told = {**headers, "X-Forwarded-Proto": scheme}
        location = trusting.publisher("/simple", headers=told).headers["Location"]
        assert location.startswith(f"{believed}://")
        assert "evil.example" not in location
    assert trusting.get(f"/packages/{TOOL}", denied, headers=headers).status_code == 403


def test_15_the_metadata_inside_an_upload_must_be_what_the_grant_covers(shop: Shop) -> None:
    writer = shop.issue(COVERED, access=Access.WRITE)
    name = "acme_tool-2.0-py3-none-any.whl"
    renamed = wheel_bytes("secret-sauce", "2.0")
    contradicting = wheel_bytes("acme-tool", "2.0", metadata=core_metadata("secret-sauce", "2.0"))

    for data in (renamed, contradicting, b"no wheel at all"):
        answer = shop.post(writer, upload(data, name))
        assert answer.status_code == 400
        assert answer.get_json()["code"] == "unservable"
    assert not (shop.root / name).exists()


def test_15_a_large_upload_is_refused_before_it_is_read(start: Start) -> None:
    shop = start(entitlements_upload_limit=1000)
    writer = shop.issue(COVERED, access=Access.WRITE)
    unread = io.BytesIO(b"x" * 2000)

    status, _, text = raw(
        shop,
        f"/+t/{writer}/",
        "POST",
        CONTENT_LENGTH="2000",
        CONTENT_TYPE="multipart/form-data; boundary=x",
        **{"wsgi.input": unread},  # type: ignore[arg-type] # the one that is no text
    )

    assert status == "413 The upload is too large"
    assert "1000 bytes" in text
    assert unread.tell() == 0


@pytest.mark.parametrize("secret", ["simple-x", "packages", "RPC2RPC2", "favicon.ico"])
def test_16_a_custom_secret_shadows_no_route(shop: Shop, secret: str) -> None:
    assert shop.get(f"/{secret}/simple/").status_code == 404
    assert shop.anonymous(f"/{secret}/simple/").status_code == 401


def test_17_a_file_overwritten_in_place_is_not_served_under_the_old_hash(shop: Shop) -> None:
    path = shop.root / TOOL
    before = shop.get(f"/packages/{TOOL}")
    data = wheel_bytes("acme-tool", "1.0", padding=path.stat().st_size)
    with path.open("r+b") as file:  # as pypiserver writes
        file.write(data)

    answer = shop.get(f"/packages/{TOOL}")

    assert before.status_code == 200
    assert answer.status_code == 404 or answer.data == data
    shop.await_file(TOOL, sha256=hashlib.sha256(data).hexdigest())
    again = shop.get(f"/packages/{TOOL}", headers={"If-None-Match": before.headers["ETag"]})
    assert (again.status_code, again.data) == (200, data)


def test_18_a_first_request_without_credentials_is_no_attack(shop: Shop) -> None:
    # uv sends every request first without, and then with what netrc says.
    for _ in range(60):
        assert shop.anonymous("/simple/").status_code == HTTPStatus.UNAUTHORIZED
    assert shop.get("/simple/").status_code == 200


def test_nothing_of_pypiserver_is_reachable_past_the_front(shop: Shop) -> None:
    past = shop.app.router.match({"PATH_INFO": "/simple/", "REQUEST_METHOD": "GET"})[0]

    assert past.call().status_line == "401 Unauthorized"
    with pytest.raises(Exception, match="Only publishers"):
        shop.config.backend.remove_package(None)
    with pytest.raises(Exception, match="not allowed"):
        shop.config.backend.add_package(TOOL, io.BytesIO())
    with pytest.raises(Exception, match="not allowed"):
        shop.config.backend.exists(TOOL)
    with pytest.raises(Exception, match="Entitlement token required"):
        shop.config.backend.package_count()


def test_a_project_that_only_pypiserver_would_show_stays_hidden(
    start: Start, packages: Path
) -> None:
    build_sdist(packages, "acme-tool", "7.0", filename="acme-tool-7.0-extra.zip")
    build_wheel(packages, "secret-sauce", "1.0", filename="acme_tool-8.0-py3-none-any.whl")
    shop = start()

    page = shop.get("/simple/acme-tool/").text

    assert "7.0" not in page
    assert "8.0" not in page
