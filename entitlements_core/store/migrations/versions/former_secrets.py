"""When a secret that was replaced, and goes on for a while, was used last."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Of uses so far nothing is known."""
    op.add_column("secrets", sa.Column("last_used_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("secrets", "last_used_at")
