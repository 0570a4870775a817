"""A primary and a replica that share the store on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import pytest

from entitlements_core.policy.credential import Access
from tests.actors import person
from tests.functional import devpis
from tests.functional.devpi_vendor import EVERY_REQUEST, INDEX, DevpiVendor
from tests.functional.devpi_verbs import SECONDS, Devpi
from tests.functional.vendors import Client
from tests.postgres import Server
from tests.wheelhouse import build_wheel

NOW: Final = datetime.now(UTC)  # noqa: TID251 - real servers have the real time
WHEEL: Final = "lab_foo-1.0-py3-none-any.whl"


@dataclass(frozen=True)
class Shop:
    """A vendor with two servers."""

    vendor: DevpiVendor
    primary: Devpi
    replica: Devpi

    def path(self) -> str:
        """Of the file that both have."""
        return self.primary.files_of(INDEX, "lab-foo", headers=self.primary.logins["acme"])[WHEEL]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, postgres: Server) -> Iterator[Shop]:
    root = tmp_path_factory.mktemp("replica")
    url = postgres.create("devpi_entitlements")
    vendor = DevpiVendor(root, {"database_url": url})
    environment = EVERY_REQUEST | {"ENTITLEMENTS_DATABASE_URL": url}
    core = vendor.core
    home = ("--entitlements-home", str(vendor.home), "--enable-core-metadata")
    (root / "replica").mkdir()
    with (
        closing(core),
        vendor.serving("--role", "primary", without=devpis.WEB, environment=environment) as primary,
        devpis.running_replica(
            root / "replica",
            primary,
            # No file is there before somebody asks for it.
            *(*home, "--file-replication-skip-indexes", "all"),
            without=devpis.WEB,
            environment=environment,
        ) as replica,
    ):
        primary.index(INDEX, bases=[], acl_pkg_read=["acme"])
        primary.upload(INDEX, build_wheel(root / "wheels", "lab-foo", "1.0"))
        primary.upload(INDEX, build_wheel(root / "wheels", "lab-bar", "1.0"))
        replica.await_serial(primary.serial())
        yield Shop(vendor, primary, replica)


def test_a_client_installs_from_the_replica(shop: Shop, pip: Client, tmp_path: Path) -> None:
    secret = shop.vendor.secret("customer", "name:^lab-foo$")
    url = shop.replica.index_url(INDEX, secret)
    ended = pip.install("lab-foo", url, tmp_path)

    assert ended.status == 0, ended.text
    assert shop.replica.get(f"/+t/{secret}/{INDEX}/+simple/lab-bar/").status_code == 404
    assert shop.replica.get(f"/{INDEX}/+simple/lab-foo/").status_code == 401


def test_core_metadata_of_a_file_that_is_not_there_yet_is_not_the_file(shop: Shop) -> None:
    """devpi-server answers with the file itself then, which nobody would have counted."""
    token = shop.vendor.token("resolver", limit_num_downloads=0)
    shop.primary.upload(INDEX, build_wheel(shop.vendor.root / "late", "lab-late", "1.0"))
    shop.replica.await_serial(shop.primary.serial())
    headers = shop.primary.logins["acme"]
    [path] = shop.primary.files_of(INDEX, "lab-late", headers=headers).values()
    answer = shop.replica.get(f"/+t/{token.secret}{path}.metadata")

    assert answer.status_code == 200
    assert answer.text.startswith("Metadata-Version:")
    assert shop.vendor.downloads(token, NOW) == 0


def test_one_download_is_counted_for_both(shop: Shop) -> None:
    token = shop.vendor.token("limited", limit_num_downloads=2)
    path = f"/+t/{token.secret}{shop.path()}"
    answers = [
        server.get(path).status_code
        for server in (shop.primary, shop.replica, shop.primary, shop.replica)
    ]

    assert answers == [200, 200, 403, 403]
    assert shop.vendor.downloads(token, NOW) == 2


def test_a_change_of_a_token_holds_on_both_from_the_next_request_on(shop: Shop) -> None:
    token = shop.vendor.token("ending")
    path = f"/+t/{token.secret}{shop.path()}"
    servers = (shop.primary, shop.replica)
    before = [server.get(path).status_code for server in servers]
    shop.vendor.core.lifecycle.disable(token.token.identifier, actor=person("test"))
    disabled = [server.get(path).status_code for server in servers]
    shop.vendor.core.lifecycle.delete(token.token.identifier, actor=person("test"))
    deleted = [server.get(path).status_code for server in servers]

    assert (before, disabled, deleted) == ([200, 200], [403, 403], [410, 410])


@pytest.mark.parametrize("form", ["path", "basic"])
@pytest.mark.parametrize(("name", "status"), [("lab-foo", 200), ("lab-bar", 403)])
def test_an_upload_through_the_replica_is_decided_by_the_primary(
    shop: Shop, tmp_path: Path, name: str, status: int, form: str
) -> None:
    secret = shop.vendor.secret("partner", "name:^lab-foo$", access=Access.WRITE)
    version = "1.5" if form == "path" else "1.6"
    wheel = build_wheel(tmp_path, name, version)
    prefix = f"/+t/{secret}" if form == "path" else ""
    answer = httpx.post(
        f"{shop.replica.url}{prefix}/{INDEX}/",
        data={":action": "file_upload", "name": name, "version": version},
        files={"content": (wheel.name, wheel.read_bytes())},
        auth=("token", secret) if form == "basic" else None,
        timeout=SECONDS,
    )

    assert answer.status_code == status, answer.text
    files = shop.primary.files_of(INDEX, name, headers=shop.primary.logins["acme"])
    assert (wheel.name in files) is (status == 200)
    assert secret not in shop.primary.log + shop.replica.log


def test_a_user_of_the_index_reads_on_the_replica(shop: Shop) -> None:
    shop.replica.login("acme", "123")
    answer = shop.replica.request("GET", shop.path(), "acme", headers={"Accept": "*/*"})

    assert answer.status_code == 200
    assert answer.content == (shop.vendor.root / "wheels" / WHEEL).read_bytes()


def test_what_was_fetched_once_is_served_by_the_replica_itself_and_counted(shop: Shop) -> None:
    token = shop.vendor.token("again")
    path = f"/+t/{token.secret}{shop.path()}"
    first = shop.replica.get(path)
    asked = shop.primary.log.count(WHEEL)
    second = shop.replica.get(path)

    assert first.content == second.content
    assert shop.primary.log.count(WHEEL) == asked
    assert shop.vendor.downloads(token, NOW) == 2


def test_an_index_or_base_is_the_same_one_on_both(shop: Shop) -> None:
    """By devpi's own history, which the replica has from its primary."""
    primary, again, base = shop.primary, "acme/again", "acme/shared"
    servers = (shop.primary, shop.replica)
    primary.index(base, bases=[], acl_pkg_read=["acme"])
    primary.upload(base, build_wheel(shop.vendor.root / "shared", "lab-shared", "1.0"))

    def statuses(secret: str) -> list[list[int]]:
        shop.replica.await_serial(primary.serial())
        pages = [f"/+t/{secret}/{again}/+simple/{project}" for project in ("", "lab-shared/")]
        return [[server.get(page).status_code for page in pages] for server in servers]

    def made() -> None:
        primary.index(again, bases=[base], acl_pkg_read=["acme"])
        shop.replica.await_serial(primary.serial())

    made()
    # Nobody who makes this token can ask devpi-server: it is bound by the first use, here that of
    # the replica, and sees no closed base.
    token = shop.vendor.token("bound", repositories=(again,))
    assert shop.replica.get(f"/+t/{token.secret}/{again}/+simple/").status_code == 200
    assert statuses(token.secret or "") == [[200, 404]] * 2
    assert primary.request("DELETE", f"/{again}", "acme").status_code == 201
    assert statuses(token.secret or "") == [[410, 410]] * 2
    made()
    assert statuses(token.secret or "") == [[410, 410]] * 2

    # A command on the primary's machine grants it anew, with the base.
    store = ("--database-url", str(shop.vendor.settings["database_url"]))
    ended = shop.vendor.entitlements(*store, "token", "regrant", token.token.identifier)
    assert ended.status == 0, ended.text
    assert statuses(token.secret or "") == [[200, 200]] * 2
