"""The way back to a devpi-server without the plugin, as the documentation tells it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.functional import devpis
from tests.functional.devpi_vendor import INDEX, DevpiVendor, ended
from tests.wheelhouse import build_wheel

pytestmark = pytest.mark.functional
OPEN = "acme/open"


def leave_under_a_running_server(vendor: DevpiVendor) -> None:
    refused = vendor.entitlements("devpi", "leave", "--yes")
    assert refused.status == 1
    assert "A devpi-server runs over" in refused.text
    assert "stop it before" in vendor.entitlements("devpi", "leave", "--dry-run").text
    told = vendor.entitlements("devpi", "leave", "--dry-run", "--json")
    assert json.loads(told.text)["is_running"] is True


def test_the_way_back(tmp_path: Path) -> None:
    vendor = DevpiVendor(tmp_path)
    wheel = build_wheel(tmp_path / "wheels", "lab-foo", "1.0")
    with vendor.serving(without=devpis.OTHERS) as server:
        server.index(INDEX, bases=[], acl_pkg_read=["acme"])
        server.index(OPEN, bases=[])
        server.upload(INDEX, wheel)
        assert server.get(f"/{INDEX}/+simple/lab-foo/").status_code == 401
        directory = server.directory
        # As long as it runs, nothing is opened under it.
        leave_under_a_running_server(vendor)
        assert server.get(f"/{INDEX}/+simple/lab-foo/").status_code == 401

    # Installed and not configured, it does not start, and says what to do.
    launched = [sys.executable, "-P", str(devpis.LAUNCHER), ",".join(devpis.OTHERS)]
    refused = ended([*launched, devpis.SERVER, "--serverdir", str(directory), "--port", "0"])
    assert refused.status != 0
    command = next(
        line[line.index("entitlements devpi leave") :]
        for line in refused.text.splitlines()
        if "entitlements devpi leave" in line
    ).split()[1:]
    assert command[:2] == ["devpi", "leave"]

    # As it says, with no home or store at hand.
    bare = [sys.executable, "-m", "entitlements_core.cli", *command]
    lost = str(tmp_path / "lost")
    unasked = ended(bare, ENTITLEMENTS_HOME=lost)
    assert unasked.status == 1
    assert "Repeat it with --yes" in unasked.text
    shown = ended([*bare, "--dry-run"], ENTITLEMENTS_HOME=lost)
    assert f"{INDEX} would be open to everybody. Before: acme alone." in shown.text
    done = ended([*bare, "--yes", "--json"], ENTITLEMENTS_HOME=lost)
    assert done.status == 0, done.text
    assert json.loads(done.text)["is_running"] is False
    indexes = json.loads(done.text)["indexes"]
    assert [(one["index"], one["was_closed"]) for one in indexes] == [(OPEN, False), (INDEX, True)]
    again = ended([*bare, "--json"], ENTITLEMENTS_HOME=lost)
    assert json.loads(again.text)["indexes"] == []
    # A server that is started with the plugin now, or was only starting then, stays away.
    home = ("--entitlements-home", str(vendor.home))
    refused = ended([*launched, devpis.SERVER, "--serverdir", str(directory), "--port", "0", *home])
    assert refused.status != 0
    assert f"`entitlements devpi leave` opened {INDEX} to everybody" in refused.text
    # Without the home, the server's note names the directory.
    assert vendor.entitlements("devpi", "leave", "--dry-run").status == 0
    vendor.core.close()

    with devpis.running(tmp_path / "devpi", without=devpis.OTHERS + devpis.BARE) as server:
        assert server.get(f"/{INDEX}/+simple/lab-foo/").status_code == 200
        [path] = server.files_of(INDEX, "lab-foo").values()
        assert server.get(path).content == wheel.read_bytes()
        server.login("acme", "123")
        for index in (INDEX, OPEN):
            found = server.request("GET", f"/{index}").json()["result"]
            assert "acl_pkg_read" not in found
            changed = server.request("PATCH", f"/{index}", "acme", json=["title=back again"])
            assert changed.status_code == 200, changed.text
        server.upload(INDEX, build_wheel(tmp_path / "more", "lab-foo", "2.0"))
        assert len(server.files_of(INDEX, "lab-foo")) == 2


def test_what_is_no_server_is_refused(tmp_path: Path) -> None:
    vendor = DevpiVendor(tmp_path)
    for arguments in ((), ("--serverdir", str(tmp_path))):
        refused = vendor.entitlements("devpi", "leave", *arguments)
        assert refused.status == 1
        assert "serverdir" in refused.text
