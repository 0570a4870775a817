"""The address of a client, what is logged of it, and what the doctor learns of the proxies."""

import json
from pathlib import Path

import pytest

from entitlements_core.forwarded import Proxies
from entitlements_core.policy.network import parse_address
from entitlements_core.services.client_addresses import NOTE, ClientAddresses, silent_proxies
from tests.factories import NOW

PROXY = {"REMOTE_ADDR": "10.0.0.1"}
SPOKEN = {**PROXY, "HTTP_X_FORWARDED_FOR": "203.0.113.9"}


def addresses(home: Path) -> ClientAddresses:
    return ClientAddresses(Proxies.parse(["10.0.0.0/8"]), home=home, clock=lambda: NOW)


def test_a_proxy_that_never_says_for_whom_is_noticed(tmp_path: Path) -> None:
    assert silent_proxies(tmp_path) == ()
    assert addresses(tmp_path).of(PROXY) == parse_address("10.0.0.1")
    assert silent_proxies(tmp_path) == ("10.0.0.1",)
    assert addresses(tmp_path).of(SPOKEN) == parse_address("203.0.113.9")
    assert silent_proxies(tmp_path) == ()


def test_what_is_noted_is_written_seldom(tmp_path: Path) -> None:
    read = addresses(tmp_path)
    read.of(PROXY)
    (tmp_path / NOTE).unlink()
    read.of(PROXY)
    read.of({"REMOTE_ADDR": "203.0.113.9"})
    assert not (tmp_path / NOTE).exists()


@pytest.mark.parametrize("text", ["[]", "{", "\xff"])
def test_a_note_that_cannot_be_read_or_written_is_no_harm(tmp_path: Path, text: str) -> None:
    (tmp_path / NOTE).write_text(text, "latin-1")
    assert silent_proxies(tmp_path) == ()
    addresses(tmp_path).of(PROXY)
    assert "silent" in json.loads((tmp_path / NOTE).read_text())["10.0.0.1"]
    missing = addresses(tmp_path / "missing")
    assert missing.of(PROXY) == parse_address("10.0.0.1")


def test_an_address_that_cannot_be_read_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read = addresses(tmp_path)
    for _ in range(5):
        assert read.of({**PROXY, "HTTP_X_FORWARDED_FOR": "unknown"}) is None
    assert [record.getMessage() for record in caplog.records] == [
        "the address of a client cannot be read: X-Forwarded-For says 'unknown' (1 time)"
    ]
