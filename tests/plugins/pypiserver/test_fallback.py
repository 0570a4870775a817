"""pypiserver's fallback: for what is not the vendor's, and for nothing else."""

from __future__ import annotations

import logging
from typing import Final

import pytest
from packaging.utils import canonicalize_name

from entitlements_core.errors import StoreError
from entitlements_core.policy.credential import Access
from entitlements_core.store.reader import CredentialReader
from entitlements_core.store.upload_register import UploadRegister
from pypiserver_entitlements import pypiserver_api
from tests.actors import person
from tests.plugins.pypiserver.conftest import REPOSITORY, Shop, Start, upload
from tests.wheelhouse import wheel_bytes

FALLBACK: Final = "https://index.example/simple/"
OWN: Final = ("secret-sauce", "acme-old", "later-x")
"""Hidden from the customer; of a file that only pypiserver shows; reserved."""


@pytest.fixture
def shop(start: Start) -> Shop:
    """A public index with a fallback."""
    shop = start(fallback_url=FALLBACK, entitlements_public=True)
    build = shop.root / "acme_old-1.0-py3-none-any.whl"
    build.write_text("a file that nobody can serve")
    shop.site.index.catalog.refresh()
    shop.core.reserved_names.add(REPOSITORY, ["later-*"], actor=person("test"))
    return shop


def test_everybody_is_sent_on_for_a_foreign_project(shop: Shop) -> None:
    for answer in (
        shop.get("/simple/numpy/"),
        shop.publisher("/simple/numpy/"),
        shop.anonymous("/simple/numpy/"),
    ):
        assert answer.status_code in {302, 303, 307}
        assert answer.location == f"{FALLBACK}numpy/"


@pytest.mark.parametrize("name", OWN)
def test_nobody_is_sent_on_for_what_is_the_vendors(shop: Shop, name: str) -> None:
    assert shop.get(f"/simple/{name}/").status_code == 404
    expected = 404 if name == "later-x" else 200
    assert shop.publisher(f"/simple/{name}/").status_code == expected
    assert shop.anonymous(f"/simple/{name}/").status_code == expected


def test_a_name_stays_the_vendors_when_its_file_is_removed(shop: Shop) -> None:
    [file] = shop.root.rglob("secret_sauce-*")
    file.unlink()
    shop.site.index.catalog.refresh()
    for answer in (
        shop.get("/simple/secret-sauce/"),
        shop.publisher("/simple/secret-sauce/"),
        shop.anonymous("/simple/secret-sauce/"),
    ):
        assert answer.status_code == 404


def test_where_it_cannot_be_told_nobody_is_sent_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise StoreError("The store is away.")

    monkeypatch.setattr(CredentialReader, "is_own", fail)
    assert shop.get("/simple/numpy/").status_code == 503
    assert shop.publisher("/simple/numpy/").status_code == 404
    assert shop.anonymous("/simple/numpy/").status_code == 404
    assert shop.publisher("/simple/acme-tool/").status_code == 200


def test_strangers_are_sent_nowhere(start: Start) -> None:
    shop = start(fallback_url=FALLBACK)
    assert shop.anonymous("/simple/numpy/").status_code == 401
    assert shop.get("/simple/numpy/", ("token", "somebody-else")).status_code == 401


def test_without_a_fallback_nobody_is_sent_on(start: Start) -> None:
    shop = start(fallback_url=FALLBACK, disable_fallback=True, entitlements_public=True)
    for answer in (
        shop.get("/simple/numpy/"),
        shop.publisher("/simple/numpy/"),
        shop.anonymous("/simple/numpy/"),
    ):
        assert answer.status_code == 404


def test_the_public_index_is_for_customers_only_where_somebody_chose_it(start: Start) -> None:
    shop = start()
    assert shop.get("/simple/numpy/").status_code == 404
    answer = shop.publisher("/simple/numpy/")
    assert answer.location == f"{pypiserver_api.fallback(shop.config).rstrip('/')}/numpy/"  # type: ignore[union-attr] # there is one
    assert pypiserver_api.fallback_given(shop.config) is None


def test_the_setting_of_every_host_wins(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTITLEMENTS_UPSTREAM", "https://mirror.example/simple")
    shop = start(fallback_url=FALLBACK)
    assert shop.get("/simple/numpy/").location == "https://mirror.example/simple/numpy/"
    assert shop.publisher("/simple/numpy/").location == f"{FALLBACK}numpy/"


def test_with_the_setting_alone_it_is_everybodys(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTITLEMENTS_UPSTREAM", FALLBACK)
    shop = start(entitlements_public=True)
    for answer in (
        shop.get("/simple/numpy/"),
        shop.publisher("/simple/numpy/"),
        shop.anonymous("/simple/numpy/"),
    ):
        assert answer.location == f"{FALLBACK}numpy/"


@pytest.mark.parametrize("by", ["token", "publisher"])
def test_the_name_of_an_upload_is_the_vendors_from_the_answer_on(shop: Shop, by: str) -> None:
    data = upload(wheel_bytes("brand-new", "1.0"), "brand_new-1.0-py3-none-any.whl")
    name = canonicalize_name("brand-new")
    assert shop.core.gate.own_name(name, REPOSITORY) is None
    if by == "token":
        answer = shop.post(shop.issue(access=Access.WRITE, query=None), data)
    else:
        answer = shop.publisher("/", method="POST", data=data)
    assert answer.status_code == 200
    # Whatever the catalog knows by now.
    assert shop.core.gate.own_name(name, REPOSITORY) is not None


def test_an_upload_is_taken_though_its_name_cannot_be_written(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("The store is away.")

    monkeypatch.setattr(UploadRegister, "keep_names", fail)
    data = upload(wheel_bytes("brand-new", "1.0"), "brand_new-1.0-py3-none-any.whl")
    with caplog.at_level(logging.WARNING, "entitlements.pypiserver"):
        assert shop.publisher("/", method="POST", data=data).status_code == 200
    assert "name of an upload is not recorded" in caplog.text


def test_customers_are_never_given_somebodys_password(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "entitlements.pypiserver"):
        shop = start(fallback_url="https://user:hunter2@index.example/simple/")
    assert shop.get("/simple/numpy/").status_code == 404
    assert "customers are not sent to --fallback-url" in caplog.text
    assert "hunter2" not in caplog.text
