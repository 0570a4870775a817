"""Use case: ready configuration for the clients of a token's holder, as it was run with each."""

from entitlements_core.services.snippets.clients import CLIENTS, USUAL, make_snippets
from entitlements_core.services.snippets.covered import Covered, covered
from entitlements_core.services.snippets.index_access import (
    HOSTS,
    PLACEHOLDER,
    VARIABLE,
    IndexAccess,
)
from entitlements_core.services.snippets.snippet import Snippet, Unfit

__all__ = [
    "CLIENTS",
    "HOSTS",
    "PLACEHOLDER",
    "USUAL",
    "VARIABLE",
    "Covered",
    "IndexAccess",
    "Snippet",
    "Unfit",
    "covered",
    "make_snippets",
]
