"""Upload times that are set by hand: found, changed, recorded."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from entitlements_core.errors import InvalidValue, NotFound
from entitlements_core.policy.instants import instant
from entitlements_core.services.upload_times import Uploaded, UploadService
from entitlements_core.store.upload_register import UploadRegister
from tests.actors import person
from tests.services.conftest import START, Product

MAIN = "acme/main"
FILE = "demo-1.0-py3-none-any.whl"
DIGEST, OTHER = "a1" * 32, "a1" * 16 + "b2" * 16
BEFORE = datetime(2025, 12, 31, tzinfo=UTC)


def see(product: Product, *digests: str) -> None:
    with closing(UploadRegister(product.database.url)) as register:
        found = {(FILE, digest): START for digest in digests}
        register.record(MAIN, found, START, complete=True)


def put(product: Product, at: datetime = BEFORE, sha256: str = "") -> Uploaded:
    service = UploadService(product.operations)
    return service.set(MAIN, FILE, at, sha256=sha256, actor=person())


def test_a_time_is_changed_and_recorded_once(product: Product) -> None:
    see(product, DIGEST)
    for _ in range(2):
        assert put(product) == Uploaded(filename=FILE, sha256=DIGEST, at=BEFORE)
    [entry] = [
        one for one in product.reports.audit(repository=MAIN).items if "uploaded" in one.action
    ]
    assert (entry.action, entry.actor) == ("package.uploaded", "vendor")
    file = {"file": FILE, "sha256": DIGEST}
    assert entry.before == {**file, "uploaded_at": instant(START)}
    assert entry.after == {**file, "uploaded_at": instant(BEFORE)}


def test_of_several_contents_one_has_to_be_named(product: Product) -> None:
    see(product, DIGEST, OTHER)
    for unclear in ("", "a1" * 8):
        with pytest.raises(InvalidValue, match=r"More than one of the files .* --sha256"):
            put(product, sha256=unclear)
    with pytest.raises(InvalidValue, match=r"None of the files"):
        put(product, sha256="ffffffff")
    with pytest.raises(InvalidValue, match="too short"):
        put(product, sha256="a1")
    assert put(product, sha256=OTHER[:40].upper()).sha256 == OTHER


def test_what_cannot_be_set(product: Product) -> None:
    with pytest.raises(NotFound, match="No server has seen a file"):
        put(product)
    see(product, DIGEST)
    with pytest.raises(InvalidValue, match="in the future"):
        put(product, START + timedelta(seconds=1))
    assert put(product, START).at == START
