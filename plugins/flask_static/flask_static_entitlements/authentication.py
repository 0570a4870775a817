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


def presented(environ: WSGIEnvironment, tokened: TokenPath | None) -> Presented | None:
    """The secret of a request; one in the path wins over any header."""
    if tokened is not None:
        return Presented(tokened.secret, AuthScheme.PATH)
    moved: Presented | None = environ.get(PRESENTED)
    return moved or read_authorization(environ.get("HTTP_AUTHORIZATION"))


def move_token(environ: WSGIEnvironment, tokened: TokenPath) -> None:
    """Move the token from the path to what stands before it, so that links are made below it."""
    environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + tokened.prefix
    environ["PATH_INFO"] = tokened.rest
    environ[PRESENTED] = Presented(tokened.secret, AuthScheme.PATH)
