"""Every installer that customers use, each of a fixed version, at its own normal verbosity."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.functional.clients import VERSIONS, programs
from tests.functional.vendors import Ended, clean_environment

__all__ = ["INSTALLERS", "Installer", "Project", "pip_of_version"]

SECONDS: Final = 120


@dataclass(frozen=True)
class Project:
    """A new project of a customer, in which an installer runs.

    Attributes:
        folder: of the project.
        url: of the index.
        requirement: the name of what is installed.
        second: of another index that has public packages, or empty.
    """

    folder: Path
    url: str
    requirement: str = "lab-foo"
    second: str = ""

    @property
    def installed(self) -> dict[str, str]:
        """What of ours is installed, or of others under such a name: names and summaries."""
        home = self.folder / ".home"
        found = (one for one in self.folder.rglob("lab_*.dist-info/METADATA"))
        metadata = {
            one.parent.name.partition("-")[0]: one.read_text()
            for one in found
            if home not in one.parents
        }
        return {
            name: text.partition("\nSummary: ")[2].partition("\n")[0]
            for name, text in metadata.items()
        }

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)


@dataclass(frozen=True)
class Installer:
    """One of them.

    Attributes:
        name: as people say it.
        requirements: that make its environment.
        words: its command line, given its environment and the project.
        variables: of the environment, given the project's folder.
        prepare: writes what the project needs.
    """

    name: str
    requirements: tuple[str, ...]
    words: Callable[[Path, Project], list[str]]
    variables: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Project], None] = lambda _: None

    def run(self, project: Project, *words: str) -> Ended:
        """Install what the project requires; with `words`, run these in its place."""
        tools = programs(*self.requirements)
        if not words:
            self.prepare(project)
        command = [str(tools / words[0]), *words[1:]] if words else self.words(tools, project)
        home = project.folder / ".home"
        home.mkdir(exist_ok=True)
        environment = clean_environment(HOME=str(home), XDG_CACHE_HOME=str(home / "cache"))
        environment.pop("VIRTUAL_ENV", None)
        environment["COLUMNS"] = "1000"  # some break lines anywhere
        environment |= {name: value.format(home=home) for name, value in self.variables.items()}
        ended = subprocess.run(
            command,
            cwd=project.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout)


def _pip(tools: Path, project: Project) -> list[str]:
    command = [str(tools / "python"), "-m", "pip", "install", "--no-input", "--no-cache-dir"]
    second = ["--extra-index-url", project.second] if project.second else []
    target = str(project.folder / "installed")
    return [*command, "--target", target, "--index-url", project.url, *second, project.requirement]


def _uv(tools: Path, project: Project) -> list[str]:
    command = [str(tools / "uv"), "pip", "install", "--no-cache", "--python", sys.executable]
    first = ["--index", project.url, "--default-index", project.second]
    indexes = first if project.second else ["--default-index", project.url]
    return [*command, "--target", str(project.folder / "installed"), *indexes, project.requirement]


def _pyproject(project: Project, rest: str) -> None:
    python = f">={sys.version_info[0]}.{sys.version_info[1]}"
    head = f'[project]\nname = "customer"\nversion = "1"\nrequires-python = "{python}"\n'
    project.write("pyproject.toml", f'{head}dependencies = ["{project.requirement}"]\n{rest}')


def _source(name: str, url: str, rest: str = "") -> str:
    return f'[[tool.{name}]]\nname = "{{}}"\nurl = "{url}"\n{rest}' if url else ""


def _uv_project(project: Project) -> None:
    index = _source("uv.index", project.url, "default = true\n").format("vendor")
    _pyproject(project, index)


def _poetry(project: Project) -> None:
    first = _source("poetry.source", project.url, 'priority = "primary"\n').format("vendor")
    second = _source("poetry.source", project.second, 'priority = "supplemental"\n')
    package = "[tool.poetry]\npackage-mode = false\n"
    _pyproject(project, package + first + second.format("public"))


def _pdm(project: Project) -> None:
    second = _source("pdm.source", project.second).format("public")
    resolution = "[tool.pdm.resolution]\nrespect-source-order = true\n"
    package = "[tool.pdm]\ndistribution = false\n"
    # PDM adds the public index unless one has its name.
    first = _source("pdm.source", project.url).format("pypi")
    _pyproject(project, package + first + second + resolution)


def _pipenv(project: Project) -> None:
    urls = {"vendor": project.url, "public": project.second}
    sources = "".join(
        f'[[source]]\nname = "{name}"\nurl = "{url.rstrip("/")}"\nverify_ssl = true\n'
        for name, url in urls.items()
        if url
    )
    project.write("Pipfile", f'{sources}[packages]\n{project.requirement} = "*"\n')


_QUIET: Final = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_RETRIES": "0"}


def pip_of_version(version: str) -> Installer:
    """A pip by its version."""
    return Installer(f"pip {version}", (f"pip=={version}",), _pip, _QUIET)


INSTALLERS: Final = {
    one.name: one
    for one in (
        pip_of_version("26.3"),
        pip_of_version("23.2.1"),
        Installer(
            "uv 0.13.9",
            ("uv==0.13.9",),
            _uv,
            {"UV_HTTP_RETRIES": "0", "UV_PYTHON": sys.executable, "UV_NO_CONFIG": "false"},
            _uv_project,
        ),
        Installer(
            "Poetry 2.5.1",
            VERSIONS["poetry"],
            lambda tools, _: [str(tools / "poetry"), "install", "--no-interaction"],
            {
                "POETRY_VIRTUALENVS_IN_PROJECT": "true",
                "POETRY_CACHE_DIR": "{home}/poetry",
                "POETRY_CONFIG_DIR": "{home}/config",
            },
            _poetry,
        ),
        Installer(
            "PDM 2.29.3",
            VERSIONS["pdm"],
            lambda tools, _: [str(tools / "pdm"), "install"],
            {"PDM_CHECK_UPDATE": "0", "PDM_CACHE_DIR": "{home}/pdm", "PDM_LOG_DIR": "{home}/log"},
            _pdm,
        ),
        Installer(
            "pipenv 2026.10.3",
            VERSIONS["pipenv"],
            lambda tools, _: [str(tools / "pipenv"), "install"],
            {**_QUIET, "PIPENV_VENV_IN_PROJECT": "1", "PIPENV_IGNORE_VIRTUALENVS": "1"},
            _pipenv,
        ),
    )
}
