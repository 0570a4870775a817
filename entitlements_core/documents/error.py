"""An error, as Cloudsmith's API says it: ``detail``, ``code``, and the ``fields`` at fault."""

from __future__ import annotations

from entitlements_core.errors import EntitlementsError, InvalidValue, QuerySyntaxError

__all__ = ["error_document", "problem_document"]


def error_document(error: EntitlementsError) -> dict[str, object]:
    """What was refused; of a query also its text and the characters at fault, from 0, end excluded.

    It never holds a secret, since no error does.
    """
    if isinstance(error, QuerySyntaxError):
        return {
            "detail": error.problem,
            "code": error.code,
            "fields": {error.field: [error.problem]},
            "query": error.source,
            "span": list(error.span),
        }
    document = problem_document(str(error), error.code)
    if isinstance(error, InvalidValue):
        document["fields"] = {error.field: [str(error)]}
    return document


def problem_document(detail: str, code: str) -> dict[str, object]:
    """What went wrong outside our own errors.

    Args:
        detail: one sentence or two, redacted.
        code: for programs: ``usage``, ``invalid``, ``system`` or ``internal``.
    """
    return {"detail": detail, "code": code}
