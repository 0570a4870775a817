"""What the core asks its host, of a running server and of one whose directory is only read."""

from __future__ import annotations

import json
import logging
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest
from pluggy import PluginManager

from devpi_entitlements import checks
from devpi_entitlements.checks import look_over
from devpi_entitlements.host import HostHooks
from devpi_entitlements.offline_host import OfflineHost
from devpi_entitlements.server_info import NAME, ServerInfo, leave_note, read_note
from entitlements_core.policy.health import Finding, Health
from tests.plugins.devpi.apps import UPSTREAM, DevpiApp, wheel_name

pytestmark = pytest.mark.notransaction

WHEEL: Final = wheel_name("acme-core", "1.0")
NOTE: Final = ServerInfo(
    serverdir="", storage="sqlite", url="http://devpi.example", core_metadata=True
)


@pytest.fixture
def acme(devpi: DevpiApp) -> DevpiApp:
    """A closed index upon an open one and a mirror."""
    upstream = f'<a href="{UPSTREAM}/files/{wheel_name("lab-foo", "1.0")}">x</a>'
    devpi.mirror("acme/up", {"lab-foo": upstream})
    devpi.index("acme/base", bases=[])
    devpi.upload("acme/base", "acme-core", "2.0")
    devpi.closed_index("acme/priv", bases=["acme/base", "acme/up"])
    devpi.upload("acme/priv", "acme-core", "1.0")
    devpi.user("mallory")
    return devpi


def asked(host: HostHooks | OfflineHost) -> None:
    """What every form of the host answers about `acme`."""
    assert str(host.entitlements_host()).startswith("devpi-server 6.")
    assert {"acme/up", "acme/base", "acme/priv"} <= set(host.entitlements_repositories())
    for index in ("acme/none", "nobody/none", "no name"):
        assert host.entitlements_files(index, None, None) is None
    found = list(host.entitlements_files("acme/priv", None, None) or ())
    assert {facts.filename for facts in found} == {WHEEL, wheel_name("acme-core", "2.0")}
    assert {facts.repository for facts in found} == {"acme/priv"}
    tags = {facts.filename: facts.tags for facts in found}
    assert tags == {WHEEL: frozenset(), wheel_name("acme-core", "2.0"): frozenset({"latest"})}
    assert all(facts.size > 0 and facts.sha256 for facts in found)
    assert host.entitlements_files("acme/priv", "nothing", None) == []
    one = list(host.entitlements_files("acme/base", "Acme_Core", None) or ())
    assert [facts.filename for facts in one] == [wheel_name("acme-core", "2.0")]
    for user, index, reads, administers in (
        ("acme", "acme/priv", True, True),
        ("root", "acme/priv", True, True),
        ("mallory", "acme/priv", False, False),
        ("mallory", "acme/base", True, False),
        ("nobody", "acme/base", False, False),
        ("acme", "acme/none", False, False),
        ("acme", "no name", False, False),
    ):
        assert host.entitlements_user_may_read(user, index) is reads, (user, index)
        assert host.entitlements_user_is_admin(user, index) is administers, (user, index)


def test_a_running_server_answers(acme: DevpiApp) -> None:
    asked(HostHooks(acme.xom))


