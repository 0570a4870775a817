"""The steps of the demonstration, each of which says what it does, does it, and checks it."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from entitlements_core.cli.demo.wheels import build_index

__all__ = ["DemoFailed", "Demonstration"]

READY_SECONDS: Final = 30.0
APP: Final = """\
from flask import Flask
from flask_static_entitlements import Entitlements

app = Flask(__name__)
Entitlements(app, repository="acme/prod", directories=["packages"], home="home")
"""
MINOR: Final = "(name:^acme-report$ OR name:^acme-core$) AND version:<2"


class DemoFailed(Exception):
    """A step did not do what it shows."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended: its exit status, and what it printed on both streams."""

    status: int
    text: str


class Demonstration:
    """The steps, in order; each says what it does, does it, and checks it."""

    def __init__(self, work: Path, console: Console) -> None:
        self._work = work
        self._console = console
        self._port = _free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self._step = 0
        self._steps: list[str] = []
        self._tokens: dict[str, dict[str, Any]] = {}

    def run(self) -> None:
        """All steps.

        Raises:
            DemoFailed: at the first one that does not do what it shows.
        """
        if importlib.util.find_spec("flask") is None:
            raise DemoFailed("Flask is missing; run: pip install 'index-entitlements[flask]'")
        self.build()
        self.create_repository()
        self.start()
        self.create_tokens()
        self.install_with_pip()
        self.install_with_uv()
        self.look_for_the_hidden()
        self.reach_the_limit()
        self.report()
        self._console.print("\nEverything went as it should.", style="bold green")

    def build(self) -> None:
        """The vendor's folder."""
        self._title("A vendor has a folder of distributions")
        for filename in build_index(self._work / "packages"):
            self._console.print(f"  packages/{filename}", markup=False)

    def create_repository(self) -> None:
        """The store and a repository."""
        self._title("The store is made, and a repository for the folder")
        self._entitlements("init")
        self._entitlements("repo", "add", "acme/prod")

    def start(self) -> None:
        """The Flask server."""
        self._title("A Flask application serves the folder")
        (self._work / "app.py").write_text(APP, encoding="utf-8")
        self._console.print("".join(f"  {line}\n" for line in APP.splitlines()), markup=False)
        command = ["flask", "--app", "app.py", "run", "--port", str(self._port)]
        self._console.print(f"$ {shlex.join(command)} &", style="bold", markup=False)
        with (self._work / "server.log").open("wb") as log:
            self._server = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-m", *command],
                cwd=self._work,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._await_server()
        self._console.print(f"  listening on {self._url()}", markup=False)

    def create_tokens(self) -> None:
        """One token per customer."""
        self._title("Each customer gets a token")
        self._tokens["one"] = self._create(
            "Customer 1: two projects, major version 1 only", "--query", MINOR
        )
        self._tokens["two"] = self._create(
            "Customer 2: everything, but a single download", "--max-downloads", "1"
        )

    def install_with_pip(self) -> None:
        """Customer 1 with pip and the token index URL."""
        self._title("Customer 1 installs with pip and the token index URL")
        ran = self._pip("install", "acme-report", url=self._token_url("one"), target="one-pip")
        self._expect(ran, 0, "acme-report-1.0", "acme-core-1.1")
        self._console.print(
            "  -> version 1 of both, the dependency too; version 2 was not to be seen",
            style="green",
        )

    def install_with_uv(self) -> None:
        """Customer 1 with uv and basic auth."""
        uv = _find_uv()
        if uv is None:
            self._title("Customer 1 installs with pip and basic auth (uv is not here)")
            ran = self._pip("install", "acme-core", url=self._basic_url("one"), target="one-basic")
            self._expect(ran, 0, "acme-core-1.1")
            return
        self._title("Customer 1 installs with uv and basic auth")
        target = str(self._work / "one-uv")
        command = [uv, "pip", "install", "--no-cache", "--target", target]
        ran = self._run([*command, "--index-url", self._basic_url("one"), "acme-core"], "uv")
        self._expect(ran, 0, "acme-core==1.1")

    def look_for_the_hidden(self) -> None:
        """What is not covered is invisible."""
        self._title("What the token does not cover is invisible to it")
        for wanted in ("acme-core==2.0", "acme-internal"):
            ran = self._pip("install", wanted, url=self._basic_url("one"), target="one-hidden")
            self._expect(ran, 1, "No matching distribution found")
        self._entitlements(
            "explain",
            self._tokens["one"]["slug_perm"],
            "acme_core-2.0-py3-none-any.whl",
            "--dir",
            "packages",
        )  # fmt: skip - one command, as it is typed

    def reach_the_limit(self) -> None:
        """The limit holds, and the reason is readable."""
        self._title("Customer 2 has one download; the second is refused, and pip says why")
        first = self._pip("install", "acme-core==1.0", url=self._token_url("two"), target="two-a")
        self._expect(first, 0, "acme-core-1.0")
        second = self._pip("install", "acme-core==1.1", url=self._token_url("two"), target="two-b")
        self._expect(second, 1, "Download limit 1/1 reached")

    def report(self) -> None:
        """What the vendor sees."""
        self._title("The vendor sees who fetched what")
        ran = self._entitlements("usage", "--by", "token,package,version,client")
        self._expect(ran, 0, "acme-core", "acme-report")

    def leave(self) -> None:
        """Print how to go on with the running server, and how to end it."""
        process = self._server.pid if self._server else 0
        self._console.print("\nThe server goes on running:", style="bold")
        for name in ("one", "two"):
            token = self._tokens[name]
            self._console.print(f"  {token['name']}\n    {self._token_url(name)}", markup=False)
            self._console.print(f"    {self._basic_url(name)}", markup=False)
        self._console.print(f"  home: {self._work / 'home'}\n  end it with: kill {process}")

    def end(self) -> None:
        """End the server that was started here."""
        if self._server is None:
            return
        self._server.terminate()
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

    def outcome(self, *, running: bool) -> dict[str, object]:
        """What happened, for scripts."""
        urls = {name: self._token_url(name) for name in self._tokens} if running else {}
        process = self._server.pid if running and self._server else None
        return {"passed": True, "steps": self._steps, "urls": urls, "pid": process}

    def _title(self, text: str) -> None:
        self._step += 1
        self._steps.append(text)
        self._console.print(f"\n{self._step}. {text}", style="bold cyan", markup=False)

    def _create(self, name: str, *options: str) -> dict[str, Any]:
        command = ("token", "create", "--repo", "acme/prod", "--name", name, *options)
        shown = shlex.join(("entitlements", *command))
        self._console.print(f"$ {shown}", style="bold", markup=False)
        ran = self._run(self._own("--home", "home", *command, "--json"), None, merge=False)
        self._expect(ran, 0)
        created: dict[str, Any] = json.loads(ran.text)
        self._console.print(f"  {created['slug_perm']}  {created['token']}", markup=False)
        return created

    def _entitlements(self, *arguments: str) -> Ran:
        ran = self._run(self._own("--home", "home", *arguments), shlex.join(arguments))
        self._expect(ran, 0)
        return ran

    def _own(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "entitlements_core.cli", *arguments]

    def _pip(self, command: str, wanted: str, *, url: str, target: str) -> Ran:
        return self._run(
            [
                sys.executable,
                "-m",
                "pip",
                command,
                "--isolated",
                "--no-input",
                "--no-cache-dir",
                "--disable-pip-version-check",
                "--target",
                str(self._work / target),
                "--index-url",
                url,
                wanted,
            ],
            f"pip {command} --index-url {url} {wanted}",
        )  # fmt: skip - grouped as it is read

    def _run(self, command: Sequence[str], shown: str | None, *, merge: bool = True) -> Ran:
        """Run a command in the demonstration's own surroundings, and show it and its output."""
        if shown is not None:
            program = "" if shown.startswith(("pip ", "uv")) else "entitlements "
            text = shlex.join(["uv", *command[1:]]) if shown == "uv" else program + shown
            self._console.print(f"$ {text}", style="bold", markup=False)
        ended = subprocess.run(  # noqa: S603 - our own interpreter and uv
            command,
            cwd=self._work,
            env=_surroundings(self._work),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge else subprocess.PIPE,
            text=True,
            timeout=300,
            check=False,
        )
        if shown is not None:
            for line in ended.stdout.rstrip().splitlines():
                self._console.print(f"  {line}", markup=False)
        return Ran(ended.returncode, ended.stdout if merge else ended.stdout or ended.stderr)

    def _expect(self, ran: Ran, status: int, *texts: str) -> None:
        if (ran.status == 0) != (status == 0):
            raise DemoFailed(f"the last command ended with {ran.status}:\n{ran.text}")
        for text in texts:
            if text not in ran.text:
                raise DemoFailed(f"the last command did not print {text!r}:\n{ran.text}")

    def _await_server(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self._url()}/+health", timeout=2) as answer:  # noqa: S310 - our own server
                    if answer.status == 200:  # noqa: PLR2004 - HTTP
                        return
            except (urllib.error.URLError, OSError):
                pass
            if self._server is None or self._server.poll() is not None:
                break
            time.sleep(0.05)
        log = (self._work / "server.log").read_text(encoding="utf-8", errors="replace")
        raise DemoFailed(f"the server did not start:\n{log}")

    def _url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def _token_url(self, name: str) -> str:
        return f"{self._url()}/+t/{self._tokens[name]['token']}/simple/"

    def _basic_url(self, name: str) -> str:
        return f"http://token:{self._tokens[name]['token']}@127.0.0.1:{self._port}/simple/"


def _surroundings(work: Path) -> dict[str, str]:
    """The environment without the settings of pip, uv and ours that a user may have."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("PIP_", "UV_", "ENTITLEMENTS_", "FLASK_"))
    }
    return kept | {
        "HOME": str(work),
        "PIP_CONFIG_FILE": os.devnull,
        "NO_COLOR": "1",
        "COLUMNS": "100",
    }


def _find_uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
