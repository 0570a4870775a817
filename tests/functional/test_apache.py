"""Behind a real Apache: files sent by it, and its logs, as the documentation prints them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.functional.certificates import Certificate, certificate
from tests.functional.nginx import reserved_port
from tests.functional.test_logs import SECRET, TARGETS, answers, requested, written_logs
from tests.functional.vendors import Client, Vendor
from tests.pages import replaced, take
from tests.plugins.flask_static.conftest import wait
from tests.wheelhouse import build_wheel

pytestmark = pytest.mark.functional

BINARY: Final = shutil.which("apache2", path="/usr/sbin:/usr/bin")
MODULES: Final = Path("/usr/lib/apache2/modules")
NEEDED: Final = (
    *("mpm_event", "authz_core", "authz_host", "headers", "proxy", "proxy_http"),
    *("socache_shmcb", "ssl", "xsendfile"),
)
PAGE: Final = take("docs/nginx.md", "apache", "XSendFilePath")

NOW: Final = datetime.now(UTC)  # noqa: TID251 - real servers have the real time
WHEEL: Final = "lab_foo-1.0-py3-none-any.whl"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that Apache's own user can read; pytest's is closed to it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def apache(root: Path, upstream: str, packages: Path) -> Iterator[tuple[str, Certificate]]:
    """Apache with all that the documentation prints for it."""
    if BINARY is None or not all((MODULES / f"mod_{name}.so").exists() for name in NEEDED):
        pytest.skip("apache2 and libapache2-mod-xsendfile are not installed; .ci/run does")
    root.mkdir()
    port = reserved_port()
    own = certificate(root / "tls")
    table = {
        "*:443": f"127.0.0.1:{port}",
        "/etc/letsencrypt/live/packages.acme.example": str(own.folder),
        "/var/log/apache2": str(root),
        "/srv/packages": str(packages),
        "http://127.0.0.1:8080": upstream,
    }
    lines = [
        *(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in NEEDED),
        *(f"{word} www-data" for word in ("User", "Group") if os.geteuid() == 0),
        f"ServerRoot {root}",
        f"PidFile {root}/apache.pid",
        f"DefaultRuntimeDir {root}",
        "ServerName 127.0.0.1",
        f"Listen 127.0.0.1:{port}",
        f"ErrorLog {root}/main.log",
        replaced(PAGE, table),
    ]
    (root / "apache.conf").write_text("\n".join(lines) + "\n")
    command = [BINARY, "-DFOREGROUND", "-f", str(root / "apache.conf")]
    url = f"https://127.0.0.1:{port}"
    with (root / "output.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait(lambda: process.poll() is not None or answers(url, own.context))
        said = "\n".join(written_logs(root).values())
        assert process.poll() is None, said
        yield url, own
    finally:
        process.terminate()
        process.wait(30)


def test_apache_sends_the_file_that_was_allowed_and_counted(
    vendor: Vendor, pip: Client, open_folder: Path, tmp_path: Path
) -> None:
    data = build_wheel(open_folder, "lab-foo", "1.0", padding=50_000).read_bytes()
    token = vendor.token("customer", deny_networks=["127.0.0.3"])
    environment = {
        "ENTITLEMENTS_TRUSTED_PROXIES": "127.0.0.1",
        "ENTITLEMENTS_FORWARDED_HEADER": "X-Forwarded-For",
        "ENTITLEMENTS_SENDFILE": "true",
    }
    with (
        vendor.serving(environment=environment, packages=open_folder) as server,
        apache(tmp_path / "apache", server.url, open_folder) as (front, own),
    ):
        url = f"{front}/+t/{token.secret}"
        installed = own.trusted(pip).install("lab-foo", f"{url}/simple/", tmp_path / "site")
        whole = httpx.get(f"{url}/packages/{WHEEL}", verify=own.context)
        quoted = httpx.get(f"{front}/%2Bt/{token.secret}/packages/{WHEEL}", verify=own.context)
        decision = httpx.get(f"{front}/+auth", verify=own.context)
        direct = httpx.get(f"{server.url}/+t/{token.secret}/packages/{WHEEL}")
        forged = {"X_Forwarded_For": "127.0.0.2", "X-Forwarded-For": "127.0.0.2"}
        with httpx.Client(
            transport=httpx.HTTPTransport(local_address="127.0.0.3", verify=own.context)
        ) as denied:
            refused = denied.get(f"{url}/packages/{WHEEL}", headers=forged)

    assert installed.status == 0, installed.text
    assert (whole.status_code, whole.content) == (200, data)
    assert (quoted.status_code, quoted.content) == (200, data)
    assert "X-Sendfile" in direct.headers  # so it was Apache that sent it
    assert "X-Sendfile" not in whole.headers
    assert refused.status_code == 403
    assert decision.status_code in {403, 404}
    clients = vendor.core.reports.clients(token.token.identifier)
    assert {client.client for client in clients} == {"127.0.0.1"}
    assert vendor.downloads(token, NOW) == 1


def test_apache_logs_no_spelling_of_a_secret(open_folder: Path, tmp_path: Path) -> None:
    down = f"http://127.0.0.1:{reserved_port()}"

    with apache(tmp_path / "apache", down, open_folder) as (front, own):
        requested(front, own.context)

    said = written_logs(tmp_path / "apache")
    assert said["packages.access.log"].count("GET") > len(TARGETS) - 9
    assert not [line for text in said.values() for line in text.splitlines() if SECRET in line]
