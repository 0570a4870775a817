"""Behind a real nginx: files sent by it, decisions asked by it, and a cache that must not leak."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.functional import nginx
from tests.functional.vendors import Client, Vendor
from tests.wheelhouse import build_wheel

NOW: Final = datetime.now(UTC)  # noqa: TID251 - real servers have the real time
WHEEL: Final = "lab_foo-1.0-py3-none-any.whl"
TRUSTED: Final = {
    "ENTITLEMENTS_TRUSTED_PROXIES": "127.0.0.1",
    "ENTITLEMENTS_FORWARDED_HEADER": "X-Forwarded-For",
}


def test_nginx_sends_the_file_that_was_allowed_and_counted(
    vendor: Vendor, pip: Client, tmp_path: Path
) -> None:
    data = build_wheel(vendor.packages, "lab-foo", "1.0", padding=50_000).read_bytes()
    token = vendor.token("customer")
    environment = TRUSTED | {"ENTITLEMENTS_ACCEL_REDIRECT": "/_packages"}

    with (
        vendor.serving(environment=environment) as server,
        nginx.running(tmp_path / "nginx", accelerated(server.url, vendor.packages)) as front,
    ):
        url = f"{front}/+t/{token.secret}"
        installed = pip.install("lab-foo", f"{url}/simple/", tmp_path / "site")
        part = httpx.get(f"{url}/packages/{WHEEL}", headers={"Range": "bytes=10-19"})
        direct = httpx.get(f"{front}/_packages/{WHEEL}")
        spoofed = {"X-Forwarded-For": "203.0.113.9"}
        with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2")) as elsewhere:
            foreign = elsewhere.get(f"{url}/packages/{WHEEL}", headers=spoofed)

    assert installed.status == 0, installed.text
    assert (part.status_code, part.content) == (206, data[10:20])
    assert direct.status_code == 404
    assert (foreign.status_code, foreign.content) == (200, data)
    clients = vendor.core.reports.clients(token.token.identifier)
    assert {client.client for client in clients} == {"127.0.0.1", "127.0.0.2"}
    assert vendor.downloads(token, NOW) == 2


def accelerated(url: str, packages: Path) -> str:
    return f"""
        location / {{
            proxy_pass {url};
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
        location /_packages/ {{ internal; alias {packages}/; }}
    """


def test_nginx_asks_for_the_decision_alone(vendor: Vendor, tmp_path: Path) -> None:
    data = build_wheel(vendor.packages, "lab-foo", "1.0").read_bytes()
    build_wheel(vendor.packages, "lab-bar", "1.0")
    (vendor.packages / "index.html").write_text("everything")
    token = vendor.token("customer", "name:^lab-foo$", limit_num_downloads=1)
    other = vendor.token("exhausted", limit_num_downloads=0)

    with (
        vendor.serving(environment=TRUSTED) as server,
        nginx.running(tmp_path / "nginx", asking(server.url, vendor.packages)) as front,
    ):
        url = f"{front}/+t/{token.secret}"
        allowed = httpx.get(f"{url}/packages/{WHEEL}")
        by_header = httpx.get(f"{front}/packages/{WHEEL}", auth=("token", token.secret or ""))
        hidden = httpx.get(f"{url}/packages/lab_bar-1.0-py3-none-any.whl")
        page = httpx.get(f"{url}/packages/index.html")
        stranger = httpx.get(f"{front}/packages/{WHEEL}")
        exhausted = httpx.get(f"{front}/+t/{other.secret}/packages/{WHEEL}")

    assert (allowed.status_code, allowed.content) == (200, data)
    assert by_header.status_code == 200
    statuses = [answer.status_code for answer in (hidden, page, stranger, exhausted)]
    assert statuses == [403, 404, 401, 403]
    assert exhausted.headers["X-Entitlements-Reason"].startswith("Download limit 0/0 reached")
    assert vendor.downloads(token, NOW) == 1


def asking(url: str, packages: Path) -> str:
    """The recipe of the documentation, for this server."""
    text = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
    [recipe] = [
        block.partition("```")[0]
        for block in text.split("```nginx\n")[1:]
        if "auth_request /_authorize" in block.partition("```")[0]
    ]
    return recipe.replace("http://127.0.0.1:8080", url).replace("/srv/packages", str(packages))


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_clients_install_where_nginx_asks(
    client: str, vendor: Vendor, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    token = vendor.token("customer")
    installer: Client = request.getfixturevalue(client)
    with (
        vendor.serving(environment=TRUSTED) as server,
        nginx.running(tmp_path / "nginx", asking(server.url, vendor.packages)) as front,
    ):
        index = f"{front}/+t/{token.secret}/simple/"
        installed = installer.install("lab-foo", index, tmp_path / "site")
    assert installed.status == 0, installed.text
    assert vendor.downloads(token, NOW) == 1


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
