"""Why a token may download a file, or may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entitlements_core.documents.values import instant

if TYPE_CHECKING:
    from entitlements_core.services.explanation import Explained

__all__ = ["explanation_document"]


def explanation_document(found: Explained) -> dict[str, object]:
    """The verdict, every reason against it, and each clause of the query."""
    return {
        "allowed": found.allowed,
        "reasons": [
            {
                "code": deny.reason.value,
                "detail": f"{deny.title}. {deny.remedy}".strip(),
                "retry_at": instant(deny.retry_at),
            }
            for deny in found.reasons
        ],
        "query": [
            {"text": clause.text, "matched": clause.matched, "sentence": clause.sentence}
            for clause in found.clauses
        ],
        "slug_perm": found.token.identifier,
        "name": found.token.name,
        "repository": found.repository,
        "file": found.filename,
        "at": instant(found.at),
        "origin": None if found.origin is None else str(found.origin),
        "warnings": list(found.warnings),
    }
