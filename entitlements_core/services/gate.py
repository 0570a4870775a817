"""Decides on requests and counts downloads: what every adapter asks.

Whatever fails in here refuses: a store that cannot be read or counted in answers 503, a plugin that
raises refuses. No state is kept across requests but what a changed row would not find again.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from packaging.utils import NormalizedName

from entitlements_core.errors import CredentialInvalid, EntitlementsError, StoreError
from entitlements_core.http import ByteRange, Presented
from entitlements_core.interfaces import Sealer
from entitlements_core.plugins import UNAVAILABLE, Plugins
from entitlements_core.policy import secret as secrets
from entitlements_core.policy.credential import Credential, CredentialKind, Grant
from entitlements_core.policy.decide import (
    NOT_FOUND,
    UNKNOWN,
    Question,
    RequestContext,
    decide,
    with_contact,
)
from entitlements_core.policy.decision import Allow, Decision, Deny, Reason
from entitlements_core.policy.events import Download
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.network import IPAddress, client_key
from entitlements_core.policy.resource import DistributionFile, Resource
from entitlements_core.policy.visibility import Visibility, visibility
from entitlements_core.services.alarm import Alarm
from entitlements_core.services.guess_limit import GuessLimit
from entitlements_core.services.outside_facts import Completion, FactSource, completion
from entitlements_core.services.throttle import Throttle
from entitlements_core.store.ledger import Entry, Ledger, Receipt
from entitlements_core.wsgi import Request

__all__ = ["Caller", "Gate", "MarkOf", "Reservation"]

MarkOf = Callable[[str, str], str | None]
"""The mark of a repository (and of a user's account, where one is named) as it is now; empty or
None where there is none. See the hook ``entitlements_mark``; whatever it raises refuses."""
Bind = Callable[[str, str, str], str | None]
"""Binds the grant of a token (its identifier) in a repository to a mark; gives its mark then."""

log: Final = logging.getLogger("entitlements.gate")

UNAUTHORIZED: Final = Deny(
    Reason.UNAUTHORIZED,
    "Entitlement token required",
    "Give the token as the password of the index URL, in netrc or in a keyring.",
)
UNEXPANDED: Final = Deny(
    Reason.UNKNOWN_TOKEN,
    "The token is a variable that was not expanded",
    "Your client sent the text ${...} itself; pip.conf does not expand variables.",
)


class CredentialSource(FactSource, Protocol):
    """Finds credentials, and facts of files; ``store.reader.CredentialReader``."""

    def find(self, digest: bytes, repository: str, now: datetime) -> Credential | None:
        """The credential that a digested secret opens in `repository`."""
        ...

    def repositories(self, digest: bytes, now: datetime) -> tuple[str, ...]:
        """The repositories that a digested secret opens, sorted."""
        ...

    def is_own(self, name: NormalizedName, repository: str) -> bool:
        """Whether a project name is the vendor's."""
        ...


@dataclass(frozen=True, slots=True)
class Reservation:
    """Permission to send one answer. `receipt` is None where nothing of it is counted here."""

    receipt: Receipt | None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a credential that was found, for one request.

    Attributes:
        credential: as it is at `now`.
        context: from where, in which repository, for reading or writing.
        now: the moment of the request, aware, UTC.
    """

    credential: Credential
    context: RequestContext
    now: datetime

    @property
    def repository(self) -> str:
        """``owner/slug``, in which the credential was found."""
        return self.context.repository

    def question(self, resource: Resource) -> Question:
        """Whether the caller may have `resource`."""
        return Question(
            credential=self.credential, request=self.context, resource=resource, now=self.now
        )


class Gate:
    """Lets requests in, or says why not. Safe to share between threads and greenlets.

    Args:
        reader: finds credentials by their digest.
        ledger: keeps the counters.
        sealer: digests secrets.
        plugins: sources, vetoes and observers.
        throttle: bounds guessing.
        window: for how long further requests ride on a counted download.
        ipv6_prefix: bits of an IPv6 address that make a client.
        mark_of: tells which repository has a name now; a grant that was made for another one opens
            nothing. None where the host's repositories are the store's own.
        bind: binds a grant that is bound to nothing yet, when it is first used.
    """

    def __init__(  # noqa: PLR0913 - the composition root names all its parts
        self,
        *,
        reader: CredentialSource,
        ledger: Ledger,
        sealer: Sealer,
        plugins: Plugins,
        throttle: Throttle,
        window: timedelta = timedelta(seconds=300),
        ipv6_prefix: int = 64,
        mark_of: MarkOf | None = None,
        bind: Bind | None = None,
    ) -> None:
        self._mark_of = mark_of
        self._bind = bind
        self._reader = reader
        self._ledger = ledger
        self._sealer = sealer
        self._plugins = plugins
        self._guesses = GuessLimit(
            throttle, sealer.digest, lambda: plugins.implements("entitlements_find_credential")
        )
        self._alarm = Alarm(log)
        self._window = window
        self._ipv6_prefix = ipv6_prefix

    def identify(
        self, request: Request, repository: str, now: datetime, *, writes: bool = False
    ) -> Caller | Deny:
        """Who asks for something in a repository; see `authenticate`.

        Args:
            request: presents the secret.
            repository: ``owner/slug``.
            now: aware, UTC.
            writes: an upload or a removal.
        """
        context = RequestContext(repository=repository, address=request.address, writes=writes)
        credential = self.authenticate(request.presented, context, now)
        return credential if isinstance(credential, Deny) else Caller(credential, context, now)

    def authenticate(
        self,
        presented: Presented | None,
        request: RequestContext,
        now: datetime,
        *,
        settles: bool = True,
    ) -> Credential | Deny:
        """Whose request this is.

        Args:
            presented: the secret of the request, or None.
            request: the repository decides which token a secret names.
            now: aware, UTC.
            settles: False where an unknown secret is asked about again by `repositories`, which
                then says whether it was a guess.
        """
        secret = _secret_of(presented)
        if isinstance(secret, Deny):
            return secret
        client = self._client(request.address)
        guess = self._guesses.admit(secret, client)
        if isinstance(guess, Deny):
            return guess
        try:
            found = self._find(secret, request, now)
            orphaned = isinstance(found, Credential) and not self._is_bound(
                found, request.repository
            )
        except CredentialInvalid:
            found, orphaned = None, False
        except EntitlementsError as error:
            return self._cannot_look_up(error)
        if settles or found is not None:
            self._guesses.settle(guess, client, known=found is not None)
        if found is None or orphaned:
            return UNKNOWN
        if isinstance(found, Credential) and found.kind is CredentialKind.USER:
            reads = self._plugins.user_may_read(found.user, request.repository)
            return replace(found, user_has_access=reads)
        return found

    def repositories(
        self,
        presented: Presented | None,
        address: IPAddress | None,
        now: datetime,
        *,
        only_tokens: bool = True,
    ) -> tuple[str, ...] | Deny:
        """The repositories (``owner/slug``, sorted) that a secret opens; never an empty tuple.

        For an address that names none, such as ``/+t/SECRET/simple/`` of a host with many. Only
        tokens of the store are found: a plugin's source of credentials can say whether a secret
        opens a given repository, not which ones it opens. It grants nothing, either: the request
        in the repository that is chosen has to be authenticated like any other.

        Args:
            presented: the secret of the request, or None.
            address: of the client, as in `RequestContext`.
            now: aware, UTC.
            only_tokens: False where the secret may as well be the password of one of the host's
                users: one that was not looked up is then as unknown as any other.
        """
        secret = _secret_of(presented)
        if isinstance(secret, Deny):
            return secret
        client = self._client(address)
        guess = self._guesses.admit(secret, client, tells=only_tokens)
        if isinstance(guess, Deny):
            return guess if only_tokens else UNKNOWN
        try:
            named, opened = self._opened(secret, now)
        except EntitlementsError as error:
            return self._cannot_look_up(error)
        self._guesses.settle(guess, client, known=bool(named), tells=only_tokens)
        return opened or UNKNOWN

    def decide(self, question: Question) -> Decision:
        """The policy's answer, then the vetoes'; observers are told."""
        decision = decide(question)
        if isinstance(decision, Allow):
            return self.ask_vetoes(question)
        self._plugins.decided(question, decision)
        return decision

    def ask_vetoes(self, question: Question) -> Decision:
        """The vetoes' answer to what the policy has allowed already; observers are told."""
        vetoed = self._plugins.veto(question)
        decision = Allow() if vetoed is None else vetoed
        self._plugins.decided(question, decision)
        return decision

    def visibility(self, caller: Caller) -> Visibility | Deny:
        """What a caller sees of the repository; the items of a page are filtered by it."""
        credential, now = caller.credential, caller.now
        grant = credential.grant_in(caller.context.repository)
        if grant is None:
            return UNKNOWN
        complete = self._completion(grant, caller.context.repository)
        if complete is None:
            return visibility(credential, grant, now)
        if isinstance(complete, Deny):
            return complete
        seen = visibility(credential, grant, now, tags_state=complete.tags_state)
        return replace(seen, shows=lambda facts: seen.shows(complete(facts)))

    def complete_facts(self, caller: Caller, facts: FileFacts) -> FileFacts | Deny:
        """`facts` with those that only the store and plugins know, as far as they are asked for."""
        grant = caller.credential.grant_in(caller.context.repository)
        complete = None if grant is None else self._completion(grant, caller.context.repository)
        if complete is None:
            return facts
        return complete if isinstance(complete, Deny) else complete(facts)

    def decide_file(
        self,
        caller: Caller,
        facts: FileFacts,
        resource: Callable[[FileFacts], Resource] = DistributionFile,
    ) -> Question | Deny:
        """The question about a file, answered with yes; or why it was not.

        Args:
            caller: who asks.
            facts: of the file, as far as an index knows them.
            resource: what of the file is asked for.
        """
        complete = self.complete_facts(caller, facts)
        if isinstance(complete, Deny):
            return complete
        question = caller.question(resource(complete))
        decision = self.decide(question)
        return decision if isinstance(decision, Deny) else question

    def own_name(self, name: NormalizedName, repository: str) -> Deny | None:
        """Why a project is looked for in `repository` alone; None: the name never was the vendor's.

        A name that is the vendor's is as one that does not exist anywhere: whoever else registers
        it must not be installed in its place.
        """
        try:
            return NOT_FOUND if self._reader.is_own(name, repository) else None
        except EntitlementsError as error:
            self._alarm.raised(f"the names of {repository} cannot be read", error)
            return UNAVAILABLE

    def reserve(
        self, question: Question, part: ByteRange, user_agent: str = ""
    ) -> Reservation | Deny:
        """Count an answer before its first byte; a refusal names the limit.

        Only a `DistributionFile` is counted.

        Args:
            question: was decided as allowed.
            part: of the file that the answer carries.
            user_agent: of the client, for the record.
        """
        resource, credential = question.resource, question.credential
        if not isinstance(resource, DistributionFile) or credential.id == 0:
            return Reservation(None)
        entry = self._entry(question, resource.facts, part, user_agent)
        try:
            receipt = self._ledger.reserve(entry)
        except EntitlementsError as error:
            self._alarm.raised("a download could not be counted", error)
            return UNAVAILABLE
        if isinstance(receipt, Deny):
            denied = with_contact(receipt, credential)
            self._plugins.decided(question, denied)
            return denied
        if receipt.taken.counted:
            self._tell(credential, entry)
        return Reservation(receipt)

    def release(self, reservation: Reservation) -> None:
        """Give back what was reserved for an answer of which not one byte was sent."""
        if reservation.receipt is None:
            return
        try:
            self._ledger.cancel(reservation.receipt)
        except EntitlementsError as error:
            self._alarm.raised("a reservation stays counted", error)

    def close(self) -> None:
        """Let go of the counters' connections."""
        self._ledger.close()

    def _find(
        self, secret: str, request: RequestContext, now: datetime
    ) -> Credential | Deny | None:
        found: Credential | Deny | None = None
        if secrets.may_exist(secret):
            found = self._reader.find(self._sealer.digest(secret), request.repository, now)
        if found is None and self._plugins.implements("entitlements_find_credential"):
            found = self._plugins.find_credential(secret, request)
        return found

    def _opened(self, secret: str, now: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The repositories that grants of a secret name, and those for which they were made."""
        if not secrets.may_exist(secret):
            return (), ()
        digest = self._sealer.digest(secret)
        named = self._reader.repositories(digest, now)
        if self._mark_of is None:
            return named, named
        found = [(name, self._reader.find(digest, name, now)) for name in named]
        return named, tuple(name for name, one in found if one and self._is_bound(one, name))

    def _is_bound(self, credential: Credential, repository: str) -> bool:
        """Whether the credential was made for the repository that has this name now.

        Raises:
            StoreError: when that cannot be found out, or not be kept.
        """
        grant = credential.grant_in(repository)
        if self._mark_of is None or credential.id == 0 or grant is None:
            return True  # whoever else made it judges it, and so do the checks of the policy
        try:
            mark = self._mark_of(repository, credential.user)
        except Exception as error:
            raise StoreError(
                f"The host cannot tell which repository {repository} is: {error}.", "Try again."
            ) from error
        if not mark:
            return False
        bound = grant.mark
        if not bound and self._bind is not None:
            bound = self._bind(credential.identifier, repository, mark)
        return bound == mark

    def _client(self, address: IPAddress | None) -> str:
        return client_key(address, ipv6_prefix=self._ipv6_prefix)

    def _cannot_look_up(self, error: EntitlementsError) -> Deny:
        self._alarm.raised("a token could not be looked up", error)
        return UNAVAILABLE

    def _completion(self, grant: Grant, repository: str) -> Completion | Deny | None:
        """What adds the facts that a restriction asks for and an index does not know.

        None where it asks for none; a refusal where they cannot be found out, since a wrong fact
        could open a file.
        """
        try:
            return completion(
                grant.restriction, repository, source=self._reader, plugins=self._plugins
            )
        except EntitlementsError as error:
            self._alarm.raised(f"facts of files of {repository} cannot be read", error)
            return UNAVAILABLE

    def _entry(
        self, question: Question, facts: FileFacts, part: ByteRange, user_agent: str
    ) -> Entry:
        request = question.request
        return Entry(
            token_id=question.credential.id,
            repository=request.repository,
            project=facts.name,
            version=str(facts.version),
            filename=facts.filename,
            client=self._client(request.address),
            # PostgreSQL takes no NUL, and one odd request must not spoil the batch of others.
            user_agent=user_agent[:255].replace("\0", ""),
            size=facts.size,
            start=part.start,
            length=part.stop - part.start,
            window=self._window,
            now=question.now,
            former=question.credential.former,
        )

    def _tell(self, credential: Credential, entry: Entry) -> None:
        if not self._plugins.implements("entitlements_downloaded"):
            return
        self._plugins.downloaded(
            Download(
                at=entry.now,
                token=credential.identifier,
                repository=entry.repository,
                project=entry.project,
                version=entry.version,
                filename=entry.filename,
                client=entry.client,
                user_agent=entry.user_agent,
                length=entry.length,
            )
        )


def _secret_of(presented: Presented | None) -> str | Deny:
    """The secret to look up, or why there is none."""
    if presented is None:
        return UNAUTHORIZED
    return UNEXPANDED if presented.secret.startswith("${") else presented.secret
