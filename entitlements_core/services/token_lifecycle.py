"""Use cases of a vendor's tokens: create, show, list, edit, enable, disable, reset, delete.

Behaviour follows Cloudsmith's "Entitlements via the UI"; secrets have their own
module, `rotation`, and so has what a token opens, `token_grants`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Unpack

from entitlements_core.errors import InvalidValue, Refused
from entitlements_core.policy.actor import Actor
from entitlements_core.policy.bases import RecordedBases
from entitlements_core.policy.credential import State
from entitlements_core.policy.instants import minute
from entitlements_core.policy.query.syntax import Node, terms
from entitlements_core.policy.terms import Terms, checked
from entitlements_core.policy.token import Token, TokenGrant
from entitlements_core.policy.token_search import parse_token_search
from entitlements_core.services.host_binding import HostBinding
from entitlements_core.services.operations import (
    Operation,
    Operations,
    require_editable,
    require_living,
)
from entitlements_core.services.token_changes import (
    Edited,
    TermChanges,
    TokenChanges,
    changed_terms,
    check_fields,
    checked_access,
)
from entitlements_core.services.token_issuer import Draft, Issued, Issuer
from entitlements_core.services.token_quota import check_quota, check_quota_of_change
from entitlements_core.services.token_revocation import delete_token
from entitlements_core.store.records import ListFilter, ListPage

__all__ = ["Lifecycle", "ListFilter"]


class Lifecycle:
    """What a vendor does with tokens. Each method is one transaction.

    Args:
        operations: begins the transactions.
        issuer: makes the tokens and reads their restrictions.
        binding: asks the host what a grant is made for.
        quota: how many active tokens an owner may have; None is no quota.
    """

    def __init__(
        self,
        operations: Operations,
        issuer: Issuer,
        binding: HostBinding,
        *,
        quota: int | None = None,
    ) -> None:
        self._operations = operations
        self._issuer = issuer
        self._binding = binding
        self._quota = quota

    def create(
        self,
        name: str,
        grants: Sequence[TokenGrant],
        *,
        actor: Actor,
        secret: str | None = None,
        enabled: bool = True,
        **changes: Unpack[TermChanges],
    ) -> Issued:
        """Make a token that opens one or several repositories.

        Args:
            name: of the customer.
            grants: one for each repository; only its name, access and restriction are read, and
                the names of bases that it is to see beside those that the repository has now.
            actor: who asks.
            secret: a custom one, or None to let one be generated.
            enabled: whether it opens anything yet.
            changes: its terms; the owner is the first repository's unless another is named.

        Raises:
            InvalidValue: when a field or the custom secret does not fit.
            NotFound: when there is no such repository.
            Conflict: when the secret is already used in one of the repositories.
            Refused: when the owner's quota of active tokens is reached.
        """
        _check_grants(grants)
        check_fields(changes, TermChanges)
        owner = grants[0].repository.partition("/")[0]
        draft = Draft(
            terms=changed_terms(Terms(name=name, owner=owner), owner, changes),
            grants=tuple(
                replace(
                    self._binding.bound(grant),
                    access=checked_access(grant.access),
                    is_default=False,
                )
                for grant in grants
            ),
            state=State.ENABLED if enabled else State.DISABLED,
        )
        missing = [text for grant in grants for text in self._binding.missing(grant.repository)]
        with self._operations.begin(actor) as operation:
            issued = self._issuer.issue(operation, draft, secret)
            if enabled:
                check_quota(operation, issued.token.owner, self._quota)
            past = _past(issued.token, changes, operation.now)
        return replace(issued, warnings=(*issued.warnings, *missing, *past))

    def read(self, identifier: str, *, repository: str = "") -> Token:
        """The token called `identifier`, deleted ones included.

        Raises:
            NotFound: when there is none, or it does not open `repository`.
        """
        with self._operations.database.read() as unit:
            return unit.tokens.get(identifier, repository)

    def list(  # noqa: PLR0913 - the choices of one list, all named
        self,
        *,
        repository: str = "",
        list_filter: ListFilter | None = None,
        query: str = "",
        sort: str = "name",
        page: int = 1,
        page_size: int = 30,
    ) -> ListPage[Token]:
        """One page of tokens: the enabled ones that belong to no user, unless asked for more.

        Args:
            repository: ``owner/slug``, or empty for all.
            list_filter: Cloudsmith's view toggles. A query that names ``active`` or ``state`` also
                shows the disabled ones, and one that names ``state`` the deleted ones.
            query: a token search; blank finds all.
            sort: a column, with a dash before it for the reverse order.
            page: from 1.
            page_size: 1 to 500.

        Raises:
            QuerySyntaxError: when `query` is no token search.
            NotFound: when there is no such repository.
            InvalidValue: when there is no such order or page.
        """
        now = self._operations.clock()
        search = parse_token_search(query, now=now) if query.strip() else None
        named = _named_fields(search)
        if named & _COUNTED or sort.removeprefix("-") in _COUNTED:
            with self._operations.database.begin() as unit:
                unit.lists.roll_due(now)
        with self._operations.database.read() as unit:
            return unit.lists.page(
                now=now,
                repository=repository,
                list_filter=_widened(list_filter or ListFilter(), named),
                search=search,
                sort=sort,
                number=page,
                size=page_size,
            )

    def edit(
        self,
        identifier: str,
        *,
        actor: Actor,
        repository: str = "",
        **changes: Unpack[TokenChanges],
    ) -> Edited:
        """Change what is named in `changes`, all of it or nothing.

        Args:
            identifier: of the token.
            actor: who asks.
            repository: where `limit_package_query`, `access` and `bases` apply; needless for a
                token that opens a single one.
            changes: None clears a field.

        Raises:
            NotFound: when there is no such token, or it does not open `repository`.
            Refused: when it is a user's or deleted, or the quota is reached.
            InvalidValue: when a field does not fit.
        """
        bases = self._binding.record(changes.get("bases") or ())
        with self._operations.begin(actor) as operation:
            before = operation.unit.tokens.get(identifier, repository)
            require_editable(before)
            owner = before.grants[0].repository.partition("/")[0]
            after = checked(changed_terms(before.terms, owner, changes))
            operation.save(identifier, after)
            warnings = self._edit_grant(operation, before, repository, changes, bases)
            if "enabled" in changes:
                state = State.ENABLED if changes["enabled"] else State.DISABLED
                operation.set_state(identifier, state)
            check_quota_of_change(operation, before, self._quota)
            token = operation.record_token("token.edited", before, identifier)
            past = _past(token, changes, operation.now)
            return Edited(token=token, warnings=(*warnings, *past))

    def enable(self, identifier: str, *, actor: Actor, repository: str = "") -> Token:
        """Let a disabled token open its repositories again.

        Raises:
            NotFound: when there is no such token.
            Refused: when it is deleted, or its owner's quota is reached.
        """
        return self._set_state(identifier, repository, actor, State.ENABLED, "token.enabled")

    def disable(self, identifier: str, *, actor: Actor, repository: str = "") -> Token:
        """Close a token's repositories to it from the next request on; its secret is kept.

        Raises:
            NotFound: when there is no such token.
            Refused: when it is deleted.
        """
        return self._set_state(identifier, repository, actor, State.DISABLED, "token.disabled")

    def delete(self, identifier: str, *, actor: Actor, repository: str = "") -> Token:
        """End a token for good, in all its repositories. Its history is kept, its secret is not.

        Raises:
            NotFound: when there is no such token.
            Refused: when it is a repository's default token, or deleted already.
        """
        with self._operations.begin(actor) as operation:
            before = operation.unit.tokens.get(identifier, repository)
            require_living(before)
            if before.is_default:
                raise Refused(
                    f"The default token of {before.grants[0].repository} cannot be deleted.",
                    "Disable it, or refresh it so that its secret opens nothing any more.",
                )
            return delete_token(operation, before)

    def reset(self, identifier: str, *, actor: Actor, repository: str = "") -> Token:
        """Count downloads, clients and bandwidth from zero again.

        Raises:
            NotFound: when there is no such token.
            Refused: when it is deleted.
        """
        with self._operations.begin(actor) as operation:
            before = operation.unit.tokens.get(identifier, repository)
            require_living(before)
            operation.unit.tokens.zero_usage(identifier, at=operation.now)
            operation.touch(identifier)
            usage = before.usage
            return operation.record_token(
                "token.reset",
                before,
                identifier,
                extra={
                    "previous_downloads": usage.downloads,
                    "previous_clients": usage.clients,
                    "previous_bandwidth": usage.bandwidth,
                },
            )

    def _set_state(
        self, identifier: str, repository: str, actor: Actor, state: State, action: str
    ) -> Token:
        with self._operations.begin(actor) as operation:
            before = operation.unit.tokens.get(identifier, repository)
            require_living(before)
            if before.state is state:
                return before
            operation.set_state(identifier, state)
            check_quota_of_change(operation, before, self._quota)
            return operation.record_token(action, before, identifier)

    def _edit_grant(
        self,
        operation: Operation,
        token: Token,
        repository: str,
        changes: TokenChanges,
        bases: RecordedBases,
    ) -> tuple[str, ...]:
        if not {"limit_package_query", "access", "bases"} & changes.keys():
            return ()
        grant = token.grant_in(repository or token.grants[0].repository)
        if grant is None or (not repository and len(token.grants) > 1):
            raise InvalidValue(
                "repository",
                f"The token {token.identifier} opens {len(token.grants)} repositories.",
                "Say in which of them the restriction or access is to change.",
            )
        text = changes.get("limit_package_query", grant.limit_package_query)
        access = checked_access(changes.get("access", grant.access))
        changed = replace(
            grant,
            limit_package_query=text,
            access=access,
            bases=bases if "bases" in changes else grant.bases,
        )
        return self._issuer.put_grant(operation, token.identifier, changed)


_COUNTED: Final = frozenset(
    {"state", "clients", "downloads", "bandwidth", "bandwidth_usage", "last_reset"}
)
"""Fields whose value changes when a scheduled reset passes."""


def _check_grants(grants: Sequence[TokenGrant]) -> None:
    names = [grant.repository for grant in grants]
    if not names or len(set(names)) < len(names):
        raise InvalidValue(
            "grants",
            "A token opens no repository." if not names else "A repository is granted twice.",
            "Give one grant for each repository that it is to open.",
        )


def _past(token: Token, changes: Mapping[str, object], now: datetime) -> tuple[str, ...]:
    """What to know of an end that was just set, and is over."""
    end = token.terms.limit_date_range_to
    if changes.get("limit_date_range_to") is None or end is None or end > now:
        return ()
    return (f"The token ended on {minute(end)}, which is over: its files are refused from now on.",)


def _named_fields(search: Node | None) -> frozenset[str]:
    return frozenset() if search is None else frozenset(term.field for term, _ in terms(search))


def _widened(list_filter: ListFilter, named: frozenset[str]) -> ListFilter:
    return replace(
        list_filter,
        disabled=list_filter.disabled or bool(named & {"active", "state"}),
        deleted=list_filter.deleted or "state" in named,
    )
