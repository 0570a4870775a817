"""Use case: why a token sees or does not see a file, at a moment, from an address."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from entitlements_core.errors import InvalidValue, NotFound
from entitlements_core.policy.credential import Credential, CredentialKind
from entitlements_core.policy.decide import Question, RequestContext, explain
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.network import IPAddress, client_key
from entitlements_core.policy.query import Clause
from entitlements_core.policy.resource import (
    DistributionFile,
    ProjectPage,
    Resource,
    Unidentified,
)
from entitlements_core.policy.token import Token
from entitlements_core.services.outside_facts import with_outside_facts
from entitlements_core.services.project_origins import Origin

if TYPE_CHECKING:
    from entitlements_core.services.core import Core

__all__ = ["Explained", "explain_file", "repository_of"]

_ABSENT: Final = Deny(
    Reason.NOT_FOUND,
    "The repository has no such file",
    "Check the file name; `entitlements index` tells what is not served, and why.",
)
_UNFETCHED: Final = Deny(
    Reason.NOT_FOUND,
    "The mirror has fetched no such file so far, and the query asks for more than its name says",
    "Explain it again once somebody has downloaded it.",
)
_OF_ADDRESSES: Final = frozenset({Reason.ADDRESS_DENIED, Reason.ADDRESS_UNKNOWN})
_NOT_COVERED: Final = "The package query does not cover the file"
_FROZEN: Final = "Uploaded after the token's updates ended"
_UNDATED: Final = "Nobody knows yet when the file was uploaded, and the token's updates ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The answer, and all that led to it.

    Attributes:
        reasons: every refusal, in the order in which they are checked; empty when the file is
            served.
        clauses: the parts of the package query that decided; empty without a query or a file.
        at: the moment in question.
        warnings: what the answer leaves out, one sentence each.
        origin: who has the project, where the repository could have it from others.
    """

    token: Token
    repository: str
    filename: str
    at: datetime
    reasons: tuple[Deny, ...]
    clauses: tuple[Clause, ...] = ()
    warnings: tuple[str, ...] = ()
    origin: Origin | None = None

    @property
    def allowed(self) -> bool:
        """The file is served."""
        return not self.reasons


def repository_of(token: Token, repository: str, served: str = "") -> str:
    """The repository a question about `token` is about.

    Args:
        token: the token.
        repository: as it was named, or empty.
        served: the one of the settings, which is meant where the token opens it among others.

    Raises:
        InvalidValue: when the token opens several, and none is named.
    """
    if repository:
        return repository
    if len(token.grants) != 1:
        if token.grant_in(served) is not None:
            return served
        raise InvalidValue(
            "repository",
            f"The token {token.identifier} opens {len(token.grants)} repositories.",
            "Say which one the question is about.",
        )
    return token.grants[0].repository


def explain_file(  # noqa: PLR0913 - what an answer depends on
    core: "Core",
    identifier: str,
    filename: str,
    facts: FileFacts | None,
    *,
    repository: str = "",
    address: IPAddress | None = None,
    at: datetime | None = None,
    origin: Origin | None = None,
) -> Explained:
    """Why the token sees or does not see the file.

    The limits are judged by what the token used so far; of a client that nobody named it is
    assumed that it counts already.

    Args:
        core: the services.
        identifier: of the token.
        filename: of the file.
        facts: of the file; None when the repository does not have it.
        repository: ``owner/slug``; needless for a token that opens a single one.
        address: the client's; None leaves the address rules and the client limit out.
        at: aware; None is now.
        origin: who has the project, where the repository could have it from others.

    Raises:
        NotFound: when there is no such token.
        InvalidValue: when the token opens several repositories, and none is named.
    """
    token = core.lifecycle.read(identifier)
    name = repository_of(token, repository)
    now = core.clock() if at is None else at
    credential = _credential(core, identifier, name)
    facts = _completed(core, credential, name, facts)
    clauses = _clauses(credential, name, facts, now)
    question = Question(
        credential=credential,
        request=RequestContext(repository=name, address=address),
        resource=_resource(filename, facts, origin),
        usage=token.usage_at(now),
        client_known=address is None or _counts(core, token, address, now),
        now=now,
    )
    denied = list(_orphaned(core, token, name))
    denied += [
        _in_words(deny, credential, facts, origin)
        for deny in _refusals(core, question)
        if address is not None or deny.reason not in _OF_ADDRESSES
    ]
    return Explained(
        token=token,
        repository=name,
        filename=filename,
        at=now,
        reasons=tuple(denied),
        clauses=clauses,
        warnings=(*_left_out(credential, address), *_unseen(core, token, name)),
        origin=origin,
    )


