"""Whatever stands in the way of a home is said once, in words, by whoever meets it.

The programs run as a user without rights: what root may do tells nothing of a service.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from entitlements_core.services.core import Core
from entitlements_core.services.initialization import initialize
from entitlements_core.services.keyring import Keyring
from entitlements_core.services.settings import Settings
from tests.actors import person

BIN: Final = Path(sys.executable).parent
IS_ROOT: Final = os.geteuid() == 0
USER: Final = pwd.getpwnam("nobody") if IS_ROOT else pwd.getpwuid(os.geteuid())
DROP: Final = (
    ("setpriv", f"--reuid={USER.pw_uid}", f"--regid={USER.pw_gid}", "--clear-groups")
    if IS_ROOT
    else ()
)
REPOSITORY: Final = "acme/prod"

Break = Callable[[Path], object]


def close(path: Path) -> None:
    """Take a file or directory away from the service's user."""
    if IS_ROOT:
        os.chown(path, 0, 0)
        path.chmod(0o700 if path.is_dir() else 0o600)
    else:
        path.chmod(0)


def lock(path: Path) -> None:
    """Let the service's user read, and no more."""
    if IS_ROOT:
        os.chown(path, 0, 0)
    path.chmod(0o555 if path.is_dir() else 0o444)


def file_instead(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("", encoding="utf-8")


def directory_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def empty(home: Path) -> None:
    for path in home.iterdir():
        path.unlink()


def other_key(home: Path) -> None:
    (home / "key").unlink()
    Keyring.create(home / "key")
    own(home / "key")


def own(path: Path) -> None:
    if IS_ROOT:
        os.chown(path, USER.pw_uid, USER.pw_gid)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a home, and what has to be said of it.

    Attributes:
        said: of the problem.
        remedy: of what is to be done.
        closed: another user's rights stand in the way.
        serves: the fault is one only for who serves or changes.
        makes: `init`, and servers that make what is missing, mend it.
    """

    cause: Break
    said: str
    remedy: str
    closed: bool = False
    serves: bool = False
    makes: bool = False


def give(path: str, rights: str = "rw") -> str:
    """What lets the service's user have a file again."""
    return f"chown {{user}} {path}" if IS_ROOT else f"chmod u+{rights} {path}"


FAULTS: Final[Mapping[str, Fault]] = {
    "missing": Fault(shutil.rmtree, "There is no home {home}", "entitlements init", makes=True),
    "closed": Fault(close, "The home {home} may not be read", give("{home}", "rwx"), closed=True),
    "parent closed": Fault(
        lambda home: close(home.parent),
        "{home} cannot be reached",
        "enter {home.parent}",
        closed=True,
    ),
    "locked": Fault(
        lock, "{home}/entitlements.db may not be written to", give("{home}", "rwx"), closed=True
    ),
    "a file": Fault(file_instead, "The home {home} is no directory", "Move it away"),
    "empty": Fault(
        empty,
        "neither a key nor a store",
        "entitlements init",
        makes=True,
    ),
    "key missing": Fault(
        lambda home: (home / "key").unlink(), "{home}/key is missing, and", "from your backup"
    ),
    "key closed": Fault(
        lambda home: close(home / "key"),
        "The key file {home}/key may not be read",
        give("{home}/key"),
        closed=True,
    ),
    "key a directory": Fault(
        lambda home: directory_instead(home / "key"), "{home}/key is no file", "from your backup"
    ),
    "no key": Fault(
        lambda home: (home / "key").write_text("x"), "not a key of this product", "your backup"
    ),
    "other key": Fault(other_key, "was made with key", "restore it from your backup"),
    "store missing": Fault(
        lambda home: (home / "entitlements.db").unlink(),
        "{home}/entitlements.db",
        "entitlements restore FILE",
        makes=True,
    ),
    "store closed": Fault(
        lambda home: close(home / "entitlements.db"),
        "The store {home}/entitlements.db may not be read",
        give("{home}/entitlements.db"),
        closed=True,
    ),
    "store locked": Fault(
        lambda home: lock(home / "entitlements.db"),
        "The store {home}/entitlements.db may not be written to",
        give("{home}/entitlements.db"),
        closed=True,
        serves=True,
    ),
    "store a directory": Fault(
        lambda home: directory_instead(home / "entitlements.db"),
        "{home}/entitlements.db is no file",
        "from your backup",
    ),
}

DOORS: Final = """
import contextlib, io, json, sys
home, packages = sys.argv[1:]
ours = dict(home=home, repository="acme/prod", directories=[packages])

def command(*words):
    from entitlements_core.cli.program import app
    from typer.main import get_command
    get_command(app).main(["--home", home, *words], standalone_mode=False)

def wsgi():
    from entitlements_core.engine.serving import create_app
    from entitlements_core.services.settings import Settings
    create_app(Settings.load(home=home, repository="acme/prod", directories=(packages,)))

def flask():
    from flask import Flask
    from flask_static_entitlements import Entitlements
    Entitlements(Flask("shop"), **ours)

def wrapper():
    from flask_static_entitlements import EntitlementsMiddleware
    EntitlementsMiddleware(None, **ours)

def pypiserver():
    from pypiserver_entitlements import app
    app(root=packages, entitlements_home=home, entitlements_repo="acme/prod")

doors = {
    "list": lambda: command("repo", "list"),
    "token": lambda: command("token", "create", "--repo", "acme/prod", "--name", "x"),
    "audit": lambda: command("audit"),
    "serve": lambda: command("serve", packages, "--repo", "acme/prod", "--port", "0"),
    "wsgi": wsgi, "flask": flask, "wrapper": wrapper, "pypiserver": pypiserver,
    "init": lambda: command("init"),
}
found = {}
for name in sys.stdin.read().split():
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            doors[name]()
    except Exception as error:
        found[name] = [[one.__name__ for one in type(error).__mro__], str(error)]
    else:
        found[name] = None
print(json.dumps(found))
"""
READING: Final = ("list", "audit")
SERVING: Final = ("token", "serve", "wsgi", "flask", "wrapper", "pypiserver")


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A directory that everybody may enter; pytest's own is for this user alone."""
    found = Path(tempfile.mkdtemp(prefix="faults-", dir="/tmp"))
    found.chmod(0o755)
    yield found
    for path in found.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(found)


@pytest.fixture(scope="module")
def sound(root: Path) -> Path:
    """A home to copy, which holds nothing but the key and the store."""
    settings = Settings.load(home=root / "sound")
    initialize(settings)
    core = Core.open(settings)
    core.repositories.add(REPOSITORY, actor=person("admin"))
    core.close()
    (root / "packages").mkdir()
    for path in settings.home.iterdir():
        if path.name not in {"key", "entitlements.db"}:
            path.unlink()
    return settings.home


@pytest.fixture
def home(root: Path, sound: Path, request: pytest.FixtureRequest) -> Path:
    folder = Path(tempfile.mkdtemp(dir=root))
    folder.chmod(0o755)
    found = folder / "home"
    shutil.copytree(sound, found)
    for path in (folder, found, *found.iterdir()):
        own(path)
    return found


def names_in(home: Path) -> set[str]:
    """What lies in a home, but for what SQLite and who opens it leave beside a store."""
    found = {path.name for path in home.iterdir()} if home.is_dir() else set()
    return found - {f"entitlements.db{end}" for end in ("-wal", "-shm", ".lock")}


def ask(home: Path, root: Path, doors: list[str]) -> Any:  # noqa: ANN401 - JSON
    ended = subprocess.run(
        [*DROP, sys.executable, "-c", DOORS, str(home), str(root / "packages")],
        input=" ".join(doors),
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("name", FAULTS)
def test_every_door_says_the_same_of_a_fault(root: Path, home: Path, name: str) -> None:
    fault = FAULTS[name]
    fault.cause(home)
    before = names_in(home)
    doors = [*(() if fault.makes else SERVING), *(() if fault.serves else READING)]
    if not fault.makes and not fault.serves:
        doors.append("init")

    told = ask(home, root, doors)

    words = {"home": home, "user": USER.pw_name}
    for door, found in told.items():
        assert found is not None, door
        kinds, text = found
        assert "EntitlementsError" in kinds, (door, found)
        assert fault.said.format(**words) in text, door
        assert fault.remedy.format(**words) in text, door
        if fault.closed:
            assert f"{USER.pw_name} (uid {USER.pw_uid})" in text, door
            assert "belongs to " in text, door
            assert "entitlements init" not in text, door
    texts = {text for _, text in told.values()}
    assert len(texts) == 1, texts
    assert names_in(home) == before  # nothing was made in its place


PROGRAMS: Final[Mapping[str, tuple[str, ...]]] = {
    "command": ("entitlements", "--home", "{home}", "repo", "list"),
    "granian": ("entitlements", "--home", "{home}", "serve", "{packages}", "--repo", REPOSITORY),
    "waitress": (
        *("entitlements", "--home", "{home}", "serve", "{packages}", "--repo", REPOSITORY),
        *("--server", "waitress"),
    ),
    "gunicorn": (
        *("gunicorn", "--bind", "127.0.0.1:0", "--no-control-socket", "--log-level", "critical"),
        "entitlements_core.engine.serving:create_app()",
    ),
    "gunicorn, loaded first": (
        *("gunicorn", "--bind", "127.0.0.1:0", "--no-control-socket", "--preload"),
        "entitlements_core.engine.serving:create_app()",
    ),
    "gunicorn with pypiserver": (
        *("gunicorn", "--bind", "127.0.0.1:0", "--no-control-socket", "--log-level", "critical"),
        "pypiserver_entitlements:app(root='{packages}')",
    ),
    "pypiserver": ("pypi-server-entitled", "run", "-p", "0", "{packages}"),
}
NAMELESS: Final[Mapping[str, tuple[str, ...]]] = {
    "gunicorn": (
        *("gunicorn", "--bind", "127.0.0.1:0", "--no-control-socket", "--log-level", "critical"),
        "pypiserver_entitlements:app(root='{packages}', password_file='/nowhere/htpasswd')",
    ),
    "pypiserver": (
        "pypi-server-entitled",
        "run",
        "-p",
        "0",
        "-P",
        "/nowhere/htpasswd",
        "{packages}",
    ),
}
"""Programs that are given a password file that is not there."""


def environment(home: Path, **settings: str) -> dict[str, str]:
    """That of a service, with nothing of a user's."""
    ours = {f"ENTITLEMENTS_{name}": value for name, value in settings.items()}
    plain = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "NO_COLOR": "1"}
    return {**plain, "ENTITLEMENTS_HOME": str(home), **ours}


def run(home: Path, root: Path, words: tuple[str, ...]) -> tuple[int, str]:
    """The status of a program, run as the service's user, and all that it said."""
    given = {"home": str(home), "packages": str(root / "packages")}
    command, *rest = [word.format(**given) for word in words]
    ended = subprocess.run(
        [*DROP, BIN / command, *rest],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=environment(home, REPOSITORY=REPOSITORY, DIRECTORIES=given["packages"]),
        timeout=60,
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_ends_with_one_message(root: Path, home: Path, program: str) -> None:
    close(home / "key")

    status, said = run(home, root, PROGRAMS[program])

    assert status not in {0, 124}
    assert "Traceback" not in said
    assert said.count(f"The key file {home}/key may not be read by {USER.pw_name}") == 1, said


@pytest.mark.parametrize("program", NAMELESS)
def test_a_password_file_that_is_missing_is_named(root: Path, home: Path, program: str) -> None:
    status, said = run(home, root, NAMELESS[program])

    assert status not in {0, 124}
    assert "Traceback" not in said
    assert said.count("/nowhere/htpasswd: No such file or directory") == 1, said
    assert "password file" in said


@pytest.mark.parametrize("server", ["auto", "gunicorn", "gevent", "wsgiref"])
def test_a_port_that_is_taken_is_named_by_pypiserver(root: Path, home: Path, server: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = ("pypi-server-entitled", "run", "-i", "127.0.0.1", "-p", port, "--server", server)
        status, said = run(home, root, (*words, "{packages}"))

    assert status not in {0, 124}
    assert "Traceback" not in said
    assert "ddress already in use" in said or f"127.0.0.1', {port}" in said, said


def test_a_devpi_server_ends_with_the_message(root: Path, home: Path) -> None:
    close(home / "key")
    folder = home.parent / "server"
    environment = {"PATH": os.environ["PATH"], "HOME": str(home.parent), "NO_COLOR": "1"}
    for words in (
        ("devpi-init", "--serverdir", folder, "--no-root-pypi"),
        ("devpi-server", "--serverdir", folder, "--port", "0", "--entitlements-home", home),
    ):
        ended = subprocess.run(
            [*DROP, BIN / words[0], *words[1:]],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=environment,
            timeout=120,
        )

    said = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert "Traceback" not in said
    assert said.count(f"The key file {home}/key may not be read by {USER.pw_name}") == 1, said


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("ACCEL_REDIRECT", "/a,/b", "names 2 locations for 1 directory"),
        ("ACCEL_REDIRECT", "files", "'files', which is no location"),
        ("DOWNLOAD_WINDOW", "x", "ENTITLEMENTS_DOWNLOAD_WINDOW"),
        ("DATABASE_URL", "sqlite:///x.db", "another file in each working directory"),
        ("DATABASE_URL", "postgresql://u@127.0.0.1:http/x", "The port 'http'"),
    ],
)
def test_settings_that_cannot_be_used_are_one_message_of_serve(
    root: Path, home: Path, setting: str, value: str, said: str
) -> None:
    ended = subprocess.run(
        [
            *DROP,
            BIN / "entitlements",
            "serve",
            root / "packages",
            "--repo",
            REPOSITORY,
            "--port",
            "0",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=environment(home, **{setting: value}),
        timeout=60,
    )

    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count(said) == 1, ended.stderr
    assert ended.stderr.count("Error:") == 1
