"""The index on the wire: what is answered, what is counted, and what never leaks."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from entitlements_core import hookimpl
from entitlements_core.engine import downloads
from entitlements_core.errors import StoreError
from entitlements_core.forwarded import Proxies
from entitlements_core.policy.credential import CredentialKind, State
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.store.ledger_sqlite import SqliteLedger
from entitlements_core.store.reader import CredentialReader
from tests.factories import NOW, REPOSITORY, Response, Site, edit_token, open_site, rows
from tests.wheelhouse import build_sdist, build_wheel

FOO = "foo-1.0-py3-none-any.whl"
CUSTOMER = "customer-42.secret"
UNRESTRICTED = "unrestricted.secret"
FOO_URL = f"/packages/{FOO}"
SDIST_URL = "/packages/foo-1.0.tar.gz"
HIDDEN_URL = "/packages/hidden-1.0-py3-none-any.whl"
MISSING_URL = "/packages/missing-1.0-py3-none-any.whl"
FOO_PAGE = "/simple/foo/"
ONLY_FOO = "name:^foo$"
HOUR = timedelta(hours=1)
JSON = "application/vnd.pypi.simple.v1+json"


def fill(folder: Path) -> None:
    directory = folder / "files"
    build_wheel(directory, "foo", "1.0", requires=["bar>=1"])
    build_wheel(directory, "foo", "2.0")
    build_sdist(directory, "foo", "1.0")
    build_wheel(directory, "bar", "1.0")
    build_wheel(directory, "hidden", "1.0")


@pytest.fixture
def site(tmp_path: Path, sqlite_template: Path) -> Iterator[Site]:
    """An index of foo, bar and hidden."""
    fill(tmp_path)
    with open_site(tmp_path, sqlite_template) as site:
        yield site


@pytest.fixture(scope="module", params=[False, True], ids=["alone", "beside-another"])
def closed_site(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sqlite_template: Path,
) -> Iterator[Site]:
    """The same, with a customer of foo, and alone or not; for tests that change nothing."""
    folder = tmp_path_factory.mktemp("closed")
    fill(folder)
    with open_site(folder, sqlite_template) as site:
        site.token(CUSTOMER, query=ONLY_FOO)
        if request.param:
            site.token(UNRESTRICTED)
        yield site


def check_refusal(response: Response, *, form: str = "basic") -> dict[str, Any]:
    """What holds for every refusal; gives the body."""
    phrase = response.status[4:]
    assert phrase.isascii()
    assert phrase.isprintable()
    assert 0 < len(phrase) <= 100
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    assert not {"Retry-After", "Location", "ETag"} & set(response.headers)
    assert ("WWW-Authenticate" in response.headers) is (response.code == 401)
    assert (response.code == 401) is False or form == "basic"
    found: dict[str, Any] = json.loads(response.body)
    assert set(found) - {"retry_at"} == {"type", "title", "status", "detail", "code"}
    assert found["status"] == response.code
    assert found["title"] == phrase
    return found


class Closed:
    """Vetoes everything."""

    @hookimpl
    def entitlements_veto(self) -> Deny:
        return Deny(Reason.VETOED, "Not today")


# Design, section 5: state, simple page, file, code. A page of 200 is the filtered one.
STATES: list[Any] = [
    pytest.param({}, 200, 200, "", id="valid"),
    pytest.param({"state": State.DELETED}, 401, 401, "unknown_token", id="deleted"),
    pytest.param({"state": State.DISABLED}, 200, 403, "token_disabled", id="disabled"),
    pytest.param(
        {"limit_date_range_from": NOW + HOUR}, 200, 403, "token_not_yet_valid", id="too-early"
    ),
    pytest.param({"limit_date_range_to": NOW}, 200, 403, "token_expired", id="expired"),
    pytest.param({"limit_num_downloads": 0}, 200, 403, "download_limit", id="downloads"),
    pytest.param({"limit_num_clients": 0}, 200, 403, "client_limit", id="clients"),
    pytest.param({"limit_bandwidth": 10}, 200, 403, "bandwidth_limit", id="bandwidth"),
    pytest.param({"allow_networks": ("10.0.0.0/8",)}, 402, 403, "address_denied", id="address"),
    pytest.param(
        {"kind": CredentialKind.USER, "user": "ann"}, 402, 403, "user_without_access", id="user"
    ),
    pytest.param({"eula_required": True}, 200, 403, "eula_required", id="licence"),
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("form", ["basic", "path"])
@pytest.mark.parametrize(("terms", "page", "file", "code"), STATES)
def test_each_state_answers_as_designed(
    site: Site,
    method: str,
    form: str,
    terms: dict[str, Any],
    page: int,
    file: int,
    code: str,
) -> None:
    with site.database.begin() as unit:
        found = unit.repositories.get(REPOSITORY)
        unit.repositories.save(
            type(found)(name=found.name, enforce_eula=True, created_at=found.created_at)
        )
    secret = site.token(query=ONLY_FOO, **terms)
    prefix, header = (f"/+t/{secret}", None) if form == "path" else ("", secret)
    expected = {"page": page, "file": file}
    if form == "path":
        expected = {name: 410 if status == 401 else status for name, status in expected.items()}
    # A HEAD counts nothing, so nothing is over its limit yet.
    if method == "HEAD" and code.endswith("_limit"):
        expected["file"] = 200

    for path, status in ((FOO_PAGE, expected["page"]), (FOO_URL, expected["file"])):
        response = site.get(prefix + path, header, method=method)
        assert response.code == status
        if method == "HEAD":
            assert response.body == b""
        elif status != 200:
            assert check_refusal(response, form=form)["code"] == code
    assert site.used()[0] == (method == "GET" and file == 200)


@pytest.mark.parametrize("path", ["/simple/", FOO_PAGE, FOO_URL, "/nowhere", "/simple", "/"])
@pytest.mark.parametrize(
    ("prefix", "secret", "status", "code"),
    [
        ("", None, 401, "unauthorized"),
        ("", "unknown-secret", 401, "unknown_token"),
        ("", "${PIP_TOKEN}", 401, "unknown_token"),
        ("/+t/unknown-secret", None, 410, "unknown_token"),
        ("/+t/unknown-secret", "customer-42.secret", 410, "unknown_token"),
        ("/+t/", "customer-42.secret", 410, "unknown_token"),
    ],
)
def test_a_stranger_learns_nothing(
    site: Site, path: str, prefix: str, secret: str | None, status: int, code: str
) -> None:
    site.token()
    response = site.get(prefix + path, secret)
    assert response.code == status
    assert check_refusal(response, form="path" if prefix else "basic")["code"] == code
    assert site.get(prefix + "/other", secret).body == response.body


def test_a_replaced_secret_is_unknown_at_once(site: Site) -> None:
    old = site.token()
    assert site.get(FOO_PAGE, old).code == 200
    with site.database.begin() as unit:
        digest = site.keyring.digest("another-secret")
        [(identifier,)] = unit.session.connection().exec_driver_sql("SELECT identifier FROM tokens")
        unit.secrets.put(identifier, [REPOSITORY], digest, sealed=None, at=NOW)
    assert site.get(FOO_PAGE, old).code == 401
    assert site.get(f"/+t/{old}{FOO_PAGE}").code == 410
    assert site.get(FOO_PAGE, "another-secret").code == 200


def test_a_token_without_validation_is_unavailable(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = site.token(query="edition:^pro$")
    for path in (FOO_PAGE, FOO_URL):
        response = site.get(path, secret)
        assert response.code == 503
        assert check_refusal(response)["code"] == "validation_unavailable"

    other = site.token("another-secret")

    def fail(*_: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(SqliteLedger, "commit", fail)
    assert site.get(FOO_PAGE, other).code == 200
    response = site.get(FOO_URL, other)
    assert response.code == 503
    assert check_refusal(response)["code"] == "validation_unavailable"


def test_facts_that_cannot_be_read_are_unavailable(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = site.token(query="downloads:<5")
    assert site.get(FOO_URL, secret).code == 200

    def fail(*_: object) -> None:
        raise StoreError("The disk is gone.")

    monkeypatch.setattr(CredentialReader, "downloads", fail)
    for path in ("/simple/", FOO_PAGE, FOO_URL, f"{FOO_URL}.metadata"):
        response = site.get(path, secret)
        assert response.code == 503
        assert check_refusal(response)["code"] == "validation_unavailable"


def test_a_veto_closes_pages_and_files(tmp_path: Path, sqlite_template: Path) -> None:
    fill(tmp_path)
    with open_site(tmp_path, sqlite_template, plugins=[Closed()]) as site:
        secret = site.token()
        for path, status in (
            ("/simple/", 402),
            ("/simple", 402),
            (FOO_PAGE, 402),
            ("/simple/foo", 402),
            (FOO_URL, 403),
            (f"{FOO_URL}.metadata", 403),
        ):
            response = site.get(path, secret)
            assert response.status == f"{status} Not today"
            assert check_refusal(response)["code"] == "vetoed"


# Hidden and missing.


@pytest.mark.parametrize(
    ("hidden", "missing"),
    [
        (HIDDEN_URL, MISSING_URL),
        (f"{HIDDEN_URL}.metadata", f"{MISSING_URL}.metadata"),
        (f"{HIDDEN_URL}.metadata.metadata", f"{MISSING_URL}.metadata.metadata"),
        ("/simple/hidden/", "/simple/missing/"),
        ("/simple//hidden/", "/simple//missing/"),
        ("/packages/bar-1.0-py3-none-any.whl", "/packages/bar-9.0-py3-none-any.whl"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("terms", [{}, {"limit_date_range_to": NOW}, {"limit_num_downloads": 0}])
def test_hidden_and_missing_are_the_same(
    site: Site, hidden: str, missing: str, method: str, terms: dict[str, Any]
) -> None:
    secret = site.token(query=ONLY_FOO, **terms)
    found = site.get(
        hidden, secret, method=method, headers={"If-None-Match": "*", "Range": "bytes=0-1"}
    )
    other = site.get(
        missing, secret, method=method, headers={"If-None-Match": "*", "Range": "bytes=0-1"}
    )
    assert found == other
    assert found.status == "404 Not available to this entitlement"
    if method == "GET":
        assert check_refusal(found)["code"] == "not_found"


LEAKS = [
    HIDDEN_URL,
    f"/packages/../packages/{HIDDEN_URL[10:]}",
    f"/packages/./{HIDDEN_URL[10:]}",
    f"/simple/../packages/{HIDDEN_URL[10:]}",
    f"/packages%2f{HIDDEN_URL[10:]}",
    f"/packages/%2e%2e/packages/{HIDDEN_URL[10:]}",
    f"/packages/..%2fpackages/{HIDDEN_URL[10:]}",
    f"/packages/%252e%252e/{HIDDEN_URL[10:]}",
    f"//packages/{HIDDEN_URL[10:]}",
    f"/packages//{HIDDEN_URL[10:]}",
    f"/packages\\{HIDDEN_URL[10:]}",
    f"/packages/{HIDDEN_URL[10:]};v=1",
    f"/packages;x/{HIDDEN_URL[10:]}",
    f"/packages/{FOO}%00{HIDDEN_URL[10:]}",
    f"/packages/{HIDDEN_URL[10:]}%00",
    f"/packages/{HIDDEN_URL[10:]}%00.metadata",
    f"/packages/{FOO}/../{HIDDEN_URL[10:]}",
    f"/packages/{FOO}/{HIDDEN_URL[10:]}",
    f"/packages/{HIDDEN_URL[10:]}/",
    f"/packages/{HIDDEN_URL[10:]}%20",
    f"/packages/{HIDDEN_URL[10:].upper()}",
    f"/packages/~Words/{HIDDEN_URL[10:]}",
    f"/packages/files/{HIDDEN_URL[10:]}",
    "/packages/../store.db",
    "/packages/..%2f..%2f..%2fetc%2fpasswd",
    "/packages/%2fetc%2fpasswd",
    "/packages/",
    "/packages",
    "/packages/.yanked",
    f"{HIDDEN_URL}.asc",
    f"{HIDDEN_URL}.sig",
    f"{HIDDEN_URL}.provenance",
    f"{HIDDEN_URL}.yanked",
    f"{HIDDEN_URL}.METADATA",
    f"{HIDDEN_URL}%2emetadata",
    "/simple/hidden/",
    "/simple/Hidden/",
    "/simple/%68idden/",
    "/simple/hidden%2f",
    "/simple/foo/../hidden/",
    "/simple/foo%2f..%2fhidden/",
    "/simple//hidden/",
    "/simple///hidden/",
    "/simple/hidden//",
    "/simple/hidden/index.html",
    "/simple/hidden;x/",
    "/simple/hidden%00/",
    "/simple/hidden/json",
    "/hidden/",
    "/hidden/json",
    "/pypi/hidden/json",
    "/RPC2",
    "/",
    "",
    "*",
    "http://host/simple/hidden/",
    f"http://host{HIDDEN_URL}",
    "/+t/customer-42.secret/simple/hidden/",
    "/+t/unrestricted.secret/simple/hidden/",
    "/simple/+t/unrestricted.secret/hidden/",
]


@pytest.mark.parametrize("form", ["basic", "path"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_route_leads_to_what_is_hidden(closed_site: Site, method: str, form: str) -> None:
    """With a second token in the path, too: it is no part of an address behind the first."""
    is_alone = rows(closed_site.database, "SELECT count(*) FROM tokens") == [(1,)]
    for path in LEAKS:
        if form == "basic" and UNRESTRICTED in path and not is_alone:
            continue  # that opens the index to whoever has the other one
        prefix, header = (f"/+t/{CUSTOMER}", None) if form == "path" else ("", CUSTOMER)
        if form == "path" and not path.startswith("/"):
            prefix = ""
        response = closed_site.get(prefix + path, header, method=method, strict=False)
        assert response.code in {401, 404, 410}, path
        assert not re.search(rb"hidden-1|PK\x03|Metadata-Version", response.body), path
        assert "ETag" not in response.headers, path
    assert closed_site.used() == (0, 0, 0)


@pytest.mark.parametrize(
    "method",
    [
        "POST",
        "PUT",
        "DELETE",
        "PATCH",
        "OPTIONS",
        "TRACE",
        "PROPFIND",
        "PROXY",
        "ANY",
        "get",
        "X" * 99,
    ],
)
@pytest.mark.parametrize("path", [FOO_URL, HIDDEN_URL, FOO_PAGE, "/", "/legacy/"])
def test_only_reading_is_served(closed_site: Site, method: str, path: str) -> None:
    response = closed_site.get(path, CUSTOMER, method=method, strict=False)
    assert response.status == "405 Method not allowed"
    assert response.headers["Allow"] == "GET, HEAD"
    assert check_refusal(response)["code"] == "method"
    assert closed_site.used() == (0, 0, 0)


# Pages.


def test_a_list_shows_what_is_covered(site: Site) -> None:
    every, some = site.token(), site.token("restricted.secret", ONLY_FOO)
    none = site.token("nothing-at-all.secret", "name:^nothing$")

    def names(secret: str) -> list[str]:
        answer = site.get("/simple/", secret, headers={"Accept": JSON})
        assert answer.headers["Content-Type"] == JSON
        return [project["name"] for project in json.loads(answer.body)["projects"]]

    assert names(every) == ["bar", "foo", "hidden"]
    assert names(some) == ["foo"]
    assert names(none) == []


def test_a_page_shows_what_is_covered(site: Site) -> None:
    page = site.get(FOO_PAGE, site.token(query="version:<2 format:wheel"), headers={"Accept": JSON})
    body = json.loads(page.body)
    assert [file["filename"] for file in body["files"]] == [FOO]
    assert body["versions"] == ["1.0"]


@pytest.mark.parametrize(
    "path", ["/simple/foo/", "/simple/Foo/", "/simple/FOO/", "/simple//foo/", "/simple/%66oo/"]
)
def test_a_page_has_many_spellings(site: Site, path: str) -> None:
    """Two slashes are how pipenv asks."""
    response = site.get(path, site.token())
    assert response.status == "200 OK"
    assert f'href="../../packages/{FOO}#sha256=' in response.text


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/simple", "simple/"),
        ("/simple/foo", "foo/"),
        ("/simple/Foo_Bar", "foo-bar/"),
        ("/simple/hidden", "hidden/"),
        ("/simple/missing", "missing/"),
        ("/simple/https:host", "https%3Ahost/"),
        ("/simple/a%0d%0aSet-Cookie:x", "a%0D%0Aset-cookie%3Ax/"),
        ("/simple/%E2%80%AE", "%C3%A2%C2%80%C2%AE/"),
    ],
)
def test_a_page_without_its_slash_leads_to_it(site: Site, path: str, location: str) -> None:
    response = site.get(path, site.token(query=ONLY_FOO), strict=False)
    assert response.status == "307 Temporary Redirect"
    assert response.headers == {
        "Location": location,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "Content-Length": "0",
    }


def test_who_may_not_see_a_page_is_led_nowhere(site: Site) -> None:
    secret = site.token(allow_networks=("10.0.0.0/8",))
    for path in ("/simple", "/simple/foo"):
        assert site.get(path, secret).code == 402


@pytest.mark.parametrize("path", ["/simple/", FOO_PAGE])
def test_a_page_is_private_and_revalidated(site: Site, path: str) -> None:
    secret = site.token()
    page = site.get(path, secret)
    assert page.headers["Cache-Control"] == "private, no-cache"
    assert page.headers["Vary"] == "Accept, Authorization"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Content-Length"] == str(len(page.body))
    assert re.fullmatch(r'"[0-9a-f]{32}"', page.headers["ETag"])

    head = site.get(path, secret, method="HEAD")
    assert (head.status, head.headers, head.body) == (page.status, page.headers, b"")

    again = site.get(path, secret, headers={"If-None-Match": page.headers["ETag"]})
    assert again.status == "304 Not Modified"
    assert again.body == b""
    assert again.headers["ETag"] == page.headers["ETag"]
    assert again.headers["Cache-Control"] == "private, no-cache"
    assert not [name for name in again.headers if name.startswith("Content-")]


@pytest.mark.parametrize("path", ["/simple/", FOO_PAGE])
def test_tokens_that_see_different_things_have_different_etags(site: Site, path: str) -> None:
    every = site.token()
    some = site.token("restricted.secret", "name:^foo$ version:<2")
    same = site.token("the-same-again.secret", "version:<2 name:^foo$")
    tags = [site.get(path, secret).headers["ETag"] for secret in (every, some, same)]
    assert tags[0] != tags[1] == tags[2]

    answer = site.get(path, some, headers={"If-None-Match": tags[0]})
    assert answer.status == "200 OK"


def test_forms_of_a_page_have_different_etags(site: Site) -> None:
    secret = site.token()
    tags = {
        site.get(FOO_PAGE, secret, headers={"Accept": accept}).headers["ETag"]
        for accept in ("text/html", JSON, "application/vnd.pypi.simple.v1+html")
    }
    assert len(tags) == 3


def test_a_form_can_be_named_in_the_address(site: Site) -> None:
    wanted = f"?format={JSON}".replace("+", "%2B").replace("/", "%2F")
    assert site.get(f"{FOO_PAGE}{wanted}", site.token()).headers["Content-Type"] == JSON


@pytest.mark.parametrize("path", ["/simple/", FOO_PAGE])
def test_a_form_that_does_not_exist_is_refused(site: Site, path: str) -> None:
    response = site.get(path, site.token(), headers={"Accept": "image/png"})
    assert response.code == 406
    assert check_refusal(response)["code"] == "not_acceptable"


@pytest.mark.parametrize(
    ("terms", "page", "file"),
    [
        ({"allow_networks": ("10.0.0.0/8",)}, 402, 403),
        ({"state": State.DISABLED}, 304, 403),
        ({"limit_date_range_to": NOW}, 304, 403),
        ({"limit_num_downloads": 0}, 304, 304),
    ],
)
def test_conditions_are_checked_after_the_token(
    site: Site, terms: dict[str, Any], page: int, file: int
) -> None:
    """A 304 is no download: it is free, but never for a token that may not have the file."""
    secret = site.token()
    [tag, file_tag] = [site.get(path, secret).headers["ETag"] for path in (FOO_PAGE, FOO_URL)]
    refused = site.token("refused-token.secret", **terms)
    assert site.get(FOO_PAGE, refused, headers={"If-None-Match": tag}).code == page
    assert site.get(FOO_URL, refused, headers={"If-None-Match": file_tag}).code == file


# Files.


def test_a_file_is_served_and_counted_once(site: Site) -> None:
    secret = site.token()
    content = (site.directory / FOO).read_bytes()

    response = site.get(FOO_URL, secret)
    again = site.get(FOO_URL, secret)

    assert response == again
    assert response.status == "200 OK"
    assert response.body == content
    assert response.headers == {
        "Content-Type": "application/octet-stream",
        "Content-Length": str(len(content)),
        "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Authorization",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
    }
    assert site.used() == (1, 1, 2 * len(content))
    assert rows(site.database, "SELECT project, version, filename, client FROM downloads") == [
        ("foo", "1.0", FOO, "203.0.113.9")
    ]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("HEAD", FOO_URL, {}, 200),
        ("HEAD", FOO_URL, {"Range": "bytes=0-"}, 200),
        ("GET", FOO_URL, {"If-None-Match": "*"}, 304),
        ("GET", FOO_URL, {"Range": "bytes=99999999-"}, 416),
        ("GET", f"{FOO_URL}.metadata", {}, 200),
        ("GET", FOO_PAGE, {}, 200),
        ("GET", "/simple/", {}, 200),
        ("GET", MISSING_URL, {}, 404),
    ],
)
def test_what_never_counts(
    site: Site, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    secret = site.token(limit_num_downloads=0)
    assert site.get(path, secret, method=method, headers=headers).code == status
    assert site.used() == (0, 0, 0)


def test_a_head_has_the_headers_of_its_get(site: Site) -> None:
    secret = site.token()
    for path in (FOO_URL, f"{FOO_URL}.metadata", SDIST_URL):
        get, head = site.get(path, secret), site.get(path, secret, method="HEAD")
        assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=5-", slice(5, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=3-99999999", slice(3, None)),
    ],
)
def test_a_range_is_served(site: Site, header: str, part: slice) -> None:
    content = (site.directory / FOO).read_bytes()
    response = site.get(FOO_URL, site.token(), headers={"Range": header})
    start, stop, _ = part.indices(len(content))
    assert response.status == "206 Partial Content"
    assert response.body == content[part]
    assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(content)}"
    assert response.headers["Content-Length"] == str(stop - start)
    assert site.used()[2] == stop - start


@pytest.mark.parametrize("header", ["bytes=0-1,3-4", "items=0-1", "bytes =0-1", "bytes=9-1", "x"])
def test_a_range_that_is_not_served_is_the_whole_file(site: Site, header: str) -> None:
    response = site.get(FOO_URL, site.token(), headers={"Range": header})
    assert response.status == "200 OK"
    assert response.body == (site.directory / FOO).read_bytes()
    assert site.used()[0] == 1


def test_a_file_cannot_be_had_in_parts_without_counting(site: Site) -> None:
    secret = site.token(limit_num_downloads=1)
    size = (site.directory / FOO).stat().st_size
    half = size // 2
    for header in (f"bytes={half}-", f"bytes=1-{half}"):
        assert site.get(FOO_URL, secret, headers={"Range": header}).code == 206
    assert site.used()[0] == 1
    refused = site.get(SDIST_URL, secret, headers={"Range": "bytes=5-"})
    assert refused.code == 403
    assert check_refusal(refused)["code"] == "download_limit"


@pytest.mark.parametrize(
    ("condition", "status"),
    [("same", 206), ('"other"', 200), ('W/"same"', 200), ("Tue, 31 Mar 2026 12:00:00 GMT", 200)],
)
def test_a_resumed_transfer_is_of_the_same_file(site: Site, condition: str, status: int) -> None:
    secret = site.token()
    tag = site.get(FOO_URL, secret, method="HEAD").headers["ETag"]
    condition = condition.replace("same", tag) if condition == "same" else condition
    response = site.get(FOO_URL, secret, headers={"Range": "bytes=5-", "If-Range": condition})
    assert response.code == status


def test_a_range_outside_the_file_is_refused(site: Site) -> None:
    secret = site.token()
    size = (site.directory / FOO).stat().st_size
    for method in ("GET", "HEAD"):
        response = site.get(FOO_URL, secret, method="GET", headers={"Range": f"bytes={size}-"})
        assert response.status == "416 Range not satisfiable"
        assert response.headers["Content-Range"] == f"bytes */{size}"
        assert check_refusal(response)["code"] == "range", method


def test_metadata_is_served_beside_its_wheel(site: Site) -> None:
    secret = site.token(query=ONLY_FOO, limit_date_range_to=NOW)
    response = site.get(f"{FOO_URL}.metadata", secret)
    assert response.status == "200 OK"
    assert b"Requires-Dist: bar>=1" in response.body
    digest = hashlib.sha256(response.body).hexdigest()
    assert response.headers["ETag"] == f'"{digest}"'
    assert digest in site.get(FOO_PAGE, secret).text
    again = site.get(
        f"{FOO_URL}.metadata", secret, headers={"If-None-Match": response.headers["ETag"]}
    )
    assert (again.code, again.body) == (304, b"")


def test_an_sdist_has_no_metadata_beside_it(site: Site) -> None:
    secret = site.token()
    response = site.get(f"{SDIST_URL}.metadata", secret)
    assert response == site.get(f"{MISSING_URL}.metadata", secret)
    assert response.code == 404


@pytest.mark.parametrize("change", ["removed", "replaced", "grown"])
def test_a_file_that_changed_on_the_disk_is_not_served(site: Site, change: str) -> None:
    """Its hash would not fit, which looks like an attack to the client."""
    secret = site.token()
    path = site.directory / FOO
    if change == "removed":
        path.unlink()
    elif change == "grown":
        with path.open("ab") as file:
            file.write(b"x")
    else:
        os.utime(path, ns=(1, 1))
    response = site.get(FOO_URL, secret)
    assert response == site.get(MISSING_URL, secret)
    assert site.used() == (0, 0, 0)


def test_a_changed_limit_holds_for_the_next_request(site: Site) -> None:
    secret = site.token(limit_num_downloads=1)
    assert site.get(FOO_URL, secret).code == 200
    assert site.get(SDIST_URL, secret).code == 403
    [(identifier,)] = rows(site.database, "SELECT identifier FROM tokens")
    edit_token(site.database, identifier, limit_num_downloads=2)
    assert site.get(SDIST_URL, secret).code == 200


def test_a_reservation_is_given_back_when_sending_fails(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = site.token()

    def fail(*_: object) -> bytes:
        raise OSError

    monkeypatch.setattr(os, "pread", fail)
    response = site.get(FOO_URL, secret)
    assert response.status == "500 Internal error"
    assert check_refusal(response)["code"] == "internal"
    monkeypatch.undo()
    assert site.used() == (0, 0, 0)


# A server in front.


def test_the_front_server_sends_the_file(tmp_path: Path, sqlite_template: Path) -> None:
    fill(tmp_path)
    sender = downloads.Offload("X-Accel-Redirect", ("/internal/",))
    with open_site(tmp_path, sqlite_template, sender=sender) as site:
        secret = site.token()
        size = (site.directory / FOO).stat().st_size
        response = site.get(FOO_URL, secret)
        assert response.status == "200 OK"
        assert response.body == b""
        assert response.headers["X-Accel-Redirect"] == f"/internal/{FOO}"
        assert response.headers["Content-Length"] == "0"
        assert response.headers["Cache-Control"] == "private, no-cache"
        assert site.used() == (1, 1, size)

        # The front server compares an ETag of its own, and may send all of the file.
        tag = response.headers["ETag"]
        conditional = {"Range": "bytes=5-9", "If-Range": tag}
        site.get("/packages/foo-2.0-py3-none-any.whl", secret, headers=conditional)
        assert site.used()[0] == 2

        part = site.get(SDIST_URL, secret, headers={"Range": "bytes=5-9"})
        assert "Content-Range" not in part.headers
        assert site.used()[0] == 2

        # One that compresses ignores the range.
        packed = {"Range": "bytes=5-5", "Accept-Encoding": "gzip, identity;q=0.5"}
        site.get(SDIST_URL, secret, headers=packed)
        assert site.used()[0] == 3


def test_forwarded_addresses_are_counted(tmp_path: Path, sqlite_template: Path) -> None:
    fill(tmp_path)
    proxies = Proxies.parse(["203.0.113.0/24"])
    with open_site(tmp_path, sqlite_template, proxies=proxies) as site:
        secret = site.token(limit_num_clients=1)
        chain = {"X-Forwarded-For": "192.0.2.1, 198.51.100.7"}
        assert site.get(FOO_URL, secret, headers=chain).code == 200
        spoofed = {"X-Forwarded-For": "192.0.2.99, 198.51.100.7"}
        assert site.get(FOO_URL, secret, headers=spoofed).code == 200
        other = {"X-Forwarded-For": "192.0.2.1, 198.51.100.8"}
        assert site.get(FOO_URL, secret, headers=other).code == 403
        assert rows(site.database, "SELECT client FROM clients") == [("198.51.100.7",)]


# Servers that drop the reason phrase.

DROPPING: Final = [{"SERVER_SOFTWARE": "Granian"}, {"SERVER_PROTOCOL": "HTTP/2"}]
INSTALLERS: Final = [
    "pip/26.3 {}",
    "poetry/2.5.1 CPython/3.11.7",
    "pdm/2.29.3 CPython",
    "uv/0.13.9",
]
OTHERS: Final = ["curl/7.88.1", "Wget/1.21", "Mozilla/5.0 (pip/26)", ""]
REFUSED_LATE: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "disabled": ({"state": State.DISABLED}, "Entitlement-token-disabled"),
    "expired": ({"limit_date_range_to": NOW}, "Entitlement-expired-2026-03-31-12-00-UTC"),
    "downloads": ({"limit_num_downloads": 0}, "Download-limit-0-0-reached"),
    "clients": ({"limit_num_clients": 0}, "Client-limit-0-0-reached"),
    "bandwidth": ({"limit_bandwidth": 10}, "Bandwidth-limit-0-10-bytes-reached"),
    "address": (
        {"allow_networks": ("10.0.0.0/8",)},
        "Address-203.0.113.9-not-allowed-for-this-entitlement",
    ),
}


@pytest.mark.parametrize("form", ["basic", "path"])
@pytest.mark.parametrize("agent", INSTALLERS)
@pytest.mark.parametrize("server", DROPPING, ids=str)
@pytest.mark.parametrize(("terms", "words"), REFUSED_LATE.values(), ids=REFUSED_LATE)
def test_where_phrases_are_lost_the_address_of_a_refused_file_says_why(
    site: Site, server: dict[str, str], agent: str, form: str, terms: dict[str, Any], words: str
) -> None:
    secret = site.token(query=ONLY_FOO, **terms)
    prefix, header = (f"/+t/{secret}", None) if form == "path" else ("", secret)
    site.extra = {**server, "HTTP_USER_AGENT": agent}

    sent = site.get(prefix + FOO_URL, header)

    assert sent.code == 307
    assert sent.headers["Location"] == f"~{words}/{FOO}"
    assert sent.headers["Cache-Control"] == "no-store"
    told = site.get(f"{prefix}/packages/~{words}/{FOO}", header)
    assert told.code == 403
    check_refusal(told)
    assert told.body == sent.body
    stale = site.get(f"{prefix}/packages/~Former-words/{FOO}", header)
    assert (stale.code, stale.headers["Location"]) == (307, f"../~{words}/{FOO}")
    assert site.used() == (0, 0, 0)


@pytest.mark.parametrize("agent", OTHERS)
def test_who_takes_a_redirect_for_success_is_refused_at_once(site: Site, agent: str) -> None:
    secret = site.token(limit_date_range_to=NOW)
    site.extra = {"SERVER_SOFTWARE": "Granian", "HTTP_USER_AGENT": agent}
    assert site.get(FOO_URL, secret).code == 403


def test_a_phrase_that_arrives_is_enough_except_for_who_prints_none(site: Site) -> None:
    secret = site.token(limit_date_range_to=NOW)
    for agent, code in zip(INSTALLERS, (403, 403, 307, 403), strict=True):
        site.extra = {"HTTP_USER_AGENT": agent}
        assert site.get(FOO_URL, secret).code == code


@pytest.mark.parametrize("path", ["/packages/~Words/x/y.whl", "/packages/a/b.whl", "/packages/"])
def test_nobody_is_sent_to_what_cannot_be_a_file(site: Site, path: str) -> None:
    site.extra = {"SERVER_SOFTWARE": "Granian", "HTTP_USER_AGENT": "pip/26.3"}
    assert site.get(f"/+t/never-issued-1{path}").code == 410
    assert site.get(path, site.token(state=State.DISABLED)).code == 404


def test_a_secret_that_goes_while_files_are_fetched(site: Site) -> None:
    """A page leads nowhere; in a header, a client is asked for another secret."""
    site.extra = {"SERVER_SOFTWARE": "Granian", "HTTP_USER_AGENT": "pip/26.3"}
    words = "~Unknown-or-revoked-entitlement-token"
    sent = site.get(f"/+t/never-issued-1{FOO_URL}")
    assert (sent.code, sent.headers["Location"]) == (307, f"{words}/{FOO}")
    assert site.get(f"/+t/never-issued-1/packages/{words}/{FOO}").code == 410
    assert site.get(f"/+t/never-issued-1{FOO_PAGE}").code == 300
    assert site.get(FOO_URL, "never-issued-1").code == 401


@pytest.mark.parametrize("agent", [*INSTALLERS, *OTHERS])
@pytest.mark.parametrize("server", [{}, *DROPPING], ids=str)
def test_who_prints_the_address_of_a_page_is_told_there(
    site: Site, server: dict[str, str], agent: str
) -> None:
    secret = site.token(allow_networks=("10.0.0.0/8",))
    site.extra = {**server, "HTTP_USER_AGENT": agent}
    words = "~Address-203.0.113.9-not-allowed-for-this-entitlement"

    answer = site.get(FOO_PAGE, secret)

    if server and agent.startswith("poetry/"):
        assert (answer.code, answer.headers["Location"]) == (307, f"{words}/")
    else:
        assert answer.code == (300 if agent.startswith("pip/") else 402)
    if not agent.startswith("pip/"):
        assert site.get(f"{FOO_PAGE}{words}/", secret).code == 402
        assert site.get(f"/simple/missing/{words}/", secret).code == 402
        assert site.get("/simple/", secret).code == 402


def test_words_below_a_page_are_no_page(site: Site) -> None:
    disabled = site.token("a-disabled-one.secret", state=State.DISABLED)
    for secret in (site.token(), disabled):
        answer = site.get(f"{FOO_PAGE}~Some-words/", secret)
        assert answer == site.get("/simple/missing/", secret)
        assert answer.code == 404


def test_what_is_hidden_or_cannot_be_decided_is_answered_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.extra = {"SERVER_SOFTWARE": "Granian", "HTTP_USER_AGENT": "pip/26.3"}
    secret = site.token(query=ONLY_FOO)
    assert site.get(HIDDEN_URL, secret).code == 404

    def fail(*_: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(SqliteLedger, "commit", fail)
    assert site.get(FOO_URL, secret).code == 503


def test_pages_say_nothing_of_states_and_old_words_lead_to_the_file(site: Site) -> None:
    secret, free = site.token(limit_num_downloads=5), site.token("free-of-limits.secret")
    plain = site.get(FOO_PAGE, secret)
    site.extra = {"SERVER_SOFTWARE": "Granian", "HTTP_USER_AGENT": "pip/26.3"}
    assert site.get(FOO_PAGE, secret) == plain
    assert site.get(FOO_PAGE, free) == plain
    assert site.get(f"/packages/~Old-words/{FOO}", secret).code == 200
    assert site.get(f"/packages/~Old-words/{FOO}.metadata", secret).code == 200


def test_whom_to_ask_stands_behind_the_reason(site: Site) -> None:
    secret = site.token(limit_num_downloads=0)
    with site.database.begin() as unit:
        found = unit.repositories.get(REPOSITORY)
        unit.repositories.save(replace(found, contact="sales@acme.example"))
    response = site.get(FOO_URL, secret)
    assert response.status == "403 Download limit 0/0 reached; ask sales@acme.example"
    said = json.loads(response.body)
    assert said["title"] == "Download limit 0/0 reached"
    assert said["detail"] == "Ask sales@acme.example to raise the limit or to reset it."
    site.extra = {"SERVER_SOFTWARE": "Granian", "HTTP_USER_AGENT": "pip/26.3"}
    words = "~Download-limit-0-0-reached-ask-sales@acme.example"
    assert site.get(FOO_URL, secret).headers["Location"] == f"{words}/{FOO}"
