"""Where a customer finds an index, with which secret, and what is in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.project_names import NamePattern
from entitlements_core.policy.secret import named_address, shows_secret

__all__ = ["HOSTS", "PLACEHOLDER", "VARIABLE", "IndexAccess"]

VARIABLE: Final = "VENDOR_TOKEN"
PLACEHOLDER: Final = "YOUR_TOKEN"
SAMPLE: Final = "your-package"

HOSTS: Final = ("serve", "flask", "pypiserver", "devpi")
"""What may serve an index: their addresses differ, and so does what they take."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SECRET: Final = re.compile(r"[A-Za-z0-9._-]+")
_PLAIN: Final = re.compile(r"(?:https?://\[[0-9A-Fa-f:.]+\])?[A-Za-z0-9/%+@:~,=._-]*")
"""Of what an address may consist: nothing that a shell, TOML, YAML or INI reads in its own way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexAccess:
    """Where the index is, with which secret it is opened, and what is in it.

    Attributes:
        scheme: ``http`` or ``https``.
        netloc: host, with the port where there is one.
        hostname: without the port.
        base: the path of the server, without a slash at its end: what a proxy puts before all of
            it, and below which tokens stand in paths (``BASE/+t/SECRET/…``).
        mount: the path of the repository in that server, without a slash at its end; None where
            `base` may hold it as well, and nobody said so.
        host: of `HOSTS`; empty where that is not known.
        secret: in clear, or empty for variables and placeholders.
        packages: names to install, at least one.
        own: all names and beginnings of names (``acme-*``) that are the vendor's, as far as they
            concern who asks; those of `packages` among them.
        filename: of a distribution that is there.
        upstream: the index sends clients on for whatever is not the vendor's.
    """

    scheme: str
    netloc: str
    hostname: str
    base: str = ""
    mount: str | None = None
    host: str = ""
    secret: str = ""
    packages: tuple[str, ...] = (SAMPLE,)
    own: tuple[str, ...] = (SAMPLE,)
    filename: str = ""
    upstream: bool = False

    @classmethod
    def parse(  # noqa: PLR0913 - one for each thing that can be known
        cls,
        url: str,
        *,
        mount: str | None = None,
        host: str = "",
        secret: str = "",
        packages: Iterable[str] = (),
        own: Iterable[str] = (),
        filename: str = "",
        upstream: bool = False,
    ) -> IndexAccess:
        """Read the public address of a server, or of an index.

        Args:
            url: of the server, or of the index on it, with or without ``simple/``.
            mount: see the class. May be left out where `url` has no path, where `host` serves
                nothing below a path of its own, and of devpi-server: its indexes are two parts.
            host: see the class.
            secret: see the class.
            packages: names to install; empty is a sample name.
            own: further names, or beginnings of names, that are the vendor's.
            filename: see the class.
            upstream: see the class.

        Raises:
            InvalidValue: when something is no plain http or https address, path or name.
        """
        try:
            parts = urlsplit(url.strip())
            _ = parts.port
        except ValueError:
            raise _bad_url(url) from None
        extras = parts.username, parts.password, parts.query or None, parts.fragment or None
        if parts.scheme not in {"http", "https"} or not parts.hostname or any(extras):
            raise _bad_url(url)
        if _is_odd(url.strip()) or "@" in parts.netloc:
            raise _bad_url(url)
        if secret and not _SECRET.fullmatch(secret):
            raise InvalidValue(
                "secret",
                "A secret has no such characters.",
                "Give the whole of it: letters, digits, dots, dashes and underscores.",
            )
        path = parts.path.rstrip("/")
        if "%" in parts.netloc + path or _leads_elsewhere(path.split("/")[1:]):
            raise _bad_url(url)
        if not host and path.endswith("/+simple"):
            host = "devpi"
        base = path.removesuffix("/+simple" if host == "devpi" else "/simple").rstrip("/")
        base, mount = _parted(base, mount, host)
        names = tuple(dict.fromkeys(map(_name, packages))) or (SAMPLE,)
        return cls(
            scheme=parts.scheme,
            netloc=parts.netloc,
            hostname=parts.hostname,
            base=base,
            mount=mount,
            host=host,
            secret=secret,
            packages=names,
            own=tuple(dict.fromkeys((*names, *own))),
            filename=filename,
            upstream=upstream,
        )

    @property
    def is_sample(self) -> bool:
        """No package is known."""
        return self.packages == (SAMPLE,)

    @property
    def is_hashed(self) -> bool:
        """Files are at addresses that cannot be told from their names."""
        return self.host == "devpi"

    @property
    def is_open(self) -> bool:
        """Secrets would travel unencrypted."""
        return self.scheme == "http" and self.hostname not in _LOOPBACK

    @property
    def own_names(self) -> tuple[str, ...]:
        """Those of `own` that are whole names."""
        return tuple(name for name in self.own if not name.endswith("*"))

    @property
    def simple(self) -> str:
        """The simple index."""
        return f"{self._server}{self.base}{self.mount or ''}/{self._page}/"

    @property
    def upload(self) -> str | None:
        """Where distributions are uploaded to; None where the host takes none, or is not known."""
        if self.host not in {"pypiserver", "devpi"}:
            return None
        return f"{self._server}{self.base}{self.mount or ''}/"

    @property
    def plain(self) -> str:
        """The secret, for places where nothing is expanded."""
        return self.secret or PLACEHOLDER

    @property
    def expanded(self) -> str:
        """The secret in a file that expands variables, and that may be shared: never in clear."""
        return f"${{{VARIABLE}}}"

    def with_user(self, secret: str) -> str:
        """The simple index with basic authentication in its address."""
        return self.simple.replace("://", f"://token:{secret}@", 1)

    def with_path(self, secret: str) -> str | None:
        """The simple index with the secret in its path; None where it is not known where in it."""
        if self.mount is None:
            return None
        return f"{self._server}{self.base}/+t/{secret}{self.mount}/{self._page}/"

    def file(self, secret: str = "") -> str | None:
        """The address of a file, with a secret in its path if one is given.

        None where files are at other addresses, or it is not known where the secret stands.
        """
        index = self.with_path(secret) if secret else self.simple
        if index is None or self.is_hashed:
            return None
        # The mark of an epoch (PEP 440) would be a shell's history.
        filename = (self.filename or "FILENAME").replace("!", "%21")
        return f"{index.removesuffix('simple/')}packages/{filename}"

    @property
    def _server(self) -> str:
        return f"{self.scheme}://{self.netloc}"

    @property
    def _page(self) -> str:
        return "+simple" if self.host == "devpi" else "simple"


def _parted(path: str, mount: str | None, host: str) -> tuple[str, str | None]:
    """The path of the server, and that of the repository in it; None where that is not known."""
    if mount is not None:
        mount = _path(mount)
        return path.removesuffix(mount), mount
    if host == "devpi":
        server, _, index = path.rpartition("/")
        server, _, user = server.rpartition("/")
        if not user:
            raise InvalidValue(
                "url",
                "Which index of devpi-server?",
                "Write https://HOST/USER/INDEX, or name it with --repo.",
            )
        return server, f"/{user}/{index}"
    return path, "" if not path or host in {"serve", "pypiserver"} else None


def _name(text: str) -> str:
    pattern = NamePattern.parse(text)
    if pattern.is_prefix:
        raise InvalidValue("package", f"{text!r} is not one package.", "Name each.")
    return str(pattern)


def _path(mount: str) -> str:
    path = f"/{mount.strip('/')}".rstrip("/")
    segments = path.split("/")[1:]
    if _is_odd(path) or "%" in path or _leads_elsewhere(segments):
        raise InvalidValue(
            "mount",
            f"{mount[:60]!r} is no path of a repository in a server.",
            "Write one such as /acme/prod, or '' for none.",
        )
    return path


def _leads_elsewhere(segments: Sequence[str]) -> bool:
    """Whether a path is another one to somebody, or holds a token, which would be shown."""
    named = {segment.lower() for segment in segments}
    return not {"", ".", "..", "+t"}.isdisjoint(named) or any(map(shows_secret, segments))


def _is_odd(text: str) -> bool:
    return not _PLAIN.fullmatch(text)


def _bad_url(url: str) -> InvalidValue:
    return InvalidValue(
        "url",
        f"{named_address(url)} is no address of a server.",
        "Write https://HOST or https://HOST/PATH, without user, password, token and query.",
    )
