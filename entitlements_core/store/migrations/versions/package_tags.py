"""The vendor's tags on packages."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table. A version is an empty text where a tag is on every version of a project."""
    op.create_table(
        "package_tags",
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("repository_id", "project", "version", "tag"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the table, with all tags on packages."""
    op.drop_table("package_tags")
