"""File names are read in advance, and nothing depends on it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from devpi_entitlements.file_facts import stated
from devpi_entitlements.site import SITE
from devpi_entitlements.warmup import Warmup
from tests.plugins.devpi.apps import DevpiApp

pytestmark = pytest.mark.notransaction


class Shutdown(Exception):
    """The pool ends."""


def warmer(app: DevpiApp, *, ends: bool = False) -> Warmup:
    def exit_if_shutdown() -> None:
        if ends:
            raise Shutdown

    made = Warmup(app.testapp.app.app.registry[SITE])
    pool = SimpleNamespace(Shutdown=Shutdown)
    made.thread = SimpleNamespace(pool=pool, exit_if_shutdown=exit_if_shutdown)
    return made


def test_the_names_of_the_vendors_files_are_read(
    devpi: DevpiApp, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    devpi.closed_index("acme/priv", bases=[])
    devpi.upload("acme/priv", "acme-core", "1.0")
    devpi.closed_index("acme/cust", bases=["acme/priv"])
    stated.cache_clear()
    caplog.set_level("INFO")
    warmer(devpi).thread_run()
    assert "2 file names were read in advance" in caplog.text
    before = stated.cache_info().misses
    secret = devpi.token("acme/cust")
    assert devpi.files("acme/cust", "acme-core", secret)
    assert stated.cache_info().misses == before

    with pytest.raises(Shutdown):
        warmer(devpi, ends=True).thread_run()
    broken = warmer(devpi)
    monkeypatch.setattr(broken._site, "file_facts", None)
    broken.thread_run()
    assert "file names are read when they are asked for" in caplog.text
