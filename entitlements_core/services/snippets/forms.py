"""What each client is told.

Each form is run with its client by the tests. Basic authentication stands first: a secret in the
path shows up in clients' output and lock files. Where a client expands variables, the secret is
left to the environment; pip.conf and netrc do not, and get a placeholder.

A customer needs the vendor's packages and everybody's. Where the index sends clients on for what
is not the vendor's, one index is all they have. Else each client is told as much as it can be to
ask nobody else for the vendor's names, and what that does not cover is said beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from entitlements_core.errors import InvalidValue
from entitlements_core.services.snippets.place import PLACEHOLDER, VARIABLE, Place

__all__ = ["CLIENTS", "Snippet", "Unfit", "make_snippets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """One piece of configuration.

    Attributes:
        client: whose it is.
        title: what it does.
        file: that it belongs in, or ``shell``.
        language: of the text, as code blocks name it.
        text: to be copied.
        warning: what to know before it is used, or empty.
    """

    client: str
    title: str
    file: str
    language: str
    text: str
    warning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """Why there is no configuration of a client, and what would give one."""

    client: str
    reason: str
    remedy: str


Made = Snippet | Unfit
_MORE: Final = (
    "A name that the index does not show you is looked for in the public one: ask the vendor for"
    " an index with an upstream."
)


def _netrc(place: Place) -> list[Made]:
    return [
        Snippet(
            client="netrc",
            title="Credentials for pip, uv, poetry, pdm, pipenv and curl (mode 600; without port)",
            file="~/.netrc",
            language="text",
            text=f"machine {place.hostname}\nlogin token\npassword {place.plain}\n",
        )
    ]


def _pip(place: Place) -> list[Made]:
    alone = (
        ""
        if place.upstream
        else (
            "# Public packages are not found. pip takes the highest version of all indexes it has, so\n"
            "# a second one would let anybody replace these packages.\n"
        )
    )
    return [
        Snippet(
            client="pip",
            title="The index for the pip of one virtual environment; credentials from ~/.netrc",
            file="$VIRTUAL_ENV/pip.conf",
            language="ini",
            text=f"[global]\n{alone}index-url = {place.simple}\n",
            warning="pip.conf does not expand variables: never write ${...} into it.",
        ),
        Snippet(
            client="pip",
            title="The index for one requirements file, for pip and uv",
            file="requirements.txt",
            language="text",
            text=f"{alone}--index-url {place.with_user(place.expanded)}\n{_lines(place.packages)}",
        ),
    ]


def _pip_two(place: Place) -> list[Made]:
    if place.upstream:
        return []
    return [
        Unfit(
            client="pip",
            reason="pip with two indexes takes the highest version that either has, so whoever"
            " registers one of these names in the public index chooses what you install.",
            remedy="Install with uv, or ask the vendor for an index with an upstream.",
        )
    ]


def _pip_tools(place: Place) -> list[Made]:
    return [
        Snippet(
            client="pip-tools",
            title="Compiling without the secret in the result",
            file="shell",
            language="sh",
            text=(
                f'export PIP_INDEX_URL="{place.with_user(place.expanded)}"\n'
                f"printf '%s\\n' {' '.join(place.packages)} > requirements.in\n"
                "pip-compile --no-emit-index-url --quiet requirements.in\n"
                "pip-sync requirements.txt\n"
            ),
            warning="Without --no-emit-index-url the secret is written into requirements.txt.",
        )
    ]


def _uv(place: Place) -> list[Made]:
    only = "default = true\n" if place.upstream else ""
    pinned = (
        ""
        if place.upstream
        else "\n[tool.uv.sources]\n"
        + "".join(f'{name} = {{ index = "vendor" }}\n' for name in place.packages)
    )
    first = (
        ""
        if place.upstream
        else "# Before any other index: uv stops at the first that has a name.\n"
    )
    return [
        Snippet(
            client="uv",
            title="The index",
            file="pyproject.toml",
            language="toml",
            text=(
                f'{first}[[tool.uv.index]]\nname = "vendor"\nurl = "{place.simple}"\n'
                f'{only}authenticate = "always"\n{pinned}'
            ),
            warning="" if place.upstream else _MORE,
        ),
        Snippet(
            client="uv",
            title="Its credentials, and the packages",
            file="shell",
            language="sh",
            text=(
                "export UV_INDEX_VENDOR_USERNAME=token\n"
                f'export UV_INDEX_VENDOR_PASSWORD="{place.expanded}"\n'
                f"uv add {' '.join(place.packages)}\n"
            ),
        ),
    ]


def _poetry(place: Place) -> list[Made]:
    public = (
        ""
        if place.upstream
        else ('\n[[tool.poetry.source]]\nname = "PyPI"\npriority = "supplemental"\n')
    )
    source = "" if place.upstream else " --source vendor"
    return [
        Snippet(
            client="poetry",
            title="The index",
            file="pyproject.toml",
            language="toml",
            text=(
                f'[[tool.poetry.source]]\nname = "vendor"\nurl = "{place.simple}"\n'
                f'priority = "primary"\n{public}'
            ),
            warning="Keep the credentials out of the address: it goes into poetry.lock."
            + ("" if place.upstream else f" {_MORE}"),
        ),
        Snippet(
            client="poetry",
            title="Its credentials, and the packages",
            file="shell",
            language="sh",
            text=(
                "export POETRY_HTTP_BASIC_VENDOR_USERNAME=token\n"
                f'export POETRY_HTTP_BASIC_VENDOR_PASSWORD="{place.expanded}"\n'
                f"poetry add{source} {' '.join(place.packages)}\n"
            ),
        ),
    ]


def _pdm(place: Place) -> list[Made]:
    url = place.with_user(place.expanded)
    if place.upstream:
        text = f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\n'
    else:
        names = json.dumps(place.own)
        text = (
            "[tool.pdm.resolution]\nrespect-source-order = true\n\n"
            f'[[tool.pdm.source]]\nname = "vendor"\nurl = "{url}"\ninclude_packages = {names}\n\n'
            f'[[tool.pdm.source]]\nname = "pypi"\nexclude_packages = {names}\n'
        )
    return [
        Snippet(
            client="pdm",
            title="The index; pdm expands the variable",
            file="pyproject.toml",
            language="toml",
            text=text,
            warning="" if place.upstream else "Only the names that are listed are the vendor's.",
        ),
        Snippet(
            client="pdm",
            title="The packages",
            file="shell",
            language="sh",
            text=_with_variable(place, f"pdm add {' '.join(place.packages)}"),
        ),
    ]


def _pipenv(place: Place) -> list[Made]:
    # With a slash at its end pipenv also asks for /simple//package/.
    url = place.with_user(place.expanded).rstrip("/")
    verify = "true" if place.scheme == "https" else "false"
    source = f'[[source]]\nname = "vendor"\nurl = "{url}"\nverify_ssl = {verify}\n'
    if place.upstream:
        text = f"# In place of the source that is there.\n{source}\n[packages]\n" + "".join(
            f'{name} = "*"\n' for name in place.packages
        )
    else:
        text = f"# Behind the source that is there.\n{source}\n[packages]\n" + "".join(
            f'{name} = {{ version = "*", index = "vendor" }}\n'
            for name in place.own
            if not name.endswith("*")
        )
    return [
        Snippet(
            client="pipenv",
            title="The index; the lock file keeps the variable",
            file="Pipfile",
            language="toml",
            text=text,
            warning=""
            if place.upstream
            else "Whatever is not listed here is taken from the public index, also what these"
            " packages depend on.",
        ),
        Snippet(
            client="pipenv",
            title="The packages",
            file="shell",
            language="sh",
            text=_with_variable(place, "pipenv install"),
        ),
    ]


def _keyring(place: Place) -> list[Made]:
    with_name = place.simple.replace("://", "://token@", 1)
    return [
        Snippet(
            client="keyring",
            title="The secret in the keyring of the system; once, and it asks for it",
            file="shell",
            language="sh",
            text=f"keyring set {place.netloc} token\n",
        ),
        Snippet(
            client="keyring",
            title="For pip from 23.1 on",
            file="$VIRTUAL_ENV/pip.conf",
            language="ini",
            text=f"[global]\nindex-url = {with_name}\nkeyring-provider = subprocess\n",
            warning="pip before 23.1 knows no keyring-provider; it asks a keyring that is installed"
            " beside it.",
        ),
    ]


def _curl(place: Place) -> list[Made]:
    address = place.file("FILENAME")
    if address is None:
        return [
            Unfit(
                client="curl",
                reason="devpi-server names its files by hashes.",
                remedy="Copy the address of a file from the index page of its project.",
            )
        ]
    return [
        Snippet(
            client="curl",
            title="One file by its address, with the credentials of ~/.netrc",
            file="shell",
            language="sh",
            text=f"curl --netrc --fail --remote-name {address}\n",
        )
    ]


def _docker(place: Place) -> list[Made]:
    return [
        Snippet(
            client="docker",
            title="A build that leaves no secret in the image",
            file="Dockerfile",
            language="dockerfile",
            text=(
                "# syntax=docker/dockerfile:1\n"
                "# docker build --secret id=vendor_netrc,src=$HOME/.netrc .\n"
                "RUN --mount=type=secret,id=vendor_netrc NETRC=/run/secrets/vendor_netrc \\\n"
                f"    pip install --index-url {place.simple} {' '.join(place.packages)}\n"
            ),
            warning="An ARG or ENV would stay readable in the image.",
        )
    ]


def _gitlab(place: Place) -> list[Made]:
    return [
        Snippet(
            client="gitlab",
            title=f"A job; {VARIABLE} is a masked variable of the project",
            file=".gitlab-ci.yml",
            language="yaml",
            text=(
                "install:\n  image: python:3\n  script:\n"
                f'    - export PIP_INDEX_URL="{place.with_user(f"${VARIABLE}")}" PIP_NO_INPUT=1\n'
                f"    - pip install {' '.join(place.packages)}\n"
            ),
        )
    ]


def _github(place: Place) -> list[Made]:
    return [
        Snippet(
            client="github",
            title=f"A workflow; {VARIABLE} is a secret of the repository",
            file=".github/workflows/install.yml",
            language="yaml",
            text=(
                "on: push\njobs:\n  install:\n    runs-on: ubuntu-latest\n    steps:\n"
                "      - uses: actions/setup-python@v6\n        with:\n"
                '          python-version: "3.x"\n'
                f"      - run: pip install {' '.join(place.packages)}\n        env:\n"
                f"          PIP_INDEX_URL: {place.with_user(f'${{{{ secrets.{VARIABLE} }}}}')}\n"
                '          PIP_NO_INPUT: "1"\n'
            ),
        )
    ]


def _renovate(place: Place) -> list[Made]:
    rule = {
        "hostType": "pypi",
        "matchHost": place.simple,
        "username": "token",
        "password": f"{{{{ secrets.{VARIABLE} }}}}",
    }
    urls = {"matchDatasources": ["pypi"], "registryUrls": [place.simple]}
    if not place.upstream:
        urls["matchPackageNames"] = list(place.own)
    document = {"hostRules": [rule], "packageRules": [urls]}
    return [
        Snippet(
            client="renovate",
            title=f"Updates; {VARIABLE} is a secret of the app's settings",
            file="renovate.json",
            language="json",
            text=f"{json.dumps(document, indent=2)}\n",
        )
    ]


def _dependabot(place: Place) -> list[Made]:
    base = "    replaces-base: true\n" if place.upstream else ""
    return [
        Snippet(
            client="dependabot",
            title=f"Updates; {VARIABLE} is a secret of Dependabot",
            file=".github/dependabot.yml",
            language="yaml",
            text=(
                "version: 2\nregistries:\n  vendor:\n    type: python-index\n"
                f"    url: {place.simple}\n    username: token\n"
                f"    password: ${{{{ secrets.{VARIABLE} }}}}\n{base}"
                "updates:\n  - package-ecosystem: pip\n    directory: /\n"
                "    schedule:\n      interval: weekly\n    registries: [vendor]\n"
            ),
            warning="" if place.upstream else _MORE,
        )
    ]


def _twine(place: Place) -> list[Made]:
    if place.upload is None:
        return [
            Unfit(
                client="twine",
                reason="It is not known that this server takes uploads; entitlements serve and the"
                " Flask adapter take none.",
                remedy="Say --host pypiserver or --host devpi.",
            )
        ]
    return [
        Snippet(
            client="twine",
            title="Uploads, for a token with access rw",
            file="shell",
            language="sh",
            text=(
                f"export TWINE_REPOSITORY_URL={place.upload}\nexport TWINE_USERNAME=token\n"
                f'export TWINE_PASSWORD="{place.expanded}"\nexport TWINE_NON_INTERACTIVE=1\n'
                "twine upload dist/*\n"
            ),
        )
    ]


def _path(place: Place) -> list[Made]:
    url = place.with_path(place.expanded)
    if url is None:
        return [
            Unfit(
                client="path",
                reason=f"The secret stands behind the server's own path, and {place.base} may be"
                " that of the server, of the repository in it, or both.",
                remedy="Give the server's address with --url and the repository's path in it with"
                " --mount (empty for none), or say --host.",
            )
        ]
    return [
        Snippet(
            client="path",
            title="The secret in the path, for clients that know no credentials",
            file="shell",
            language="sh",
            text=f'pip install --index-url "{url}" {" ".join(place.packages)}\n',
            warning="Clients print this address, and write it into lock files: prefer the others.",
        )
    ]


def _with_variable(place: Place, command: str) -> str:
    given = "" if place.secret else f"export {VARIABLE}={PLACEHOLDER}\n"
    return f"{given}{command}\n"


def _lines(words: Sequence[str]) -> str:
    return "".join(f"{word}\n" for word in words)


_MAKERS: Final[tuple[tuple[str, Callable[[Place], list[Made]]], ...]] = (
    ("netrc", _netrc),
    ("pip", _pip),
    ("pip", _pip_two),
    ("uv", _uv),
    ("poetry", _poetry),
    ("pdm", _pdm),
    ("pipenv", _pipenv),
    ("pip-tools", _pip_tools),
    ("keyring", _keyring),
    ("curl", _curl),
    ("docker", _docker),
    ("gitlab", _gitlab),
    ("github", _github),
    ("renovate", _renovate),
    ("dependabot", _dependabot),
    ("twine", _twine),
    ("path", _path),
)
CLIENTS: Final = tuple(dict.fromkeys(client for client, _ in _MAKERS))
"""In the order in which they are shown."""


def make_snippets(
    place: Place, clients: Sequence[str] = (), *, writes: bool = False
) -> tuple[tuple[Snippet, ...], tuple[Unfit, ...]]:
    """Configuration for the clients that are named, or for all; and why there is none for some.

    Args:
        place: where, with which secret, and for which packages.
        clients: of `CLIENTS`; none is all.
        writes: uploads, too.

    Raises:
        InvalidValue: when there is no such client.
    """
    unknown = next((client for client in clients if client not in CLIENTS), None)
    if unknown is not None:
        raise InvalidValue(
            "client", f"There is no client {unknown!r}.", f"Use any of {', '.join(CLIENTS)}."
        )
    wanted = clients or [client for client in CLIENTS if writes or client != "twine"]
    made = [one for client, make in _MAKERS if client in wanted for one in make(place)]
    return (
        tuple(one for one in made if isinstance(one, Snippet)),
        tuple(one for one in made if isinstance(one, Unfit)),
    )
