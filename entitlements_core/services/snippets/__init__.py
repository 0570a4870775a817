"""Use case: ready configuration for the clients of a token's holder."""

from entitlements_core.services.snippets.forms import (
    CLIENTS,
    Snippet,
    Unfit,
    make_snippets,
)
from entitlements_core.services.snippets.place import (
    HOSTS,
    PLACEHOLDER,
    VARIABLE,
    Place,
)

__all__ = [
    "CLIENTS",
    "HOSTS",
    "PLACEHOLDER",
    "VARIABLE",
    "Place",
    "Snippet",
    "Unfit",
    "make_snippets",
]
