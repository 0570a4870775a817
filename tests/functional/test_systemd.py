"""The units of the documentation: taken by systemd, and their commands run as they stand."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.functional import nginx
from tests.functional.consoles import Console
from tests.functional.nginx import reserved_port
from tests.functional.test_readme import FLASK_APP
from tests.functional.vendors import Client, clean_environment
from tests.pages import Block, replaced, take, take_all
from tests.plugins.flask_static.conftest import wait
from tests.wheelhouse import build_wheel

PAGE: Final = "docs/systemd.md"
HOSTS: Final = (
    "entitlements serve",
    "A Flask application with gunicorn",
    "pypiserver",
    "devpi-server",
)
COMMON: Final = "What all have in common"
UNITS: Final = {unit.heading: unit for unit in take_all(PAGE, "ini")}
[FIRST] = take_all(PAGE, "console", COMMON)
SETTINGS, COMMAND = take_all(PAGE, "sh", COMMON)
MORE: Final = {host: take_all(PAGE, "sh", host)[0].text for host in ("pypiserver", "devpi-server")}
STEPS: Final = {host: take_all(PAGE, "console", host) for host in HOSTS}
DEVPI: Final = take(PAGE, "yaml", "serverdir")
DAILY: Final = take_all("docs/operations.md", "ini")
OPERATIONS: Final = [
    take_all("docs/operations.md", "console", heading)
    for heading in ("Every day", "Upgrade", "Restore")
]
MAIL: Final = take("docs/operations.md", "text", "--index-url")

EXPOSURE: Final = 25
"""Tenths of what `systemd-analyze security` calls OK."""


def directives(unit: str, name: str) -> list[str]:
    """The values of a directive."""
    return re.findall(rf"(?m)^{name}=(.*)$", unit)


@contextmanager
def started(unit: str, root: Path, asked: str) -> Iterator[None]:
    """The service of a unit, with its environment and its working directory."""
    [path] = directives(unit, "EnvironmentFile")
    environment = dict(
        word.split("=", 1) for word in shlex.split(Path(path).read_text(), comments=True)
    )
    [command] = directives(unit, "ExecStart")
    [folder] = directives(unit, "WorkingDirectory") or [str(root)]
    log = root / "service.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            shlex.split(command),
            cwd=folder,
            env=clean_environment(**environment),
            stdout=output,
            stderr=output,
        )
    try:
        wait(lambda: process.poll() is not None or is_ready(asked))
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(60)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=30).status_code == 200
    except httpx.TransportError:
        return False


def moved(root: Path, port: int) -> dict[str, str]:
    """Where directories and ports are."""
    places = ("/opt/", "/srv/", "/etc/", "/var/lib/", "/var/backups/", "/usr/local/bin/")
    return {place: f"{root}{place}" for place in places} | {"8080": str(port), "3141": str(port)}


def settle(shell: Console, host: str, table: dict[str, str]) -> None:
    """Do what all hosts have in common, and write the files that a host needs."""
    shell.type(FIRST.text)
    root = shell.root
    (root / "usr/local/bin/entitlements").write_text(put(COMMAND.text, table))
    more = MORE.get(host, "")
    shell.run(f"export PATH={root}/usr/local/bin:$PATH")
    before = "" if host == "devpi-server" else SETTINGS.text
    (root / "etc/entitlements.env").write_text(put(before + more, table))


def put(text: str, table: dict[str, str]) -> str:
    """A file of a page, with its directories moved."""
    return replaced(text, {key: table[key] for key in table if key in text})


@pytest.mark.parametrize("unit", [*UNITS.values(), *DAILY], ids=str)
def test_systemd_takes_the_unit(unit: Block, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed; .ci/run does")
    text = re.sub(r"(?m)^(ExecStart=)\S+", rf"\1{shutil.which('true')}", unit.text)
    kind = "timer" if "[Timer]" in text else "service"
    path = tmp_path / f"entitlements-daily.{kind}"
    path.write_text(text)
    path.with_suffix(".service").write_text(text if kind == "service" else DAILY[0].text)
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("host", HOSTS)
def test_the_unit_is_closed(host: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed; .ci/run does")
    path = tmp_path / "one.service"
    path.write_text(UNITS[host].text)
    command = [
        "systemd-analyze",
        "security",
        "--offline=true",
        f"--threshold={EXPOSURE}",
        str(path),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stdout[-300:]
    assert directives(UNITS[host].text, "User") not in ([], ["root"])
    assert directives(UNITS[host].text, "StateDirectory") == ["entitlements"]
    assert directives(UNITS[host].text, "StateDirectoryMode") == ["0700"]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """With packages, and what the hosts bring of their own."""
    build_wheel(tmp_path / "srv/packages", "acme-core", "1.0")
    for name in ("opt/vendor", "etc/pypiserver", "var/lib", "var/backups", "usr/local/bin"):
        (tmp_path / name).mkdir(parents=True)
    app = FLASK_APP.replace("/srv/", f"{tmp_path}/srv/")
    (tmp_path / "opt/vendor/vendor.py").write_text(app)
    (tmp_path / "etc/pypiserver/htpasswd").touch()
    return tmp_path


@pytest.mark.parametrize("host", HOSTS[:3])
def test_what_the_page_sets_up_serves_customers(host: str, machine: Path, pip: Client) -> None:
    port, front = reserved_port(), reserved_port()
    table = moved(machine, port)
    site = f"""server {{
        listen 127.0.0.1:{front};
        location / {{ proxy_pass http://127.0.0.1:{port}; }}
        location /_packages/ {{ internal; alias {machine}/srv/packages/; }}
    }}"""
    first, *later = STEPS[host]
    with Console(machine, None, table) as shell:
        settle(shell, host, table)
        shell.type(first.text)
        with started(put(UNITS[host].text, table), machine, f"http://127.0.0.1:{port}/+health"):
            for block in later:
                shell.type(block.text)
            with nginx.running_sites(machine / "nginx", site, front):
                index = f"http://token:{shell.secret}@127.0.0.1:{front}/simple/"
                ended = pip.install("acme-core", index, machine / "site")
    assert ended.status == 0, ended.text
    assert (machine / "var/lib/entitlements").stat().st_mode & 0o777 == 0o700


@pytest.mark.clients  # a minute; the unit is looked over each time
def test_devpi_server_is_set_up(machine: Path) -> None:
    port = reserved_port()
    table = moved(machine, port)
    first, last = STEPS["devpi-server"]
    with Console(machine, None, table) as shell:
        settle(shell, "devpi-server", table)
        shell.type(first.text)
        (machine / "etc/devpi.yml").write_text(put(DEVPI, table))
        unit = put(UNITS["devpi-server"].text, table)
        with started(unit, machine, f"http://127.0.0.1:{port}/+api"):
            printed = shell.type(last.text)
            json = {"Accept": "application/json"}
            status = httpx.get(f"http://127.0.0.1:{port}/+status", timeout=60, headers=json).json()[
                "result"
            ]
    assert "devpi" in printed
    assert any(name == "entitlements_downloads_total" for name, *_ in status["metrics"])


def test_operation(machine: Path) -> None:
    """A backup each day, an upgrade, and a restore of what was there; the mail to a customer."""
    port = reserved_port()
    table = moved(machine, port) | {
        "https://token": "http://token",
        "packages.acme.example": f"127.0.0.1:{port}",
        " key ": " copied-key ",
    }
    host = HOSTS[0]
    with Console(machine, None, table) as shell:
        settle(shell, host, table)
        alone = machine / "etc/entitlements.env"  # there is no nginx in front
        alone.write_text(alone.read_text().replace("ENTITLEMENTS_ACCEL", "#"))
        shell.type(STEPS[host][0].text)
        [daily], [upgrade], [restore] = OPERATIONS
        shell.type(daily.text)
        shutil.copy(machine / "var/lib/entitlements/key", shell.home / "copied-key")
        assert directives(DAILY[0].text, "EnvironmentFile") == ["/etc/entitlements.env"]
        for command in directives(DAILY[0].text, "ExecStart"):
            shell.run(f"set -a && . /etc/entitlements.env && {command}")
        [copy] = (machine / "var/backups/entitlements").glob("*.db")
        copy.rename(shell.home / "monday.db")
        # Behind a sudo of their own, the inner one knows root alone.
        shell.run("SUDO_USER=alice entitlements token edit SLUG_PERM --name renamed")
        assert "alice (as " in shell.run("entitlements audit")
        shell.type(upgrade.text)
        shutil.rmtree(machine / "var/lib/entitlements")
        shell.run("install -d -m 0700 /var/lib/entitlements")
        shell.type(restore.text)
        with started(put(UNITS[host].text, table), machine, f"http://127.0.0.1:{port}/+health"):
            [line] = re.findall(r"(?m)^ +(pip install .*)$", MAIL)
            printed = shell.run(f"/opt/entitlements/bin/{line}")
    assert "Successfully installed acme-core-1.0" in printed
