"""Real wheels, a real store and a protected pypiserver, called in the process."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

with warnings.catch_warnings():
    # bottle imports cgi, and passlib crypt, which Python 3.11 announces to remove.
    warnings.simplefilter("ignore", DeprecationWarning)
    import passlib.apache  # noqa: F401 - see above
    import pypiserver.__main__

from entitlements_core.plugins import Plugins
from entitlements_core.policy.credential import Access
from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.core import Core
from entitlements_core.services.settings import Settings
from pypiserver_entitlements import app as protected_app
from pypiserver_entitlements.patch import PATCHED
from pypiserver_entitlements.site import Site
from pypiserver_entitlements.startup import site_of
from tests.actors import person
from tests.wheelhouse import age, build_sdist, build_wheel, wheel_bytes

# bottle adds a finder of an old kind, at which Python warns whenever a module is not found.
sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]

__all__ = ["HIDDEN", "LIBRARY", "REPOSITORY", "TOOL", "Shop", "Start", "upload", "write_htpasswd"]

REPOSITORY = "acme/prod"
TOOL = "acme_tool-1.0-py3-none-any.whl"
LIBRARY = "acme_lib-2.0-py3-none-any.whl"
HIDDEN = "secret_sauce-1.0-py3-none-any.whl"
COVERED = "name:^acme-tool$ OR name:^acme-lib$"


@pytest.fixture(scope="session")
def home_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a key, a store and the repository; copying it is faster than making one."""
    home = tmp_path_factory.mktemp("home-template")
    core = Core.open(Settings.load(home=home), create=True, plugins=Plugins(discover=False))
    core.repositories.add(REPOSITORY, actor=person("test"))
    core.close()
    return home


