"""What a token may write: the policy's questions about one upload."""

from __future__ import annotations

from entitlements_core.policy.decision import Deny
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.resource import ProjectList
from entitlements_core.services.gate import Caller, Gate

__all__ = ["UploadAuthorization"]


class UploadAuthorization:
    """Asks the gate on behalf of one request that writes.

    Args:
        gate: decides.
        caller: who asks, for writing.

    Attributes:
        caller: see above.
    """

    def __init__(self, gate: Gate, caller: Caller) -> None:
        self._gate = gate
        self.caller = caller

    def of_anything(self) -> Deny | None:
        """Why the caller may write nothing at all; asked before a body is read."""
        decision = self._gate.decide(self.caller.question(ProjectList()))
        return decision if isinstance(decision, Deny) else None

    def of_file(self, facts: FileFacts, replaced: FileFacts | None) -> Deny | None:
        """Why the caller may not write a file.

        Both what is uploaded and what it would replace must be covered.

        Args:
            facts: of the upload.
            replaced: of the file that has its name now, or None.
        """
        for one in (facts, replaced):
            asked = None if one is None else self._gate.decide_file(self.caller, one)
            if isinstance(asked, Deny):
                return asked
        return None
