"""Where a customer finds an index, with which secret, and what is in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from entitlements_core.errors import InvalidValue

__all__ = ["HOSTS", "PLACEHOLDER", "VARIABLE", "Place"]

VARIABLE: Final = "VENDOR_TOKEN"
PLACEHOLDER: Final = "YOUR_TOKEN"
SAMPLE: Final = "your-package"

HOSTS: Final = ("serve", "flask", "pypiserver", "devpi")
"""What may serve an index: their addresses differ, and so does what they take."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ODD: Final = frozenset("\"'`$\\<>{}|^")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the index is, and with which secret it is opened.

    Attributes:
        scheme: ``http`` or ``https``.
        netloc: host, with the port where there is one.
        hostname: without the port.
        base: the path at which the server is, without a slash at its end: what a proxy puts before
            everything, and below which tokens stand in paths (``BASE/+t/SECRET/…``).
        mount: the path of the repository in that server, without a slash at its end; None where
            `base` may hold it as well, and nobody said so.
        page: the last part of the path, ``simple`` or devpi's ``+simple``.
        host: of `HOSTS`; empty where that is not known.
        secret: in clear, or empty for variables and placeholders.
        packages: names to install, at least one.
        own: all names and beginnings of names (``acme-*``) that are the vendor's, as far as they
            are known to whoever asks; those of `packages` among them.
        upstream: the index sends clients on for whatever is not the vendor's.
    """

    scheme: str
    netloc: str
    hostname: str
    base: str = ""
    mount: str | None = None
    page: str = "simple"
    host: str = ""
    secret: str = ""
    packages: tuple[str, ...] = (SAMPLE,)
    own: tuple[str, ...] = (SAMPLE,)
    upstream: bool = False

    @classmethod
    def parse(  # noqa: PLR0913 - one for each thing that can be known
        cls,
        url: str,
        *,
        mount: str | None = None,
        page: str = "simple",
        host: str = "",
        secret: str = "",
        packages: Iterable[str] = (),
        own: Iterable[str] = (),
        upstream: bool = False,
    ) -> Place:
        """Read the public address of a server.

        Args:
            url: of the server.
            mount: see the class; may be left out where `host` serves nothing below a path, or
                `url` has none.
            page, host, secret, upstream: see the class.
            packages: names to install; empty is a sample name.
            own: further names, or beginnings of names, that are the vendor's.

        Raises:
            InvalidValue: when something is no plain http or https address, path or name.
        """
        try:
            parts = urlsplit(url.strip())
            _ = parts.port
        except ValueError:
            raise _bad_url() from None
        extras = parts.username, parts.password, parts.query or None, parts.fragment or None
        if parts.scheme not in {"http", "https"} or not parts.hostname or any(extras):
            raise _bad_url()
        if _is_odd(url.strip()):
            raise _bad_url()
        base = parts.path.rstrip("/").removesuffix(f"/{page}").rstrip("/")
        if mount is None and (not base or host not in {"", "flask"}):
            mount = ""
        names = tuple(dict.fromkeys(map(canonicalize_name, packages))) or (SAMPLE,)
        return cls(
            scheme=parts.scheme,
            netloc=parts.netloc,
            hostname=parts.hostname,
            base=base,
            mount=None if mount is None else _path(mount),
            page=page,
            host=host,
            secret=secret,
            packages=names,
            own=tuple(dict.fromkeys((*names, *own))),
            upstream=upstream,
        )

    @property
    def simple(self) -> str:
        """The simple index."""
        return f"{self._server}{self.base}{self.mount or ''}/{self.page}/"

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
        """The secret, for places where variables are expanded."""
        return self.secret or f"${{{VARIABLE}}}"

    @property
    def is_open(self) -> bool:
        """Secrets would travel unencrypted."""
        return self.scheme == "http" and self.hostname not in _LOOPBACK

    def with_user(self, secret: str) -> str:
        """The simple index with basic authentication in its address."""
        return self.simple.replace("://", f"://token:{secret}@", 1)

    def with_path(self, secret: str) -> str | None:
        """The simple index with the secret in its path; None where it is not known where in it."""
        if self.mount is None:
            return None
        return f"{self._server}{self.base}/+t/{secret}{self.mount}/{self.page}/"

    def file(self, filename: str) -> str | None:
        """The address of a file, for whoever downloads it by hand; None of devpi's."""
        if self.page != "simple":
            return None
        return f"{self.simple.removesuffix('simple/')}packages/{filename}"

    @property
    def _server(self) -> str:
        return f"{self.scheme}://{self.netloc}"


def _path(mount: str) -> str:
    path = "/" + mount.strip("/")
    if _is_odd(path) or not {"", ".", "..", "+t"}.isdisjoint(path.split("/")[1:] or [""]):
        if path == "/":
            return ""
        raise InvalidValue(
            "mount",
            f"{mount[:60]!r} is no path of a repository in a server.",
            "Write one such as /acme/prod, or an empty one.",
        )
    return path


def _is_odd(text: str) -> bool:
    return any(char.isspace() or not char.isprintable() or char in _ODD for char in text)


def _bad_url() -> InvalidValue:
    return InvalidValue(
        "url",
        "This is no address of a server.",
        "Write https://HOST or https://HOST/PREFIX, without user, password and query.",
    )
