"""The gate of one repository as an app's own views need it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from entitlements_core.engine.index import Index
from entitlements_core.engine.responses import Incoming, Outgoing, outgoing
from entitlements_core.engine.snapshot import CatalogFile
from entitlements_core.http import problem, refuse
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.decide import (
    Check,
    Question,
    RequestContext,
    already_valid,
    enabled,
    eula_accepted,
    still_valid,
)
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.resource import DistributionFile, ProjectList, Resource
from entitlements_core.services.gate import Gate
from flask_static_entitlements.reserved_response import ReservedResponse

__all__ = ["METADATA", "Caller", "RepositoryGate", "nowhere", "refusal"]

_LIVING: Final[tuple[Check, ...]] = (enabled, already_valid, still_valid, eula_accepted)
"""What pages overlook, so that clients can print the reason at the file. A view is no such page."""

METADATA: Final = ".metadata"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose credential is known in the repository."""

    credential: Credential
    context: RequestContext
    now: datetime

    def question(self, resource: Resource) -> Question:
        """Whether they may have `resource`."""
        return Question(
            credential=self.credential, request=self.context, resource=resource, now=self.now
        )


class RepositoryGate:
    """Asks for one repository.

    Args:
        index: of the repository; answers pages and core metadata itself.
        gate: decides and counts.
        clock: tells the time.
    """

    def __init__(self, index: Index, gate: Gate, clock: Callable[[], datetime]) -> None:
        self.index = index
        self._gate = gate
        self._clock = clock

    def enter(self, request: Incoming) -> Caller | Deny:
        """Whose request this is."""
        now = self._clock()
        context = RequestContext(repository=self.index.repository, address=request.address)
        credential = self._gate.authenticate(request.presented, context, now)
        return credential if isinstance(credential, Deny) else Caller(credential, context, now)

    def living(self, caller: Caller) -> Deny | None:
        """Whether the credential opens anything now: its state, dates, address and licence."""
        question = caller.question(ProjectList())
        decision = self._gate.decide(question)
        if isinstance(decision, Deny):
            return decision
        # Asked as for an upload: those let a page pass.
        strict = replace(question, request=replace(question.request, writes=True))
        return next((denied for check in _LIVING if (denied := check(strict)) is not None), None)

    def file(self, request: Incoming, filename: str) -> Outgoing | ReservedResponse:
        """Leave to send the distribution file of that name, or the whole answer instead.

        Core metadata is answered by the index, since the pages say that it is there.
        """
        index = self.index
        file = index.catalog.snapshot.file(filename)
        if file is None or request.method not in {"GET", "HEAD"} or not index.is_ready:
            return index.answer(replace(request, path=f"/packages/{filename}"))
        return self._reserve(request, file)

    def visible(self, caller: Caller) -> Callable[[FileFacts | str], bool]:
        """Says of facts or of file names whether the caller sees them; unknown names are not."""
        visibility = self._gate.visibility(caller.credential, self.index.repository, caller.now)
        if isinstance(visibility, Deny) or self.living(caller) is not None:
            return lambda _: False
        files = self.index.catalog.snapshot

        def sees(item: FileFacts | str) -> bool:
            if isinstance(item, FileFacts):
                return visibility.shows(item)
            found = files.file(item.rpartition("/")[2])
            return found is not None and visibility.shows(found.facts)

        return sees

    def _reserve(self, request: Incoming, file: CatalogFile) -> Outgoing | ReservedResponse:
        caller = self.enter(request)
        if isinstance(caller, Deny):
            return refusal(caller, request)
        facts = self._gate.facts(caller.credential, self.index.repository, file.facts)
        if isinstance(facts, Deny):
            return refusal(facts, request)
        question = caller.question(DistributionFile(facts))
        decision = self._gate.decide(question)
        if isinstance(decision, Deny):
            return refusal(decision, request)
        reserved = ReservedResponse(self._gate, question, request, file.size)
        denied = reserved.begin()
        return reserved if denied is None else refusal(denied, request)


def refusal(deny: Deny, request: Incoming, *, transfers: bool = True) -> Outgoing:
    """The response that tells of a refusal."""
    form = request.presented.form if request.presented else None
    head = request.method == "HEAD"
    return outgoing(refuse(deny, form=form, transfers=transfers, head=head))


def nowhere(environ: dict[str, Any]) -> Outgoing:
    """There is nothing for a token."""
    head = environ.get("REQUEST_METHOD") == "HEAD"
    return outgoing(problem(404, "Not found", code="not_found", head=head))
