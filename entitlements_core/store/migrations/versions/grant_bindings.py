"""What a grant was made for: the repository as the host knew it, and the bases seen through it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Grants so far are bound to nothing yet, and see no closed base."""
    op.add_column("grants", sa.Column("mark", sa.String(), nullable=True))
    op.add_column("grants", sa.Column("bases", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("grants", "bases")
    op.drop_column("grants", "mark")
