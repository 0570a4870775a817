"""All clients, and their configuration for one index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from entitlements_core.errors import InvalidValue
from entitlements_core.services.snippets import (
    automation,
    credentials,
    installers,
    transfers,
)
from entitlements_core.services.snippets.index_access import IndexAccess
from entitlements_core.services.snippets.snippet import Made, Snippet, Unfit

__all__ = ["CLIENTS", "USUAL", "make_snippets"]

# Basic authentication first: a secret in the path shows in what clients print, and in lock files.
_MAKERS: Final[dict[str, Callable[[IndexAccess], list[Made]]]] = {
    "netrc": credentials.netrc,
    "pip": installers.pip,
    "uv": installers.uv,
    "poetry": installers.poetry,
    "pdm": installers.pdm,
    "pipenv": installers.pipenv,
    "pip-tools": installers.pip_tools,
    "keyring": credentials.keyring,
    "docker": automation.docker,
    "gitlab": automation.gitlab,
    "github": automation.github,
    "renovate": automation.renovate,
    "dependabot": automation.dependabot,
    "curl": transfers.curl,
    "twine": transfers.twine,
    "path": installers.path,
    "link": transfers.link,
}
CLIENTS: Final = tuple(_MAKERS)
"""In the order in which they are shown."""
_WITH_NETRC: Final = frozenset({"pip", "docker", "curl"})
"""Whose configuration leaves the credentials to ~/.netrc, which therefore comes with them."""
USUAL: Final = ("netrc", "pip", "uv", "poetry", "pdm", "pipenv")
"""What most customers use."""


def make_snippets(
    access: IndexAccess, clients: Sequence[str] = CLIENTS
) -> tuple[tuple[Snippet, ...], tuple[Unfit, ...]]:
    """Configuration for clients, and why some of it is not to be had.

    Args:
        access: where, with which secret, and for which packages.
        clients: of `CLIENTS`, in any order.

    Raises:
        InvalidValue: when there is no such client.
    """
    unknown = next((client for client in clients if client not in CLIENTS), None)
    if unknown is not None:
        raise InvalidValue(
            "client", f"There is no client {unknown!r}.", f"Use any of {', '.join(CLIENTS)}."
        )
    wanted = {*clients, *(["netrc"] if _WITH_NETRC.intersection(clients) else [])}
    made = [one for client, make in _MAKERS.items() if client in wanted for one in make(access)]
    return (
        tuple(one for one in made if isinstance(one, Snippet)),
        tuple(one for one in made if isinstance(one, Unfit)),
    )
