"""uWSGI, which forks without a word to Python unless it is told to."""

from __future__ import annotations

import subprocess
import time
from typing import Final

import httpx
import pytest

from tests.functional.launching import BIN, launched
from tests.functional.test_forwarded import ENGINE
from tests.functional.vendors import REPOSITORY, Vendor, clean_environment
from tests.plugins.flask_static.conftest import wait
from tests.wheelhouse import build_wheel

pytestmark = pytest.mark.functional

UWSGI: Final = ("uwsgi", "--die-on-term", "--need-app", "--enable-threads", "--master")
APP: Final = ("--http", "127.0.0.1:{port}", "--module", f"{ENGINE}()")
ROUNDS: Final = 8
"""Connections that are asked in turn, so that both workers answer."""


def environment(vendor: Vendor) -> dict[str, str]:
    return clean_environment(
        ENTITLEMENTS_HOME=str(vendor.home),
        ENTITLEMENTS_REPOSITORY=REPOSITORY,
        ENTITLEMENTS_DIRECTORIES=str(vendor.packages),
    )


def test_workers_of_a_master_see_what_is_new(vendor: Vendor) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    token = vendor.token("customer")
    vendor.core.close()
    auth = ("token", token.secret or "")

    with launched(
        (*UWSGI, "--lazy-apps", "--workers", "2", *APP), vendor.root, environment(vendor)
    ) as url:

        def pages() -> list[httpx.Response]:
            page = f"{url}/simple/lab-foo/"
            return [httpx.get(page, auth=auth, timeout=60) for _ in range(ROUNDS)]

        wait(lambda: all(page.status_code == 200 for page in pages()))
        build_wheel(vendor.packages, "lab-foo", "2.0")
        wait(lambda: all("2.0" in page.text for page in pages()))
        wheel = f"{url}/packages/lab_foo-2.0-py3-none-any.whl"
        for number in range(ROUNDS):
            assert httpx.get(wheel, auth=auth, timeout=60).status_code == 200, number


def test_workers_that_would_share_what_their_master_opened_are_refused(vendor: Vendor) -> None:
    vendor.core.close()
    with subprocess.Popen(
        [BIN / UWSGI[0], *UWSGI[1:], *(word.format(port=0) for word in APP)],
        env=environment(vendor),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.terminate()
        said, _ = process.communicate(timeout=60)
    assert process.returncode not in {0, None}
    assert "Start it with --lazy-apps" in said
