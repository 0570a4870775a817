"""Configurations of nginx: those that are written, and those that send files past everybody."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final

import pytest
from pluggy import PluginManager

from devpi_entitlements import nginx, plugin
from devpi_entitlements.nginx import unguarded_configurations, write_configurations
from tests.functional.certificates import certificate
from tests.functional.nginx import BINARY

pytestmark = pytest.mark.notransaction

ACCEL: Final = "nginx-entitlements.conf"
AUTH_REQUEST: Final = "nginx-entitlements-auth-request.conf"
STOCK: Final = """\
server {
    root SERVERDIR;
    location ~ /\\+f/ {
        expires 60d;
        try_files /+files$uri @proxy_to_app;
    }
    # try_files /+files$uri;
}
"""


def written(
    serverdir: Path, outside: str | None = None, location: str = "", *, locked: bool = False
) -> dict[str, str]:
    """What `write_configurations` writes for a server with these options."""
    files: dict[str, str] = {}
    plugins = PluginManager("devpiserver")
    if locked:
        plugins.register(ModuleType("devpi_lockdown"), name="devpi-lockdown")
    args = SimpleNamespace(
        port=3141, entitlements_home="home", entitlements_accel_redirect=location
    )
    config = SimpleNamespace(
        args=args, outside_url=outside, server_path=serverdir, pluginmanager=plugins
    )
    write_configurations(config, files.__setitem__)
    return files


def test_what_is_written(tmp_path: Path) -> None:
    files = written(tmp_path / "devpi", "https://packages.example:8443/devpi")
    assert set(files) == {ACCEL, AUTH_REQUEST}
    for text in files.values():
        assert "server_name packages.example;" in text
        assert "listen 8443 ssl;" in text
        assert text.count("server {") == 1
        assert "proxy_pass http://127.0.0.1:3141;" in text
        assert "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;" in text
        assert re.search(r"location /\+changelog \{\s+allow 127.0.0.1;\s+deny all;", text)
        assert "$$" not in text
        assert "$proxy " not in text
    accel, auth_request = files[ACCEL], files[AUTH_REQUEST]
    assert "--entitlements-accel-redirect /+protected\n" in accel
    protected = f"location /+protected/ {{\n        internal;\n        alias {tmp_path}/devpi/;"
    assert protected in accel
    assert "try_files" not in accel
    for text in (accel, auth_request):
        assert re.search(r"location = /\+authcheck \{\s+internal;", text)
    assert "auth_request /+authcheck;" in auth_request
    assert "proxy_set_header X-Original-URI $request_uri;" in auth_request
    assert f"root {tmp_path}/devpi;" in auth_request
    own = written(tmp_path, location="/+intern/")
    assert "location /+intern/ {" in own[ACCEL]
    assert "listen 80;" in own[ACCEL]
    assert "server_name localhost;" in own[ACCEL]


@pytest.mark.parametrize("outside", ["http://localhost:18080", "https://packages.acme.example"])
def test_nginx_takes_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outside: str
) -> None:
    tls = certificate(tmp_path / "tls").folder
    monkeypatch.setattr(nginx, "DISTRIBUTION_LOGS", str(tmp_path / "none"))
    (tmp_path / "logs").mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"{name}_temp_path {tmp_path}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    for name, text in written(tmp_path / "devpi", outside).items():
        moved = text.replace("/etc/letsencrypt/live/packages.acme.example", str(tls))
        (tmp_path / name).write_text(moved)
        assert ("listen 443 ssl;" in text) == ("listen 80;" in text) == (str(tls) in moved)
        whole = (
            f"{user} pid {tmp_path}/pid; error_log stderr; events {{}}"
            f" http {{ {temporary} include {tmp_path / name}; }}"
        )
        (tmp_path / "nginx.conf").write_text(whole)
        command = [str(BINARY), "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr


def test_the_address_of_a_token_is_left_out_of_the_access_log(tmp_path: Path) -> None:
    text = written(tmp_path)[ACCEL]
    [pattern] = re.findall(r'"~\*(\^.*\$)" "\$\{before\}\*\*\*\$after"', text)
    expression = re.compile(pattern.replace("(?<", "(?P<"), re.IGNORECASE)
    for uri in ("/+t/SECRET/acme/priv/+simple/", "/%2Bt/SECRET", "/devpi/+t/SECRET?x=1"):
        found = expression.match(uri)
        assert found is not None
        assert "SECRET" not in found["before"] + found["after"]
    assert expression.match("/acme/priv/+simple/") is None


def test_what_sends_files_past_the_server_is_found(tmp_path: Path) -> None:
    serverdir, folder = tmp_path / "devpi", tmp_path / "nginx"
    sites = folder / "sites-enabled"
    sites.mkdir(parents=True)
    stock = STOCK.replace("SERVERDIR", str(serverdir))
    (sites / "devpi.conf").write_text(stock)
    (sites / "other.conf").write_text(STOCK.replace("SERVERDIR", "/srv/other"))
    (sites / "guarded.conf").write_text(f"auth_request /+authcheck;\n{stock}")
    (sites / "off.conf").write_text(stock.replace("try_files", "# try_files"))
    (sites / "binary").write_bytes(b"\xff\xfe" + stock.encode())
    (sites / "large").write_text(" " * 1_000_001 + stock)
    (sites / "dangling").symlink_to(tmp_path / "nowhere")
    for name, text in written(serverdir).items():
        (sites / name).write_text(text)
    found = list(unguarded_configurations(serverdir, [folder, tmp_path / "missing"]))
    assert found == [(sites / "binary", 5), (sites / "devpi.conf", 5)]
    commented = stock.replace("    root", "    # auth_request /+authcheck;\n    root")
    (sites / "devpi.conf").write_text(commented)
    assert (sites / "devpi.conf", 6) in unguarded_configurations(serverdir, [folder])


def test_only_the_blocks_around_it_ask_for_a_file(tmp_path: Path) -> None:
    sends = f"root {tmp_path}; try_files /+files$uri @app;"
    lines = (
        "server {",
        "    location /a { auth_request /+authcheck; }",
        f"    location /b {{ {sends} }}",
        f"    location /c {{ {sends} auth_request /+authcheck; }}",
        f'    location /d {{ set $x "}}"; {sends} }}',
        "}",
        f"server {{ location /e {{ if ($x) {{ return 418; }} {sends} }}",
        "auth_request /+authcheck; }",
        f"}} location /f {{ {sends} }}",
    )
    (tmp_path / "nginx.conf").write_text("\n".join(lines))
    found = [line for _, line in unguarded_configurations(tmp_path, [tmp_path])]
    assert sorted(found) == [3, 5, 9]


def test_a_folder_that_cannot_be_read_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "devpi.conf").write_text(STOCK.replace("SERVERDIR", str(tmp_path)))

    def denied(*_: object, **__: object) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", denied)
    assert list(unguarded_configurations(tmp_path, [tmp_path])) == []


def test_devpi_gen_config_writes_them_where_entitlements_are_on(
    makexom: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ENTITLEMENTS_HOME", "ENTITLEMENTS_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for options, wanted in (
        ([], set()),
        (["--entitlements-home", str(tmp_path / "home")], {ACCEL, AUTH_REQUEST}),
    ):
        files: dict[str, str] = {}
        config = makexom(options, plugins=[plugin]).config
        config.hook.devpiserver_genconfig(tw=None, config=config, argv=[], writer=files.__setitem__)
        assert set(files) == wanted
    assert not (tmp_path / "home").exists()


def test_with_devpi_lockdown_everything_wants_a_login(tmp_path: Path) -> None:
    header = "proxy_set_header X-Entitlements-Lockdown"
    for locked, value in ((True, '"1"'), (False, '""')):
        for text in written(tmp_path, locked=locked).values():
            assert text.count(f"{header} {value};") == text.count("proxy_pass ")
