"""The client's address behind a real nginx, on each server and each host, by the wire.

Two clients of one limit, a rule against one of them, and headers that a client makes up.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest

from entitlements_core.services.token_issuer import Issued
from tests.functional import devpis, nginx, pypiservers
from tests.functional.devpi_vendor import INDEX, DevpiVendor
from tests.functional.launching import BIN, launched
from tests.functional.vendors import REPOSITORY, Vendor, clean_environment
from tests.wheelhouse import build_wheel

pytestmark = pytest.mark.functional

WHEEL: Final = "lab_foo-1.0-py3-none-any.whl"
PROXY: Final = {"ENTITLEMENTS_TRUSTED_PROXIES": "127.0.0.1"}
NAMED: Final = {**PROXY, "ENTITLEMENTS_FORWARDED_HEADER": "X-Forwarded-For"}
RFC_7239: Final = {**PROXY, "ENTITLEMENTS_FORWARDED_HEADER": "Forwarded"}

ENGINE: Final = "entitlements_core.engine.serving:create_app"
FLASK: Final = "tests.functional.forwarded_apps:flask_app"
ASGI: Final = "tests.functional.forwarded_apps:asgi_app"

WAITRESS: Final = ("waitress-serve", "--listen=127.0.0.1:{port}")
TRUSTING: Final = ("--trusted-proxy=127.0.0.1", "--trusted-proxy-headers=x-forwarded-for")
GUNICORN: Final = ("gunicorn", "--threads", "2", "-b", "127.0.0.1:{port}")
GRANIAN: Final = ("granian", "--factory", "--port", "{port}", "--interface")
UWSGI: Final = (
    "uwsgi",
    "--die-on-term",
    "--threads",
    "2",
    "--http",
    "127.0.0.1:{port}",
    "--module",
)
UVICORN: Final = ("uvicorn", "--factory", "--port", "{port}")


@dataclass(frozen=True)
class Case:
    """A server that is told of its proxy.

    Attributes:
        command: that runs it.
        environment: its settings.
        told: whether it can tell clients apart at all; otherwise it must refuse.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    told: bool = True


CASES: Final = {
    "gunicorn": Case((*GUNICORN, f"{ENGINE}()"), PROXY),
    "gunicorn-rfc7239": Case((*GUNICORN, f"{ENGINE}()"), RFC_7239),
    "gevent": Case((*GUNICORN[:1], "-k", "gevent", *GUNICORN[3:], f"{ENGINE}()"), PROXY),
    "waitress": Case((*WAITRESS, *TRUSTING, "--call", ENGINE), PROXY),
    "waitress-untold": Case((*WAITRESS, "--call", ENGINE), PROXY, told=False),
    "granian": Case((*GRANIAN, "wsgi", ENGINE), NAMED),
    "granian-rfc7239": Case((*GRANIAN, "wsgi", ENGINE), RFC_7239),
    "granian-untold": Case((*GRANIAN, "wsgi", ENGINE), PROXY, told=False),
    "uwsgi": Case((*UWSGI, f"{ENGINE}()"), NAMED),
    "uwsgi-rfc7239": Case((*UWSGI, f"{ENGINE}()"), RFC_7239),
    "uwsgi-untold": Case((*UWSGI, f"{ENGINE}()"), PROXY, told=False),
    "flask-gunicorn": Case((*GUNICORN, f"{FLASK}()"), PROXY),
    "flask-waitress": Case((*WAITRESS, *TRUSTING, "--call", FLASK), PROXY),
    "flask-granian": Case((*GRANIAN, "wsgi", FLASK), NAMED),
    "asgi-uvicorn": Case((*UVICORN, "--no-proxy-headers", ASGI), PROXY),
    "asgi-uvicorn-by-itself": Case((*UVICORN, ASGI), PROXY),
    "asgi-uvicorn-rfc7239": Case((*UVICORN, "--no-proxy-headers", ASGI), RFC_7239),
    # uvicorn takes the client from the header that nobody of ours writes.
    "asgi-uvicorn-untold": Case((*UVICORN, ASGI), RFC_7239, told=False),
    "asgi-granian": Case((*GRANIAN, "asgi", ASGI), PROXY),
}

NAMED_REPOSITORY: Final = ("--repo", REPOSITORY)

FORGED: Final[tuple[dict[str, str], ...]] = (
    {},
    {"X-Forwarded-For": "127.0.0.2"},
    {"X_Forwarded_For": "127.0.0.2", "x-forwarded_for": "127.0.0.2"},
    {"Forwarded": "for=127.0.0.2"},
    {"X-Real-IP": "127.0.0.2", "Client-IP": "127.0.0.2", "X-Client-IP": "127.0.0.2"},
)
"""What a client at another address sends to pass for 127.0.0.2."""


def locations(url: str, *, drops: bool) -> str:
    """An nginx that adds what it sees; `drops`, as by default, names with an underscore."""
    return f"""
        underscores_in_headers {"off" if drops else "on"};
        location / {{
            proxy_pass {url};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header Forwarded "for=$remote_addr";
        }}
    """


def status(url: str, address: str, headers: dict[str, str]) -> tuple[int, str]:
    """The answer to a client at an address of the loopback network."""
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(transport=transport, timeout=60) as client:
        answer = client.get(url, headers=headers)
        code = "" if answer.is_success else answer.json().get("code", "")
        return answer.status_code, code


