"""Backends: pypiserver's two by their directories, a vendor's own through its interface."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import pytest
from pypiserver.backend import Backend, BackendProxy, SimpleFileBackend
from pypiserver.core import PkgFile

from entitlements_core.errors import ConfigurationError
from entitlements_core.policy.credential import Access
from pypiserver_entitlements.backend_source import BackendSource
from pypiserver_entitlements.current_user import Publisher, admitted
from tests.plugins.pypiserver.conftest import COVERED, REPOSITORY, TOOL, Shop, Start, upload
from tests.wheelhouse import build_wheel, wheel_bytes


class Vault(Backend):  # type: ignore[misc] # pypiserver has no types
    """Keeps files under numbers, in a directory that pypiserver was not told of."""

    def __init__(self, config: Any, directory: Path) -> None:  # noqa: ANN401 - as pypiserver's
        super().__init__(config)
        self.directory = directory
        self.fails = False
        self.withheld: set[str] = set()

    def get_all_packages(self) -> Iterable[PkgFile]:
        if self.fails:
            raise RuntimeError("the vault is closed")
        for path in sorted(self.directory.glob("*/*")):
            if path.name not in self.withheld:
                name, version = path.name.split("-")[:2]
                yield PkgFile(name, version, str(path), str(path.parent), path.name)

    def add_package(self, filename: str, stream: IO[bytes]) -> None:
        home = self.directory / f"new-{len(list(self.directory.iterdir()))}"
        home.mkdir()
        (home / filename).write_bytes(stream.read())

    def remove_package(self, pkg: PkgFile) -> None:
        Path(pkg.fn).unlink()

    def exists(self, filename: str) -> bool:
        return any(path.name == filename for path in self.directory.glob("*/*"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the vault keeps its files."""
    root = tmp_path / "vault"
    build_wheel(root / "1", "acme-tool", "1.0")
    build_wheel(root / "2", "acme-tool", "1.5")
    build_wheel(root / "3", "secret-sauce", "1.0")
    return root


@pytest.fixture
def vault(start: Start, directory: Path, packages: Path) -> Shop:
    """A shop with a backend of its own; what lies in the directories is not in it."""
    return start(backend=lambda config: BackendProxy(Vault(config, directory)))


def until(condition: Any) -> None:  # noqa: ANN401 - a predicate
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_vendors_backend_is_read_through_its_interface(vault: Shop, directory: Path) -> None:
    page = vault.get("/simple/acme-tool/")

    assert TOOL in page.text
    assert "acme_tool-1.5" in page.text
    assert vault.get(f"/packages/{TOOL}").data == (directory / "1" / TOOL).read_bytes()
    assert vault.get(f"/packages/{TOOL}.metadata").status_code == 200
    assert vault.get("/simple/acme-lib/").status_code == 404  # only in the directories
    assert vault.get("/simple/secret-sauce/").status_code == 404
    assert "acme-lib" not in vault.publisher("/simple/").text
    assert "secret-sauce" in vault.publisher("/simple/").text


def test_what_it_stops_naming_is_gone(vault: Shop) -> None:
    vault.config.backend.backend.withheld.add(TOOL)

    until(lambda: TOOL not in vault.get("/simple/acme-tool/").text)
    assert vault.get(f"/packages/{TOOL}").status_code == 404


def test_it_takes_uploads_and_removals(vault: Shop) -> None:
    writer = vault.issue(COVERED, access=Access.WRITE)

    assert vault.post(writer, upload()).status_code == 200
    until(lambda: "acme_tool-2.0" in vault.get("/simple/acme-tool/").text)

    form = {":action": "remove_pkg", "name": "acme_tool", "version": "2.0"}
    assert vault.publisher("/", method="POST", data=form).status_code == 200
    until(lambda: "acme_tool-2.0" not in vault.get("/simple/acme-tool/").text)


def test_while_it_fails_nothing_is_there(vault: Shop) -> None:
    backend = vault.config.backend.backend

    backend.fails = True
    until(lambda: vault.get("/simple/acme-tool/").status_code == 404)
    backend.fails = False

    until(lambda: vault.get("/simple/acme-tool/").status_code == 200)


def test_a_name_without_a_file_is_a_problem_and_not_a_failure(
    start: Start, directory: Path, tmp_path: Path
) -> None:
    class Forgetful(Vault):
        def get_all_packages(self) -> Iterable[PkgFile]:
            yield from super().get_all_packages()
            yield PkgFile("acme_tool", "9.0", str(tmp_path / "acme_tool-9.0.tar.gz"))
            yield PkgFile("acme_lib", "2.0", None, str(tmp_path), "acme_lib-2.0.tar.gz")
            yield PkgFile("acme_lib", "3.0")

    shop = start(backend=lambda config: Forgetful(config, directory))

    problems = {Path(problem.path).name for problem in shop.site.index.catalog.problems}
    assert problems == {"acme_tool-9.0.tar.gz", "acme_lib-2.0.tar.gz"}
    assert TOOL in shop.get("/simple/acme-tool/").text


