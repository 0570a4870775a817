"""A real PostgreSQL with some tokens, waiting for the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from entitlements_core.services.clock import now
from entitlements_core.store import postgres
from entitlements_core.store.database import Database
from entitlements_core.store.ledger_postgres import PostgresLedger
from entitlements_core.store.moments import to_micros
from tests.postgres import running_server

_FILL = """
INSERT INTO repositories (owner, slug, description, contact, enforce_eula, user_tokens_enabled,
                          revision, created_at, created_by)
VALUES ('acme', 'prod', '', '', false, false, 1, {now}, '');
INSERT INTO tokens (identifier, revision, name, kind, state, "user", owner, limit_bandwidth_unit,
                    scheduled_reset_period, reset_anchor, allow_networks, deny_networks,
                    eula_required, access_private_broadcasts, token_metadata, created_at,
                    created_by, updated_by, deleted_by)
SELECT 'id' || n, 1, 'bench', 'standard', 'enabled', '', '', 'Byte', 'Never Reset', {now}, '[]',
       '[]', false, false, '{{}}', {now}, '', '', '' FROM generate_series(1, {tokens}) n;
INSERT INTO usage (token_id, since, downloads, clients, bandwidth)
SELECT id, {now}, 0, 0, 0 FROM tokens;
"""


@contextmanager
def filled_ledger(tokens: int) -> Iterator[PostgresLedger]:
    """A ledger over a fresh database with `tokens` tokens numbered from 1."""
    with running_server() as server:
        url = server.create("bench", "template0")
        database = Database(url)
        database.upgrade()
        with closing(postgres.connect(database.url)) as connection:
            connection.execute(b"ALTER SYSTEM SET fsync = on")
            connection.execute(b"ALTER SYSTEM SET synchronous_commit = on")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(_FILL.format(now=to_micros(now()), tokens=tokens + 2).encode())
        database.close()
        ledger = PostgresLedger(url)
        try:
            yield ledger
        finally:
            ledger.close()