def test_a_command_reads_the_directory_of_a_server(
    acme: DevpiApp, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host = OfflineHost()
    assert host.entitlements_host() is None
    assert list(host.entitlements_repositories()) == []
    assert host.entitlements_files("acme/priv", None, None) is None
    assert host.entitlements_user_may_read("acme", "acme/priv") is None
    assert host.entitlements_user_is_admin("acme", "acme/priv") is None
    assert list(host.entitlements_checks(tmp_path)) == []

    home = acme.core.settings.home
    host.entitlements_opened(home)
    asked(host)
    host.entitlements_opened(home)
    assert host._host is host._host, "the same note is the same server"

    (tmp_path / NAME).write_text(json.dumps(asdict(NOTE) | {"serverdir": str(tmp_path)}))
    host.entitlements_opened(tmp_path)
    assert host.entitlements_host() is None
    assert f"the devpi-server in {tmp_path} cannot be read" in caplog.text
    [finding] = host.entitlements_checks(tmp_path)
    assert (finding.check, finding.health) == ("devpi-server", Health.ERROR)

    host.mute()
    host.entitlements_opened(home)
    assert host.entitlements_host() is None
    assert list(host.entitlements_checks(home)) == []


def test_the_note_of_a_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    args = SimpleNamespace(host="localhost", port=3141, storage=None)
    config = SimpleNamespace(
        args=args,
        server_path=tmp_path / "devpi",
        outside_url=None,
        pluginmanager=PluginManager("devpiserver"),
    )
    home = tmp_path / "home"
    leave_note(home, config)
    assert read_note(home) == ServerInfo(
        serverdir=str(tmp_path / "devpi"),
        storage="sqlite",
        url="http://localhost:3141",
        core_metadata=False,
    )
    # The storage of PostgreSQL is named with its password.
    (home / NAME).chmod(0o644)
    leave_note(home, config)
    assert (home / NAME).stat().st_mode & 0o777 == 0o600
    for text in ("", "[]", '{"serverdir": "x"}', '{"other": 1}'):
        (home / NAME).write_text(text)
        assert read_note(home) is None
    assert read_note(tmp_path / "none") is None
    with caplog.at_level(logging.WARNING):
        leave_note(home / NAME, config)
    assert "commands will not find this server" in caplog.text


@contextmanager
def answering(monkeypatch: pytest.MonkeyPatch, answer: int | OSError) -> Iterator[list[str]]:
    """A server that answers every request with a status, or not at all."""
    urls: list[str] = []

    @contextmanager
    def opened(
        request: urllib.request.Request, timeout: float, context: ssl.SSLContext
    ) -> Iterator[SimpleNamespace]:
        assert context.verify_mode is ssl.CERT_REQUIRED
        urls.append(request.full_url)
        if isinstance(answer, OSError):
            raise answer
        if answer >= 400:
            raise urllib.error.HTTPError(request.full_url, answer, "x", Message(), None)
        yield SimpleNamespace(status=answer)

    with monkeypatch.context() as patched:
        patched.setattr(urllib.request, "urlopen", opened)
        yield urls


def test_what_the_doctor_finds(
    acme: DevpiApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = HostHooks(acme.xom)
    path = acme.path_of("acme/priv", "acme-core", WHEEL)

    def found(note: ServerInfo = NOTE) -> dict[str, Finding]:
        return {finding.check: finding for finding in look_over(note, host)}

    for answer, health in (
        (401, Health.OK),
        (403, Health.OK),
        (200, Health.ERROR),
        (206, Health.ERROR),
        (404, Health.ERROR),
        (ConnectionRefusedError("nobody there"), Health.WARNING),
    ):
        with answering(monkeypatch, answer) as urls:
            assert found()["closed indexes"].health is health, answer
        assert urls == [f"http://devpi.example{path}"]
    with answering(monkeypatch, 401):
        healthy = found()
        assert set(healthy) == {"devpi-server", "closed indexes", "devpi mirrors"}
        assert healthy["devpi mirrors"].health is Health.OK
        assert healthy["devpi-server"].health is Health.OK
        lacking = found(ServerInfo(**asdict(NOTE) | {"core_metadata": False}))
        assert lacking["devpi core metadata"].health is Health.WARNING
        monkeypatch.setattr(checks, "unguarded_configurations", lambda _: [(tmp_path / "x", 3)])
        assert found()["nginx"].health is Health.ERROR
        acme.configure("acme/priv", acl_pkg_read=[":ANONYMOUS:"])
        assert found()["closed indexes"].detail == "There is no closed index with a file yet."
    [unread] = look_over(NOTE, None)
    assert unread.health is Health.ERROR
