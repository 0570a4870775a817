"""Files to ask queries about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from entitlements_core.policy.facts import FileFacts, FileKind

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)

_WHEEL: dict[str, Any] = {
    "kind": FileKind.WHEEL,
    "python_tags": frozenset({"py3"}),
    "platform_tags": frozenset({"any"}),
    "size": 2_000,
    "uploaded_at": NOW - timedelta(days=3),
    "sha256": "5afba" + "0" * 59,
    "license": "MIT",
    "summary": "a package",
    "tags": frozenset({"latest"}),
    "repository": "acme/stable",
}


def wheel(name: str = "foo", version: str = "1.0", **changes: Any) -> FileFacts:  # noqa: ANN401 - any fact
    """A wheel of which everything is known."""
    defaults = {
        "filename": f"{name.replace('-', '_')}-{version}-py3-none-any.whl",
        "name": canonicalize_name(name),
        "version": Version(version),
    }
    return FileFacts(**{**_WHEEL, **defaults, **changes})


def sdist(name: str = "foo", version: str = "1.0", **changes: Any) -> FileFacts:  # noqa: ANN401 - any fact
    """An sdist of which everything is known."""
    defaults = {
        "filename": f"{name}-{version}.tar.gz",
        "kind": FileKind.SDIST,
        "python_tags": frozenset(),
        "platform_tags": frozenset(),
    }
    return wheel(name, version, **{**defaults, **changes})


def bare(name: str = "foo", version: str = "1.0") -> FileFacts:
    """A wheel of which nobody read anything but the file name and the time."""
    unread: dict[str, Any] = {
        "size": 0,
        "sha256": "",
        "license": "",
        "summary": "",
        "repository": "",
    }
    return wheel(name, version, **unread, tags=frozenset())


def requiring(*requirements: str) -> FileFacts:
    """A wheel with these dependencies."""
    return wheel(dependencies=tuple(map(Requirement, requirements)))
