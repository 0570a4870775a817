"""What was downloaded, summed up by days; made later, a little at a time (see `rollup_rows`)."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_DAY = 86_400_000_000
_COLUMNS = (
    "at, token_id, repository_id, project, version, filename, client, user_agent, downloads,"
    " requests, bandwidth"
)
_OLD = (
    "OLD.at, OLD.token_id, OLD.repository_id, OLD.project, OLD.version, OLD.filename, OLD.client,"
    " OLD.user_agent, -1, -OLD.requests, -OLD.bandwidth"
)
_NEW = (
    "NEW.at, NEW.token_id, NEW.repository_id, NEW.project, NEW.version, NEW.filename, NEW.client,"
    " NEW.user_agent, 1, NEW.requests, NEW.bandwidth"
)


def upgrade() -> None:
    """Make the tables, and let the database itself notice what changes in a day that is over.

    Whoever counts needs to know nothing of it: servers of an earlier version go on as before.
    """
    op.create_table(
        "rollups",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("first_day", sa.Integer(), nullable=False),
        sa.Column("past_day", sa.Integer(), nullable=False),
        sa.Column("downloads", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("bandwidth", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "first_day", "past_day"),
    )
    state = op.create_table(
        "rollup_state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("closed_until", sa.BigInteger(), nullable=False),
        sa.Column("frozen_until", sa.BigInteger(), nullable=False),
        sa.Column("pruning", sa.Integer(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "rollup_stale_days",
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "mark"),
    )
    op.create_table(
        "late_downloads",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("user_agent", sa.String(), nullable=False),
        sa.Column("downloads", sa.Integer(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("bandwidth", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "pruned_downloads",
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("downloads", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("repository_id", "filename"),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(
        state,
        [{"id": 1, "closed_until": 0, "frozen_until": 0, "pruning": 0, "generation": 0}],
    )
    for statement in _TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    """Drop all of it. What was pruned is in no report then."""
    for statement in _UNDONE[op.get_bind().dialect.name]:
        op.execute(statement)
    for table in (
        "pruned_downloads",
        "late_downloads",
        "rollup_stale_days",
        "rollup_state",
        "rollups",
    ):
        op.drop_table(table)


# Before `frozen_until`, the roll-ups are all there is: what comes late is a difference to them.
# From there to `closed_until` the downloads are there too: their day is summed up again. A day has
# another mark after each change, so that whoever sums it up knows whether it changed meanwhile.
_NOTE_OLD = f"""
    INSERT INTO late_downloads ({_COLUMNS})
    SELECT {_OLD} FROM rollup_state WHERE OLD.at < frozen_until AND pruning = 0;
    DELETE FROM rollup_stale_days WHERE day = OLD.at / {_DAY}
        AND OLD.at >= (SELECT frozen_until FROM rollup_state);
    INSERT INTO rollup_stale_days (day, mark)
    SELECT OLD.at / {_DAY}, random() FROM rollup_state
    WHERE OLD.at < closed_until AND OLD.at >= frozen_until;
"""  # noqa: S608 - only constants are put together
_NOTE_NEW = _NOTE_OLD.replace(_OLD, _NEW).replace("OLD.at", "NEW.at").replace("AND pruning = 0", "")
_CLOSED = "(SELECT closed_until FROM rollup_state)"
_SQLITE = tuple(
    f"CREATE TRIGGER download_{name} AFTER {event} ON downloads WHEN {condition} BEGIN {notes} END"
    for name, event, condition, notes in (
        ("counted", "INSERT", f"NEW.at < {_CLOSED}", _NOTE_NEW),
        ("changed", "UPDATE", f"min(OLD.at, NEW.at) < {_CLOSED}", _NOTE_OLD + _NOTE_NEW),
        ("dropped", "DELETE", f"OLD.at < {_CLOSED}", _NOTE_OLD),
    )
)
# A mark for each transaction: none waits for another one's row.
_POSTGRES = (
    f"""
    CREATE FUNCTION note_late_download() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        state rollup_state;
    BEGIN
        SELECT * INTO state FROM rollup_state;
        IF TG_OP <> 'INSERT' AND OLD.at < state.closed_until THEN
            IF OLD.at >= state.frozen_until THEN
                INSERT INTO rollup_stale_days (day, mark)
                VALUES (OLD.at / {_DAY}, txid_current()) ON CONFLICT DO NOTHING;
            ELSIF state.pruning = 0 THEN
                INSERT INTO late_downloads ({_COLUMNS}) VALUES ({_OLD});
            END IF;
        END IF;
        IF TG_OP <> 'DELETE' AND NEW.at < state.closed_until THEN
            IF NEW.at >= state.frozen_until THEN
                INSERT INTO rollup_stale_days (day, mark)
                VALUES (NEW.at / {_DAY}, txid_current()) ON CONFLICT DO NOTHING;
            ELSE
                INSERT INTO late_downloads ({_COLUMNS}) VALUES ({_NEW});
            END IF;
        END IF;
        RETURN NULL;
    END $$
    """,  # noqa: S608 - only constants are put together
    """
    CREATE TRIGGER download_noted AFTER INSERT OR UPDATE OR DELETE ON downloads
    FOR EACH ROW EXECUTE FUNCTION note_late_download()
    """,
)
_TRIGGERS = {"sqlite": _SQLITE, "postgresql": _POSTGRES}
_UNDONE = {
    "sqlite": tuple(f"DROP TRIGGER download_{what}" for what in ("counted", "changed", "dropped")),
    "postgresql": (
        "DROP TRIGGER download_noted ON downloads",
        "DROP FUNCTION note_late_download()",
    ),
}