@pytest.fixture
def home(tmp_path: Path, home_template: Path) -> Path:
    """A home of the test's own."""
    shutil.copytree(home_template, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def simple_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default pypiserver's cache, whose watchers it never ends; a system has only so many."""
    monkeypatch.setattr("pypiserver.backend.ENABLE_CACHING", False)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's settings, and no home but the test's."""
    monkeypatch.setenv("ENTITLEMENTS_HOME", str(tmp_path / "home"))
    for name in ("DATABASE_URL", "REPO", "REPOSITORY", "PUBLIC", "DIRECTORIES"):
        monkeypatch.delenv(f"ENTITLEMENTS_{name}", raising=False)


@pytest.fixture(autouse=True)
def released() -> Iterator[None]:
    """The module as it comes, before and after each test, and the loggers as they were."""
    held = getattr(pypiserver, PATCHED)
    # The examples of the documentation take hold of it in this process, too.
    original = getattr(held, "__wrapped__", held)
    setattr(pypiserver, PATCHED, original)
    filters = {
        name: list(logging.getLogger(name).filters) for name in logging.root.manager.loggerDict
    }
    yield
    setattr(pypiserver, PATCHED, original)
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).filters[:] = filters.get(name, [])


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A directory of packages, some of them in a directory below."""
    root = tmp_path / "packages"
    build_wheel(root, "acme-tool", "1.0", requires=["acme-lib"])
    build_wheel(root / "libs", "acme-lib", "2.0", padding=600_000)
    build_sdist(root, "acme-lib", "1.0")
    build_wheel(root, "secret-sauce", "1.0")
    (root / f"{TOOL}.asc").write_text("-----BEGIN PGP SIGNATURE-----")
    (root / "acme-tool-0.9.tar.bz2").write_bytes(b"an old format")
    age(root / "acme-tool-0.9.tar.bz2")
    return root


def write_htpasswd(path: Path, **users: str) -> Path:
    """A password file in a format that is checked fast."""
    lines = [
        f"{user}:{{SHA}}{base64.b64encode(hashlib.sha1(word.encode()).digest()).decode()}"  # noqa: S324 - Apache's format
        for user, word in users.items()
    ]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def upload(
    data: bytes | None = None,
    filename: str = "acme_tool-2.0-py3-none-any.whl",
    *,
    action: str = "file_upload",
    signature: tuple[str, bytes] | None = None,
) -> dict[str, Any]:
    """The form of an upload."""
    data = wheel_bytes("acme-tool", "2.0") if data is None else data
    form: dict[str, Any] = {":action": action, "content": (io.BytesIO(data), filename)}
    if signature is not None:
        form["gpg_signature"] = (io.BytesIO(signature[1]), signature[0])
    return form


@dataclass
class Shop:
    """A protected pypiserver, with a publisher and a customer."""

    app: Any
    root: Path
    secret: str = ""

    @property
    def site(self) -> Site:
        return site_of(self.app)

    @property
    def core(self) -> Core:
        return self.site.core

    @property
    def config(self) -> Any:  # noqa: ANN401 - pypiserver has no types
        return self.app._pypiserver_config

    def issue(
        self,
        query: str | None = COVERED,
        *,
        access: Access = Access.READ,
        **terms: Any,  # noqa: ANN401 - any term
    ) -> str:
        """A token's secret."""
        grant = TokenGrant(repository=REPOSITORY, access=access, limit_package_query=query)
        issued = self.core.lifecycle.create("Customer", [grant], actor=person("test"), **terms)
        assert issued.secret is not None
        return issued.secret

    def open(self, path: str, user: tuple[str, str] | None = None, **more: Any) -> TestResponse:  # noqa: ANN401 - as Werkzeug's
        """Any request."""
        more.setdefault("environ_overrides", {"REMOTE_ADDR": "127.0.0.1"})
        return Client(self.app).open(path, auth=user, buffered=True, **more)

    def get(self, path: str, user: tuple[str, str] | None = None, **more: Any) -> TestResponse:  # noqa: ANN401 - as Werkzeug's
        """A GET as the customer, who sends the token as the password; or as somebody else."""
        return self.open(path, ("token", self.secret) if user is None else user, **more)

    def anonymous(self, path: str, **more: Any) -> TestResponse:  # noqa: ANN401 - as Werkzeug's
        """A request without credentials."""
        return self.open(path, **more)

    def publisher(self, path: str, **more: Any) -> TestResponse:  # noqa: ANN401 - as Werkzeug's
        """A request of the publisher."""
        return self.open(path, ("alice", "wonderland"), **more)

    def post(self, secret: str, form: dict[str, Any], **more: Any) -> TestResponse:  # noqa: ANN401 - as Werkzeug's
        """An upload with a token."""
        return self.open("/", ("token", secret), method="POST", data=form, **more)

    def await_file(self, filename: str, *, sha256: str | None = None) -> None:
        """Until the catalog has a file."""
        deadline = time.monotonic() + 60
        while True:
            found = self.site.index.catalog.snapshot.file(filename)
            if found is not None and sha256 in {None, found.facts.sha256}:
                return
            assert time.monotonic() < deadline
            time.sleep(0.01)


Start = Callable[..., Shop]


@pytest.fixture
def start(packages: Path, home: Path, tmp_path: Path) -> Iterator[Start]:
    """Makes protected applications, and closes them at the end."""
    opened: list[Shop] = []
    passwords = write_htpasswd(tmp_path / "htpasswd", alice="wonderland", bob="builder")

    def start(**options: Any) -> Shop:  # noqa: ANN401 - as pypiserver's
        options.setdefault("roots", [packages])
        options.setdefault("password_file", str(passwords))
        options.setdefault("entitlements_repo", REPOSITORY)
        shop = Shop(protected_app(**options), packages)
        opened.append(shop)
        deadline = time.monotonic() + 60
        while not shop.site.index.is_ready:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        shop.secret = shop.issue()
        return shop

    yield start
    for shop in opened:
        shop.site.close()


@pytest.fixture
def shop(start: Start) -> Shop:
    """One as most run it: uploads need a password, nothing else does."""
    return start()