def test_an_odd_package_is_a_problem_and_not_a_failure(start: Start, directory: Path) -> None:
    class Odd(Vault):
        def get_all_packages(self) -> Iterable[Any]:
            yield PkgFile("acme_tool", "9.0", "/with\0nul/acme_tool-9.0.tar.gz")
            yield PkgFile("acme_tool", "9.1", 7)
            yield PkgFile("acme_tool", "9.2", None, b"bytes", "acme_tool-9.2.tar.gz")
            yield PkgFile("acme_tool", "9.3", str(directory / "caf\udce9-1.0.tar.gz"))
            yield None
            yield from super().get_all_packages()

    (directory / "caf\udce9-1.0.tar.gz").write_bytes(b"x")

    shop = start(backend=lambda config: Odd(config, directory))

    problems = shop.site.index.catalog.problems
    assert len(problems) == 5
    for problem in problems:
        (problem.path + problem.reason).encode()
    assert TOOL in shop.get("/simple/acme-tool/").text


def test_part_of_a_listing_is_asked_for_by_path(vault: Shop, directory: Path) -> None:
    source = BackendSource(vault.config.backend.backend)
    inside = str(directory).lstrip("/")

    assert set(source.list_tree("/", f"{inside}/1").files) == {f"{inside}/1/{TOOL}"}
    assert set(source.list_file("/", f"{inside}/1/{TOOL}").files) == {f"{inside}/1/{TOOL}"}
    assert source.list_file("/", f"{inside}/1").files == {}


def test_the_front_server_cannot_send_a_vendors_files(
    start: Start, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTITLEMENTS_SENDFILE", "1")

    with pytest.raises(ConfigurationError, match="your own backend"):
        start(backend=lambda config: Vault(config, directory))


def test_a_subclass_of_pypiservers_own_is_asked_too(start: Start, packages: Path) -> None:
    class Choosy(SimpleFileBackend):  # type: ignore[misc] # pypiserver has no types
        def get_all_packages(self) -> Iterable[PkgFile]:
            return (pkg for pkg in super().get_all_packages() if pkg.version != "1.0")

    shop = start(backend=lambda config: BackendProxy(Choosy(config)))

    assert shop.get("/simple/acme-tool/").status_code == 404
    assert "2.0" in shop.get("/simple/acme-lib/").text


def test_an_instance_can_be_given_as_well(start: Start, packages: Path) -> None:
    from pypiserver.config import Config

    config = Config.default_with_overrides(roots=[packages])
    shop = start(backend=BackendProxy(SimpleFileBackend(config)))

    assert shop.get("/simple/acme-tool/").status_code == 200


def test_the_cache_of_pypiserver_is_told_of_an_upload(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypiserver.cache.ENABLE_CACHING", True)
    shop = start(backend_arg="cached-dir", overwrite=True)
    try:
        assert "acme_tool-2.0" not in shop.publisher("/simple/acme-tool/").text
        assert shop.publisher("/", method="POST", data=upload()).status_code == 200
        assert "acme_tool-2.0" in shop.publisher("/simple/acme-tool/").text
        shop.await_file("acme_tool-2.0-py3-none-any.whl")
    finally:
        observer = shop.config.backend.backend.cache_manager.observer
        observer.stop()
        observer.join()


def test_a_running_download_keeps_its_file_when_it_is_overwritten(start: Start) -> None:
    shop = start(overwrite=True)
    before = (shop.root / TOOL).read_bytes()
    data = wheel_bytes("acme-tool", "1.0", padding=len(before))

    with (shop.root / TOOL).open("rb") as running:
        answer = shop.publisher("/", method="POST", data=upload(data, TOOL))
        rest = running.read()

    assert answer.status_code == 200
    assert rest == before
    assert (shop.root / TOOL).read_bytes() == data


def test_the_catalog_of_a_backend_has_a_cache_of_its_own(vault: Shop, tmp_path: Path) -> None:
    name = f"catalog-{REPOSITORY.replace('/', '-')}.db"

    assert (tmp_path / "home" / name).exists()


def test_the_guard_hands_on_what_it_does_not_change(shop: Shop) -> None:
    backend = shop.config.backend

    assert isinstance(backend.backend, SimpleFileBackend)
    with admitted(Publisher("alice")):
        package = next(iter(backend.find_version("acme_tool", "1.0")))
        assert backend.digest(package).startswith("sha256=")
        assert backend.exists(TOOL)
    with pytest.raises(Exception, match="not allowed"):
        backend.add_package("x", io.BytesIO())
    with admitted(Publisher("alice")), pytest.raises(ValueError, match="not the name of a file"):
        backend.add_package("../x", io.BytesIO())
