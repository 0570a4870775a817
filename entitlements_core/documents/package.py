"""Packages and files of a repository: tags, upload times, and what a look at directories found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entitlements_core.documents.values import instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from entitlements_core.engine.catalog import ScanReport
    from entitlements_core.engine.snapshot import Snapshot
    from entitlements_core.policy.facts import FileFacts
    from entitlements_core.policy.package_tags import TaggedPackage
    from entitlements_core.services.upload_times import Uploaded

__all__ = ["catalog_document", "file_document", "tagged_document", "uploaded_document"]


def tagged_document(tagged: TaggedPackage) -> dict[str, object]:
    """A package and its tags; without a version, those of every one."""
    version = tagged.package.version
    return {
        "name": tagged.package.project,
        "version": None if version is None else str(version),
        "tags": list(tagged.tags),
    }


def file_document(facts: FileFacts, tags: Iterable[str]) -> dict[str, object]:
    """A file, with all tags that a query finds it by; its size in bytes."""
    return {
        "filename": facts.filename,
        "name": facts.name,
        "version": str(facts.version),
        "size": facts.size,
        "sha256": facts.sha256,
        "uploaded_at": instant(facts.uploaded_at),
        "tags": list(tags),
    }


def uploaded_document(uploaded: Uploaded) -> dict[str, object]:
    """When a file was uploaded."""
    return {
        "filename": uploaded.filename,
        "sha256": uploaded.sha256,
        "uploaded_at": instant(uploaded.at),
    }


def catalog_document(snapshot: Snapshot, report: ScanReport) -> dict[str, object]:
    """What is in directories now, in numbers, and which files are not served."""
    return {
        "files": len(snapshot.files),
        "projects": len(snapshot.projects),
        "read": report.read,
        "reused": report.reused,
        "removed": report.removed,
        "waiting": report.waiting,
        "problems": [
            {"path": one.path, "reason": one.reason, "remedy": one.remedy}
            for one in report.problems
        ],
    }
