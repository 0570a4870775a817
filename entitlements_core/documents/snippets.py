"""Configuration for a customer's clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from entitlements_core.services.snippets import IndexAccess, Snippet, Unfit

__all__ = ["snippets_document"]


def snippets_document(
    access: IndexAccess,
    snippets: Iterable[Snippet],
    unfit: Iterable[Unfit],
    warnings: Iterable[str],
) -> dict[str, object]:
    """The configuration of each client, and why some clients have none."""
    return {
        "index_url": access.simple,
        "packages": list(access.packages),
        "snippets": [
            {
                "client": one.client,
                "title": one.title,
                "file": one.file,
                "language": one.language,
                "text": one.text,
                "warning": one.warning or None,
            }
            for one in snippets
        ],
        "left_out": [
            {"client": one.client, "reason": one.reason, "remedy": one.remedy} for one in unfit
        ],
        "warnings": list(warnings),
    }
