"""Repositories, and the project names that they reserve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entitlements_core.documents.token import token_document
from entitlements_core.documents.values import instant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from entitlements_core.policy.project_names import NamePattern
    from entitlements_core.policy.token import Token
    from entitlements_core.services.repositories import AddedRepository, Repository

__all__ = ["added_document", "removed_document", "repository_document", "reserved_document"]


def repository_document(repository: Repository) -> dict[str, object]:
    """A repository."""
    return {
        "name": repository.name,
        "owner": repository.owner,
        "description": repository.description,
        "contact": repository.contact,
        "enforce_eula": repository.enforce_eula,
        "user_entitlements_enabled": repository.user_tokens_enabled,
        "created_at": instant(repository.created_at),
        "created_by": repository.created_by,
    }


def added_document(
    added: AddedRepository, now: datetime, *, secret: str | None = None
) -> dict[str, object]:
    """A new repository with its default token, which is None where none was wanted.

    Args:
        added: what was made.
        now: aware; for the token's counters and state.
        secret: of the default token in clear, or None to mask it.
    """
    issued = added.default_token
    return repository_document(added.repository) | {
        "default_token": None
        if issued is None
        else token_document(issued.token, now, secret=secret)
    }


def reserved_document(repository: str, patterns: Iterable[NamePattern]) -> dict[str, object]:
    """The names that a repository reserves beside those of its files."""
    return {"name": repository, "reserved": [str(pattern) for pattern in patterns]}


def removed_document(repository: str, deleted: Iterable[Token]) -> dict[str, object]:
    """A repository that is no more, and the tokens that were deleted with it."""
    return {
        "name": repository,
        "removed": True,
        "deleted_tokens": [token.identifier for token in deleted],
    }
