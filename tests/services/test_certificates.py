"""Our own requests, to a server whose certificate comes from a private authority."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from devpi_entitlements.checks import _status
from entitlements_core.policy.upstream import Upstream
from entitlements_core.services.upstream_names import registered_names
from tests.functional.certificates import Certificate, certificate

VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
NAME = canonicalize_name("acme-core")


class Nothing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls") / "issued")


@pytest.fixture(scope="module")
def address(issued: Certificate) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.folder / "fullchain.pem", issued.folder / "privkey.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Nothing)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a refused handshake
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}/simple/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_authority_of_the_environment_is_believed(
    address: str, issued: Certificate, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(issued.authority))
    assert _status(address) == 404
    (answer,) = registered_names(Upstream.parse(address), {NAME})
    assert answer.exists is False


def test_no_other_is(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = certificate(tmp_path / "other")
    for bundle in ("", str(other.authority), str(tmp_path)):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            _status(address)
        (answer,) = registered_names(Upstream.parse(address), {NAME})
        assert answer.exists is None
        assert "certificate" in answer.why


def test_a_bundle_that_is_not_there_is_told(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(OSError, match="No such file"):
        _status(address)
    (answer,) = registered_names(Upstream.parse(address), {NAME})
    assert answer.exists is None
