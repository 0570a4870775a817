"""Which index or account has a name now: marks by devpi's own history.

Names come back. An index that is deleted and made again, perhaps by another owner of the name, is
not the one that a token was made for. devpi writes each change of a user and of the user's indexes
under one key and never forgets it, on a primary as on its replicas; so a mark is taken from the
commit since which the index or the account has been there without a break.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from devpi_entitlements.devpi_types import Key, Transaction, Xom
from devpi_entitlements.serials import Serials

__all__ = ["Marks"]

MISSING: Final = ""
"""The mark of what is not there."""
LARGEST: Final = 16384
"""How many answers are remembered."""


@dataclass(frozen=True, slots=True)
class _User:
    """A user and their indexes after a commit.

    Attributes:
        serial: of the commit that last changed them.
        account: the mark of the account.
        indexes: the marks of the indexes, by their names.
    """

    serial: int = -1
    account: str = MISSING
    indexes: Mapping[str, str] = field(default_factory=dict)

    def after(self, serial: int, value: Mapping[str, Any] | None) -> _User:
        """The same after a later commit; `value` is what devpi keeps of a user, or None."""
        if not value:
            return _User(serial)
        mark = _digest(serial, value)
        names = value.get("indexes") or ()
        indexes = {name: self.indexes.get(name, mark) for name in names}
        return _User(serial, self.account or mark, indexes)


class Marks:
    """The marks of one devpi-server.

    Args:
        xom: devpi-server's own composition root.

    Attributes:
        serials: tells devpi's last commit.
    """

    def __init__(self, xom: Xom) -> None:
        self._keyfs = xom.keyfs
        self.serials = Serials(xom.keyfs)
        self._users: dict[str, _User] = {}
        self._answers: dict[tuple[str, str], tuple[int, str]] = {}
        self._lock = threading.Lock()

    def of(self, repository: str, user: str = "") -> str:
        """The mark of an index, with that of a user's account where one is named.

        Empty where there is no such index or user. Remembered until anything is committed.
        """
        found = self._answers.get((repository, user))
        if found is not None and found[0] == self.serials.current():
            return found[1]
        with self._keyfs.read_transaction(allow_reuse=True) as tx:
            mark = self._find(tx, repository, user)
            self._keep((repository, user), (tx.at_serial, mark))
        return mark

    def _keep(self, key: tuple[str, str], answer: tuple[int, str]) -> None:
        if len(self._answers) >= LARGEST:
            self._answers.clear()
        self._answers[key] = answer

    def _find(self, tx: Transaction, repository: str, user: str) -> str:
        owner, _, index = repository.partition("/")
        mark = self._user(tx, owner).indexes.get(index, MISSING)
        if not user or not mark:
            return mark
        account = self._user(tx, user).account
        return f"{mark}-{account}" if account else MISSING

    def _user(self, tx: Transaction, name: str) -> _User:
        key = self._keyfs.USER(user=name)
        last = tx.get_last_serial_and_value_at(key, tx.at_serial, raise_on_error=False)
        if last is None:
            return _User()
        with self._lock:
            known = self._users.get(name, _User())
        if known.serial == last[0]:
            return known
        if known.serial > last[0]:  # this transaction began before that commit
            return _replayed(_User(), _versions(tx, key, last[0], -1))
        found = _replayed(known, _versions(tx, key, last[0], known.serial))
        with self._lock:
            self._users[name] = found
        return found


Versions = list[tuple[int, Mapping[str, Any] | None]]


def _versions(tx: Transaction, key: Key, last: int, known: int) -> Versions:
    """What was written under a key, oldest first, after the serial `known`."""
    found: Versions = []
    for serial, value in tx.iter_serial_and_value_backwards(key.relpath, last):
        if serial <= known:
            break
        found.append((serial, value))
    return found[::-1]


def _replayed(user: _User, versions: Versions) -> _User:
    for serial, value in versions:
        user = user.after(serial, value)
    return user


def _digest(serial: int, user: Mapping[str, Any]) -> str:
    """A short name of a commit. The salted hash of the password makes it one of this server."""
    said = "\0".join([str(serial), str(user.get("pwhash")), str(user.get("created"))])
    return hashlib.blake2b(said.encode(), digest_size=12).hexdigest()
