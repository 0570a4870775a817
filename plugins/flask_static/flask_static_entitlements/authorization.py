"""The gate of one repository as an app's own views need it."""

from __future__ import annotations

from collections.abc import Callable

from entitlements_core.engine.index import Index
from entitlements_core.engine.responses import refused
from entitlements_core.engine.snapshot import CatalogFile
from entitlements_core.policy.decide import open_now
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.resource import ProjectList
from entitlements_core.services.gate import Caller, Gate
from entitlements_core.wsgi import Request, Response
from flask_static_entitlements.responses import ReservedDownload

__all__ = ["RepositoryGate"]


class RepositoryGate:
    """Asks for one repository.

    Args:
        index: of the repository; answers pages and core metadata itself.
        gate: decides and counts.
    """

    def __init__(self, index: Index, gate: Gate) -> None:
        self.index = index
        self._gate = gate

    def identify(self, request: Request) -> Caller | Deny:
        """Whose request this is."""
        return self.index.identify(request)

    def opens(self, caller: Caller) -> Deny | None:
        """Whether the credential opens anything now: its state, dates, address and licence."""
        question = caller.question(ProjectList())
        decision = self._gate.decide(question)
        return decision if isinstance(decision, Deny) else open_now(question)

    def file(self, request: Request, filename: str) -> Response | ReservedDownload:
        """Permission to send the distribution file of that name, or the whole answer instead.

        Core metadata is answered by the index, since the pages say that it is there.
        """
        index = self.index
        file = index.catalog.snapshot.file(filename)
        if file is None or not request.reads or not index.is_ready:
            return index.respond(request.at(f"/packages/{filename}"), reason_links=False)
        return self._reserve(request, file)

    def visible(self, caller: Caller) -> Callable[[FileFacts | str], bool]:
        """Says of facts or of file names whether the caller sees them; unknown names are not."""
        visibility = self._gate.visibility(caller)
        if isinstance(visibility, Deny) or self.opens(caller) is not None:
            return lambda _: False
        files = self.index.catalog.snapshot

        def sees(item: FileFacts | str) -> bool:
            if isinstance(item, FileFacts):
                return visibility.shows(item)
            found = files.file(item.rpartition("/")[2])
            return found is not None and visibility.shows(found.facts)

        return sees

    def _reserve(self, request: Request, file: CatalogFile) -> Response | ReservedDownload:
        caller = self.identify(request)
        if isinstance(caller, Deny):
            return refused(caller, request, transfers=True)
        question = self._gate.decide_file(caller, file.facts)
        if isinstance(question, Deny):
            return refused(question, request, transfers=True)
        reserved = ReservedDownload(self._gate, question, request, file.size)
        denied = reserved.begin()
        return reserved if denied is None else refused(denied, request, transfers=True)
