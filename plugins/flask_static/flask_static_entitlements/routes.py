"""Which addresses of an app belong to which repository."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from entitlements_core.engine.health import HEALTH_PATHS
from entitlements_core.errors import ConfigurationError
from entitlements_core.http import is_plain_path

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

__all__ = ["Guarded", "Mount", "Routes", "flatten", "raw_path"]

SERVICES: Final = HEALTH_PATHS | {"/+auth"}
"""What the engine answers beside the repositories."""

_PREFIX: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One repository of an app.

    Attributes:
        repository: ``owner/slug``.
        directories: of its distributions.
        prefix: where it is served; ``/simple/`` and ``/packages/`` come below.
        protect: prefixes of the app's own file views; not empty means that they are guarded, and
            nothing is served. An empty one among them is the whole app.
        file_url: of a file in the app's own views; empty is guessed from `protect`.
        accel_redirect: nginx's internal locations of the directories, in their order.
        upstream: the simple index to which clients are sent for projects that are not the vendor's;
            empty is none, None is what the settings say. Guarded views are never left for it.
    """

    repository: str
    directories: tuple[str, ...]
    prefix: str = ""
    protect: tuple[str, ...] = ()
    file_url: str = ""
    accel_redirect: tuple[str, ...] = ()
    upstream: str | None = None

    @property
    def roots(self) -> tuple[str, ...]:
        """The prefixes that belong to it."""
        return self.protect or (f"{self.prefix}/simple", f"{self.prefix}/packages")

    @property
    def page_root(self) -> str:
        """Where a guarded repository has its pages: below ``…/simple``, else the first prefix."""
        named = [root for root in self.protect if root.endswith("/simple")]
        return (named or list(self.protect))[0]

    @property
    def link(self) -> str:
        """The address of a file in the app's own views, with placeholders."""
        if self.file_url:
            return self.file_url
        flat = [root for root in self.protect if root.endswith("/packages")]
        return f"{flat[0]}/{{filename}}" if flat else f"{self.page_root}/{{project}}/{{filename}}"

    def check(self) -> None:
        """Refuse what cannot work.

        Raises:
            ConfigurationError: saying what.
        """
        if not self.directories:
            raise ConfigurationError(
                f"No directory is named for the repository {self.repository}.",
                "Name the directories of its distributions.",
            )
        for prefix in (self.prefix, *self.protect):
            if _PREFIX.fullmatch(prefix) is None or _is_odd(prefix):
                raise ConfigurationError(
                    f"{prefix!r} is no URL prefix.", "Write one such as '/acme/prod', or ''."
                )
        if self.upstream and self.protect:
            raise ConfigurationError(
                f"upstream is set for {self.repository}, whose pages are the app's own views.",
                "Leave it out, or let the adapter serve the repository.",
            )
        if self.protect:
            self._check_link()
        elif self.file_url:
            raise ConfigurationError(
                f"file_url is set for {self.repository}, which guards no views.",
                "Name the prefixes of the views in protect, or leave file_url out.",
            )

    def _check_link(self) -> None:
        link = self.link
        try:
            link.format(filename="", project="", path="")
        except (LookupError, ValueError):
            named = False
        else:
            named = link.endswith(("/{filename}", "/{path}"))
        if not named or not any(link.startswith(f"{root}/") for root in self.protect):
            raise ConfigurationError(
                f"The file_url {link!r} of {self.repository} cannot be used.",
                "Let it begin with a protected prefix and end with {filename} or {path};"
                " {project} may stand before.",
            )


@dataclass(frozen=True, slots=True)
class Guarded:
    """An address that only the guard may let through.

    Attributes:
        mount: of the repository that it belongs to; None when no repository can be told.
        plain: it can only be read in one way, and is spelled as the prefix is.
    """

    mount: Mount | None
    plain: bool


