"""What tests ask of a running devpi-server: users, indexes, uploads, pages, addresses."""

from __future__ import annotations

import base64
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

__all__ = ["SECONDS", "Devpi"]

SECONDS: Final = 120
"""How long anything may take on a busy machine."""


@dataclass
class Devpi:
    """A devpi-server that answers.

    Attributes:
        folder: holds its server directory and its log.
        process: the server.
        port: on which it listens.
        logins: the headers of users who logged in, by name.
    """

    folder: Path
    process: subprocess.Popen[bytes]
    port: int
    logins: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def directory(self) -> Path:
        """Its ``--serverdir``."""
        return self.folder / "server"

    @property
    def log(self) -> str:
        """All that it has written to its output so far."""
        return (self.folder / "server.log").read_text(errors="replace")

    def index_url(self, index: str, secret: str | None = None) -> str:
        """What a client is given as index, with the token in the path if there is one."""
        prefix = "" if secret is None else f"/+t/{secret}"
        return f"{self.url}{prefix}/{index}/+simple/"

    def alias_url(self, secret: str) -> str:
        """The short form for a token with one repository."""
        return f"{self.url}/+t/{secret}/simple/"

    def basic_url(self, index: str, secret: str, user: str = "token") -> str:
        """What a client is given that sends basic auth."""
        return f"http://{user}:{secret}@127.0.0.1:{self.port}/{index}/+simple/"

    def get(self, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's options
        """GET a path of it."""
        return httpx.get(self.url + path, timeout=SECONDS, **options)

    def request(
        self,
        method: str,
        path: str,
        user: str | None = None,
        **options: Any,  # noqa: ANN401 - httpx's options
    ) -> httpx.Response:
        """Any request; as a user of `login` if one is named."""
        headers = {"Accept": "application/json", **(self.logins[user] if user else {})}
        headers |= options.pop("headers", {})
        return httpx.request(method, self.url + path, headers=headers, timeout=SECONDS, **options)

    def login(self, user: str, password: str = "") -> None:
        """Log in once; further requests need no password hashing."""
        answer = self.request("POST", "/+login", json={"user": user, "password": password})
        assert answer.status_code == 200, answer.text
        pair = f"{user}:{answer.json()['result']['password']}"
        self.logins[user] = {"X-Devpi-Auth": base64.b64encode(pair.encode()).decode()}

    def user(self, name: str, password: str = "123") -> None:
        """Make a user, and log in."""
        answer = self.request("PUT", f"/{name}", json={"password": password})
        assert answer.status_code == 201, answer.text
        self.login(name, password)

    def index(self, name: str, **configuration: object) -> None:
        """Make an index as its user, who is made when there is none."""
        user = name.partition("/")[0]
        if user not in self.logins:
            self.login(user) if user == "root" else self.user(user)
        answer = self.request("PUT", f"/{name}", user, json=configuration)
        assert answer.status_code == 200, answer.text

    def upload(self, index: str, *files: Path) -> None:
        """Upload files as the index's user, as twine does."""
        user = index.partition("/")[0]
        with httpx.Client(headers=self.logins[user], timeout=SECONDS) as client:
            for path in files:
                name, version = path.name.removesuffix(".tar.gz").split("-")[:2]
                form = {":action": "file_upload", "name": name, "version": version}
                content = {"content": (path.name, path.read_bytes())}
                answer = client.post(f"{self.url}/{index}/", data=form, files=content)
                assert answer.status_code == 200, answer.text

    def serial(self) -> int:
        """How many changes its database has seen."""
        return int(self.request("GET", "/+status").json()["result"]["serial"])

    def await_serial(self, serial: int) -> None:
        """Return when it has seen `serial`."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if self.serial() >= serial:
                return
            time.sleep(0.1)
        raise AssertionError(self.log[-4000:])

    def files_of(self, index: str, project: str, **options: Any) -> dict[str, str]:  # noqa: ANN401 - httpx's options
        """The paths of the files on a page, by their names; `options` may hold credentials."""
        accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
        headers = accept | options.pop("headers", {})
        url = httpx.URL(f"{self.url}/{index}/+simple/{project}/")
        answer = httpx.get(url, headers=headers, timeout=SECONDS, **options)
        assert answer.status_code == 200, answer.text
        return {file["filename"]: url.join(file["url"]).path for file in answer.json()["files"]}
