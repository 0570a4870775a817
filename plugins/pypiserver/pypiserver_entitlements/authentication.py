"""Who is a publisher: somebody whom pypiserver's own password check knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from entitlements_core.http import AuthScheme, Presented
from entitlements_core.policy.network import IPAddress
from entitlements_core.policy.secret import looks_generated
from entitlements_core.services.gate import Gate
from pypiserver_entitlements.current_user import Publisher, Uploader, current_user
from pypiserver_entitlements.pypiserver_api import Auther

__all__ = ["PasswordsUnknown", "Publishers", "was_admitted"]

_LONGEST_NAME: Final = 255
"""Characters, inclusive, as passlib takes them; passwords are bounded by the header."""
_IMPOSSIBLE: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters, and bytes that are not UTF-8."""
_IMPOSSIBLE_IN_PASSWORD: Final = re.compile("[\x00\ud800-\udfff]")


class PasswordsUnknown(Exception):
    """Nobody can say whether a password is right."""


class Publishers:
    """Tells publishers from customers.

    What is known as a token is never shown to the password check, which may be slow on purpose or
    be answered by another machine.

    Args:
        auther: says whether a name and a password belong together; None where nobody is known.
        gate: knows tokens.
        repository: ``owner/slug``.
        clock: tells the time.
    """

    def __init__(
        self,
        auther: Auther | None,
        gate: Gate,
        repository: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._auther = auther
        self._gate = gate
        self._repository = repository
        self._clock = clock

    @property
    def are_known(self) -> bool:
        """Somebody checks passwords."""
        return self._auther is not None

    def recognise(self, presented: Presented | None, address: IPAddress | None) -> Publisher | None:
        """The publisher that a request is from, None where it is from somebody else.

        A name without a password is a token given as the name. It is not asked about: some
        password checks take an empty password for a question about nobody, and say yes.

        Raises:
            PasswordsUnknown: when the check cannot be made, since its file is gone or damaged.
        """
        if self._auther is None or presented is None or presented.scheme is not AuthScheme.BASIC:
            return None
        if not _may_exist(presented.username, presented.secret):
            return None
        if self._is_token(presented, address):
            return None
        try:
            # As pypiserver asks: a vendor's function may answer with the user that it found.
            knows = bool(self._auther(presented.username, presented.secret))
        except (OSError, ValueError) as error:
            raise PasswordsUnknown(str(error)) from error
        return Publisher(presented.username) if knows else None

    def _is_token(self, presented: Presented, address: IPAddress | None) -> bool:
        if looks_generated(presented.secret):
            return True
        opened = self._gate.repositories(presented, address, self._clock(), only_tokens=False)
        return isinstance(opened, tuple) and self._repository in opened


def _may_exist(username: str, password: str) -> bool:
    """Whether an account can have them; passlib raises for what none has, and does not say no."""
    return (
        0 < len(username) <= _LONGEST_NAME
        and not _IMPOSSIBLE.search(username)
        and not _IMPOSSIBLE_IN_PASSWORD.search(password)
    )


def was_admitted(_user: str, _password: str) -> bool:
    """The password check that pypiserver gets: yes to whoever the middleware let in."""
    return isinstance(current_user(), Publisher | Uploader)
