"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only in a column declared INTEGER.
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make all tables. Times are whole microseconds since 1970 in UTC."""
    _repositories()
    _tokens()
    _openings()
    _use()
    _records()


def downgrade() -> None:
    """Drop all tables, with everything in them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


_TABLES = (
    "store_info",
    "repositories",
    "tokens",
    "token_tags",
    "grants",
    "secrets",
    "usage",
    "clients",
    "downloads",
    "partial_downloads",
    "audit",
    "eulas",
    "eula_acceptances",
)


def _repositories() -> None:
    """The indexes, and what the store knows of itself."""
    op.create_table(
        "store_info",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "repositories",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("contact", sa.String(), nullable=False),
        sa.Column("enforce_eula", sa.Boolean(), nullable=False),
        sa.Column("user_tokens_enabled", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("owner", "slug"),
    )


def _tokens() -> None:
    """The tokens."""
    op.create_table(
        "tokens",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("identifier", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=True),
        sa.Column("limit_num_downloads", sa.BigInteger(), nullable=True),
        sa.Column("limit_num_clients", sa.BigInteger(), nullable=True),
        sa.Column("limit_bandwidth", sa.BigInteger(), nullable=True),
        sa.Column("limit_bandwidth_unit", sa.String(), nullable=False),
        sa.Column("limit_date_range_from", sa.BigInteger(), nullable=True),
        sa.Column("limit_date_range_to", sa.BigInteger(), nullable=True),
        sa.Column("scheduled_reset_period", sa.String(), nullable=False),
        sa.Column("reset_anchor", sa.BigInteger(), nullable=False),
        sa.Column("updates_until", sa.BigInteger(), nullable=True),
        sa.Column("allow_networks", sa.JSON(), nullable=False),
        sa.Column("deny_networks", sa.JSON(), nullable=False),
        sa.Column("eula_required", sa.Boolean(), nullable=False),
        sa.Column("access_private_broadcasts", sa.Boolean(), nullable=False),
        sa.Column("token_metadata", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_by", sa.String(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("identifier"),
    )
    op.create_index("ix_tokens_name", "tokens", ["name"], unique=False)
    op.create_index("ix_tokens_owner_state", "tokens", ["owner", "state"], unique=False)
    op.create_index("ix_tokens_state_kind", "tokens", ["state", "kind"], unique=False)
    op.create_index("ix_tokens_user", "tokens", ["user"], unique=False)


def _openings() -> None:
    """What tokens open, and with which secrets."""
    op.create_table(
        "token_tags",
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"]),
        sa.PrimaryKeyConstraint("token_id", "tag"),
    )
    op.create_index("ix_token_tags_tag", "token_tags", ["tag"], unique=False)
    op.create_table(
        "grants",
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("access", sa.String(), nullable=False),
        sa.Column("limit_package_query", sa.String(), nullable=True),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"]),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"]),
        sa.PrimaryKeyConstraint("token_id", "repository_id"),
    )
    op.create_index(
        "ix_grants_default",
        "grants",
        ["repository_id"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )
    op.create_index("ix_grants_repository_id", "grants", ["repository_id"], unique=False)
    op.create_table(
        "secrets",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"]),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"]),
        sa.PrimaryKeyConstraint("digest", "repository_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_secrets_token_id", "secrets", ["token_id"], unique=False)


def _use() -> None:
    """What tokens used."""
    op.create_table(
        "usage",
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("downloads", sa.BigInteger(), nullable=False),
        sa.Column("clients", sa.BigInteger(), nullable=False),
        sa.Column("bandwidth", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"]),
        sa.PrimaryKeyConstraint("token_id"),
    )
    op.create_table(
        "clients",
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"]),
        sa.PrimaryKeyConstraint("token_id", "client"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "downloads",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("user_agent", sa.String(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("bandwidth", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"]),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_downloads_repository_at", "downloads", ["repository_id", "at"], unique=False
    )
    op.create_index(
        "ix_downloads_token_file",
        "downloads",
        ["token_id", "filename", "client", "at"],
        unique=False,
    )
    op.create_table(
        "partial_downloads",
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("collected", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"]),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"]),
        sa.PrimaryKeyConstraint("token_id", "repository_id", "filename", "client"),
    )


def _records() -> None:
    """Licences, and the record of all changes."""
    op.create_table(
        "audit",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)
    op.create_index("ix_audit_repository", "audit", ["repository"], unique=False)
    op.create_index("ix_audit_token", "audit", ["token"], unique=False)
    op.create_table(
        "eulas",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("identifier", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("identifier"),
        sa.UniqueConstraint("repository_id", "number"),
    )
    op.create_table(
        "eula_acceptances",
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("eula_id", sa.Integer(), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=False),
        sa.Column("accepted_from", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["eula_id"], ["eulas.id"]),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"]),
        sa.PrimaryKeyConstraint("token_id", "eula_id"),
    )
