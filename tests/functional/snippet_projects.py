"""A customer's machine on which what ``entitlements snippets`` prints is followed to the letter."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tests.functional import clients
from tests.functional.vendors import Ended, clean_environment

__all__ = ["Machine", "Printed"]

Printed = dict[str, Any]
"""A snippet, as ``--json`` has it."""

_PROJECT: Final = '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.11,<4"\n'
_KINDS: Final = {
    "pdm": "[tool.pdm]\ndistribution = false\n\n",
    "poetry": "[tool.poetry]\npackage-mode = false\n\n",
}
PIP: Final = "pip==26.1.2"


@dataclass
class Machine:
    """A home, a project and a virtual environment of a customer.

    Attributes:
        root: holds all.
        secret: that takes the place of placeholders, and is the variable VENDOR_TOKEN.
        public: the simple index that stands for the public one.
        pip: the requirement of the pip in the virtual environment.
        environment: further variables.
        versions: requirements of clients, in place of those of `clients.VERSIONS`.
    """

    root: Path
    secret: str
    public: str
    pip: str = PIP
    environment: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in (self.home, self.project):
            path.mkdir(parents=True, exist_ok=True)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def venv(self) -> Path:
        return self.root / "venv"

    @property
    def installed(self) -> set[str]:
        """What is installed, such as ``acme-app 1.0``."""
        found: set[str] = set()
        for place in (self.venv, self.project / ".venv"):
            for path in place.glob("lib/*/site-packages/*.dist-info"):
                name, _, version = path.name.removesuffix(".dist-info").rpartition("-")
                found.add(f"{name.replace('_', '-')} {version}")
        return {one for one in found if one.startswith(("acme-", "public-"))}

    def follow(self, client: str, snippets: Sequence[Printed]) -> Ended:
        """Do what the snippets of a client say, one after the other, until one fails."""
        self._prepare(client)
        ended = Ended(0, "")
        for snippet in snippets:
            text = snippet["text"].replace("YOUR_TOKEN", self.secret)
            if snippet["file"] == "shell":
                ended = self.run(client, text)
            elif snippet["file"] == "browser":
                ended = self.run(client, f"curl --fail --remote-name {shlex.quote(text.strip())}")
            elif snippet["client"] in _SERVICES:
                ended = self.run(client, _SERVICES[client](text, self))
            else:
                self._write(client, snippet["file"], text)
            if ended.status:
                break
        return ended

    def _prepare(self, client: str) -> None:
        pip = client in {"pip", "path", "keyring", *_SERVICES}
        if pip and not self.venv.exists():
            clients.venv(self.venv, self.pip)
        if client == "pip-tools" and not self.venv.exists():
            clients.venv(self.venv, *clients.VERSIONS["pip-tools"])
        if client in {"uv", "poetry", "pdm"}:
            (self.project / "pyproject.toml").write_text(f"{_PROJECT}\n{_KINDS.get(client, '')}")
        if client == "pdm":
            self.run(client, f"pdm config pypi.url {self.public}")

    def _write(self, client: str, file: str, text: str) -> None:
        if client == "poetry":
            # Its name for the public index, which is at an address that it has built in.
            text = text.replace('name = "PyPI"', f'name = "public"\nurl = "{self.public}"')
        if file == "Pipfile" and text.startswith("# Behind"):
            source = f'[[source]]\nname = "pypi"\nurl = "{self.public.rstrip("/")}"\n'
            text = f"{source}verify_ssl = false\n\n{text}"
        places = {"~": str(self.home), "$VIRTUAL_ENV": str(self.venv)}
        first, _, rest = file.partition("/")
        path = Path(places[first], rest) if first in places else self.project / file
        with path.open("a") as output:
            output.write(text)
        path.chmod(0o600)

    def run(self, client: str, script: str) -> Ended:
        """Run a script as one pastes it, and stop where a line fails."""
        path = [str(self.venv / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        wanted = {**clients.VERSIONS, **self.versions}.get(client, ())
        if wanted and client != "pip-tools":
            path.insert(0, str(clients.programs(*wanted)))
        variables = {
            "HOME": str(self.home),
            "PATH": os.pathsep.join(path),
            "PDM_CHECK_UPDATE": "0",
            "PIPENV_IGNORE_VIRTUALENVS": "1",
            "PIPENV_VENV_IN_PROJECT": "1",
            "PIP_NO_CACHE_DIR": "1",
            "POETRY_VIRTUALENVS_IN_PROJECT": "true",
            "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring"
            if client == "keyring"
            else "keyring.backends.null.Keyring",
            "UV_NO_CACHE": "1",
            "UV_PYTHON": sys.executable,
            "VENDOR_TOKEN": self.secret,
            **self.environment,
        }
        if self.venv.exists():
            variables["VIRTUAL_ENV"] = str(self.venv)
        environment = clean_environment(**variables)
        # A customer's clients read their configuration.
        for name in ("PIP_CONFIG_FILE", "UV_NO_CONFIG"):
            environment.pop(name)
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.project,
            env=environment,
            input=self.secret if "keyring set" in script else "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        return Ended(done.returncode, done.stdout)


def _docker(text: str, machine: Machine) -> str:
    """What RUN runs, with the secret where ``docker build --secret`` would have put it."""
    assert text.startswith("# syntax=docker/dockerfile:1\n")
    (mount, command) = re.findall(r"^RUN --mount=(\S+) ((?:.*\\\n)*.*)$", text, re.MULTILINE)[0]
    options = dict(option.split("=") for option in mount.split(","))
    assert f"--secret id={options['id']},src=$HOME/.netrc" in text
    return str(command).replace(f"/run/secrets/{options['id']}", f"{machine.home}/.netrc")


def _gitlab(text: str, _: Machine) -> str:
    return "\n".join(yaml.safe_load(text)["install"]["script"])


def _github(text: str, machine: Machine) -> str:
    (step,) = (s for s in yaml.safe_load(text)["jobs"]["install"]["steps"] if "run" in s)
    given = {
        name: value.replace("${{ secrets.VENDOR_TOKEN }}", machine.secret)
        for name, value in step["env"].items()
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in given.items()]
    return "\n".join([*lines, step["run"]])


def _renovate(text: str, machine: Machine) -> str:
    document = json.loads(text)
    (rule,), (index,) = document["hostRules"], document["packageRules"]
    assert rule["password"] == "{{ secrets.VENDOR_TOKEN }}"
    (url,) = index["registryUrls"]
    assert url.startswith(rule["matchHost"])
    return f"curl --fail --user {rule['username']}:{machine.secret} {url}acme-tool/"


def _dependabot(text: str, machine: Machine) -> str:
    document = yaml.safe_load(text)
    registry = document["registries"]["vendor"]
    assert registry["password"] == "${{ secrets.VENDOR_TOKEN }}"
    assert document["updates"][0]["registries"] == ["vendor"]
    return f"curl --fail --user {registry['username']}:{machine.secret} {registry['url']}acme-tool/"


_SERVICES: Final = {
    "docker": _docker,
    "gitlab": _gitlab,
    "github": _github,
    "renovate": _renovate,
    "dependabot": _dependabot,
}
"""What those do whose service is not here, as a script of the same commands and requests."""