def _resource(filename: str, facts: FileFacts | None, origin: Origin | None) -> Resource:
    """What a client asks for: of what is elsewhere the page, from which it is sent on."""
    if facts is not None:
        return DistributionFile(facts)
    if origin is not None and origin.upstream:
        return ProjectPage(origin.name)
    return Unidentified(filename)


def _left_out(credential: Credential, address: IPAddress | None) -> tuple[str, ...]:
    networks = credential.networks
    if address is not None or not (networks.allow or networks.deny):
        return ()
    return ("The address rules were not looked at, as no address was named.",)


def _orphaned(core: "Core", token: Token, repository: str) -> tuple[Deny, ...]:
    grant = token.grant_in(repository)
    if grant is None or not core.binding.is_orphaned(grant, token.user):
        return ()
    return (
        Deny(
            Reason.UNKNOWN_TOKEN,
            f"The token was made for another {repository}, which is gone",
            f"If the one of today is meant, run: entitlements token regrant {token.identifier}",
        ),
    )


def _unseen(core: "Core", token: Token, repository: str) -> tuple[str, ...]:
    grant = token.grant_in(repository)
    return () if grant is None else core.binding.warnings(grant, token.user)


def _refusals(core: "Core", question: Question) -> Sequence[Deny]:
    """All refusals of the policy, else a plugin's."""
    denied = explain(question)
    if denied:
        return denied
    vetoed = core.plugins.veto(question)
    return () if vetoed is None else (vetoed,)


def _credential(core: "Core", identifier: str, repository: str) -> Credential:
    found = core.reader.by_identifier(identifier, repository)
    if found is None:
        core.repositories.show(repository)
        raise NotFound(
            f"The token {identifier} does not open {repository}.",
            "Name a repository that it opens, or grant it this one.",
        )
    if found.kind is not CredentialKind.USER:
        return found
    return replace(found, user_has_access=core.plugins.user_may_read(found.user, repository))


def _completed(
    core: "Core", credential: Credential, repository: str, facts: FileFacts | None
) -> FileFacts | None:
    grant = credential.grant_in(repository)
    if facts is None or grant is None:
        return facts
    (complete,) = with_outside_facts(
        [facts],
        grant.restriction,
        repository=repository,
        source=core.reader,
        plugins=core.plugins,
    )
    return complete


def _clauses(
    credential: Credential, repository: str, facts: FileFacts | None, now: datetime
) -> tuple[Clause, ...]:
    grant = credential.grant_in(repository)
    if facts is None or grant is None or grant.restriction is None:
        return ()
    return grant.restriction.explain(facts, now).clauses


def _counts(core: "Core", token: Token, address: IPAddress, now: datetime) -> bool:
    """Whether the client counts in the period that `now` is in."""
    if token.usage_at(now).since != token.usage.since:
        return False
    client = client_key(address, ipv6_prefix=core.settings.ipv6_prefix)
    return any(
        one.client == client and one.counts for one in core.reports.clients(token.identifier)
    )


def _in_words(
    deny: Deny, credential: Credential, facts: FileFacts | None, origin: Origin | None
) -> Deny:
    """To the vendor, who asks here, what a customer is not told: why a file is hidden."""
    if deny.reason is not Reason.NOT_FOUND:
        return deny
    if facts is None:
        return _UNFETCHED if origin is not None and origin.mirrors else _ABSENT
    freeze = credential.updates_until
    if freeze is None or facts.was_there(freeze):
        return replace(deny, title=_NOT_COVERED, remedy="")
    return replace(deny, title=_UNDATED if facts.uploaded_at is None else _FROZEN, remedy="")
