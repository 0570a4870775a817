"""Real pypiservers with entitlements, in every form of start that runs here."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from tests.functional.vendors import REPOSITORY, Vendor, clean_environment

__all__ = ["FORMS", "PUBLISHER", "Answer", "Form", "Server", "basic", "publishers", "serving"]

SECONDS: Final = 120
PUBLISHER: Final = ("alice", "wonderland")
BIN: Final = Path(sys.executable).parent


@dataclass(frozen=True)
class Form:
    """A way to start pypiserver.

    Attributes:
        name: for the test's.
        command: with ``{port}``, ``{packages}`` and ``{passwords}``.
        gunicorn: options that gunicorn reads from the environment.
    """

    name: str
    command: tuple[str, ...]
    gunicorn: str = ""


READY: Final = 20
"""Answers in a row after which every worker is taken to be ready."""

RUN: Final = (
    *("run", "-p", "{port}", "-i", "127.0.0.1", "-P", "{passwords}", "--overwrite"),
    *("-vvv", "--log-req-frmt", "%s"),  # all that can be logged
)
APP: Final = (
    "pypiserver_entitlements:app(roots=['{packages}'], password_file='{passwords}', overwrite=True)"
)


UWSGI: Final = (
    "--http",
    "127.0.0.1:{port}",
    "--threads",
    "8",
    "--die-on-term",
    "--disable-logging",
)


def _run(server: str, gunicorn: str = "") -> Form:
    command = (str(BIN / "pypi-server-entitled"), *RUN, "--server", server, "{packages}")
    return Form(f"run-{server}{gunicorn.replace(' ', '')}", command, gunicorn)


def _gunicorn(*options: str) -> Form:
    command = (str(BIN / "gunicorn"), *options, "-b", "127.0.0.1:{port}", APP)
    return Form("".join(("gunicorn", *options)), command)


FORMS: Final = (
    _run("auto"),  # waitress
    _run("wsgiref"),
    _run("gevent"),
    _run("gunicorn"),
    _run("gunicorn", "-k gevent --preload"),
    _gunicorn("-w", "2"),
    _gunicorn("-w", "2", "--threads", "4"),
    _gunicorn("-k", "gevent"),
    _gunicorn("-k", "gevent", "--preload", "-w", "2"),
    Form("uwsgi", (str(BIN / "uwsgi"), *UWSGI, "--pythonpath", "{root}", "--module", "vendor_app")),
    Form("paste", (str(BIN / "gunicorn"), "--paste", "{root}/paste.ini", "-b", "127.0.0.1:{port}")),
    Form("python-m", (sys.executable, "-m", "pypiserver_entitlements", *RUN, "{packages}")),
)

PASTE: Final = """
[app:main]
use = egg:index-entitlements#pypiserver
root = {packages}
password_file = {passwords}
overwrite = true
"""


MODULE: Final = """
from pypiserver_entitlements import app

application = app(roots=["{packages}"], password_file="{passwords}", overwrite=True)
"""


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def basic(user: str, password: str) -> dict[str, str]:
    """The header of basic auth."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@dataclass
class Server:
    """A pypiserver that answers."""

    port: int
    log: Path
    base: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base}"

    def request(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, f"{self.base}{path}", body, dict(headers or {}))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, answer.reason, found, answer.read())
        finally:
            connection.close()

    def upload(
        self, credentials: tuple[str, str], filename: str, data: bytes, *, pause: float = 0.0
    ) -> Answer:
        """Upload a file as twine does; with a pause within the body, for which a server waits."""
        body = _form(filename, data)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.putrequest("POST", f"{self.base}/")
            connection.putheader("Content-Type", "multipart/form-data; boundary=x")
            connection.putheader("Content-Length", str(len(body)))
            connection.putheader("Authorization", basic(*credentials)["Authorization"])
            connection.endheaders()
            connection.send(body[:200])
            time.sleep(pause)
            connection.send(body[200:])
            answer = connection.getresponse()
            return Answer(answer.status, answer.reason, {}, answer.read())
        finally:
            connection.close()

    def with_token(self, secret: str, path: str) -> Answer:
        """A GET with the token as the password."""
        return self.request(path, basic("token", secret))


def _form(filename: str, data: bytes) -> bytes:
    action = b'--x\r\nContent-Disposition: form-data; name=":action"\r\n\r\nfile_upload\r\n'
    content = f'--x\r\nContent-Disposition: form-data; name="content"; filename="{filename}"\r\n'
    content += "Content-Type: application/octet-stream\r\n\r\n"
    return b"".join((action, content.encode(), data, b"\r\n--x--\r\n"))


def publishers(vendor: Vendor) -> Path:
    """A password file with one publisher."""
    path = vendor.root / "htpasswd"
    user, password = PUBLISHER
    digest = hashlib.sha1(password.encode()).digest()  # noqa: S324 - Apache's format
    path.write_text(f"{user}:{{SHA}}{base64.b64encode(digest).decode()}\n")
    return path


@contextmanager
def serving(
    vendor: Vendor,
    form: Form,
    *more: str,
    environment: Mapping[str, str] | None = None,
    base: str = "",
) -> Iterator[Server]:
    """Start a form over the vendor's directory, and wait until its catalog is built."""
    vendor.core.close()  # the store and its repository are there
    port, log = _free_port(), vendor.root / "server.log"
    names = {
        "port": port,
        "root": vendor.root,
        "packages": vendor.packages,
        "passwords": publishers(vendor),
    }
    (vendor.root / "paste.ini").write_text(PASTE.format(**names))
    (vendor.root / "vendor_app.py").write_text(MODULE.format(**names))
    told = {
        "ENTITLEMENTS_HOME": str(vendor.home),
        "ENTITLEMENTS_REPOSITORY": REPOSITORY,
        "GUNICORN_CMD_ARGS": f"--no-control-socket --access-logfile - {form.gunicorn}",
        "HOME": str(vendor.root),
        **(environment or {}),
    }
    command = [word.format(**names) for word in form.command]
    with _process([*command, *more], clean_environment(**told), log) as process:
        server = Server(port, log, base)
        _await(server, process)
        yield server


@contextmanager
def _process(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(SECONDS)


def _await(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS
    asked = partial(server.request, "/+health")
    ready = 0
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            # Each worker builds a catalog of its own, and any of them may answer.
            ready = ready + 1 if asked().status == 200 else 0
            if ready == READY:
                return
        time.sleep(0.02)
    raise AssertionError(server.log.read_text())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
