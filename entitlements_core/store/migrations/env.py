"""What Alembic runs to migrate: on the connection, and in the transaction, that it is handed."""

from alembic import context
from sqlmodel import SQLModel

from entitlements_core.store import models  # noqa: F401 - importing the tables registers them

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    # SQLite can roll back a half-made schema too; the connection says BEGIN itself.
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
