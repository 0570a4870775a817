"""nginx in front of a devpi-server, with each configuration that devpi-gen-config writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import pytest

from devpi_entitlements.nginx import unguarded_configurations
from tests.functional import devpis
from tests.functional.devpi_nginx import fronted, generated
from tests.functional.devpi_vendor import EVERY_REQUEST, INDEX, DevpiVendor
from tests.functional.devpi_verbs import Devpi
from tests.functional.nginx import reserved_port
from tests.functional.vendors import Client
from tests.wheelhouse import build_wheel

NOW: Final = datetime.now(UTC)  # noqa: TID251 - real servers have the real time
WHEEL: Final = "lab_foo-1.0-py3-none-any.whl"
PROXY: Final = ("--trusted-proxy", "127.0.0.1", "--trusted-proxy-headers", "x-forwarded-for")
ACCEL: Final = ("--entitlements-accel-redirect", "/+protected")


@dataclass(frozen=True)
class Shop:
    """A vendor whose customers reach an nginx."""

    vendor: DevpiVendor
    server: Devpi
    front: str
    written: Path
    log: Path
    data: bytes
    path: str

    def page(self, secret: str) -> str:
        """The index URL with a token in the path."""
        return f"{self.front}/+t/{secret}/{INDEX}/+simple/"

    def alias(self, secret: str) -> str:
        """The short form."""
        return f"{self.front}/+t/{secret}/simple/"

    def basic(self, secret: str) -> str:
        """The index URL with basic auth."""
        return f"{self.front.replace('//', f'//token:{secret}@')}/{INDEX}/+simple/"

    def file(self, secret: str) -> str:
        """The address of the file for a token."""
        return f"{self.front}/+t/{secret}{self.path}"


def make_shop(root: Path, name: str, *options: str) -> Iterator[Shop]:
    """A shop with the nginx configuration of that name."""
    vendor = DevpiVendor(root)
    wheel = build_wheel(root / "wheels", "lab-foo", "1.0", padding=50_000)
    hidden = build_wheel(root / "wheels", "lab-bar", "1.0")
    url = f"http://127.0.0.1:{reserved_port()}"
    with vendor.serving(
        *PROXY, *options, without=devpis.OTHERS, environment=EVERY_REQUEST
    ) as server:
        server.index(INDEX, bases=[], acl_pkg_read=["acme"])
        server.upload(INDEX, wheel, hidden)
        home = ("--entitlements-home", str(vendor.home))
        written = generated(server, root / "gen", url, *home, *options)
        path = server.files_of(INDEX, "lab-foo", headers=server.logins["acme"])[WHEEL]
        with fronted(root / "nginx", written / name, url) as front:
            log = root / "nginx" / "logs" / "devpi-access.log"
            yield Shop(vendor, server, front, written, log, wheel.read_bytes(), path)


@pytest.fixture(scope="module")
def accel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Nginx sends what devpi-server tells it to."""
    yield from make_shop(tmp_path_factory.mktemp("accel"), "nginx-entitlements.conf", *ACCEL)


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Nginx asks whether it may send."""
    name = "nginx-entitlements-auth-request.conf"
    yield from make_shop(tmp_path_factory.mktemp("asking"), name)


@pytest.fixture(params=["accel", "asking"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """Each in turn."""
    found: Shop = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("form", ["path", "alias", "basic"])
def test_a_client_installs_through_nginx_and_is_counted(
    shop: Shop, pip: Client, tmp_path: Path, form: str
) -> None:
    token = shop.vendor.token("customer", "name:^lab-foo$")
    secret = token.secret or ""
    url = {"path": shop.page, "alias": shop.alias, "basic": shop.basic}[form](secret)
    ended = pip.install("lab-foo", url, tmp_path)

    assert ended.status == 0, ended.text
    assert shop.vendor.downloads(token, NOW) == 1
    assert secret not in shop.log.read_text()
    assert secret not in shop.server.log


def test_what_is_sent_is_the_file(shop: Shop) -> None:
    secret = shop.vendor.secret("customer", "name:^lab-foo$")
    whole = httpx.get(shop.file(secret))
    part = httpx.get(shop.file(secret), headers={"Range": "bytes=10-19"})

    assert (whole.status_code, whole.content) == (200, shop.data)
    assert (part.status_code, part.content) == (206, shop.data[10:20])
    assert "public" not in whole.headers.get("Cache-Control", "")
    assert "X-Accel-Redirect" not in whole.headers


def test_the_limit_is_met_exactly(shop: Shop) -> None:
    token = shop.vendor.token("limited", limit_num_downloads=2)
    url = shop.file(token.secret or "")
    answers = [httpx.get(url).status_code for _ in range(4)]

    assert answers == [200, 200, 403, 403]
    assert shop.vendor.downloads(token, NOW) == 2


def test_nobody_gets_at_a_file_otherwise(shop: Shop) -> None:
    narrow = shop.vendor.secret("narrow", "name:^lab-bar$")
    ended = shop.vendor.secret("disabled", enabled=False)
    stored = shop.path.lstrip("/")
    answers = {
        "stranger": httpx.get(shop.front + shop.path),
        "not covered": httpx.get(shop.file(narrow)),
        "disabled": httpx.get(shop.file(ended)),
        "unknown": httpx.get(shop.file("ent_never-issued")),
        "internal": httpx.get(f"{shop.front}/+protected/+files/{stored}"),
        "stored": httpx.get(f"{shop.front}/+files/{stored}"),
        "quoted": httpx.get(shop.front + shop.path.replace("+f", "%2Bf")),
        "dots": httpx.get(f"{shop.front}/+t/{narrow}/x/..{shop.path}"),
        "slashes": httpx.get(f"{shop.front}/{shop.path}"),
        "key": httpx.get(f"{shop.front}/+protected/secret"),
    }

    assert answers["stranger"].status_code == 401
    assert "WWW-Authenticate" in answers["stranger"].headers
    let_in = {who: found for who, found in answers.items() if found.status_code < 400}
    assert not let_in


@pytest.mark.parametrize("name", ["", "-auth-request"])
def test_with_devpi_lockdown_lists_and_files_agree(tmp_path: Path, name: str) -> None:
    vendor = DevpiVendor(tmp_path)
    others = [other for other in devpis.OTHERS if other != "devpi-lockdown"]
    options = () if name else ACCEL
    url = f"http://127.0.0.1:{reserved_port()}"
    with vendor.serving(*PROXY, *options, without=others) as server, closing(vendor.core):
        server.index("acme/open", bases=[])
        server.upload("acme/open", build_wheel(tmp_path / "wheels", "lab-foo", "1.0"))
        [path] = server.files_of("acme/open", "lab-foo").values()
        secret = vendor.secret("customer", repositories=["acme/open"])
        # Nothing is open to strangers, so a base that comes later is not open to the token either.
        server.index("acme/later", bases=[])
        server.upload("acme/later", build_wheel(tmp_path / "wheels", "lab-bar", "1.0"))
        added = server.request("PATCH", "/acme/open", "acme", json=["bases+=acme/later"])
        assert added.status_code == 200, added.text
        home = ("--entitlements-home", str(vendor.home))
        gen = generated(server, tmp_path / "gen", url, *home, *options, without=others)
        written = gen / f"nginx-entitlements{name}.conf"
        with fronted(tmp_path / "nginx", written, url) as front:
            for asked in ("/acme/open/+simple/", "/acme/open/+simple/lab-foo/", path):
                assert httpx.get(front + asked).status_code == 401, asked
                assert httpx.get(f"{front}/+t/{secret}{asked}").status_code == 200, asked
                assert httpx.get(front + asked, auth=("acme", "123")).status_code == 200, asked
            page = "/acme/open/+simple/lab-bar/"
            assert httpx.get(f"{front}/+t/{secret}{page}").status_code == 404
            words = ("token", "create", "--repo", "acme/open", "--name", "later", "--json")
            late = json.loads(vendor.entitlements(*words).text)["token"]
            assert httpx.get(f"{front}/+t/{late}{page}").status_code == 200


def test_the_decision_alone_is_for_nginx(shop: Shop) -> None:
    token = shop.vendor.token("customer", "name:^lab-foo$")
    asked = {"X-Original-URI": shop.path}
    for target in ("/+authcheck", "/%2Bauthcheck"):
        answer = httpx.get(
            f"{shop.front}{target}", headers=asked, auth=("token", token.secret or "")
        )
        assert answer.status_code == 404
    assert shop.vendor.downloads(token, NOW) == 0


def test_a_user_of_the_index_gets_the_file(shop: Shop) -> None:
    answer = httpx.get(shop.front + shop.path, auth=("acme", "123"))

    assert (answer.status_code, answer.content) == (200, shop.data)


def test_a_refusal_says_why_when_devpi_answers_it(accel: Shop, pip: Client, tmp_path: Path) -> None:
    secret = accel.vendor.secret("limited", limit_num_downloads=0)
    ended = pip.install("lab-foo", accel.page(secret), tmp_path)

    assert "Download limit 0/0 reached" in ended.text


def test_a_client_is_who_nginx_says(accel: Shop) -> None:
    token = accel.vendor.token("customer")
    spoofed = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"}
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2")) as elsewhere:
        foreign = elsewhere.get(accel.file(token.secret or ""), headers=spoofed)
        changes = elsewhere.get(f"{accel.front}/+changelog/0")

    assert foreign.status_code == 200
    clients = accel.vendor.core.reports.clients(token.token.identifier)
    assert {client.client for client in clients} == {"127.0.0.2"}
    assert changes.status_code == 403


def test_the_stock_configuration_lets_everybody_in_and_is_found(
    accel: Shop, tmp_path: Path
) -> None:
    folder = tmp_path / "sites-enabled"
    folder.mkdir()
    url = f"http://127.0.0.1:{reserved_port()}"
    written = generated(accel.server, tmp_path / "gen", url)
    stock = written / "nginx-devpi.conf"
    (folder / "devpi.conf").write_text(stock.read_text())
    with fronted(tmp_path / "nginx", stock, url) as front:
        bypassed = httpx.get(front + accel.path)
    found = list(unguarded_configurations(accel.server.directory, [folder]))
    ours = tmp_path / "ours"
    ours.mkdir()
    for name in ("nginx-entitlements.conf", "nginx-entitlements-auth-request.conf"):
        (ours / name).write_text((accel.written / name).read_text())

    assert bypassed.status_code == 200, "devpi's configuration is safe now: warn no longer"
    assert [path.name for path, _ in found] == ["devpi.conf"]
    assert not list(unguarded_configurations(accel.server.directory, [ours]))
