"""Why a server cannot be reached is said, and nothing of a password with it."""

import psycopg
import pytest

from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import unreachable
from entitlements_core.store.schema_revisions import stored_revision
from tests.postgres import Server

REASONS = [
    ("postgresql://u:Secret@127.0.0.1:1/x", "Connection refused"),
    ("postgresql://u:Secret@127.0.0.1:1,127.0.0.1:2/x", "Connection refused"),
    ("postgresql://u:Secret@127.0.0.1/x?bogus=Secret", 'invalid connection option "bogus"'),
    ("postgresql://127.0.0.1/x?sslmode=Secret", 'invalid sslmode value: "***"'),
    ("postgresql://u:Secret@127.0.0.1/x?sslmode=requir", 'invalid sslmode value: "requir"'),
    ("postgresql://u:Secret@127.0.0.1/x?connect_timeout=Secret", "connect_timeout"),
    ("postgresql://u:Secret@no-such-host.invalid/x", "no-such-host.invalid"),
]


@pytest.mark.parametrize(("url", "reason"), REASONS)
def test_libpq_says_why(url: str, reason: str) -> None:
    with pytest.raises(Exception, match="cannot be reached: ") as caught:
        stored_revision(DatabaseURL.parse(url))
    assert reason in str(caught.value)
    assert "Secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_short_password_leaves_no_trace() -> None:
    said = str(unreachable("db", psycopg.OperationalError("Connection refused"), {"e"}))
    assert "refused" not in said
    assert "***" not in said


def test_the_server_says_why(postgres: Server) -> None:
    url = postgres.url("postgres").replace("postgres@", "nobody:Secret@")
    with pytest.raises(Exception, match='role "nobody" does not exist') as caught:
        stored_revision(DatabaseURL.parse(url))
    assert "Secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n", "a" * 5000, "x\x1b[2Jy", "Secret Secret2 Secret"])
def test_a_reason_is_one_short_line_without_secrets(text: str) -> None:
    said = str(unreachable("db", psycopg.OperationalError(text), {"Secret", "Secret2"}))
    assert len(said) < 500
    assert not {"\n", "\x1b"} & {*said}
    assert "Secret" not in said
