"""Signals of a Flask app. Their senders are the apps; none of what they carry holds a secret."""

from __future__ import annotations

from typing import Final

from blinker import Namespace
from flask import Flask

from entitlements_core import hookimpl
from entitlements_core.policy.decide import Question
from entitlements_core.policy.decision import Decision, Deny
from entitlements_core.policy.events import Download

__all__ = ["SignalHooks", "distribution_downloaded", "entitlement_allowed", "entitlement_refused"]

_signals: Final = Namespace()

entitlement_allowed: Final = _signals.signal("entitlement-allowed")
"""The policy lets a known credential have a page or file: ``question``, ``decision``."""
entitlement_refused: Final = _signals.signal("entitlement-refused")
"""It does not, or a limit is reached: ``question``, ``decision`` (a ``Deny``)."""
distribution_downloaded: Final = _signals.signal("distribution-downloaded")
"""A download was counted, just before its first byte: ``download``."""


class SignalHooks:
    """Sends what the core's observers are told as signals of one app."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    @hookimpl
    def entitlements_decided(self, question: Question, decision: Decision) -> None:
        """See the hook."""
        signal = entitlement_refused if isinstance(decision, Deny) else entitlement_allowed
        if signal.receivers:
            signal.send(self._app, question=question, decision=decision)

    @hookimpl
    def entitlements_downloaded(self, download: Download) -> None:
        """See the hook."""
        if distribution_downloaded.receivers:
            distribution_downloaded.send(self._app, download=download)
