"""The tables. Rows never leave this package; the rest of the product sees policy values.

No ``from __future__ import annotations`` here: SQLModel reads the annotations at class creation.

The request path reads and writes some of these tables with statements of its own (`reader`,
`ledger`); a column renamed here is renamed there, and the conformance suite tells.
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from entitlements_core.store.column_types import Moment

__all__ = [
    "AuditRow",
    "ClientRow",
    "DownloadRow",
    "EulaAcceptanceRow",
    "EulaRow",
    "GrantRow",
    "LateDownloadRow",
    "PackageTagRow",
    "PartialRow",
    "ProjectNameRow",
    "PrunedRow",
    "RepositoryRow",
    "ReservedNameRow",
    "RollupRow",
    "RollupStateRow",
    "SecretRow",
    "StaleDayRow",
    "StoreInfoRow",
    "TagRow",
    "TokenRow",
    "UploadRow",
    "UsageRow",
]


def _big_id() -> Any:  # noqa: ANN401 - what SQLModel's Field returns
    # SQLite numbers rows by itself only in a column declared INTEGER.
    kind = BigInteger().with_variant(Integer(), "sqlite")
    return Field(default=None, sa_column=Column(kind, primary_key=True))


class StoreInfoRow(SQLModel, table=True):
    """Facts about the store itself: the fingerprint of the key it was made with."""

    __tablename__ = "store_info"

    name: str = Field(primary_key=True)
    value: str


class RepositoryRow(SQLModel, table=True):
    """An index that a host serves, ``owner/slug``.

    `revision` grows with every change that a credential depends on (licence, contact), and with
    every change of the tags on its packages and of the upload times of its files.
    A repository that was removed keeps its row, for the history of its downloads, but no secrets,
    so nothing opens it; adding it again takes the row up again.
    """

    __tablename__ = "repositories"
    __table_args__: ClassVar[Any] = (UniqueConstraint("owner", "slug"),)

    id: int | None = Field(default=None, primary_key=True)
    owner: str
    slug: str
    description: str = ""
    contact: str = ""
    enforce_eula: bool = False
    user_tokens_enabled: bool = False
    revision: int = 1
    created_at: datetime = Field(sa_type=Moment)
    created_by: str = ""
    removed_at: datetime | None = Field(default=None, sa_type=Moment)
    adopted_at: datetime | None = Field(default=None, sa_type=Moment)
    """When everything that lay in it at first was recorded in `uploads`; NULL before."""


class TokenRow(SQLModel, table=True):
    """A token, without its secret in clear.

    `revision` grows with every change: the request path keeps the compiled credential of a revision
    and reads the number on every request, so no change is ever missed.
    `sealed_secret` is the authenticated encryption of the secret, or None where sealing is off.
    """

    __tablename__ = "tokens"
    __table_args__: ClassVar[Any] = (
        Index("ix_tokens_state_kind", "state", "kind"),
        Index("ix_tokens_user", "user"),
        Index("ix_tokens_name", "name"),
        Index("ix_tokens_owner_state", "owner", "state"),
    )

    id: int | None = _big_id()
    identifier: str = Field(unique=True)
    revision: int = 1
    name: str
    kind: str
    state: str
    user: str = ""
    owner: str = ""
    sealed_secret: bytes | None = Field(default=None, sa_type=LargeBinary)
    limit_num_downloads: int | None = Field(default=None, sa_type=BigInteger)
    limit_num_clients: int | None = Field(default=None, sa_type=BigInteger)
    limit_bandwidth: int | None = Field(default=None, sa_type=BigInteger)
    limit_bandwidth_unit: str = "Byte"
    limit_date_range_from: datetime | None = Field(default=None, sa_type=Moment)
    limit_date_range_to: datetime | None = Field(default=None, sa_type=Moment)
    scheduled_reset_period: str = "Never Reset"
    reset_anchor: datetime = Field(sa_type=Moment)
    updates_until: datetime | None = Field(default=None, sa_type=Moment)
    allow_networks: list[str] = Field(default_factory=list, sa_type=JSON)
    deny_networks: list[str] = Field(default_factory=list, sa_type=JSON)
    eula_required: bool = False
    access_private_broadcasts: bool = False
    token_metadata: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    created_at: datetime = Field(sa_type=Moment)
    created_by: str = ""
    updated_at: datetime | None = Field(default=None, sa_type=Moment)
    updated_by: str = ""
    deleted_at: datetime | None = Field(default=None, sa_type=Moment)
    deleted_by: str = ""


class TagRow(SQLModel, table=True):
    """A free word on a token, to find it by."""

    __tablename__ = "token_tags"

    token_id: int = Field(foreign_key="tokens.id", primary_key=True, sa_type=BigInteger)
    tag: str = Field(primary_key=True, index=True)


class GrantRow(SQLModel, table=True):
    """What a token opens in one repository; `limit_package_query` None is everything."""

    __tablename__ = "grants"
    __table_args__: ClassVar[Any] = (
        # Of rows with `is_default` only, as the migration says. Said here as well, it would load
        # PostgreSQL's dialect, a tenth of a second, with every command on every store.
        Index("ix_grants_default", "repository_id", unique=True),
    )

    token_id: int = Field(foreign_key="tokens.id", primary_key=True, sa_type=BigInteger)
    repository_id: int = Field(foreign_key="repositories.id", primary_key=True, index=True)
    access: str = "r"
    limit_package_query: str | None = None
    is_default: bool = False
    """The repository's default token, at most one each; it can be disabled, not deleted."""
    mark: str | None = None
    """What the host called the repository (and the account of a user token) when it was granted;
    empty where it could not tell, NULL from before there were marks."""
    bases: dict[str, str] = Field(default_factory=dict, sa_type=JSON)
    """Name and mark of the repositories that were seen through this one then."""


