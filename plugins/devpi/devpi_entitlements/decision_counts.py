"""Counts what the gate decides while this process runs."""

from __future__ import annotations

from threading import Lock

from entitlements_core import hookimpl
from entitlements_core.policy.decide import Question
from entitlements_core.policy.decision import Allow, Decision
from entitlements_core.policy.events import Download

__all__ = ["DecisionCounts"]


class DecisionCounts:
    """An observer of decisions and downloads.

    Attributes:
        allowed: questions that were answered with yes.
        refused: and with no.
        downloads: counted ones.
        sent_bytes: of those, as far as they were counted when they began.
    """

    def __init__(self) -> None:
        self.allowed = self.refused = self.downloads = self.sent_bytes = 0
        self._lock = Lock()

    @hookimpl
    def entitlements_decided(self, question: Question, decision: Decision) -> None:  # noqa: ARG002 - of the hook
        """See the hook."""
        with self._lock:
            if isinstance(decision, Allow):
                self.allowed += 1
            else:
                self.refused += 1

    @hookimpl
    def entitlements_downloaded(self, download: Download) -> None:
        """See the hook."""
        with self._lock:
            self.downloads += 1
            self.sent_bytes += download.length
