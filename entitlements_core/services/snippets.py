"""Use case: ready configuration for the clients of a token's holder.

Basic authentication stands first: a secret in the path shows up in clients' output and lock files.
Each form was run with the real client. Where a client expands variables, the secret is left to the
environment; pip.conf, netrc and the lock files of some clients do not, and get a placeholder.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from entitlements_core.errors import InvalidValue

__all__ = ["CLIENTS", "PLACEHOLDER", "VARIABLE", "Index", "Snippet", "make_snippets"]

VARIABLE: Final = "VENDOR_TOKEN"
PLACEHOLDER: Final = "YOUR_TOKEN"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """One piece of configuration.

    Attributes:
        client: whose it is.
        title: what it does.
        place: the file it belongs in, or ``shell``.
        text: to be copied.
        warning: what to know before it is used, or empty.
    """

    client: str
    title: str
    place: str
    text: str
    warning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Where the index is, and with which secret it is opened.

    Attributes:
        scheme: ``http`` or ``https``.
        netloc: host, with the port where there is one.
        host: without the port.
        prefix: the path before ``/simple/``, without a slash at its end.
        secret: in clear, or empty for variables and placeholders.
        package: a name to install.
    """

    scheme: str
    netloc: str
    host: str
    prefix: str = ""
    secret: str = ""
    package: str = "your-package"

    @classmethod
    def parse(cls, url: str, *, secret: str = "", package: str = "your-package") -> "Index":
        """Read the public address of the server, with the path that the index is below.

        Raises:
            InvalidValue: when it is no plain http or https address.
        """
        try:
            parts = urlsplit(url.strip())
            _ = parts.port
        except ValueError:
            raise _bad_url() from None
        extras = parts.username, parts.password, parts.query or None, parts.fragment or None
        odd = any(char.isspace() or char in "\"'`$\\" for char in url.strip())
        if parts.scheme not in {"http", "https"} or not parts.hostname or odd or any(extras):
            raise _bad_url()
        prefix = parts.path.rstrip("/").removesuffix("/simple").rstrip("/")
        return cls(
            scheme=parts.scheme,
            netloc=parts.netloc,
            host=parts.hostname,
            prefix=prefix,
            secret=secret,
            package=package,
        )

    @property
    def simple(self) -> str:
        """The simple index."""
        return f"{self.scheme}://{self.netloc}{self.prefix}/simple/"

    @property
    def upload(self) -> str:
        """Where distributions are uploaded to."""
        return f"{self.scheme}://{self.netloc}{self.prefix}/"

    @property
    def plain(self) -> str:
        """The secret, for places where nothing is expanded."""
        return self.secret or PLACEHOLDER

    @property
    def expanded(self) -> str:
        """The secret, for places where variables are expanded."""
        return self.secret or f"${{{VARIABLE}}}"

    def with_user(self, secret: str) -> str:
        """The simple index with basic authentication in its address."""
        return f"{self.scheme}://token:{secret}@{self.netloc}{self.prefix}/simple/"

    def with_path(self, secret: str) -> str:
        """The simple index with the secret in its path."""
        return f"{self.scheme}://{self.netloc}/+t/{secret}{self.prefix}/simple/"

    @property
    def is_open(self) -> bool:
        """Secrets would travel unencrypted."""
        return self.scheme == "http" and self.host not in _LOOPBACK


def _netrc(index: Index) -> Snippet:
    return Snippet(
        client="netrc",
        title="Credentials for pip, uv, poetry, pdm and pipenv (mode 600; the host has no port)",
        place="~/.netrc",
        text=f"machine {index.host}\nlogin token\npassword {index.plain}\n",
    )


def _pip(index: Index) -> Snippet:
    return Snippet(
        client="pip",
        title="The index for every pip, with the credentials of ~/.netrc",
        place="~/.config/pip/pip.conf",
        text=f"[global]\nindex-url = {index.simple}\n",
        warning="pip.conf does not expand variables: never write ${...} into it.",
    )


def _requirements(index: Index) -> Snippet:
    return Snippet(
        client="pip",
        title="The index for one requirements file, for pip and uv",
        place="requirements.txt",
        text=f"--index-url {index.with_user(index.expanded)}\n{index.package}\n",
    )


def _uv(index: Index) -> Snippet:
    return Snippet(
        client="uv",
        title="The index for the packages that come from it",
        place="pyproject.toml",
        text=(
            f'[[tool.uv.index]]\nname = "vendor"\nurl = "{index.simple}"\n'
            'authenticate = "always"\nexplicit = true\n\n'
            f'[tool.uv.sources]\n{index.package} = {{ index = "vendor" }}\n'
        ),
    )


