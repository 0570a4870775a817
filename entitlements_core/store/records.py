"""The values that leave the store, where policy has none of its own. No SQLAlchemy here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

__all__ = [
    "AuditEntry",
    "ClientRecord",
    "DownloadRecord",
    "EulaRevision",
    "FormerSecret",
    "FutureReset",
    "ListFilter",
    "ListPage",
    "Repository",
    "RollupReport",
    "UnboundGrants",
    "UsageLine",
]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """An index that a host serves.

    Attributes:
        name: ``owner/slug``.
        contact: whom a refused customer turns to.
        enforce_eula: tokens that ask for it have to accept the licence first.
        user_tokens_enabled: users of the host may have tokens of their own.
        revision: grows with every change that a credential depends on, and of packages' tags.
    """

    name: str
    description: str = ""
    contact: str = ""
    enforce_eula: bool = False
    user_tokens_enabled: bool = False
    revision: int = 1
    created_at: datetime
    created_by: str = ""

    @property
    def owner(self) -> str:
        """The part before the slash."""
        return self.name.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class EulaRevision:
    """A numbered revision of a repository's licence text.

    Attributes:
        number: from 1; the highest is in force.
        sha256: of the UTF-8 text, in hexadecimal.
    """

    repository: str
    number: int
    identifier: str
    content: str
    sha256: str
    created_at: datetime
    created_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnboundGrants:
    """Grants of one repository that are bound to nothing yet.

    Attributes:
        repository: ``owner/slug``.
        user: whose tokens they are of; empty for tokens that belong to no user.
        is_old: from before grants were bound.
    """

    repository: str
    user: str
    is_old: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change: who, when, what, before and after. Never a secret.

    Attributes:
        id: grows with time; 0 for an entry that is not written yet.
        action: such as ``token.created``.
        repository: ``owner/slug``, or empty.
        token: the token's identifier, or empty.
        before, after: the fields that changed.
    """

    id: int = 0
    at: datetime
    actor: str
    action: str
    repository: str = ""
    token: str = ""
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerSecret:
    """A secret that was replaced by another one, and goes on for a while.

    Attributes:
        valid_until: aware, exclusive.
        last_used_at: when the last file was sent for it, in any repository, since it was replaced;
            None is never.
    """

    valid_until: datetime
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRecord:
    """A client address that used a token.

    Attributes:
        client: an IPv4 address or IPv6 network.
        counts: it counts in the period that the token's counters are in.
    """

    client: str
    first_seen_at: datetime
    last_seen_at: datetime
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadRecord:
    """A counted download.

    Attributes:
        token: the token's identifier.
        repository: ``owner/slug``.
        requests: answers that made it up.
        bandwidth: bytes.
    """

    id: int
    at: datetime
    token: str
    repository: str
    package: str
    version: str
    filename: str
    client: str
    user_agent: str
    requests: int
    bandwidth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine:
    """One line of a usage report.

    Attributes:
        keys: the value of each dimension that was asked for, in that order.
        downloads: counted ones.
        requests: answers that made them up, resumed and repeated ones included.
        clients: distinct ones.
        bandwidth: bytes.
        last_at: the last counted download.
    """

    keys: tuple[str, ...]
    downloads: int
    requests: int
    clients: int
    bandwidth: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FutureReset:
    """Counters that were zeroed by a clock that was ahead.

    Attributes:
        token: its identifier.
        since: when they say they were zeroed.
        mended: the last reset that there really was, or now.
    """

    token: str
    since: datetime
    mended: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupReport:
    """How far roll-ups go.

    Attributes:
        closed_until: exclusive; what is before it is rolled up, or stale.
        frozen_until: exclusive; before it, downloads may have been removed.
        days: how many days have a roll-up.
        stale: how many days wait to be summed up again.
    """

    closed_until: datetime
    frozen_until: datetime
    days: int
    stale: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage(Generic[Item]):
    """A slice of a longer list.

    Attributes:
        total: how many there are in all.
        number: of this page, from 1.
        size: at most so many items.
    """

    items: tuple[Item, ...]
    total: int
    number: int
    size: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.size))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilter:
    """What a list shows beside the enabled tokens: Cloudsmith's view toggles.

    Attributes:
        disabled: disabled ones too.
        deleted: deleted ones too.
        all_users: the user tokens of other users too.
        user: whose own user tokens are always shown; empty for nobody's.
    """

    disabled: bool = False
    deleted: bool = False
    all_users: bool = False
    user: str = ""
