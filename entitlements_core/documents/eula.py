"""The licence texts of a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entitlements_core.documents.values import instant

if TYPE_CHECKING:
    from entitlements_core.services.eulas import EulaRevision

__all__ = ["eula_document"]


def eula_document(revision: EulaRevision, *, content: bool = False) -> dict[str, object]:
    """One revision; its text only where `content` is asked for."""
    document: dict[str, object] = {
        "repository": revision.repository,
        "number": revision.number,
        "identifier": revision.identifier,
        "sha256": revision.sha256,
        "created_at": instant(revision.created_at),
        "created_by": revision.created_by,
    }
    return document | {"content": revision.content} if content else document
