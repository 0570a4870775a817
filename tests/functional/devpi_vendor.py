"""A vendor with a devpi-server and a store: tokens, and servers with our plugin over both."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from entitlements_core.errors import Conflict
from entitlements_core.plugins import Plugins
from entitlements_core.policy.credential import Access
from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.core import Core
from entitlements_core.services.settings import Settings
from entitlements_core.services.token_issuer import Issued
from tests.actors import person
from tests.functional import devpis
from tests.functional.devpi_verbs import SECONDS, Devpi
from tests.functional.vendors import Ended, clean_environment

__all__ = ["EVERY_REQUEST", "INDEX", "DevpiVendor", "ended"]

INDEX: Final = "acme/prod"
EVERY_REQUEST: Final = {"ENTITLEMENTS_DOWNLOAD_WINDOW": "0"}
"""Counts each request for a file, however soon a client comes back."""


@dataclass
class DevpiVendor:
    """A store, and room for servers.

    Attributes:
        root: holds everything.
        settings: of the store, as for `Settings.load`.
    """

    root: Path
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """Of the key and, unless it is elsewhere, the store."""
        return self.root / "home"

    @cached_property
    def core(self) -> Core:
        """The services, apart from those of the servers."""
        settings = Settings.load(home=self.home, **self.settings)
        return Core.open(settings, create=True, plugins=Plugins(discover=False))

    def serving(
        self,
        *options: str,
        name: str = "devpi",
        without: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> AbstractContextManager[Devpi]:
        """A server with our plugin; one of the same name serves what is there already."""
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        options = ("--entitlements-home", str(self.home), "--enable-core-metadata", *options)
        return devpis.running(folder, *options, without=without, environment=environment)

    def token(
        self,
        name: str,
        query: str | None = None,
        *,
        repositories: Sequence[str] = (INDEX,),
        access: Access = Access.READ,
        **terms: Any,  # noqa: ANN401 - any term
    ) -> Issued:
        """A token of the repositories."""
        for repository in repositories:
            with contextlib.suppress(Conflict):
                self.core.repositories.add(repository, actor=person("test"))
        grants = [
            TokenGrant(repository=repository, limit_package_query=query, access=access)
            for repository in repositories
        ]
        return self.core.lifecycle.create(name, grants, actor=person("test"), **terms)

    def secret(self, name: str, query: str | None = None, **terms: Any) -> str:  # noqa: ANN401 - any term
        """The secret of a new token."""
        return self.token(name, query, **terms).secret or ""

    def downloads(self, issued: Issued, now: datetime) -> int:
        """What is counted of a token."""
        return self.core.lifecycle.read(issued.token.identifier).usage_at(now).downloads

    def entitlements(self, *arguments: str) -> Ended:
        """Run ``entitlements`` on the store."""
        own = [sys.executable, "-m", "entitlements_core.cli", "--home", str(self.home)]
        return ended([*own, *arguments])


def ended(command: Sequence[str], cwd: Path | None = None, **environment: str) -> Ended:
    """Run a client to its end."""
    done = subprocess.run(
        command,
        env=clean_environment(**environment),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Ended(done.returncode, done.stdout)
