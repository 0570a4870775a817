"""Behind a real nginx: the pages of the documentation as they are printed there, with TLS.

Files sent by it, decisions asked by it, and a cache that must not leak.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.functional import nginx
from tests.functional.certificates import Certificate, certificate
from tests.functional.nginx import reserved_port
from tests.functional.raw import raw_get
from tests.functional.vendors import Client, Vendor
from tests.pages import replaced, take
from tests.wheelhouse import build_wheel

NOW: Final = datetime.now(UTC)  # noqa: TID251 - real servers have the real time
WHEEL: Final = "lab_foo-1.0-py3-none-any.whl"
HIDDEN: Final = "lab_bar-1.0-py3-none-any.whl"

PAGE: Final = "docs/nginx.md"
REDACTED: Final = take(PAGE, "nginx", "log_format redacted")
ACCEL: Final = take(PAGE, "nginx", "location /_packages/")
ASKING: Final = take(PAGE, "nginx", "auth_request /+auth")
SETTINGS: Final = dict(
    line.split("=", 1) for line in shlex.split(take(PAGE, "sh", "ENTITLEMENTS_ACCEL_REDIRECT"))
)
UNLESS_TOLD: Final = {key: SETTINGS[key] for key in SETTINGS if not key.endswith("ACCEL_REDIRECT")}
VARIANTS: Final = {"accel": (ACCEL, SETTINGS), "asking": (ASKING, UNLESS_TOLD)}


@dataclass(frozen=True)
class Front:
    """An nginx as the documentation has it.

    Attributes:
        url: with TLS.
        plain: without.
        certificate: its own.
        root: where it writes.
    """

    url: str
    plain: str
    certificate: Certificate
    root: Path

    def get(self, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - as httpx takes it
        """The answer to a GET."""
        with httpx.Client(verify=self.certificate.context) as client:
            return client.get(self.url + path, **more)


@contextmanager
def fronted(root: Path, variant: str, url: str, packages: Path, *, debian: bool) -> Iterator[Front]:
    """Nginx with a page of the documentation. Only ports and directories are replaced."""
    port, plain = reserved_port(), reserved_port()
    own = certificate(root.with_name("tls"))
    table = {
        "listen [::]:443 ssl;": "",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/letsencrypt/live/packages.acme.example": str(own.folder),
        "/var/log/nginx": str(root),
        "/srv/packages": str(packages),
        "http://127.0.0.1:8080": url,
    }
    site = replaced(
        VARIANTS[variant][0],
        table
        if variant == "asking"
        else table
        | {
            "listen [::]:80;": "",
            "listen 80;": f"listen 127.0.0.1:{plain};",
        },
    )
    with nginx.running_sites(root, REDACTED + site, port, debian=debian):
        yield Front(f"https://127.0.0.1:{port}", f"http://127.0.0.1:{plain}", own, root)


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    """Each of the two pages."""
    name: str = request.param
    return name


@pytest.fixture(scope="module", params=VARIANTS)
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Vendor, Front]]:
    """A vendor behind each of the two pages, with files in folders."""
    root = tmp_path_factory.mktemp(request.param)
    vendor = Vendor(root)
    build_wheel(vendor.packages / "l/lab-foo", "lab-foo", "1.0", padding=50_000)
    build_wheel(vendor.packages / "with space & $uri%2e?#", "lab-odd", "1.0")
    build_wheel(vendor.packages / "fünf", "lab-odd", "2.0")
    build_wheel(vendor.packages, "lab-bar", "1.0")
    (vendor.packages / "index.html").write_text("everything")
    vendor.token("first")
    environment = VARIANTS[request.param][1]
    with (
        vendor.serving(environment=environment) as server,
        fronted(root / "nginx", request.param, server.url, vendor.packages, debian=True) as front,
    ):
        yield vendor, front


@pytest.mark.parametrize("client", ["pip", "uv"])
@pytest.mark.parametrize("form", ["path", "header"])
def test_clients_install_from_folders_and_are_counted(
    shop: tuple[Vendor, Front],
    client: str,
    form: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    vendor, front = shop
    token = vendor.token("customer")
    index = {
        "path": f"{front.url}/+t/{token.secret}/simple/",
        "header": f"{front.url.replace('//', f'//token:{token.secret}@')}/simple/",
    }[form]
    installer: Client = front.certificate.trusted(request.getfixturevalue(client))
    for number, wanted in enumerate(("lab-foo", "lab-odd==1.0", "lab-odd==2.0")):
        ended = installer.install(wanted, index, tmp_path / str(number))
        assert ended.status == 0, ended.text

    assert vendor.downloads(token, NOW) == 3
    for log in front.root.glob("*.log"):
        assert (token.secret or "") not in log.read_text(), log


def test_what_is_sent_is_the_file(shop: tuple[Vendor, Front]) -> None:
    vendor, front = shop
    data = (vendor.packages / "l/lab-foo" / WHEEL).read_bytes()
    token = vendor.token("customer", "name:^lab-foo$")
    url = f"/+t/{token.secret}/packages/{WHEEL}"
    whole = front.get(url)
    part = front.get(url, headers={"Range": "bytes=10-19"})
    metadata = front.get(f"{url}.metadata")

    assert (whole.status_code, whole.content) == (200, data)
    assert (part.status_code, part.content) == (206, data[10:20])
    assert whole.headers["Cache-Control"] == "private, no-cache"
    assert "Name: lab-foo" in metadata.text
    assert not [name for name in whole.headers if name.startswith(("x-accel", "x-entitlements"))]


def test_refusals_say_why(shop: tuple[Vendor, Front], pip: Client, tmp_path: Path) -> None:
    vendor, front = shop
    exhausted = vendor.token("exhausted", limit_num_downloads=0)
    index = f"{front.url}/+t/{exhausted.secret}/simple/"
    ended = front.certificate.trusted(pip).install("lab-foo", index, tmp_path / "site")
    stranger = front.get(f"/packages/{WHEEL}")
    hidden = front.get(f"/+t/{exhausted.secret}/packages/missing-1.0-py3-none-any.whl")

    assert ended.status == 1
    assert re.search("Download.limit.0.0.reached", ended.text)
    assert stranger.status_code == 401
    assert len(stranger.headers.get_list("WWW-Authenticate")) == 1
    assert hidden.status_code == 404
    assert {answer.headers["Content-Type"] for answer in (stranger, hidden)} == {
        "application/problem+json"
    }


PREFIXES: Final = ("/packages/", "/packages/l/lab-foo/", "/_packages/", "/simple/lab-bar/", "/")
STEPS: Final = ("", "/", "x/../", "x%2f..%2f", "%2e%2e/", f"{WHEEL}/../", f"{WHEEL}%2f..%2f", "%00")
ENDS: Final = (
    "",
    "/",
    "?x=.whl",
    f"?/{WHEEL}",
    f"#/{WHEEL}",
    f"%23/{WHEEL}",
    f"/{WHEEL}",
    ".metadata",
)
NAMES: Final = (HIDDEN, HIDDEN.replace("-", "%2D"), "index.html")


def test_no_spelling_of_an_address_opens_another_file(shop: tuple[Vendor, Front]) -> None:
    vendor, front = shop
    hidden = (vendor.packages / HIDDEN).read_bytes()
    token = vendor.token("narrow", "name:^lab-foo$")
    allowed = (vendor.packages / "l/lab-foo" / WHEEL).read_bytes()
    context = front.certificate.context
    target = f"/packages/{WHEEL}"
    answer = raw_get(front.url, target, context, user=f"token:{token.secret}")
    assert answer == (200, allowed)
    opened = {}
    for before, prefix, step, name, end in product(
        ("", f"/+t/{token.secret}"), PREFIXES, STEPS, NAMES, ENDS
    ):
        target = f"{before}{prefix}{step}{name}{end}"
        status, body = raw_get(front.url, target, context, user=f"token:{token.secret}")
        if status < 300 and body != allowed:
            opened[target] = body[:80]
        assert hidden[100:400] not in body, target
        assert b"everything" not in body, target
    assert not {target: body for target, body in opened.items() if b"Name: lab-foo" not in body}


@pytest.mark.parametrize("target", ["/+auth", "/%2Bauth", "/+auth/", "//+auth"])
def test_the_decision_alone_is_for_nginx(shop: tuple[Vendor, Front], target: str) -> None:
    vendor, front = shop
    token = vendor.token("customer")
    asked = {"X-Original-URI": f"/packages/{WHEEL}"}
    answer = front.get(target, auth=("token", token.secret or ""), headers=asked)

    assert answer.status_code == 404
    assert vendor.downloads(token, NOW) == 0


def test_a_file_that_is_gone_is_not_counted(vendor: Vendor, variant: str, tmp_path: Path) -> None:
    wheel = build_wheel(vendor.packages, "lab-foo", "1.0")
    more = tmp_path / "more"
    build_wheel(more / "x", "lab-baz", "1.0")
    token = vendor.token("customer")
    directories = (str(more),) if variant == "asking" else ()
    environment = VARIANTS[variant][1]
    with (
        vendor.serving(*directories, environment=environment) as server,
        fronted(tmp_path / "nginx", variant, server.url, vendor.packages, debian=False) as front,
    ):
        url = f"/+t/{token.secret}/packages"
        assert front.get(f"{url}/{WHEEL}").status_code == 200
        wheel.unlink()
        assert front.get(f"{url}/{WHEEL}").status_code == 404
        if variant == "asking":
            # Another directory, which this nginx has not been told of.
            assert front.get(f"{url}/lab_baz-1.0-py3-none-any.whl").status_code == 200
    assert vendor.downloads(token, NOW) == (2 if variant == "asking" else 1)


def test_a_client_is_who_nginx_says(shop: tuple[Vendor, Front]) -> None:
    vendor, front = shop
    token = vendor.token("customer")
    forged = {"X-Forwarded-For": "203.0.113.9", "X_Forwarded_For": "203.0.113.9"}
    transport = httpx.HTTPTransport(local_address="127.0.0.2", verify=front.certificate.context)
    with httpx.Client(transport=transport) as elsewhere:
        url = f"{front.url}/+t/{token.secret}/packages/{WHEEL}"
        assert elsewhere.get(url, headers=forged).status_code == 200
    clients = vendor.core.reports.clients(token.token.identifier)
    assert {client.client for client in clients} == {"127.0.0.2"}


CLEAR: Final = {
    "pip": "Use https and a new token",
    "uv": "Use https and a new token",
}
"""What an installer prints of a page."""


def test_without_tls_nothing_is_served(
    vendor: Vendor, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    token = vendor.token("customer")
    secret = token.secret or ""
    with (
        vendor.serving(environment=SETTINGS) as server,
        fronted(tmp_path / "nginx", "accel", server.url, vendor.packages, debian=False) as front,
    ):
        answer = httpx.get(f"{front.plain}/+t/{token.secret}/packages/{WHEEL}")
        page = httpx.get(f"{front.plain}/+t/{token.secret}/simple/")
        for name, words in CLEAR.items():
            for index in (
                f"{front.plain}/+t/{secret}/simple/",
                f"{front.plain.replace('//', f'//token:{secret}@')}/simple/",
            ):
                ended = request.getfixturevalue(name).install("lab-foo", index, tmp_path / name)
                assert ended.status != 0
                assert words in " ".join(ended.text.split()), ended.text
        wheel = f"{front.plain}/+t/{secret}/packages/{WHEEL}"
        ended = request.getfixturevalue("pip").install(wheel, front.url, tmp_path / "file")
        assert "~Use-https-and-a-new-token" in ended.text
        for agent in ("pip/26.3", "poetry/2.5.1", "pdm/2.29.3", "uv/0.13.9", "curl/8"):
            sent = httpx.get(wheel, headers={"User-Agent": agent}, follow_redirects=True)
            assert sent.status_code == 403
            assert sent.json()["code"] == "https_required"
            assert ("~Use-https-and-a-new-token" in str(sent.url)) is not agent.startswith(
                ("curl", "uv")
            )
            assert secret not in str(sent.url) or agent.startswith(("curl", "uv"))
        led = httpx.get(
            f"{front.plain}/+t/{secret}/simple/lab-foo/", headers={"User-Agent": "poetry/2.5.1"}
        )
        assert led.headers["Location"].endswith("/~Use-https-and-a-new-token/")
        assert secret not in led.headers["Location"]
    assert (answer.status_code, page.status_code) == (403, 403)
    assert "https" in answer.text
    for log in front.root.glob("*.log"):
        assert (token.secret or "") not in log.read_text(), log


def test_a_shared_cache_keeps_nothing_for_somebody_else(vendor: Vendor, tmp_path: Path) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    token = vendor.token("customer")
    narrow = vendor.token("other", "name:^other$")
    caching = """
        location / {
            proxy_pass %s;
            proxy_cache shared;
            proxy_cache_key $uri;
            add_header X-Cache $upstream_cache_status;
        }
    """

    with (
        vendor.serving() as server,
        nginx.running(tmp_path / "nginx", caching % server.url) as front,
    ):
        paths = ("/simple/", "/simple/lab-foo/", f"/packages/{WHEEL}")
        mine = [httpx.get(front + path, auth=("token", token.secret or "")) for path in paths]
        theirs = [httpx.get(front + path, auth=("token", narrow.secret or "")) for path in paths]
        strangers = [httpx.get(front + path) for path in paths]

    assert [answer.status_code for answer in mine] == [200, 200, 200]
    assert [answer.status_code for answer in theirs] == [200, 404, 404]
    assert "lab-foo" not in theirs[0].text
    assert [answer.status_code for answer in strangers] == [401, 401, 401]
    assert not any(answer.headers.get("X-Cache") == "HIT" for answer in mine + theirs + strangers)
