"""The URL of a PostgreSQL database, in libpq's spelling and in SQLAlchemy's.

Several servers are written ``host1:port1,host2:port2`` before the path, or ``host=…&port=…`` behind
it, with commas or repeated. See https://www.postgresql.org/docs/current/libpq-connect.html.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from entitlements_core.errors import ConfigurationError

__all__ = ["PostgresURL"]

_ADDRESS: Final = re.compile(r"://|password\s*=", re.IGNORECASE)
"""What lets libpq read the name of a database as a whole connection string."""
_PLAIN: Final = re.compile(
    r"application_name|channel_binding|client_encoding|connect_timeout|gssencmode|hostaddr"
    r"|keepalives\w*|load_balance_hosts|options|require_auth|service|ssl(mode|rootcert|negotiation)"
    r"|target_session_attrs|tcp_user_timeout"
)
"""Parameters whose values are no secret. What has another name may be part of a password."""
_PLAIN_VALUE: Final = re.compile(r"[a-z0-9_./-]+")
_HIGHEST_PORT: Final = 65_535
_EXAMPLES: Final = (
    "Write postgresql://user@host:5432/database, postgresql://user@host1:5432,host2:5432/database"
    " or postgresql://user@/database?host=host1,host2&port=5432,5432;"
    " an IPv6 address stands in brackets."
)


@dataclass(frozen=True, slots=True)
class PostgresURL:
    """Which server, database and user. Its text never shows a password.

    Attributes:
        hosts: names, addresses or folders of sockets, each with its port; empty text is libpq's
            default.
        user: empty for libpq's default.
        password: empty for none, or one that libpq finds elsewhere.
        database: empty for libpq's default.
        options: the other parameters, by libpq's names.
    """

    hosts: tuple[tuple[str, str], ...]
    user: str
    password: str = field(repr=False)
    database: str
    options: dict[str, str] = field(repr=False)

    @classmethod
    def parse(cls, rest: str) -> "PostgresURL":
        """Read what stands behind the scheme and ``://`` of a URL.

        Raises:
            ConfigurationError: when a host or port cannot be read, or it is not plain what belongs
                to the password.
        """
        before, _, query = rest.partition("?")
        authority, _, path = before.partition("/")
        if "@" in path or ("@" in query and "@" not in authority and ":" in authority):
            # Part of a password may stand anywhere in it, so nothing of it is repeated.
            raise _unreadable(
                "The user or password in the database address holds '/', '?' or '@' as it is.",
                "Write %2F, %3F or %40 for it, or leave the password to PGPASSWORD or ~/.pgpass.",
            )
        login, _, servers = authority.rpartition("@")
        user, _, password = login.partition(":")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        except ValueError:
            raise _unreadable("The query of the database address cannot be read.") from None
        options = {name: value for name, value in pairs if name not in {"host", "port"}}
        hosts = _hosts(
            servers,
            [one for name, value in pairs if name == "host" for one in value.split(",")],
            [one for name, value in pairs if name == "port" for one in value.split(",")],
        )
        database = options.pop("dbname", unquote(path))
        if _ADDRESS.search(database):
            raise _unreadable("The name of the database is another address.")
        return cls(
            hosts,
            options.pop("user", unquote(user)),
            options.pop("password", unquote(password)),
            database,
            options,
        )

    def __str__(self) -> str:
        user = f"{quote(self.user)}@" if self.user else ""
        database = f"/{quote(self.database, safe='/,=')}" if self.database else ""
        if any(host.startswith(("/", "@")) for host, _ in self.hosts):
            words = [f"host={','.join(host for host, _ in self.hosts)}"]
            if any(port for _, port in self.hosts):
                words.append(f"port={','.join(port for _, port in self.hosts)}")
            return f"postgresql://{user}{database or '/'}?{'&'.join(words)}"
        servers = ",".join(_spelled(host, port) for host, port in self.hosts)
        return f"postgresql://{user}{servers}{database}"

    @property
    def secrets(self) -> frozenset[str]:
        """What its text leaves out: the password, and values of parameters that may be one."""
        values = (
            value
            for name, value in self.options.items()
            if not (_PLAIN.fullmatch(name) and _PLAIN_VALUE.fullmatch(value))
        )
        return frozenset(one for one in (self.password, *values) if one)

    @property
    def spelled_out(self) -> str:
        """The whole URL but for passwords, for other programs: with all parameters."""
        own = {"host", "port", "user", "password", "dbname"}
        more = {
            name: value
            for name, value in self.parameters().items()
            if name not in own and "password" not in name
        }
        text, query = str(self), urlencode(more, quote_via=quote)
        return f"{text}{'&' if '?' in text else '?'}{query}" if query else text

    def parameters(self) -> dict[str, str]:
        """What libpq takes, by its names; of several servers, only the one that may be written."""
        # A list of nothing but commas is libpq's default, as no list is.
        hosts = ",".join(host for host, _ in self.hosts)
        ports = ",".join(port for _, port in self.hosts)
        found = {
            "host": hosts if hosts.strip(",") else "",
            "port": ports if ports.strip(",") else "",
            "user": self.user,
            "password": self.password,
            "dbname": self.database,
        }
        if len(self.hosts) > 1:
            # The others follow it, and may lag behind.
            found["target_session_attrs"] = "read-write"
        named = {name: value for name, value in found.items() if value}
        return named | self.options


def _hosts(servers: str, names: list[str], ports: list[str]) -> tuple[tuple[str, str], ...]:
    """The hosts of both places where they can stand; what stands in the query wins, as in libpq."""
    written = [_split(one) for one in servers.split(",")] if servers else []
    if names:
        written = [_split(one) if one[:1] not in {"/", "@"} else (one, "") for one in names]
    if ports:
        written = written or [("", "")]
        if len(ports) not in {1, len(written)}:
            raise _unreadable(
                f"The database address names {len(ports)} ports for {len(written)} hosts."
            )
        ports = ports * len(written) if len(ports) == 1 else ports
        written = [(host, port) for (host, _), port in zip(written, ports, strict=True)]
    for _, port in written:
        if port and not (
            port.isascii() and port.isdecimal() and 0 < int(port[:9]) <= _HIGHEST_PORT
        ):
            raise _unreadable(
                f"The port {port[:20]!r} in the database address is no number from 1 to 65535."
            )
    return tuple(written)


def _split(server: str) -> tuple[str, str]:
    """Host and port of ``host:port``; an IPv6 address stands in brackets, or alone."""
    if server.startswith("["):
        host, bracket, port = server[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise _unreadable("An IPv6 address in the database address lacks its bracket.")
        return unquote(host), port.removeprefix(":")
    if server.count(":") > 1:
        raise _unreadable("An IPv6 address in the database address stands without brackets.")
    host, _, port = server.partition(":")
    return unquote(host), port


def _spelled(host: str, port: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{port}" if port else name


def _unreadable(problem: str, remedy: str = _EXAMPLES) -> ConfigurationError:
    return ConfigurationError(problem, remedy)
