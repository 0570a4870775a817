"""``/+authcheck``: what a server in front is told that sends the files itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from entitlements_core.services.token_issuer import Issued
from tests.plugins.devpi.apps import PASSWORD, DevpiApp, basic, bearer, wheel_name
from tests.plugins.devpi.conftest import MakeDevpiApp
from tests.wheelhouse import wheel_bytes

pytestmark = pytest.mark.notransaction

Answer = Any
DATA: Final = wheel_bytes("acme-core", "1.0")
CODE: Final = "unknown_token"


@pytest.fixture
def acme(devpi: DevpiApp) -> DevpiApp:
    """A closed index with a wheel, one that inherits from it, and an open index."""
    return stocked(devpi)


def stocked(app: DevpiApp) -> DevpiApp:
    app.closed_index("acme/priv", bases=[])
    app.closed_index("acme/cust", bases=["acme/priv"])
    app.index("acme/open", bases=[])
    for index in ("acme/priv", "acme/open"):
        name = wheel_name("acme-core", "1.0")
        app.upload_file(index, "acme-core", "1.0", name, DATA)
    app.upload("acme/priv", "other-lib", "1.0")
    app.user("mallory")
    return app


def ask(app: DevpiApp, uri: str | None, **headers: str) -> Answer:
    """The request that nginx makes for one of `uri`."""
    original = {} if uri is None else {"X-Original-URI": uri}
    return app.get("/+authcheck", **original, **headers)


def wheel(app: DevpiApp, index: str = "acme/priv", project: str = "acme-core") -> str:
    return app.path_of(index, project, wheel_name(project, "1.0"))


def used(app: DevpiApp, issued: Issued) -> tuple[int, int]:
    usage = app.core.lifecycle.read(issued.token.identifier).usage
    return usage.downloads, usage.bandwidth


def refused(answer: Answer, status: int, told: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.headers["X-Entitlements-Status"] == str(told)
    assert answer.headers["X-Entitlements-Code"] == code
    assert answer.headers["X-Entitlements-Reason"].isascii()
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.body == b""


def test_tokens_are_let_to_files_and_counted(acme: DevpiApp) -> None:
    path, size = wheel(acme), len(DATA)
    issued = acme.issue(["acme/priv"], query="name:acme-core", limit_bandwidth=4 * size + 5)
    secret = str(issued.secret)
    prefixed = f"/+t/{secret}{path}"
    allowed = ask(acme, prefixed)
    assert (allowed.status, allowed.body) == ("200 Allowed", b"")
    assert allowed.headers["Cache-Control"] == "no-store"
    assert not [name for name in allowed.headers if name.lower().startswith("x-devpi")]
    assert used(acme, issued) == (1, size)

    for headers, sent in (
        ({"X-Original-Method": "HEAD"}, 0),
        ({"Range": "bytes=0-9"}, 10),
        ({"Range": "bytes=5-"}, size - 5),
        # nginx knows the file by another ETag, and may send all of it.
        ({"Range": "bytes=0-9", "If-Range": '"x"'}, size),
        # Whatever this is to nginx, it is not more than the file.
        ({"Range": "bytes=0-1,4-5"}, size),
    ):
        before = used(acme, issued)[1]
        assert ask(acme, prefixed, **headers).status_code == 200
        assert used(acme, issued) == (1, before + sent), headers
    refused(ask(acme, prefixed, Range=f"bytes={size}-"), 403, 403, "bandwidth_limit")

    other = acme.issue(["acme/cust"], name="other")
    for headers in (
        basic("token", str(other.secret)),
        basic("acme", str(other.secret)),
        bearer(str(other.secret)),
    ):
        assert ask(acme, path, **headers).status_code == 200
    assert used(acme, other) == (1, 3 * size)
    for suffix in (".metadata", "?x=1"):
        assert ask(acme, prefixed.replace(secret, str(other.secret)) + suffix).status_code == 200
    assert used(acme, other)[1] == 4 * size, "the query is none of the path, metadata are free"
    quoted = path.replace("+", "%2B")
    assert ask(acme, f"/%2Bt/{other.secret}{quoted}").status_code == 200
    [line] = acme.core.reports.usage(by=["repository"], tokens=[other.token.identifier])
    assert line.keys == ("acme/cust",)


def test_tokens_are_let_to_nothing_else(acme: DevpiApp) -> None:
    path, hidden = wheel(acme), wheel(acme, project="other-lib")
    issued = acme.issue(["acme/priv"], query="name:acme-core")
    secret = str(issued.secret)
    directory, _, name = path.rpartition("/")
    for original in (
        hidden,
        f"{hidden}.metadata",
        path.replace("1.0", "2.0"),
        "/acme/priv/+simple/acme-core/",
        "/acme/priv/+simple/",
        "/acme/priv/acme-core",
        "/acme/priv",
        "/simple/acme-core/",
        "/",
        "/+api",
        "/+authcheck",
        f"{path}/",
        f"/{path}",
        f"{directory}//{name}",
        f"{directory}/./{name}",
        f"{directory}/x/../{name}",
        f"{directory}/%2e%2e/{directory.rpartition('/')[2]}/{name}",
        f"{directory}%2f%2f{name}",
        f"{path}#",
        f"{path}%23",
        f"{path}%00",
        f"{path}%5c",
        f"{hidden}/../{name}",
        path.upper(),
    ):
        answer = ask(acme, f"/+t/{secret}{original}")
        refused(answer, 403, 404, "not_found")
        refused(ask(acme, original, **basic("token", secret)), 403, 404, "not_found")
    refused(ask(acme, None, **basic("token", secret)), 403, 404, "not_found")
    for method in ("POST", "PUT", "DELETE"):
        answer = ask(acme, f"/+t/{secret}{path}", **{"X-Original-Method": method})
        refused(answer, 403, 404, "not_found")
    for index in ("acme/gone", "nobody/none"):
        original = f"/+t/{secret}/{index}/+f/1/2/{name}"
        refused(ask(acme, original), 403, 410, "unknown_token")
    assert used(acme, issued) == (0, 0)

    refused(ask(acme, f"/+t/nonsense{path}"), 403, 410, "unknown_token")
    answer = ask(acme, path, **basic("token", "nonsense"))
    refused(answer, 401, 401, "unknown_token")
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    expired = acme.token(
        "acme/priv", name="expired", limit_date_range_to=datetime(2020, 1, 1, tzinfo=UTC)
    )
    refused(ask(acme, f"/+t/{expired}{path}"), 403, 403, "token_expired")
    assert ask(acme, f"/+t/{expired}{path}.metadata").status_code == 200
    none = acme.token("acme/priv", name="none", limit_num_downloads=0)
    refused(ask(acme, f"/+t/{none}{path}"), 403, 403, "download_limit")
    # A secret in the path of the question itself is another matter.
    assert acme.get("/+authcheck", secret, **{"X-Original-URI": path}).status_code == 404


def test_users_are_asked_as_devpi_does(acme: DevpiApp) -> None:
    path = wheel(acme)
    open_path = wheel(acme, "acme/open")
    for login, status in ((None, 401), ("mallory", 403), ("acme", 200)):
        if login:
            acme.login(login)
        for original in (path, f"{path}.metadata", "/acme/priv/+simple/", "/acme/priv/acme-core"):
            answer = ask(acme, original)
            assert answer.status_code == status, (login, original)
            challenge = answer.headers.get("WWW-Authenticate")
            assert (challenge == 'Basic realm="pypi"') is (status == 401)
        for original in (open_path, "/acme/open/+simple/", "/", "/+login", "/+api"):
            assert ask(acme, original).status_code == 200, original
        acme.logout()
    assert ask(acme, path, **basic("acme", PASSWORD)).status_code == 200
    assert ask(acme, path, **basic("mallory", PASSWORD)).status_code == 403
    assert ask(acme, path, **basic("acme", "wrong")).status_code == 401
    assert ask(acme, "/+nothing/like/this/at/all").status_code in {401, 403}


def test_with_the_lockdown(make_devpi_app: MakeDevpiApp) -> None:
    app = stocked(make_devpi_app("--entitlements-lockdown"))
    open_path = wheel(app, "acme/open")
    for original in (open_path, "/acme/open/+simple/", "/"):
        assert ask(app, original).status_code == 401, original
    for original in ("/+login", "/+api"):
        assert ask(app, original).status_code == 200
    app.login("mallory")
    assert ask(app, open_path).status_code == 200
    app.logout()
    secret = app.token("acme/open")
    assert ask(app, f"/+t/{secret}{open_path}").status_code == 200


def test_what_nginx_reads_in_another_way_is_refused_to_everybody(acme: DevpiApp) -> None:
    # nginx would send the file of the closed index, and devpi-server is asked for the open one.
    path = wheel(acme)
    for login in (None, "acme"):
        if login:
            acme.login(login)
        for original in (
            f"/acme/open/+f/../../..{path}",
            f"/acme/open/+f/%2e%2e/%2e%2e/%2E%2E{path}",
            f"/acme/open/+simple/../../..{path}",
            f"/acme/open/+api/../../..{path}",
            f"/nobody/x/../..{path}",
            f"/+login/..{path}",
            f"/./{path}",
            f"/{path}",
            f"http://localhost/acme/open/+simple/../../..{path}",
            path.replace("/priv/", "//priv/"),
            path.replace("/priv/", "%2F%2fpriv/"),
            f"{path}#/+api",
            f"{path}%00",
            "/acme/open/+f/%c0%ae/b29/x.whl",
            f"{path}%ff",
            "/%e2%82",
        ):
            assert ask(acme, original).status_code == 403, (login, original)
    assert ask(acme, path.replace("+", "%2B")).status_code == 200
    assert ask(acme, "/acme/priv/+simple/").status_code == 200


def test_a_token_of_a_netrc_does_not_close_what_is_open_to_all(acme: DevpiApp) -> None:
    secret, open_path = acme.token("acme/priv"), wheel(acme, "acme/open")
    for given in (basic("token", secret), basic("token", "ent_" + "x" * 38), bearer(secret)):
        assert ask(acme, open_path, **given).status_code == 200
        refused(ask(acme, wheel(acme, project="other-lib"), **basic("token", "x")), 401, 401, CODE)
    refused(ask(acme, f"/+t/{secret}{open_path}"), 403, 410, CODE)
    granted = acme.token("acme/open", query="name:^other$", name="granted")
    refused(ask(acme, open_path, **basic("token", granted)), 403, 404, "not_found")


def test_a_full_url_is_decided_as_its_path(acme: DevpiApp) -> None:
    path, secret = wheel(acme), acme.token("acme/priv")
    for front in ("http://localhost", "https://packages.acme.example:8443", "HTTP://[::1]:80"):
        assert ask(acme, f"{front}/").status_code == 200
        assert ask(acme, f"{front}/+login").status_code == 200
        assert ask(acme, f"{front}{path}").status_code == 401
        assert ask(acme, f"{front}{path}", **basic("acme", PASSWORD)).status_code == 200
        assert ask(acme, f"{front}{path}", **basic("mallory", PASSWORD)).status_code == 403
        assert ask(acme, f"{front}/+t/{secret}{path}").status_code == 200
        assert ask(acme, f"{front}{path}", **basic("token", secret)).status_code == 200
        assert ask(acme, f"{front}/+t/{secret}/acme/priv/+simple/").status_code == 403


def test_no_host_hides_a_path(acme: DevpiApp) -> None:
    # A client says the host, in which nginx takes no slash; what it sends is the path behind it.
    path = wheel(acme)
    for host in (
        "",
        "x?",
        "x#",
        "x@y",
        "x\\",
        "[",
        "[z]",
        "x:y",
        "%",
    ):
        for scheme in ("http", "ftp", "javascript"):
            assert ask(acme, f"{scheme}://{host}{path}").status_code == 403, (scheme, host)
    for odd in (path.lstrip("/"), f"x:{path}", f"http:{path}", f"?{path}", f"http:///{path}"):
        assert ask(acme, odd).status_code == 403, odd