def check(front: str, secrets: dict[str, Issued], path: str, *, told: bool) -> None:
    """What the clients at 127.0.0.2 and 127.0.0.3 get of tokens that depend on addresses."""

    def ask(name: str, address: str, headers: dict[str, str]) -> tuple[int, str]:
        return status(f"{front}/+t/{secrets[name].secret}{path}", address, headers)

    if not told:
        for name in ("one client", "without 3", "only 2"):
            for address in ("127.0.0.2", "127.0.0.3"):
                assert ask(name, address, {}) == (403, "address_unknown")
        assert ask("free", "127.0.0.2", {})[0] == 200
        return
    assert ask("one client", "127.0.0.2", {})[0] == 200
    for headers in FORGED:
        assert ask("one client", "127.0.0.3", headers) == (403, "client_limit"), headers
        assert ask("without 3", "127.0.0.3", headers) == (403, "address_denied"), headers
        assert ask("only 2", "127.0.0.3", headers) == (403, "address_denied"), headers
    assert ask("without 3", "127.0.0.2", {})[0] == 200
    assert ask("only 2", "127.0.0.2", {"X-Forwarded-For": "127.0.0.3"})[0] == 200
    assert ask("one client", "127.0.0.2", {})[0] == 200


def tokens(issue: Callable[..., Issued]) -> dict[str, Issued]:
    return {
        "free": issue("free"),
        "one client": issue("one client", limit_num_clients=1),
        "without 3": issue("without 3", deny_networks=["127.0.0.3"]),
        "only 2": issue("only 2", allow_networks=["127.0.0.2"]),
    }


@pytest.mark.parametrize("name", CASES)
def test_each_server_hands_over_what_its_proxy_says(name: str, vendor: Vendor) -> None:
    case = CASES[name]
    build_wheel(vendor.packages, "lab-foo", "1.0")
    issued = tokens(vendor.token)
    environment = {
        **case.environment,
        "ENTITLEMENTS_HOME": str(vendor.home),
        "ENTITLEMENTS_REPOSITORY": REPOSITORY,
        "ENTITLEMENTS_DIRECTORIES": str(vendor.packages),
    }
    # Where the header has no other spelling, or the server tells them apart, nothing is forged
    # even if the proxy lets odd names through.
    drops = case.environment is NAMED
    with (
        launched(case.command, vendor.root, clean_environment(**environment)) as url,
        nginx.running(vendor.root / "nginx", locations(url, drops=drops)) as front,
    ):
        check(front, issued, f"/packages/{WHEEL}", told=case.told)


@pytest.mark.parametrize(
    ("server", "environment", "drops"),
    [("waitress", PROXY, False), ("granian", NAMED, True), ("granian", RFC_7239, False)],
    ids=["waitress", "granian", "granian-rfc7239"],
)
def test_serve(server: str, environment: dict[str, str], drops: bool, vendor: Vendor) -> None:  # noqa: FBT001 - a column
    build_wheel(vendor.packages, "lab-foo", "1.0")
    issued = tokens(vendor.token)
    with (
        vendor.serving("--server", server, environment=environment) as running,
        nginx.running(vendor.root / "nginx", locations(running.url, drops=drops)) as front,
    ):
        check(front, issued, f"/packages/{WHEEL}", told=True)


@pytest.mark.parametrize("server", ["waitress", "granian"])
def test_serve_takes_a_proxy_that_names_nobody_for_the_client(server: str, vendor: Vendor) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    only = vendor.token("only 1", allow_networks=["127.0.0.1"])
    without = vendor.token("without 1", deny_networks=["127.0.0.1"])
    with vendor.serving("--server", server, environment=NAMED) as running:
        for token, expected in ((only, (200, "")), (without, (403, "address_denied"))):
            url = f"{running.url}/+t/{token.secret}/packages/{WHEEL}"
            assert status(url, "127.0.0.1", {}) == expected


def test_serve_says_what_granian_cannot_tell(vendor: Vendor) -> None:
    vendor.core.close()
    ended = subprocess.run(
        [
            BIN / "entitlements",
            "--home",
            vendor.home,
            "serve",
            vendor.packages,
            "--repo",
            REPOSITORY,
        ],
        env=clean_environment(**PROXY),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode != 0
    assert "granian cannot tell X-Forwarded-For" in ended.stderr
    assert "ENTITLEMENTS_FORWARDED_HEADER" in ended.stderr


@pytest.mark.parametrize("form", ["run-auto", "run-gevent", "run-gunicorn", "run-wsgiref", "uwsgi"])
def test_pypiserver(form: str, vendor: Vendor) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    issued = tokens(vendor.token)
    chosen = next(item for item in pypiservers.FORMS if item.name == form)
    with (
        pypiservers.serving(vendor, chosen, environment=PROXY) as server,
        nginx.running(vendor.root / "nginx", locations(server.url, drops=False)) as front,
    ):
        check(front, issued, f"/packages/{WHEEL}", told=form not in {"run-wsgiref", "uwsgi"})


@pytest.mark.parametrize("told", [True, False])
def test_devpi(tmp_path: Path, *, told: bool) -> None:
    vendor = DevpiVendor(tmp_path)
    options = ("--trusted-proxy", "127.0.0.1", "--trusted-proxy-headers", "x-forwarded-for")
    with ExitStack() as stack:
        server = stack.enter_context(
            vendor.serving(
                *(options if told else ()),
                without=devpis.OTHERS,
                environment={} if told else PROXY,
            )
        )
        server.index(INDEX, bases=[], acl_pkg_read=["acme"])
        server.upload(INDEX, build_wheel(tmp_path / "wheels", "lab-foo", "1.0"))
        path = server.files_of(INDEX, "lab-foo", headers=server.logins["acme"])[WHEEL]
        front = stack.enter_context(
            nginx.running(tmp_path / "nginx", locations(server.url, drops=False))
        )
        check(front, tokens(vendor.token), path, told=told)
