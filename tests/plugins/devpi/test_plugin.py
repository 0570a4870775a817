"""The plugin in a devpi-server: off, on, and unable to be on."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from devpi_server.config import Config, get_pluginmanager, parseoptions
from devpi_server.main import Fatal

from devpi_entitlements import plugin, startup_checks
from devpi_entitlements.configuration import read_configuration
from devpi_entitlements.site import SITE
from entitlements_core.services.core import Core
from entitlements_core.services.redaction import RedactingFilter
from tests.actors import person
from tests.health import check_health
from tests.plugins.devpi.apps import PASSWORD, DevpiApp, basic, wheel_name
from tests.plugins.devpi.conftest import MakeDevpiApp

pytestmark = pytest.mark.notransaction

SWITCHES: Final = ("ENTITLEMENTS_HOME", "ENTITLEMENTS_DATABASE_URL")
PAGE: Final = "/acme/prod/+simple/acme-core/"


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SWITCHES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def start(
    core: Core,
    makexom: Callable[..., Any],
    maketestapp: Callable[..., Any],
    makemapp: Callable[..., Any],
) -> Callable[..., DevpiApp]:
    """Starts a server with our plugin and nothing but the options that are given."""

    def started(*options: str) -> DevpiApp:
        testapp = maketestapp(makexom(list(options), plugins=[plugin]))
        return DevpiApp(xom=testapp.xom, testapp=testapp, mapp=makemapp(testapp), core=core)

    return started


def test_without_configuration_devpi_is_as_it_was(
    start: Callable[..., DevpiApp], core: Core
) -> None:
    app = start("--enable-core-metadata")
    app.index("acme/prod", bases=[])
    path = app.upload("acme/prod", "acme-core", "1.0")
    secret = app.token("acme/prod")
    for where in (PAGE, path, f"{path}.metadata"):
        answer = app.get(where)
        assert answer.status_code == 200
        assert "private" not in answer.headers.get("Cache-Control", "")
        assert app.get(where, secret).status_code == 404
    shown = app.get("/acme/prod", Accept="application/json").json["result"]
    assert "acl_pkg_read" not in shown
    assert "entitlements" not in app.get("/+api").json["result"]["features"]
    assert app.get("/+entitlements/me").status_code == 404
    names = [name for name, _ in app.get("/+status").json["result"]["metrics"] if name]
    assert not [name for name in names if str(name).startswith("entitlements")]
    assert SITE not in app.testapp.app.app.registry
    with app.xom.keyfs.read_transaction():
        app.xom.config.hook.devpiserver_cmdline_run(xom=app.xom)


def test_closed_indexes_are_not_opened_by_leaving_out_the_option(
    devpi: DevpiApp, makexom: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    devpi.closed_index("acme/priv", bases=[])
    devpi.index("acme/open", bases=[])
    config = devpi.xom.config

    def check() -> object:
        with devpi.xom.keyfs.read_transaction():
            return config.hook.devpiserver_cmdline_run(xom=devpi.xom)

    assert not check(), "entitlements are on"
    monkeypatch.setattr(config.args, "entitlements_home", None)
    with pytest.raises(Fatal) as refused:
        check()
    assert "acl_pkg_read closes acme/priv, but entitlements are not configured" in str(
        refused.value
    )
    command = f"entitlements devpi leave --serverdir {config.server_path} --storage sqlite"
    assert command in str(refused.value)
    monkeypatch.setenv("ENTITLEMENTS_HOME", "anywhere")
    assert not check()


def test_a_store_that_cannot_be_used_ends_the_start(
    start: Callable[..., DevpiApp], core: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = core.settings.home
    _ = core.gate
    key = (home / "key").read_bytes()
    home_option = ("--entitlements-home", str(home))
    (home / "key").unlink()
    with pytest.raises(Fatal, match="entitlements: ") as missing:
        start(*home_option)
    assert "key" in str(missing.value)
    other = Core.open(type(core.settings).load(home=tmp_path / "other"), create=True)
    other.close()
    (home / "key").write_bytes((tmp_path / "other" / "key").read_bytes())
    (home / "key").chmod(0o600)
    with pytest.raises(Fatal, match="entitlements: "):
        start(*home_option)
    (home / "key").write_bytes(key)

    (tmp_path / "file").write_text("no directory")
    for value in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(Fatal, match="entitlements: "):
            start("--entitlements-home", str(value))
    monkeypatch.setenv("ENTITLEMENTS_DATABASE_URL", "mysql://nowhere/at/all")
    with pytest.raises(Fatal, match="entitlements: ") as unknown:
        start()
    assert unknown.value.__cause__ is None
    assert unknown.value.__suppress_context__
    monkeypatch.setenv("ENTITLEMENTS_DATABASE_URL", "")
    monkeypatch.setenv("ENTITLEMENTS_TRUSTED_PROXIES", "no network")
    with pytest.raises(Fatal, match="trusted_proxies"):
        start(*home_option)


def options(*arguments: str) -> Config:
    """The configuration of a devpi-server that is started like this."""
    manager = get_pluginmanager(load_entrypoints=False)
    manager.register(plugin)
    return parseoptions(manager, ["devpi-server", *arguments])


def test_where_the_options_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_configuration(options().args) is None
    assert read_configuration(Namespace()) is None, "of devpi-init, say"
    assert read_configuration(options("--entitlements-lockdown").args) is None

    given = read_configuration(
        options("--entitlements-home", str(tmp_path), "--entitlements-accel-redirect", "/+p/").args
    )
    assert given is not None
    assert (given.home, given.accel_redirect, given.lockdown) == (tmp_path, "/+p", False)
    assert given.settings().home == tmp_path

    written = tmp_path / "devpi.yml"
    written.write_text(
        "devpi-server:\n"
        f"  entitlements-home: {tmp_path}\n"
        "  entitlements-lockdown: true\n"
        "  entitlements-accel-redirect: /+protected\n"
    )
    given = read_configuration(options("--configfile", str(written)).args)
    assert given is not None
    assert (given.home, given.accel_redirect, given.lockdown) == (tmp_path, "/+protected", True)

    for name, value in zip(SWITCHES, (str(tmp_path), f"sqlite:///{tmp_path}/x.db"), strict=True):
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            given = read_configuration(Namespace())
            assert given is not None
            assert (given.home, given.accel_redirect, given.lockdown) == (None, "", False)
    monkeypatch.setenv("DEVPISERVER_ENTITLEMENTS_HOME", str(tmp_path))
    given = read_configuration(options().args)
    assert given is not None
    assert given.home == tmp_path


def test_every_command_of_devpi_starts_with_the_plugin_installed(tmp_path: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("ENTITLEMENTS_")
    }
    for arguments, said in (
        (["devpi-server", "--version"], "6."),
        (["devpi-server", "--help"], "--entitlements-home"),
        (["devpi-gen-config", "--help"], "--entitlements-accel-redirect"),
        (["devpi-init", "--help"], "--serverdir"),
    ):
        command = [str(Path(sys.executable).parent / arguments[0]), *arguments[1:]]
        ended = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
        )
        assert ended.returncode == 0, ended.stderr
        assert said in ended.stdout
        assert "Traceback" not in ended.stderr
    # Which is cheap: what a configured server needs is not even imported.
    code = (
        "import sys, devpi_entitlements.plugin\n"
        "print(*{'sqlmodel', 'pydantic', 'sqlalchemy'}.intersection(sys.modules))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == ""


@pytest.mark.start_threads
def test_indexes_are_repositories(
    make_devpi_app: MakeDevpiApp, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_devpi_app("--enable-core-metadata")
    app.index("acme/prod", bases=[])
    app.login("acme")
    created = app.testapp.put_json("/acme/late", {"bases": []})
    app.xom.keyfs.notifier.wait_event_serial(int(created.headers["X-DEVPI-SERIAL"]))
    app.logout()
    repositories = app.core.repositories
    assert repositories.show("acme/late").name == "acme/late"

    # And those that were there before are added at the start.
    repositories.remove("acme/late", actor=person("test"))
    with caplog.at_level(logging.INFO, logger="entitlements.devpi"):
        startup_checks.look_around(app.testapp.app.app.registry[SITE])
    assert "repositories added for the indexes acme/late" in caplog.text
    assert repositories.show("acme/late").name == "acme/late"


def test_what_an_administrator_is_warned_of(
    make_devpi_app: MakeDevpiApp, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unguarded(serverdir: Path) -> Iterator[tuple[Path, int]]:
        yield Path("/etc/nginx/devpi.conf"), 7

    make_devpi_app("--enable-core-metadata")
    assert "core-metadata" not in caplog.text
    assert "nginx" not in caplog.text
    monkeypatch.setattr(startup_checks, "unguarded_configurations", unguarded)
    make_devpi_app()
    assert "Start devpi-server with --enable-core-metadata" in caplog.text
    assert "/etc/nginx/devpi.conf:7 lets nginx send files past the entitlements" in caplog.text


def test_monitoring_reads_the_counters(devpi: DevpiApp) -> None:
    devpi.closed_index("acme/prod", bases=[])
    path = devpi.upload("acme/prod", "acme-core", "1.0")

    def metrics() -> dict[str, float]:
        found = devpi.get("/+status", Accept="application/json").json["result"]["metrics"]
        return {name: value for name, _, value in found if name.startswith("entitlements_")}

    before = metrics()
    assert set(before.values()) == {0}
    secret = devpi.token("acme/prod", limit_num_downloads=1)
    size = len(devpi.get(path, secret).body)
    for _ in range(3):
        assert devpi.get(PAGE, secret).status_code == 200
    assert devpi.get(path + "x", secret).status_code == 404
    after = metrics()
    assert after["entitlements_downloads_total"] == 1
    assert after["entitlements_sent_bytes_total"] == size
    assert after["entitlements_remembered_pages_total"] == 2
    assert after["entitlements_refused_total"] == 1
    assert after["entitlements_allowed_total"] >= 4
    assert set(before) == set(after)
    assert "entitlements" in devpi.get("/+api").json["result"]["features"]


def test_no_handler_writes_a_secret(
    make_devpi_app: MakeDevpiApp, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    handlers = [logging.FileHandler(tmp_path / f"{name}.log") for name in ("root", "waitress")]
    loggers = [logging.getLogger(), logging.getLogger("waitress")]
    for logger, handler in zip(loggers, handlers, strict=True):
        logger.addHandler(handler)
    try:
        app = make_devpi_app("--enable-core-metadata")
        for handler in handlers:
            assert any(isinstance(item, RedactingFilter) for item in handler.filters)
        app.closed_index("acme/prod", bases=[])
        path = app.upload("acme/prod", "acme-core", "1.0")
        secret = app.token("acme/prod", query="version:1")
        caplog.set_level(logging.DEBUG)
        for where in (
            PAGE,
            PAGE,
            path,
            f"{path}.metadata",
            "/acme/prod/+simple/Acme.Core/",
            "/acme/prod/+simple/never-was/",
            "/acme/prod/other/1.0",
            "/simple/acme-core/",
            "/+nothing",
        ):
            app.get(where, secret)
            app.get(where, **basic("token", secret))
        logging.getLogger("waitress").info("Client disconnected while serving /+t/%s/x", secret)
        logging.getLogger("some.other").warning("odd /+t/%s/x", secret)
    finally:
        for logger, handler in zip(loggers, handlers, strict=True):
            logger.removeHandler(handler)
            handler.close()
    written = caplog.text + "".join(file.read_text() for file in tmp_path.glob("*.log"))
    assert "/+t/***/acme/prod" in written
    assert "disconnected while serving /+t/***/x" in written
    assert secret not in written
    assert wheel_name("acme-core", "1.0") in written


def test_an_application_can_be_made_anew(make_devpi_app: MakeDevpiApp) -> None:
    app = make_devpi_app("--enable-core-metadata", "--absolute-urls")
    app.closed_index("acme/prod", bases=[])
    app.upload("acme/prod", "acme-core", "1.0")
    secret = app.token("acme/prod")
    for _ in range(2):
        app.testapp = type(app.testapp)(app.xom.create_app())
        app.testapp.xom = app.xom
        assert app.get(PAGE, secret).status_code == 200
        assert secret not in app.get(PAGE, secret).text
        assert app.get(PAGE).status_code == 401
        answer = app.get(PAGE, **basic("acme", PASSWORD))
        assert 'href="http://localhost/acme/prod/+f/' in answer.text, "absolute, as it was set"


def test_no_thread_is_started_where_devpi_starts_none(make_devpi_app: MakeDevpiApp) -> None:
    threads = make_devpi_app("--requests-only").xom.thread_pool._objects
    assert not [one for one in threads if type(one).__module__.startswith("devpi_entitlements")]


def test_health_needs_no_credentials_and_no_store(devpi: DevpiApp) -> None:
    def ask(path: str) -> tuple[int, dict[str, Any]]:
        answer = devpi.get(path)
        return answer.status_code, answer.json

    check_health(devpi.core.settings.home, ask)
    assert devpi.request("HEAD", "/+health/live").body == b""