class PackageTagRow(SQLModel, table=True):
    """A tag of the vendor's on a project (normalised), for a package query to ask for.

    `version` is an empty text where the tag is on every version, else PEP 440 as ``str(Version)``
    spells it.
    """

    __tablename__ = "package_tags"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    repository_id: int = Field(foreign_key="repositories.id", primary_key=True)
    project: str = Field(primary_key=True)
    version: str = Field(primary_key=True)
    tag: str = Field(primary_key=True)


class UploadRow(SQLModel, table=True):
    """When a file, which is its name and its contents, was seen in a repository for the first time.

    Rows stay when the file goes, so that one that comes back has its old time. A time that is
    changed raises the repository's `revision`.
    """

    __tablename__ = "uploads"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    repository_id: int = Field(foreign_key="repositories.id", primary_key=True)
    filename: str = Field(primary_key=True)
    sha256: str = Field(primary_key=True)
    at: datetime = Field(sa_type=Moment)


class ProjectNameRow(SQLModel, table=True):
    """A name (normalised) that a file of the repository has or had: it is the vendor's for good."""

    __tablename__ = "project_names"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    repository_id: int = Field(foreign_key="repositories.id", primary_key=True)
    name: str = Field(primary_key=True)


class ReservedNameRow(SQLModel, table=True):
    """A name, or with `is_prefix` 1 the beginning of names, that is the vendor's without a file."""

    __tablename__ = "reserved_names"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    repository_id: int = Field(foreign_key="repositories.id", primary_key=True)
    text: str = Field(primary_key=True)
    is_prefix: int = Field(primary_key=True)


class SecretRow(SQLModel, table=True):
    """Which token a secret opens in a repository: the only table a request is looked up in.

    One row for each repository and each secret that is not over; by the primary key, no two tokens
    have the same secret in a repository. A secret that was replaced and goes on for a while has
    `valid_until` (exclusive), and in `former` its number among the token's former ones in the
    repository. `last_used_at` is when a file was sent for it last since it was replaced.
    """

    __tablename__ = "secrets"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    repository_id: int = Field(foreign_key="repositories.id", primary_key=True)
    token_id: int = Field(foreign_key="tokens.id", index=True, sa_type=BigInteger)
    valid_until: datetime | None = Field(default=None, sa_type=Moment)
    former: int | None = None
    last_used_at: datetime | None = Field(default=None, sa_type=Moment)


class UsageRow(SQLModel, table=True):
    """The counters of a token since they last were zero. Made with the token, never without it."""

    __tablename__ = "usage"

    token_id: int = Field(foreign_key="tokens.id", primary_key=True, sa_type=BigInteger)
    since: datetime = Field(sa_type=Moment)
    downloads: int = Field(default=0, sa_type=BigInteger)
    clients: int = Field(default=0, sa_type=BigInteger)
    bandwidth: int = Field(default=0, sa_type=BigInteger)
    last_used_at: datetime | None = Field(default=None, sa_type=Moment)


class ClientRow(SQLModel, table=True):
    """A client of a token. It counts in the current period when `since` is the usage's `since`."""

    __tablename__ = "clients"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    token_id: int = Field(foreign_key="tokens.id", primary_key=True, sa_type=BigInteger)
    client: str = Field(primary_key=True)
    since: datetime = Field(sa_type=Moment)
    first_seen_at: datetime = Field(sa_type=Moment)
    last_seen_at: datetime = Field(sa_type=Moment)


