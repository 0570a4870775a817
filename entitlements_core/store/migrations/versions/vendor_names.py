"""Names that are the vendor's: those that its files have or had, and those that are reserved."""

import sqlalchemy as sa
from alembic import op

from entitlements_core.policy.project_names import names_in

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BATCH = 1000


def upgrade() -> None:
    """Make the tables. The names of all files that were ever uploaded are known at once."""
    names = op.create_table(
        "project_names",
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("repository_id", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reserved_names",
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("is_prefix", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("repository_id", "text", "is_prefix"),
        sqlite_with_rowid=False,
    )
    uploads = op.get_bind().execute(sa.text("SELECT repository_id, filename FROM uploads"))
    known = sorted({(number, name) for number, file in uploads for name in names_in(file)})
    for start in range(0, len(known), _BATCH):
        rows = [{"repository_id": number, "name": name} for number, name in known[start:][:_BATCH]]
        op.bulk_insert(names, rows)


def downgrade() -> None:
    """Drop the tables, with all reservations."""
    op.drop_table("reserved_names")
    op.drop_table("project_names")
