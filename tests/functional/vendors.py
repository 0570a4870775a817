"""A vendor with a store, a folder of distributions, and servers over them; and real clients."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from entitlements_core.plugins import Plugins
from entitlements_core.policy.token import Token, TokenGrant
from entitlements_core.services.core import Core
from entitlements_core.services.settings import Settings
from entitlements_core.services.token_issuer import Issued
from tests.actors import person

__all__ = ["REPOSITORY", "Client", "Ended", "Running", "Vendor", "clean_environment"]

REPOSITORY: Final = "acme/prod"
SECONDS: Final = 60


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without the settings of clients, and of ours, that a user may have."""
    foreign = ("PIP_", "UV_", "ENTITLEMENTS_", "PYTHONWARNINGS", "PYTEST_", "COV_", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1", "NO_COLOR": "1"} | extra


@dataclass
class Running:
    """A server that answers."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def with_token(self, secret: str) -> str:
        """The token index URL."""
        return f"{self.url}/+t/{secret}/simple/"

    def with_basic(self, secret: str) -> str:
        """The index URL with basic auth."""
        return f"http://token:{secret}@127.0.0.1:{self.port}/simple/"

    def kill(self) -> None:
        """End every process of the server at once, without a chance to tidy up."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(SECONDS)


@dataclass
class Vendor:
    """A home with a store, and a folder of distributions."""

    root: Path
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def packages(self) -> Path:
        path = self.root / "packages"
        path.mkdir(exist_ok=True)
        return path

    @cached_property
    def core(self) -> Core:
        """The services, with the repository there."""
        settings = Settings.load(home=self.home, **self.settings)
        core = Core.open(settings, create=True, plugins=Plugins(discover=False))
        core.repositories.add(REPOSITORY, actor=person("test"))
        return core

    def token(
        self,
        name: str,
        query: str | None = None,
        **terms: Any,  # noqa: ANN401 - any term
    ) -> Issued:
        """A token of the repository."""
        grant = TokenGrant(repository=REPOSITORY, limit_package_query=query)
        return self.core.lifecycle.create(name, [grant], actor=person("test"), **terms)

    def read(self, issued: Issued) -> Token:
        """A token as it is now."""
        return self.core.lifecycle.read(issued.token.identifier)

    def downloads(self, issued: Issued, now: datetime) -> int:
        """What is counted of a token."""
        return self.read(issued).usage_at(now).downloads

    @contextmanager
    def serving(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        packages: Path | None = None,
    ) -> Iterator[Running]:
        """``entitlements serve`` over a folder, else the vendor's, on a free port."""
        command = [sys.executable, "-m", "entitlements_core.cli", "--home", str(self.home), "serve"]
        command += [
            str(packages or self.packages),
            "--repo",
            REPOSITORY,
            "--port",
            "0",
            "--json",
            *arguments,
        ]
        log = self.root / "server.log"
        with log.open("a") as errors:
            process = subprocess.Popen(
                command,
                env=clean_environment(**(environment or {})),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        try:
            assert process.stdout is not None
            announced = process.stdout.readline()
            assert announced, log.read_text()
            port = int(json.loads(announced)["url"].rpartition(":")[2])
            yield Running(process, port, log)
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(SECONDS)
    if process.stdout is not None:
        process.stdout.close()


@dataclass(frozen=True)
class Ended:
    """A client's run: its exit status and all that it printed."""

    status: int
    text: str


@dataclass(frozen=True)
class Client:
    """A real client; `install` fetches one requirement into a new directory."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]

    def install(self, requirement: str, url: str, directory: Path) -> Ended:
        """Install `requirement` and what it needs from the index at `url`, and nothing else."""
        command = [*self.command, "--target", str(directory), "--index-url", url, requirement]
        ended = subprocess.run(
            command,
            env=clean_environment(HOME=str(directory), **self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS * 2,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout)