class DownloadRow(SQLModel, table=True):
    """A counted download, with the bytes of every answer that rode on it."""

    __tablename__ = "downloads"
    __table_args__: ClassVar[Any] = (
        Index("ix_downloads_token_file", "token_id", "filename", "client", "at"),
        Index("ix_downloads_repository_at", "repository_id", "at"),
    )

    id: int | None = _big_id()
    at: datetime = Field(sa_type=Moment)
    token_id: int = Field(foreign_key="tokens.id", sa_type=BigInteger)
    repository_id: int = Field(foreign_key="repositories.id")
    project: str
    version: str
    filename: str
    client: str
    user_agent: str = ""
    requests: int = 1
    bandwidth: int = Field(default=0, sa_type=BigInteger)


class PartialRow(SQLModel, table=True):
    """Bytes of ranges that a client collected of a file and that are no download yet."""

    __tablename__ = "partial_downloads"

    token_id: int = Field(foreign_key="tokens.id", primary_key=True, sa_type=BigInteger)
    repository_id: int = Field(foreign_key="repositories.id", primary_key=True)
    filename: str = Field(primary_key=True)
    client: str = Field(primary_key=True)
    collected: int = Field(default=0, sa_type=BigInteger)
    since: datetime = Field(sa_type=Moment)


class RollupRow(SQLModel, table=True):
    """The downloads of some days, summed up; `body` is a `rollup_tables.Table`.

    A day has the kind ``daily``, with everything that a report can be broken down by; months and
    years have kinds with less. The sums stand beside it, to be compared with the downloads.
    """

    __tablename__ = "rollups"

    kind: str = Field(primary_key=True)
    first_day: int = Field(primary_key=True)
    past_day: int = Field(primary_key=True)
    downloads: int = Field(sa_type=BigInteger)
    requests: int = Field(sa_type=BigInteger)
    bandwidth: int = Field(sa_type=BigInteger)
    body: bytes = Field(sa_type=LargeBinary)


class RollupStateRow(SQLModel, table=True):
    """How far roll-ups go, in one row.

    Triggers on `downloads` read it. A change of a download before `closed_until` makes its day
    stale; before `frozen_until`, where downloads may be gone, it is kept as a difference.
    `generation` grows with every change of a roll-up. `pruning` is set only within a transaction
    that removes what is summed up.
    """

    __tablename__ = "rollup_state"

    id: int | None = Field(default=None, primary_key=True)
    closed_until: datetime = Field(sa_type=Moment)
    frozen_until: datetime = Field(sa_type=Moment)
    pruning: int = 0
    generation: int = Field(default=0, sa_type=BigInteger)


class StaleDayRow(SQLModel, table=True):
    """A day whose roll-ups are out of date; `mark` is another one after each change."""

    __tablename__ = "rollup_stale_days"

    # Both values are given: the database must not number the rows by itself.
    day: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    mark: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))


class LateDownloadRow(SQLModel, table=True):
    """A difference to the roll-ups of days that are frozen: more downloads, or fewer."""

    __tablename__ = "late_downloads"

    id: int | None = _big_id()
    at: datetime = Field(sa_type=Moment)
    token_id: int = Field(sa_type=BigInteger)
    repository_id: int
    project: str
    version: str
    filename: str
    client: str
    user_agent: str
    downloads: int
    requests: int = Field(sa_type=BigInteger)
    bandwidth: int = Field(sa_type=BigInteger)


class PrunedRow(SQLModel, table=True):
    """How many downloads of a file were removed; they go on counting for package queries."""

    __tablename__ = "pruned_downloads"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    repository_id: int = Field(foreign_key="repositories.id", primary_key=True)
    filename: str = Field(primary_key=True)
    downloads: int = Field(sa_type=BigInteger)


class AuditRow(SQLModel, table=True):
    """One change of anything: who, when, what, before and after. No secrets."""

    __tablename__ = "audit"
    __table_args__: ClassVar[Any] = (
        Index("ix_audit_at", "at"),
        Index("ix_audit_repository", "repository"),
    )

    id: int | None = _big_id()
    at: datetime = Field(sa_type=Moment)
    actor: str
    action: str
    repository: str = ""
    token: str = Field(default="", index=True)
    before: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    after: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)


class EulaRow(SQLModel, table=True):
    """A numbered revision of a repository's licence text; the highest number is in force."""

    __tablename__ = "eulas"
    __table_args__: ClassVar[Any] = (UniqueConstraint("repository_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    repository_id: int = Field(foreign_key="repositories.id")
    number: int
    identifier: str = Field(unique=True)
    content: str
    sha256: str
    created_at: datetime = Field(sa_type=Moment)
    created_by: str = ""


class EulaAcceptanceRow(SQLModel, table=True):
    """That a token's holder accepted a revision."""

    __tablename__ = "eula_acceptances"

    token_id: int = Field(foreign_key="tokens.id", primary_key=True, sa_type=BigInteger)
    eula_id: int = Field(foreign_key="eulas.id", primary_key=True)
    accepted_at: datetime = Field(sa_type=Moment)
    accepted_from: str = ""
