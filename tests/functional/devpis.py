"""Real devpi-servers on loopback: started quickly, with or without our plugin and devpi-web."""

from __future__ import annotations

import atexit
import base64
import contextlib
import functools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.functional.devpi_verbs import SECONDS, Devpi
from tests.functional.vendors import clean_environment

__all__ = [
    "BARE",
    "CHEAP",
    "OTHERS",
    "WEB",
    "Devpi",
    "command",
    "running",
    "running_replica",
    "template",
]

LAUNCHER: Final = Path(__file__).with_name("devpi_launcher.py")

WEB: Final = ("devpi-web", "devpi-web-whoosh")
"""The plugins of devpi-web, by their names as entry points."""
OTHERS: Final = (*WEB, "devpi-tokens", "devpi-lockdown", "devpi-constrained")
"""Every installed plugin but ours."""
BARE: Final = ("entitlements",)
"""Our plugin."""

CHEAP: Final = (
    *("--argon2-memory-cost", "8192"),
    *("--argon2-time-cost", "1"),
    *("--argon2-parallelism", "1"),
)
"""The key of a server's secret, made in no time."""

SERVER: Final = "devpi_server.main:main"
INIT: Final = "devpi_server.init:init"
GENCONFIG: Final = "devpi_server.genconfig:genconfig"


@contextmanager
def running(
    folder: Path,
    *options: str,
    without: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    costs: Sequence[str] = CHEAP,
) -> Iterator[Devpi]:
    """Start a server without ``root/pypi`` in `folder`, which is made when it is not there.

    Args:
        folder: what was made there before is served again.
        options: further ones of devpi-server.
        without: names of plugins that it does not load.
        environment: further variables.
        costs: how dear passwords are.
    """
    directory = folder / "server"
    if not directory.exists():
        shutil.copytree(template(), directory)
    with _answering(folder, [*options, *costs], without, environment) as server:
        yield server


@contextmanager
def running_replica(
    folder: Path,
    primary: Devpi,
    *options: str,
    without: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Devpi]:
    """Start a replica of a server that runs with ``--role primary``."""
    directory = folder / "server"
    role = ["--role", "replica", "--primary-url", primary.url]
    command(INIT, "--serverdir", str(directory), *role, without=without)
    shutil.copy(primary.directory / "secret", directory / "secret")
    with _answering(folder, [*options, *CHEAP], without, environment) as server:
        yield server


def command(
    function: str,
    *arguments: str,
    without: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a command of devpi-server to its end, and give its output."""
    ended = subprocess.run(
        [*_launch(function, without), *arguments],
        env=_environment(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@functools.cache
def template() -> Path:
    """A new server directory; copying it is faster than making one."""
    folder = Path(tempfile.mkdtemp(prefix="devpi-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    directory = folder / "server"
    command(INIT, "--serverdir", str(directory), "--no-root-pypi", without=OTHERS + BARE)
    secret = directory / "secret"
    secret.write_bytes(base64.b64encode(secrets.token_bytes(32)))
    secret.chmod(0o600)
    return directory


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    """The environment without the settings of a devpi-server that a user may have."""
    clean = clean_environment(**(extra or {}))
    return {name: value for name, value in clean.items() if not name.startswith("DEVPI")}


def _launch(function: str, without: Sequence[str]) -> list[str]:
    return [sys.executable, "-P", str(LAUNCHER), ",".join(without), function]


@contextmanager
def _answering(
    folder: Path,
    options: Sequence[str],
    without: Sequence[str],
    environment: Mapping[str, str] | None,
) -> Iterator[Devpi]:
    with contextlib.ExitStack() as stack:
        log = ""
        for _ in range(3):
            server = stack.enter_context(_started(folder, options, without, environment))
            if _answers(server):
                yield server
                return
            log = server.log
            if "Address already in use" not in log:
                break
            # Another process took the port between our look at it and the server's.
        raise AssertionError(log)


@contextmanager
def _started(
    folder: Path,
    options: Sequence[str],
    without: Sequence[str],
    environment: Mapping[str, str] | None,
) -> Iterator[Devpi]:
    port = _free_port()
    directory = folder / "server"
    own = ["--serverdir", str(directory), "--secretfile", str(directory / "secret")]
    listen = ["--host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [*_launch(SERVER, without), *own, *listen, *options],
            env=_environment(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield Devpi(folder, process, port)
    finally:
        _end(process)


def _answers(server: Devpi) -> bool:
    """Wait for the first answer; False when the server has ended before."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if server.get("/+api").status_code == 200:
                return True
        time.sleep(0.05)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