class Routes:
    """Finds what an address belongs to.

    Args:
        mounts: all of an app.

    Raises:
        ConfigurationError: when two of them claim the same addresses.
    """

    def __init__(self, mounts: Iterable[Mount]) -> None:
        mounts = tuple(mounts)
        for mount in mounts:
            mount.check()
        _check_overlaps(mounts)
        served = [root for mount in mounts if not mount.protect for root in mount.roots]
        self._served = frozenset(served) | SERVICES
        self._below_served = tuple(f"{root}/" for root in served)
        self._guarded = [(root, mount) for mount in mounts for root in mount.protect]

    def serves(self, path: str) -> bool:
        """Whether the engine answers `path`, whatever it finds there.

        A route of the app's own is hidden below the served prefixes, and no other spelling leads
        to it.
        """
        if path in self._served or path.startswith(self._below_served):
            return True
        return not is_plain_path(path) and f"{flatten(path)}/".startswith(self._below_served)

    @property
    def guards(self) -> bool:
        """Whether any view of the app is guarded."""
        return bool(self._guarded)

    def guard(self, path: str, *, raw: str = "", rule: str | None = None) -> Guarded | None:
        """What of the guarded app `path` belongs to; None when anybody may have it.

        A path that can be read in several ways belongs to a guarded view if the app would route
        it to one. Where that is not known it is no address of the app at all, since the app may
        read it as one below a protected prefix.

        Args:
            path: decoded once, without the token.
            raw: the whole path as it was sent, or empty.
            rule: the app's URL rule (``/simple/<path:path>``) that the path is routed by; None
                when none is, or nobody can tell.
        """
        if not self._guarded:
            return None
        if is_plain_path(path, raw):
            return self._below(path)
        lenient = self._below(flatten(path))
        if lenient is not None:
            return Guarded(lenient.mount, plain=False)
        return Guarded(None, plain=False) if rule is None else self._ruled(rule)

    def _ruled(self, rule: str) -> Guarded | None:
        """What the views of a URL rule belong to."""
        fixed, dynamic, _ = rule.casefold().partition("<")
        for root, mount in self._guarded:
            if f"{fixed}/".startswith(f"{root.casefold()}/"):
                return Guarded(mount, plain=False)
            if dynamic and root.casefold().startswith(fixed):
                return Guarded(None, plain=False)
        return None

    def _below(self, path: str) -> Guarded | None:
        """The guarded repository that a plain path belongs to, on any file system."""
        folded = f"{_fold(path)}/"
        for root, mount in self._guarded:
            if folded.startswith(f"{_fold(root)}/"):
                return Guarded(mount, plain=f"{path}/".startswith(f"{root}/"))
        return None


def flatten(path: str) -> str:
    """What the most lenient server could read in a path."""
    for _ in range(3):  # some decode twice
        path = unquote(path)
    parts: list[str] = []
    for part in path.replace("\\", "/").replace("\0", "").split("/"):
        name = part.partition(";")[0]
        if name == "..":
            del parts[-1:]
        elif name not in {"", "."}:
            parts.append(name)
    return "/" + "/".join(parts)


def _fold(path: str) -> str:
    """Equal for names that some file system takes for the same: by case, with a dot at the end."""
    return "/".join(part.rstrip(". ") for part in path.casefold().split("/"))


def _is_odd(prefix: str) -> bool:
    return not {".", "..", "+t"}.isdisjoint(prefix.split("/"))


def _check_overlaps(mounts: tuple[Mount, ...]) -> None:
    claimed: dict[str, str] = {}
    for mount in mounts:
        for root in mount.roots:
            for other, repository in claimed.items():
                if _contains(root, other) or _contains(other, root):
                    raise ConfigurationError(
                        f"{mount.repository} claims {root or '/'!r}, which overlaps with"
                        f" {other or '/'!r} of {repository}.",
                        "Give each repository a url_prefix of its own.",
                    )
        claimed.update(dict.fromkeys(mount.roots, mount.repository))


def _contains(outer: str, inner: str) -> bool:
    return f"{inner}/".casefold().startswith(f"{outer}/".casefold())


def raw_path(environ: WSGIEnvironment) -> str:
    """The path as it was sent, where the server tells it: gunicorn, Werkzeug, uWSGI, mod_wsgi."""
    raw: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    return raw
