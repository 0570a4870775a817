"""Addresses of PostgreSQL, in libpq's spelling and SQLAlchemy's; none shows a secret."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from entitlements_core.errors import ConfigurationError
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.postgres_url import PostgresURL

READ_WRITE = {"target_session_attrs": "read-write"}


@pytest.mark.parametrize(
    ("rest", "shown", "parameters"),
    [
        ("", "postgresql://", {}),
        ("/", "postgresql://", {}),
        ("/shop", "postgresql:///shop", {"dbname": "shop"}),
        ("h/shop", "postgresql://h/shop", {"host": "h", "dbname": "shop"}),
        (
            "ann:pa%40ss@h:5433/shop",
            "postgresql://ann@h:5433/shop",
            {"host": "h", "port": "5433", "user": "ann", "password": "pa@ss", "dbname": "shop"},
        ),
        (
            "a:1,b:2/d",
            "postgresql://a:1,b:2/d",
            {"host": "a,b", "port": "1,2", "dbname": "d"} | READ_WRITE,
        ),
        ("a,b/d", "postgresql://a,b/d", {"host": "a,b", "dbname": "d"} | READ_WRITE),
        (
            "/d?host=a,b&port=1,2",
            "postgresql://a:1,b:2/d",
            {"host": "a,b", "port": "1,2", "dbname": "d"} | READ_WRITE,
        ),
        (
            "/d?host=a:1&host=b:2",
            "postgresql://a:1,b:2/d",
            {"host": "a,b", "port": "1,2", "dbname": "d"} | READ_WRITE,
        ),
        (
            "/d?host=a,b&port=7",
            "postgresql://a:7,b:7/d",
            {"host": "a,b", "port": "7,7", "dbname": "d"} | READ_WRITE,
        ),
        (
            "u:,@h/,",
            "postgresql://u@h/,",
            {"host": "h", "user": "u", "password": ",", "dbname": ","},
        ),
        ("/d?port=7", "postgresql://:7/d", {"port": "7", "dbname": "d"}),
        (
            "a,b/d?target_session_attrs=any",
            "postgresql://a,b/d",
            {"host": "a,b", "dbname": "d", "target_session_attrs": "any"},
        ),
        (
            "ann@[2001:db8::1]:5433,[::1]/d",
            "postgresql://ann@[2001:db8::1]:5433,[::1]/d",
            {"host": "2001:db8::1,::1", "port": "5433,", "user": "ann", "dbname": "d"} | READ_WRITE,
        ),
        (
            "ann@/d?host=/run/pg&port=5433",
            "postgresql://ann@/d?host=/run/pg&port=5433",
            {"host": "/run/pg", "port": "5433", "user": "ann", "dbname": "d"},
        ),
        (
            "%2Frun%2Fpg/d",
            "postgresql:///d?host=/run/pg",
            {"host": "/run/pg", "dbname": "d"},
        ),
        (
            "h/d?user=ann&password=hunter2&sslmode=require",
            "postgresql://ann@h/d",
            {
                "host": "h",
                "dbname": "d",
                "user": "ann",
                "password": "hunter2",
                "sslmode": "require",
            },
        ),
    ],
)
def test_addresses(rest: str, shown: str, parameters: dict[str, str]) -> None:
    address = DatabaseURL.parse(f"postgresql://{rest}")
    assert str(address) == shown
    assert address.postgres.parameters() == parameters
    for secret in ("pa@ss", "pa%40ss", "hunter2"):
        assert secret not in repr(address) + repr(address.postgres) + str(address.postgres)


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        ("h:abc/d", "'abc'"),
        ("h:0/d", "'0'"),
        ("h:65536/d", "'65536'"),
        ("h:99999999999999999999999/d", "no number"),
        ("h:-1/d", "'-1'"),
        ("h:٣/d", "no number"),
        ("a:1,b:x/d", "'x'"),
        ("/d?host=a&port=x", "'x'"),
        ("/d?host=a,b,c&port=1,2", "2 ports for 3 hosts"),
        ("::1/d", "without brackets"),
        ("[::1/d", "lacks its bracket"),
        ("[::1]5432/d", "lacks its bracket"),
        ("h/d?sslmode", "query"),
    ],
)
def test_addresses_that_cannot_be_read(rest: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        DatabaseURL.parse(f"postgresql://ann:hunter2@{rest}")
    assert "hunter2" not in str(caught.value)


NAMES = st.from_regex(r"[a-z][a-z0-9.-]{0,12}", fullmatch=True)
ADDRESSES = st.ip_addresses(v=6).map(lambda one: f"[{one}]")
PORTS = st.integers(1, 65535).map(str)
TEXT = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=9)


@given(st.lists(st.tuples(NAMES | ADDRESSES, PORTS), min_size=1, max_size=4), TEXT, TEXT, TEXT)
def test_both_spellings_mean_what_libpq_means(
    hosts: list[tuple[str, str]], user: str, password: str, database: str
) -> None:
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    path = quote(database, safe="")
    servers = ",".join(f"{host}:{port}" for host, port in hosts)
    names = ",".join(host.strip("[]") for host, _ in hosts)
    ports = ",".join(port for _, port in hosts)
    before = PostgresURL.parse(f"{login}@{servers}/{path}")
    found: dict[str, Any] = conninfo_to_dict(f"postgresql://{login}@{servers}/{path}")

    wanted = found | (READ_WRITE if len(hosts) > 1 else {})
    assert before.parameters() == wanted
    if not any(host.startswith("[") for host, _ in hosts):
        behind = PostgresURL.parse(f"{login}@/{path}?host={names}&port={ports}")
        assert behind == before
    assert str(before).startswith("postgresql://")
    assert PostgresURL.parse(f"u:{quote(password, safe='')}@h/d").password == password


SECRET = "Sec"
LEAKY = [
    f"u:{SECRET}/ret@127.0.0.1/db",
    f"u:12/{SECRET}@127.0.0.1/db",
    f"u:{SECRET}?ret@127.0.0.1/db",
    f"u:{SECRET}#/ret@127.0.0.1/db",
    f"u:a@b/{SECRET}@127.0.0.1/db",
    f"u:{SECRET}/re?t@127.0.0.1/db",
    f"u@127.0.0.1:1/db?dbname=postgresql://u:{SECRET}@127.0.0.1:1/x",
    f"u@127.0.0.1:1/db?dbname=host=x%20password={SECRET}",
    f"u:{SECRET}@127.0.0.1:port/db",
    f"u:{SECRET}@127.0.0.1/db?host=[::1",
    f"u:x@127.0.0.1/db?password={SECRET}",
    f"u:{SECRET}@127.0.0.1,127.0.0.2/db?port=1,2,3",
]


@pytest.mark.parametrize("rest", LEAKY)
def test_nothing_of_a_password_is_ever_shown(rest: str) -> None:
    try:
        shown = str(DatabaseURL.parse(f"postgresql://{rest}"))
    except ConfigurationError as error:
        shown = str(error)
    assert SECRET not in shown


def test_another_program_finds_the_database_without_the_password() -> None:
    place = PostgresURL.parse("u:Secret@a:1,b:2/db?sslmode=verify-full&sslpassword=Secret2")
    assert place.spelled_out == (
        "postgresql://u@a:1,b:2/db?target_session_attrs=read-write&sslmode=verify-full"
    )
    place = PostgresURL.parse("/db?host=/run/pg&port=1&options=-c%20a%3Db")
    assert place.spelled_out == "postgresql:///db?host=/run/pg&port=1&options=-c%20a%3Db"
    assert PostgresURL.parse("u@h/db").spelled_out == "postgresql://u@h/db"


def test_a_password_that_is_encoded_may_hold_anything() -> None:
    place = PostgresURL.parse("u:a%2Fb%40c%3Fd%3A@h:1/d%0Ab")
    assert (place.password, place.hosts) == ("a/b@c?d:", (("h", "1"),))
    assert str(place) == "postgresql://u@h:1/d%0Ab"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://odd:S3cret\udcffx@127.0.0.1:1/b",
        "postgresql://odd:S3cret@127.0.0.1:1/b?application_name=\udcff&password=S3cret",
        "postgresql://odd:S3cret@h\udcff/b",
        "postgresql://\ud800:S3cret@h/b",
    ],
)
def test_what_is_no_text_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is not UTF-8") as caught:
        DatabaseURL.parse(url)
    assert "S3cret" not in str(caught.value)
