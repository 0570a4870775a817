"""Secrets that were replaced and go on for a while: their numbers, and when they were used last."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Of uses so far nothing is known."""
    op.add_column("secrets", sa.Column("former", sa.Integer(), nullable=True))
    op.add_column("secrets", sa.Column("last_used_at", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE secrets SET former = ("
        "SELECT count(*) FROM secrets o WHERE o.token_id = secrets.token_id"
        " AND o.repository_id = secrets.repository_id AND o.valid_until IS NOT NULL"
        " AND o.digest <= secrets.digest"
        ") WHERE valid_until IS NOT NULL"
    )


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("secrets", "last_used_at")
    op.drop_column("secrets", "former")
