"""When files came into repositories."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table. What lies in a repository so far is adopted with its modification times."""
    op.create_table(
        "uploads",
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("repository_id", "filename", "sha256"),
        sqlite_with_rowid=False,
    )
    op.add_column("repositories", sa.Column("adopted_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop both; modification times decide again."""
    op.drop_column("repositories", "adopted_at")
    op.drop_table("uploads")
