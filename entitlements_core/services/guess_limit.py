"""Whether a secret is looked up at all: not where its address has guessed too often."""

from collections.abc import Callable
from typing import Final

from entitlements_core.policy import secret as secrets
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.services.throttle import Throttle

__all__ = ["TOO_MANY_GUESSES", "GuessLimit"]

TOO_MANY_GUESSES: Final = Deny(
    Reason.TOO_MANY_GUESSES,
    "Too many unknown tokens from this address; try again in a minute",
    "Stop what sends them, or ask the vendor for a generated token, which is always looked up.",
)


class GuessLimit:
    """Lets a secret be looked up, unless its address has sent too many unknown ones.

    Args:
        throttle: bounds them.
        digest: the look-up key of a secret.
        asks_plugins: a plugin finds credentials, too, also by secrets that we cannot have issued.
    """

    def __init__(
        self, throttle: Throttle, digest: Callable[[str], bytes], asks_plugins: Callable[[], bool]
    ) -> None:
        self._throttle = throttle
        self._digest = digest
        self._asks_plugins = asks_plugins

    def admit(self, secret: str, client: str, *, tells: bool = True) -> bytes | Deny | None:
        """The digest of a secret that can be a guess, or why it is not looked up.

        None is one that cannot: nobody finds a generated secret by trying, and what cannot have
        been issued is not looked up at all.

        Args:
            secret: as it was sent.
            client: as it is counted.
            tells: see `Throttle.missed`.
        """
        if secrets.looks_generated(secret):
            return None
        if not secrets.may_exist(secret) and not self._asks_plugins():
            return None
        digest = self._digest(secret)
        if self._throttle.admits(client, digest):
            return digest
        self._throttle.missed(client, tells=tells)
        return TOO_MANY_GUESSES

    def settle(self, digest: bytes | None, client: str, *, known: bool, tells: bool = True) -> None:
        """Note what became of a look-up; `digest` is what `admit` gave."""
        if not known:
            self._throttle.missed(client, digest, tells=tells)
        elif digest is not None:
            self._throttle.found(client, digest)