def _uv_environment(index: Index) -> Snippet:
    return Snippet(
        client="uv",
        title="Its credentials",
        place="shell",
        text=(
            "export UV_INDEX_VENDOR_USERNAME=token\n"
            f'export UV_INDEX_VENDOR_PASSWORD="{index.expanded}"\n'
        ),
    )


def _poetry(index: Index) -> Snippet:
    return Snippet(
        client="poetry",
        title="The index for the packages that come from it",
        place="pyproject.toml",
        text=(
            f'[[tool.poetry.source]]\nname = "vendor"\nurl = "{index.simple}"\n'
            'priority = "explicit"\n\n[tool.poetry.dependencies]\n'
            f'{index.package} = {{ version = "*", source = "vendor" }}\n'
        ),
        warning="Keep the credentials out of the address: it goes into poetry.lock.",
    )


def _poetry_shell(index: Index) -> Snippet:
    return Snippet(
        client="poetry",
        title="Its credentials",
        place="shell",
        text=(
            "export POETRY_HTTP_BASIC_VENDOR_USERNAME=token\n"
            f'export POETRY_HTTP_BASIC_VENDOR_PASSWORD="{index.expanded}"\n'
        ),
    )


def _pdm(index: Index) -> Snippet:
    return Snippet(
        client="pdm",
        title="The index; pdm expands the variable",
        place="pyproject.toml",
        text=(f'[[tool.pdm.source]]\nname = "vendor"\nurl = "{index.with_user(index.expanded)}"\n'),
    )


def _pipenv(index: Index) -> Snippet:
    # With a slash at its end pipenv also asks for /simple//package/.
    url = index.with_user(index.expanded).rstrip("/")
    return Snippet(
        client="pipenv",
        title="The index; the lock file keeps the variable",
        place="Pipfile",
        text=f'[[source]]\nname = "vendor"\nurl = "{url}"\nverify_ssl = true\n',
    )


def _keyring(index: Index) -> Snippet:
    with_name = index.simple.replace("://", "://token@", 1)
    return Snippet(
        client="keyring",
        title="The secret in the keyring of the system, for pip",
        place="~/.config/pip/pip.conf",
        text=(
            f"# once, in a shell; it asks for the secret: keyring set {index.netloc} token\n"
            f"[global]\nindex-url = {with_name}\nkeyring-provider = subprocess\n"
            "no-input = true\n"
        ),
    )


def _docker(index: Index) -> Snippet:
    return Snippet(
        client="docker",
        title="A build that leaves no secret in the image",
        place="Dockerfile",
        text=(
            "# syntax=docker/dockerfile:1\n"
            "# docker build --secret id=vendor_netrc,src=$HOME/.netrc .\n"
            "RUN --mount=type=secret,id=vendor_netrc NETRC=/run/secrets/vendor_netrc \\\n"
            f"    pip install --index-url {index.simple} {index.package}\n"
        ),
        warning="An ARG or ENV would stay readable in the image.",
    )


def _twine(index: Index) -> Snippet:
    return Snippet(
        client="twine",
        title="Uploads, for a token with access rw",
        place="shell",
        text=(
            f"export TWINE_REPOSITORY_URL={index.upload}\nexport TWINE_USERNAME=token\n"
            f'export TWINE_PASSWORD="{index.expanded}"\nexport TWINE_NON_INTERACTIVE=1\n'
            "twine upload dist/*\n"
        ),
    )


def _path(index: Index) -> Snippet:
    return Snippet(
        client="path",
        title="The secret in the path, for clients that know no credentials",
        place="shell",
        text=f'pip install --index-url "{index.with_path(index.expanded)}" {index.package}\n',
        warning="Clients print this address, and write it into lock files: prefer the others.",
    )


_MAKERS: Final[tuple[tuple[str, Callable[[Index], Snippet]], ...]] = (
    ("netrc", _netrc),
    ("pip", _pip),
    ("pip", _requirements),
    ("uv", _uv),
    ("uv", _uv_environment),
    ("poetry", _poetry),
    ("poetry", _poetry_shell),
    ("pdm", _pdm),
    ("pipenv", _pipenv),
    ("keyring", _keyring),
    ("docker", _docker),
    ("twine", _twine),
    ("path", _path),
)
CLIENTS: Final = tuple(dict.fromkeys(client for client, _ in _MAKERS))
"""In the order in which they are shown."""


def make_snippets(
    index: Index, clients: Sequence[str] = (), *, writes: bool = False
) -> tuple[Snippet, ...]:
    """Configuration for the clients that are named, or for all.

    Args:
        index: where, and with which secret.
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
    return tuple(make(index) for client, make in _MAKERS if client in wanted)


def _bad_url() -> InvalidValue:
    return InvalidValue(
        "url",
        "This is no address of a server.",
        "Write https://HOST or https://HOST/PREFIX, without user, password and query.",
    )
