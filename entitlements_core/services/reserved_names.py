"""Use cases of names that are the vendor's though no file has them yet."""

from collections.abc import Iterable
from typing import Final

from packaging.utils import NormalizedName

from entitlements_core.errors import InvalidValue, NotFound
from entitlements_core.policy.actor import Actor
from entitlements_core.policy.project_names import NamePattern, parse_patterns
from entitlements_core.services.operations import Operations

__all__ = ["ReservedNames"]

_MOST: Final = 1000


class ReservedNames:
    """Names that are never asked of an upstream. A change holds from the next request on.

    Args:
        operations: begins the transactions.
    """

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def of(self, repository: str) -> tuple[NamePattern, ...]:
        """The reserved names of a repository, in alphabetical order.

        Raises:
            NotFound: when there is no such repository.
        """
        with self._operations.database.read() as unit:
            return unit.reserved_names.of(repository)

    def whole_names(self, repository: str) -> frozenset[NormalizedName]:
        """The names that are the vendor's, as far as they can be listed.

        Those that its files have or had, and those that are reserved; beginnings of names are not
        among them.

        Raises:
            NotFound: when there is no such repository.
        """
        with self._operations.database.read() as unit:
            reserved = unit.reserved_names.of(repository)
            named = [NormalizedName(one.text) for one in reserved if not one.is_prefix]
            return unit.reserved_names.of_files(repository).union(named)

    def add(
        self, repository: str, names: Iterable[str], *, actor: Actor
    ) -> tuple[NamePattern, ...]:
        """Reserve names; gives all that are reserved now. Twice is as good as once.

        Args:
            repository: ``owner/slug``.
            names: each a name, or a beginning such as ``acme-*``; at most 1,000 in all.
            actor: who asks.

        Raises:
            NotFound: when there is no such repository.
            InvalidValue: when one is neither, or there are too many.
        """
        new = parse_patterns(names)
        with self._operations.begin(actor) as operation:
            before = operation.unit.reserved_names.of(repository)
            after = tuple(sorted({*before, *new}))
            if len(after) > _MOST:
                raise InvalidValue(
                    "name",
                    f"{len(after)} reserved names are more than {_MOST}.",
                    "Reserve a beginning that they share, such as 'acme-*'.",
                )
            if after != before:
                operation.unit.reserved_names.put(repository, after)
                added = [str(pattern) for pattern in after if pattern not in before]
                operation.record("repository.reserved", repository, after={"names": added})
        return after

    def remove(
        self, repository: str, names: Iterable[str], *, actor: Actor
    ) -> tuple[NamePattern, ...]:
        """Let names go; gives those that are still reserved.

        Args:
            repository: ``owner/slug``.
            names: as they were reserved.
            actor: who asks.

        Raises:
            NotFound: when there is no such repository, or one is not reserved.
            InvalidValue: when one is neither a name nor a beginning.
        """
        old = parse_patterns(names)
        with self._operations.begin(actor) as operation:
            before = operation.unit.reserved_names.of(repository)
            lacking = next((pattern for pattern in old if pattern not in before), None)
            if lacking is not None:
                has = ", ".join(map(str, before[:20])) or "nothing"
                raise NotFound(f"{repository} does not reserve {lacking}.", f"It reserves {has}.")
            after = tuple(pattern for pattern in before if pattern not in old)
            if after != before:
                operation.unit.reserved_names.put(repository, after)
                gone = [str(pattern) for pattern in old]
                operation.record("repository.unreserved", repository, before={"names": gone})
        return after
