"""The base of every error of the product, and those that are raised in several rooms.

Others stand with what raises them (`store.failures`). Each says what was asked, what was found and
what to do.

No message ever holds a secret: an error may be logged, printed and mailed.
"""

from typing import ClassVar

__all__ = [
    "ConfigurationError",
    "Conflict",
    "CredentialInvalid",
    "EntitlementsError",
    "InvalidValue",
    "KeyFileError",
    "NotFound",
    "PluginError",
    "QuerySyntaxError",
    "Refused",
    "StoreError",
]


class EntitlementsError(Exception):
    """The base of all errors that this product raises on purpose.

    Attributes:
        code: a stable word for scripts, such as ``not_found``.
        problem: what was asked and what was found, one sentence.
        remedy: what to do about it, one sentence, or an empty string.
    """

    code: ClassVar[str] = "error"

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}".rstrip()


class InvalidValue(EntitlementsError, ValueError):
    """A value that was given does not fit its field.

    Attributes:
        field: the name of the field, as the API spells it.
    """

    code = "invalid"

    def __init__(self, field: str, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.field = field


class QuerySyntaxError(InvalidValue):
    """A package or token query that cannot be understood.

    Attributes:
        source: the query as it was given.
        span: start (inclusive) and end (exclusive) of the offending text, in characters.
    """

    code = "query_syntax"

    def __init__(self, problem: str, *, source: str, span: tuple[int, int]) -> None:
        super().__init__("query", problem)
        self.source = source
        self.span = span

    def __str__(self) -> str:
        start, end = self.span
        marker = " " * start + "~" * max(end - start - 1, 0) + "^"
        return f"{self.problem}\n    {self.source}\n    {marker}"


class NotFound(EntitlementsError, LookupError):
    """What was named does not exist (or is deleted)."""

    code = "not_found"


class Conflict(EntitlementsError):
    """What was asked collides with something that exists, such as a name in use."""

    code = "conflict"


class Refused(EntitlementsError):
    """The operation exists but not for this object in its state, such as editing a user token."""

    code = "refused"


class CredentialInvalid(EntitlementsError):
    """A credential source recognised the secret as its own, and it is bad."""

    code = "unknown_token"


class ConfigurationError(EntitlementsError):
    """A setting is missing or contradicts another."""

    code = "configuration"


class PluginError(EntitlementsError):
    """A plugin does not fit the hooks, or failed where it may not."""

    code = "plugin"


class KeyFileError(EntitlementsError):
    """The server's key is missing, unreadable, or not the one the store was made with."""

    code = "key"


class StoreError(EntitlementsError):
    """The database is missing, locked, read-only, older or newer than this code."""

    code = "store"
