"""The policy's common view of a token, an access key and a signed URL.

A credential opens what its grants cover, in the state and within the limits it has. Whatever its
kind, the same checks decide; a kind only says how the credential came about and who may edit it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from entitlements_core.policy.bases import RecordedBases
from entitlements_core.policy.limits import Limits
from entitlements_core.policy.network import Networks
from entitlements_core.policy.query import PackageQuery

__all__ = ["Access", "Credential", "CredentialKind", "Eula", "Grant", "State"]


class CredentialKind(StrEnum):
    """How a credential came about."""

    STANDARD = "standard"
    """Cloudsmith's entitlement token, created by the vendor."""
    DEFAULT = "default"
    """The token that a repository is born with; it can be disabled, not deleted."""
    USER = "user"
    """Tied to a user of the host, and dead when the user may no longer read the repository."""
    ACCESS_KEY = "access_key"
    """Bintray's user name and password. None is made yet; a plugin may find one."""
    SIGNED_URL = "signed_url"
    """Bintray's expiring address of one file. The same is true of it."""


class State(StrEnum):
    """The vendor's switch. Expired or exhausted is derived from the clock and the counters."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    DELETED = "deleted"
    """Final: never enabled again."""


class Access(StrEnum):
    """What a grant allows: read, or read and upload (Bintray's ``r`` and ``rw``)."""

    READ = "r"
    WRITE = "rw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a credential opens in one repository.

    Attributes:
        repository: ``owner/slug``.
        access: read, or read and upload.
        restriction: what is visible and downloadable; None is everything in the repository.
        mark: of the repository that it was made for, as the host told; empty is not bound yet, and
            None neither, from before there were marks.
        bases: the other repositories that were seen through it when it was made.
    """

    repository: str
    access: Access = Access.READ
    restriction: PackageQuery | None = None
    mark: str | None = None
    bases: RecordedBases = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Eula:
    """Whether an end-user licence must be accepted before files are served.

    Attributes:
        required: by the token and the repository together.
        accepted: the revision that has to be accepted was.
        url: where to accept it; never holds a secret.
    """

    required: bool = False
    accepted: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One entry into an index. Never holds its secret.

    Attributes:
        id: the store's number of it, for counting; 0 for a credential of a foreign source, whose
            use is recorded by that source.
        identifier: its public name (Cloudsmith's ``slug_perm``).
        name: the vendor's label, such as the customer.
        kind: how it came about.
        state: the vendor's switch.
        grants: at most one per repository; nothing is open where there is none.
        limits: per reset period.
        valid_from: aware, inclusive; None is since ever.
        valid_until: aware, exclusive; None is for ever.
        updates_until: aware, inclusive: files uploaded later are hidden; None hides none.
        networks: which addresses may use it.
        eula: whether a licence stands between it and the files.
        user: of a user credential; empty otherwise.
        user_has_access: for a user credential, whether the host confirms it now; unknown is no.
        contact: whom a refused customer turns to; empty when the vendor named none.
        former: the store's number, among those of the token, of the former secret that opened it;
            None is the current one. For counting.
    """

    id: int = 0
    identifier: str
    name: str = ""
    kind: CredentialKind = CredentialKind.STANDARD
    state: State = State.ENABLED
    grants: tuple[Grant, ...] = ()
    limits: Limits = field(default_factory=Limits)
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    updates_until: datetime | None = None
    networks: Networks = field(default_factory=Networks)
    eula: Eula = field(default_factory=Eula)
    user: str = ""
    user_has_access: bool = False
    contact: str = ""
    former: int | None = None

    def grant_in(self, repository: str) -> Grant | None:
        """The grant for `repository`, or None: nothing is open there."""
        for grant in self.grants:
            if grant.repository == repository:
                return grant
        return None
