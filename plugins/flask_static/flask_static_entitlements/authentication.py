"""Which secret a request to an app carries, and where views find who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from entitlements_core.http import AuthScheme, Presented, TokenPath, read_authorization

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

__all__ = ["CREDENTIAL", "move_token", "presented"]

PRESENTED: Final = "entitlements.presented"
"""Where a token path's secret is kept in a WSGI environment; its ``repr`` does not show it."""
CREDENTIAL: Final = "entitlements.credential"
"""Where a view finds who asks."""


def presented(environ: WSGIEnvironment, token_path: TokenPath | None) -> Presented | None:
    """The secret of a request; one in the path wins over any header."""
    if token_path is not None:
        return Presented(token_path.secret, AuthScheme.PATH)
    moved: Presented | None = environ.get(PRESENTED)
    return moved or read_authorization(environ.get("HTTP_AUTHORIZATION"))


def move_token(environ: WSGIEnvironment, token_path: TokenPath) -> None:
    """Move the token from the path to what stands before it, so that links are made below it."""
    environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + token_path.prefix
    environ["PATH_INFO"] = token_path.rest
    environ[PRESENTED] = Presented(token_path.secret, AuthScheme.PATH)
