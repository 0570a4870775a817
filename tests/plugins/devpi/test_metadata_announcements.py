"""Core metadata that pip cannot decode are not announced; odd data of a file hide that file."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import pytest

from devpi_entitlements import file_facts
from devpi_entitlements.first_uploads import FirstUploads
from tests.plugins.devpi.apps import DevpiApp, wheel_name
from tests.plugins.devpi.conftest import MakeDevpiApp
from tests.wheelhouse import core_metadata

pytestmark = pytest.mark.notransaction

INDEX: Final = "acme/priv"
JSON: Final = {"Accept": "application/vnd.pypi.simple.v1+json"}
GOOD: Final = wheel_name("acme-core", "1.0")
ODD: Final = wheel_name("acme-core", "2.0")


@pytest.fixture
def acme(make_devpi_app: MakeDevpiApp) -> DevpiApp:
    """A project with a wheel that is as it should be, and one whose METADATA is not UTF-8."""
    app = make_devpi_app("--enable-core-metadata")
    app.closed_index(INDEX, bases=[])
    app.upload(INDEX, "acme-core", "1.0")
    metadata = core_metadata("acme-core", "2.0", requires=["urllib3"]) + b"caf\xe9"
    app.upload(INDEX, "acme-core", "2.0", metadata=metadata)
    app.upload_sdist(INDEX, "acme-core", "2.0")
    return app


def announced(app: DevpiApp, secret: str) -> set[str]:
    page = app.get(f"/{INDEX}/+simple/acme-core/", secret, **JSON).json
    assert len(page["files"]) == 3
    return {file["filename"] for file in page["files"] if file.get("core-metadata")}


def test_metadata_that_are_not_utf8_are_not_announced(acme: DevpiApp) -> None:
    secret = acme.token(INDEX)
    for _ in range(2):
        assert announced(acme, secret) == {GOOD}
        page = acme.get(f"/{INDEX}/+simple/acme-core/", secret, Accept="text/html").text
        assert page.count("data-core-metadata") == page.count("data-dist-info-metadata") == 1
    for name, status in ((GOOD, 200), (ODD, 404)):
        path = acme.path_of(INDEX, "acme-core", name)
        assert acme.get(f"{path}.metadata", secret).status_code == status
        assert acme.get(path, secret).status_code == 200


def test_a_wheel_is_looked_into_once(acme: DevpiApp, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = acme.token(INDEX)
    announced(acme, secret)

    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("devpi_entitlements.metadata_announcements.wheel_metadata", fail)
    acme.index("acme/other")  # so that no page is remembered
    assert announced(acme, secret) == {GOOD}


@pytest.mark.parametrize("error", [ValueError("odd"), OverflowError(), KeyError("when"), OSError()])
def test_odd_data_of_a_file_hide_that_file(
    acme: DevpiApp, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    secret = acme.token(INDEX, query="uploaded:>'1 week ago'")
    known = FirstUploads.of

    def of(self: FirstUploads, stage: Any, project: str, version: str, path: str) -> Any:  # noqa: ANN401 - passed on
        if path.endswith(ODD):
            raise error
        return known(self, stage, project, version, path)

    monkeypatch.setattr(FirstUploads, "of", of)
    assert ODD not in acme.files(INDEX, "acme-core", secret)
    assert GOOD in acme.files(INDEX, "acme-core", secret)
    path = acme.path_of(INDEX, "acme-core", ODD)
    assert acme.get(path, secret).status_code == 404


def test_a_store_out_of_reach_is_not_odd_data() -> None:
    assert not issubclass(sqlite3.Error, file_facts.ODD_DATA)
    assert not issubclass(MemoryError, file_facts.ODD_DATA)
