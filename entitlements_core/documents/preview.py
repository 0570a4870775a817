"""What a package query opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entitlements_core.services.previews import Preview

__all__ = ["preview_document"]


def preview_document(preview: Preview) -> dict[str, object]:
    """Files and projects; ``added`` and ``removed`` only where it is compared with a token."""
    document: dict[str, object] = {
        "files": list(preview.files),
        "projects": list(preview.projects),
        "warnings": list(preview.warnings),
    }
    if preview.added is not None and preview.removed is not None:
        document |= {"added": list(preview.added), "removed": list(preview.removed)}
    return document
