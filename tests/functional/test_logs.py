"""No secret in any log: the recipes of the documentation, as they are printed there.

Real servers and proxies write the logs, for every spelling of a token in an address and for real
clients.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Final

import httpx
import pytest

from devpi_entitlements import nginx as devpi_nginx
from entitlements_core.policy.secret import from_random_bytes
from entitlements_core.services.redaction import redact
from tests.functional import nginx
from tests.functional.launching import launched
from tests.functional.nginx import reserved_port
from tests.functional.raw import raw_get
from tests.functional.test_forwarded import ENGINE, FLASK
from tests.functional.vendors import REPOSITORY, Client, Vendor, clean_environment
from tests.pages import ROOT, take
from tests.plugins.flask_static.conftest import wait
from tests.wheelhouse import build_wheel

PAGE: Final = "docs/nginx.md"
LOGS: Final = (
    (ROOT / PAGE).read_text().partition("\n## Logs of the server")[2].partition("\n## ")[0]
)
REDACTED: Final = take(PAGE, "nginx", "log_format redacted")
CADDYFILE: Final = take(PAGE, "caddy", "request>uri")

SECRET: Final = "a-secret-of-the-customer"
"""A custom one: nothing but its place says what it is."""

GENERATED: Final = from_random_bytes(bytes(range(32)))
BODY: Final = GENERATED.removeprefix("ent_")
"""What of a generated one is the secret part."""

SLASH: Final = ("/", "%2F", "%2f")
SPELLINGS: Final = [
    "".join(parts) for parts in product(SLASH, ("+", "%2B", "%2b"), ("t", "%74"), (*SLASH, "//"))
]
TWICE: Final = ["%252F%252Bt%252F", "%252f%252b%2574%252f", "/%252Bt/"]

LONG: Final = 7_900
"""Characters: as long as nginx takes an address, so that no expression gives up on it."""

LONG_TARGETS: Final = [
    target
    for odd in ("/", "/a", "/%2F", "/+t", "/+t/", "/%2Bt", "/a%25")
    for target in (
        (odd * LONG)[: LONG - 100] + f"/%2Bt/{SECRET}/",
        f"/%2Bt/{SECRET}" + ("/" + odd * LONG)[: LONG - 100],
    )
]

TARGETS: Final = [
    *LONG_TARGETS,
    *(
        f"{before}{marker}{SECRET}{after}"
        for marker in (*SPELLINGS, *TWICE)
        for before, after in (
            ("" if marker.startswith("/") else "/m", "/simple/lab-foo/"),
            ("/mount/a/..", ""),
            ("/m", f"{marker}{SECRET}/simple/"),
            ("/m?next=", "?x=1"),
            ("/m?next=", "%2Fsimple%2F"),
        )
    ),
]
"""What stands in a request line."""

PREFIXES: Final = ("ent_", "%65nt_", "en%74%5F", "ent%5f", "e%6Et%255F", "%2565%256e%2574%255f")
ELSEWHERE: Final = [
    *(
        f"{before}{prefix}{body}{after}"
        for prefix in PREFIXES
        for body in (BODY, f"%{ord(BODY[0]):02x}{BODY[1:]}")
        for before, after in (
            ("/simple/", "/"),
            ("/+t", "/simple/"),
            ("/t/", "/simple/lab-foo/"),
            ("/simple/?token=", "&x=1"),
            ("/a?next=%2Fb%3Ftoken%3D", f"%26again={prefix}{BODY}"),
            (f"/%2Bt/{SECRET}/simple/?x=", ""),
            (f"/x{prefix}{BODY}/y/", f"/{prefix}{BODY}-{prefix}{BODY}"),
        )
    ),
    *(f"/{prefix}{'a' * count}{GENERATED}" for prefix in PREFIXES for count in (0, 12, 13, 14, 40)),
    *(f"/{odd * (LONG // len(odd) - 60)}{GENERATED}" for odd in ("ent_", "e", "ent", "ent%5f")),
]
"""Addresses with a generated one where nothing says that one stands there."""

SHOWN: Final = BODY[1:20]
"""A part of it that no log may have."""


def requested(url: str, context: ssl.SSLContext | None = None) -> None:
    """Send each spelling as it is, with what a client can say of itself besides."""
    for target in (*TARGETS, *ELSEWHERE):
        referer = "" if len(target) > LONG // 2 else f"{url}{target}"
        raw_get(url, target, context, user=f"{SECRET}:", referer=referer)


def shows(line: str) -> bool:
    """Whether a line of a log has one of the secrets."""
    return SECRET in line or SHOWN in line


def written_logs(folder: Path) -> dict[str, str]:
    """What all log files below a folder hold, by name."""
    return {path.name: path.read_text(errors="replace") for path in folder.rglob("*.log")}


def recipe(root: Path) -> str:
    """What the documentation prints for nginx, with the logs in a folder."""
    return (
        f"{REDACTED} access_log {root}/packages.access.log redacted;"
        f" error_log {root}/packages.error.log crit;"
    )


def generated(root: Path) -> str:
    """What ``devpi-gen-config`` writes of logs, for every server."""
    text = devpi_nginx._ACCEL.safe_substitute(
        marker=devpi_nginx._MARKER,
        segment=devpi_nginx._SEGMENT,
        generated=devpi_nginx._GENERATED,
        octet=devpi_nginx._OCTET,
        logs=root,
    )
    lines = re.search(r"map \$request_uri.*?';\n", text, re.DOTALL)
    logs = re.findall(r"^ *(?:access|error)_log .*;$", text, re.MULTILINE)
    assert lines is not None
    assert len(logs) == 2
    return "\n".join([lines[0], *logs])


@pytest.mark.parametrize("logs", [recipe, generated])
def test_nginx_logs_no_spelling_of_a_secret(tmp_path: Path, logs: object) -> None:
    assert callable(logs)
    root = tmp_path / "nginx"
    down = f"location / {{ proxy_pass http://127.0.0.1:{reserved_port()}; }}"

    with nginx.running(root, down, logs=logs(root)) as front:
        requested(front)
        httpx.get(f"{front}/simple/lab-foo/?x=1")

    said = written_logs(root)
    [access] = [text for name, text in said.items() if name.endswith("access.log")]
    assert len(access.splitlines()) == len(TARGETS) + len(ELSEWHERE) + 1
    assert "GET /simple/lab-foo/?x=1" in access
    assert f"{SPELLINGS[0]}***/simple/lab-foo/" in access
    assert not [line for line in access.splitlines() if shows(line)]
    assert not any(shows(text) for text in said.values())


def test_the_error_log_of_nginx_shows_secrets_at_its_usual_level(tmp_path: Path) -> None:
    """As the documentation says; once this fails, the advice can go."""
    root = tmp_path / "nginx"
    down = f"location / {{ proxy_pass http://127.0.0.1:{reserved_port()}; }}"

    with nginx.running(
        root, down, logs=recipe(root).replace(f"error_log {root}/packages.error.log crit;", "")
    ) as front:
        httpx.get(f"{front}/%2Bt/{SECRET}/simple/")

    assert SECRET in (root / "error.log").read_text()
    assert SECRET not in (root / "packages.access.log").read_text()


@contextmanager
def caddy(root: Path, upstream: str) -> Iterator[str]:
    """Caddy with what the documentation prints."""
    binary = shutil.which("caddy")
    if binary is None:
        pytest.skip("caddy is not installed; .ci/run does")
    root.mkdir()
    url = f"http://127.0.0.1:{reserved_port()}"
    text = CADDYFILE.replace("packages.acme.example", url)
    text = text.replace("/var/log/caddy", str(root)).replace("127.0.0.1:8080", upstream)
    text = text.replace("\n{\n", "\n{\n    admin off\n    auto_https off\n", 1)
    (root / "Caddyfile").write_text(text)
    command = [binary, "run", "--adapter", "caddyfile", "--config", str(root / "Caddyfile")]
    environment = {**os.environ, "XDG_DATA_HOME": str(root), "XDG_CONFIG_HOME": str(root)}
    with (root / "output.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        wait(lambda: process.poll() is not None or answers(url))
        assert process.poll() is None, (root / "output.log").read_text()
        yield url
    finally:
        process.terminate()
        process.wait(30)


def answers(url: str, context: ssl.SSLContext | bool = True) -> bool:  # noqa: FBT001, FBT002 - httpx
    try:
        return bool(httpx.get(f"{url}/ready", verify=context).status_code)
    except httpx.TransportError:
        return False


def test_caddy_logs_no_spelling_of_a_secret(tmp_path: Path) -> None:
    with caddy(tmp_path / "caddy", f"127.0.0.1:{reserved_port()}") as front:
        requested(front)
        decision = httpx.get(f"{front}/+auth")

    assert decision.status_code == 404
    said = written_logs(tmp_path / "caddy")
    assert said["access.log"].count("GET") > len(TARGETS) - 9  # some are cut amid a percent sign
    assert "/+t/***/simple/lab-foo/" in said["access.log"]
    assert said["output.log"].count("connection refused") > len(TARGETS) - 9
    assert not [line for text in said.values() for line in text.splitlines() if shows(line)]


FORMATS: Final = {
    "printed": shlex.split(re.findall(r"`(--access-logfile .*?)`", LOGS)[0]),
    "its own": ["--access-logfile", "-"],
}

SERVERS: Final = {
    "gunicorn": ("gunicorn", "-b", "127.0.0.1:{port}", *FORMATS["printed"], f"{ENGINE}()"),
    "gunicorn-own": ("gunicorn", "-b", "127.0.0.1:{port}", *FORMATS["its own"], f"{ENGINE}()"),
    "gunicorn-flask": ("gunicorn", "-b", "127.0.0.1:{port}", *FORMATS["its own"], f"{FLASK}()"),
    "granian": (
        *("granian", "--factory", "--port", "{port}", "--access-log", "--interface", "wsgi"),
        ENGINE,
    ),
    "granian-flask": (
        *("granian", "--factory", "--port", "{port}", "--access-log", "--interface", "wsgi"),
        FLASK,
    ),
    "uwsgi": (
        *("uwsgi", "--http", "127.0.0.1:{port}", "--die-on-term", "--module", f"{ENGINE}()"),
        *shlex.split(re.findall(r"`(--log-format .*?)`", LOGS)[0]),
    ),
    "uwsgi-flask": (
        *("uwsgi", "--http", "127.0.0.1:{port}", "--die-on-term", "--module", f"{FLASK}()"),
        *re.findall(r"`(--disable-logging)`", LOGS),
    ),
    "uvicorn": (
        *("uvicorn", "--factory", "--port", "{port}"),
        "tests.functional.forwarded_apps:asgi_app",
    ),
    "werkzeug": ("flask", "--app", FLASK, "run", "--port", "{port}"),
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_session_of_clients_leaves_no_secret_in_any_log(
    name: str, vendor: Vendor, pip: Client, uv: Client, tmp_path: Path
) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    secrets = [vendor.token("generated").secret or "", SECRET]
    vendor.token("custom", secret=SECRET)
    environment = {
        "ENTITLEMENTS_HOME": str(vendor.home),
        "ENTITLEMENTS_REPOSITORY": REPOSITORY,
        "ENTITLEMENTS_DIRECTORIES": str(vendor.packages),
    }
    root = vendor.root / "nginx"
    with launched(SERVERS[name], vendor.root, clean_environment(**environment)) as url:
        proxied = f"location / {{ proxy_pass {url}; }}"
        with nginx.running(root, proxied, logs=recipe(root)) as front:
            host = front.removeprefix("http://")
            for number, secret in enumerate(secrets):
                forms = (
                    f"{front}/+t/{secret}/simple/",
                    f"http://token:{secret}@{host}/simple/",
                    f"http://{secret}@{host}/simple/",
                )
                for form, index in enumerate(forms):
                    client = (pip, uv)[(number + form) % 2]
                    ended = client.install("lab-foo", index, tmp_path / f"{number}-{form}")
                    assert ended.status == 0, ended.text
            requested(front)

    said = written_logs(vendor.root)
    assert "/simple/lab-foo/" in said["packages.access.log"]
    expected = {"uwsgi": " GET 200 ", "uwsgi-flask": "uWSGI"}.get(name, "lab-foo")
    assert expected in said["server.log"]
    shown = {
        (file, line)
        for file, text in said.items()
        for line in text.splitlines()
        if any(secret in line for secret in secrets)
    }
    assert not shown


@pytest.mark.parametrize("target", TARGETS)
def test_the_filter_masks_each_spelling(target: str) -> None:
    assert SECRET not in redact(f'"GET {target} HTTP/1.1" 200 - "https://host{target}"')
