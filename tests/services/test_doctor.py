"""What the doctor finds."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

from entitlements_core import hookimpl
from entitlements_core.errors import PluginError
from entitlements_core.forwarded import Proxies
from entitlements_core.plugins import Plugins
from entitlements_core.services import doctor, offload_permissions
from entitlements_core.services.client_addresses import ClientAddresses
from entitlements_core.services.core import Core
from entitlements_core.services.doctor import Finding, Health, Patient, examine
from entitlements_core.services.initialization import initialize
from entitlements_core.services.keyring import Keyring
from entitlements_core.services.settings import Settings
from entitlements_core.store import database_url
from tests.actors import person

NOW = datetime(2026, 6, 1, tzinfo=UTC)


ADAPTERS = Path(__file__).parents[2] / "plugins"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a key and a store in which something happened."""
    settings = Settings.load(home=tmp_path_factory.mktemp("made") / "home")
    initialize(settings)
    core = Core.open(settings, clock=lambda: NOW)
    core.repositories.add("acme/prod", actor=person("admin"))
    core.close()
    return settings.home


@pytest.fixture
def patient(made: Path, tmp_path: Path) -> Patient:
    home = Path(shutil.copytree(made, tmp_path / "home"))
    return Patient(settings=Settings.load(home=home), environment={}, clock=lambda: NOW)


def told(patient: Patient, **settings: object) -> Patient:
    """The patient with other settings."""
    return replace(patient, settings=patient.settings.model_copy(update=settings))


def ill(patient: Patient) -> dict[str, Finding]:
    """What is not well, by its check."""
    return {one.check: one for one in examine(patient) if one.health is not Health.OK}


def test_a_healthy_server(patient: Patient) -> None:
    assert ill(patient) == {}
    assert {one.check for one in examine(patient)} == set(doctor.CHECKS)


@pytest.mark.parametrize("name", ["home", "key"])
def test_what_others_may_read(patient: Patient, name: str) -> None:
    path = patient.settings.home if name == "home" else patient.settings.key_file
    path.chmod(0o755)
    found = ill(patient)[name]
    assert found.health is (Health.WARNING if name == "home" else Health.ERROR)
    assert "chmod" in found.remedy


def test_a_home_that_may_not_be_written_to(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert ill(replace(patient, directories=(patient.settings.home,))).keys() == {
        "home",
        "directories",
    }


def test_little_space(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5))
    assert ill(patient)["home"].health is Health.WARNING


def test_nothing_is_there(tmp_path: Path) -> None:
    patient = Patient(settings=Settings.load(home=tmp_path / "gone"), environment={})
    found = [one for one in examine(patient) if one.health is Health.ERROR]
    assert {one.check for one in found} == {"home"}
    assert len({one.detail for one in found}) == len(found)  # of one cause, it is said once


def test_another_key(patient: Patient) -> None:
    patient.settings.key_file.unlink()
    Keyring.create(patient.settings.key_file)
    assert ill(patient).keys() == {"key fits"}


def test_damage(patient: Patient) -> None:
    core = Core.open(patient.settings)
    with core.database.begin() as unit:
        unit.session.connection().exec_driver_sql("DROP TABLE eula_acceptances")
    core.close()
    assert ill(patient)["database"].health is Health.ERROR


@pytest.mark.parametrize(
    "late",
    [
        lambda patient: replace(patient, clock=lambda: NOW - timedelta(days=1)),
        lambda patient: replace(patient, newest=NOW + timedelta(days=1)),
    ],
)
def test_a_clock_that_is_behind(patient: Patient, late: Callable[[Patient], Patient]) -> None:
    assert ill(late(patient))["clock"].health is Health.WARNING


def test_a_store_in_which_nothing_happened(tmp_path: Path) -> None:
    settings = Settings.load(home=tmp_path / "home")
    initialize(settings)
    assert ill(Patient(settings=settings, environment={})) == {}


@pytest.mark.parametrize(
    ("networks", "health"),
    [
        (("10.0.0.0/8", "fd00::/16"), None),
        (("0.0.0.0/0",), Health.ERROR),
        (("::/0",), Health.ERROR),
        (("10.0.0.0/7",), Health.WARNING),
    ],
)
def test_proxies(patient: Patient, networks: tuple[str, ...], health: Health | None) -> None:
    found = ill(told(patient, trusted_proxies=networks, forwarded_header="Forwarded"))
    assert (found["proxies"].health if "proxies" in found else None) is health


def test_proxies_whose_header_is_not_named(patient: Patient) -> None:
    found = ill(told(patient, trusted_proxies=("10.0.0.1",)))["proxies"]
    assert found.health is Health.WARNING
    assert "ENTITLEMENTS_FORWARDED_HEADER" in found.remedy


def test_a_proxy_that_never_says_for_whom(patient: Patient) -> None:
    home = patient.settings.home
    addresses = ClientAddresses(Proxies.parse(["10.0.0.1"]), home=home, clock=lambda: NOW)
    addresses.of({"REMOTE_ADDR": "10.0.0.1"})
    assert "proxies" not in ill(patient)
    header = "X-Forwarded-For"
    behind = told(patient, trusted_proxies=("10.0.0.1",), forwarded_header=header)
    assert "10.0.0.1 has sent requests" in ill(behind)["proxies"].detail
    addresses.of({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"})
    assert "proxies" not in ill(behind)


def test_directories(patient: Patient, tmp_path: Path) -> None:
    fine = told(patient, directories=(str(tmp_path),))
    assert ill(fine) == {}
    assert ill(replace(fine, directories=(tmp_path / "gone",))).keys() == {"directories"}
    (tmp_path / "demo.whl").touch()
    found = ill(replace(fine, directories=(tmp_path / "demo.whl",)))
    assert found["directories"].detail.endswith("demo.whl is a file.")


def test_problems_of_the_catalog(patient: Patient) -> None:
    found = ill(replace(patient, problems=(("/d/x.whl", "It is cut.", "Upload it again."),)))
    assert found["catalog"].detail == "/d/x.whl: It is cut."


def test_settings_that_were_not_expanded_or_are_misspelt(patient: Patient) -> None:
    found = ill(told(patient, eula_url="https://${HOST}/{identifier}"))
    assert "ENTITLEMENTS_EULA_URL" in found["settings"].detail
    odd = {"ENTITLEMENTS_HOEM": "/x", "ENTITLEMENTS_DEBUG": "1", "PATH": ""}
    assert "ENTITLEMENTS_HOEM" in ill(replace(patient, environment=odd))["settings"].detail


def test_files_are_not_said_to_be_fine_where_nobody_looked(
    patient: Patient, tmp_path: Path
) -> None:
    for directories, words in (((), "was looked at"), ((tmp_path,), "is in the way")):
        found = {one.check: one for one in examine(replace(patient, directories=directories))}
        assert words in found["catalog"].detail


def test_settings_of_the_hosts_are_known(patient: Patient) -> None:
    named = {
        word
        for file in ADAPTERS.rglob("*.py")
        for word in re.findall(r"ENTITLEMENTS_[A-Z_]+[A-Z]\b", file.read_text())
    }
    assert "ENTITLEMENTS_PUBLIC" in named
    assert "settings" not in ill(replace(patient, environment=dict.fromkeys(named, "x")))


def test_plugins(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise PluginError("The plugin is broken.", "Mend it.")

    monkeypatch.setattr(doctor, "Plugins", fail)
    asked = ill(patient)
    assert asked["grants"].remedy == "Mend it."  # the first check that needs them
    assert "plugins" not in asked  # it is said once
    loaded = SimpleNamespace(
        active=("a", "b"), checks=lambda _: (), opened=lambda _: None, host=lambda: ""
    )
    monkeypatch.setattr(doctor, "Plugins", lambda: loaded)
    assert {one.detail for one in examine(patient)} >= {"Loaded: a, b."}


class Host:
    """A plugin that looks over its host."""

    def __init__(self, health: Health) -> None:
        self.health = health

    @hookimpl
    def entitlements_checks(self, home: Path) -> list[Finding]:
        detail = f"Looked for it in {home.name}."
        return [Finding(check="nginx", health=self.health, detail=detail, remedy="Mend it.")]


@pytest.mark.parametrize("health", list(Health))
def test_a_plugin_looks_over_its_host(
    patient: Patient, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Plugins, "_discover", lambda self: self.register(Host(health), "host"))
    found = examine(patient)
    assert found[-1] == Finding(
        check="nginx", health=health, detail="Looked for it in home.", remedy="Mend it."
    )
    assert len(found) == len(doctor.CHECKS) + 1


class Server:
    """A plugin of a host that has files without directories."""

    @hookimpl
    def entitlements_host(self) -> str:
        return "devpi-server 6.20.3"


def test_a_host_without_directories_is_told_of_none(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Plugins, "_discover", lambda self: self.register(Server(), "host"))
    assert not {"directories", "catalog"} & {one.check for one in examine(patient)}
    named = replace(patient, directories=(tmp_path / "gone",))
    assert ill(named)["directories"].health is Health.ERROR


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("odd"), KeyError()])
def test_a_check_that_fails_is_an_error_and_the_others_are_made(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_: Path) -> None:
        raise error

    monkeypatch.setattr(shutil, "disk_usage", fail)
    found = examine(patient)
    assert {one.check for one in found} == set(doctor.CHECKS)
    assert [one.check for one in found if one.health is not Health.OK] == ["home"]
    assert repr(error) in found[0].detail


def test_a_check_that_has_no_memory_says_nothing_of_the_server(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise MemoryError

    monkeypatch.setattr(shutil, "disk_usage", fail)
    with pytest.raises(MemoryError):
        examine(patient)


def test_every_variable_that_the_documentation_names_is_known(patient: Patient) -> None:
    root = Path(__file__).parents[2]
    pages = [
        root / "README.md",
        *(root / "docs").rglob("*.md"),
        *root.glob("plugins/**/Dockerfile"),
    ]
    named = {
        name
        for page in pages
        for name in re.findall(r"\bENTITLEMENTS_[A-Z0-9_]*[A-Z0-9]\b", page.read_text("utf-8"))
    }
    assert {"ENTITLEMENTS_HOME", "ENTITLEMENTS_UPLOAD_LIMIT"} <= named
    told = replace(patient, environment=dict.fromkeys(sorted(named - {"ENTITLEMENTS_REPO"}), "x"))
    assert "settings" not in ill(told)


def test_every_setting_of_every_adapter_is_known(patient: Patient) -> None:
    from flask_static_entitlements.configuration import Options

    named = {f"ENTITLEMENTS_{name.upper()}" for name in Options.__annotations__} - {
        "ENTITLEMENTS_PLUGINS"  # objects, which no variable can hold
    }
    assert "settings" not in ill(replace(patient, environment=dict.fromkeys(named, "x")))


def test_the_former_name_of_a_setting_is_named(patient: Patient) -> None:
    found = ill(replace(patient, environment={"ENTITLEMENTS_REPO": "acme/prod"}))
    assert "has another name now" in found["settings"].detail


def test_a_setting_that_cannot_be_used_is_one_error_and_ends_nothing(patient: Patient) -> None:
    unusable = {"ENTITLEMENTS_DOWNLOAD_WINDOW": "input should be a number"}
    found = examine(replace(patient, unusable=unusable))
    assert {one.check for one in found} == set(doctor.CHECKS)
    [wrong] = [one for one in found if one.health is not Health.OK]
    assert wrong.health is Health.ERROR
    assert wrong.detail.startswith("ENTITLEMENTS_DOWNLOAD_WINDOW cannot be used: input should")


def test_an_unknown_repository(patient: Patient) -> None:
    assert "repository" not in ill(told(patient, repository="acme/prod"))
    other = told(patient, repository="acme/none")
    found = ill(other)["repository"]
    assert found.health is Health.ERROR
    assert "names acme/none, which is not in the store. It has acme/prod." in found.detail
    assert "entitlements repo add acme/none" in found.remedy
    creates = replace(other, environment={"ENTITLEMENTS_CREATE_REPOSITORIES": "1"})
    assert "repository" not in ill(creates)


@pytest.fixture
def public(umask: None) -> Iterator[Path]:
    """A directory that everybody may enter, unlike those of pytest."""
    with TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


WHEEL = "sub/acme_core-1.0-py3-none-any.whl"
CLOSED = [
    ("", 0o755, ""),
    (WHEEL, 0o640, "chmod o+r"),
    (WHEEL, 0o600, "chmod o+r"),
    (WHEEL, 0o604, ""),
    (WHEEL, 0o644, ""),
    ("sub", 0o750, "chmod o+x"),
    ("sub", 0o711, ""),
    (".", 0o700, "chmod o+x"),
    ("..", 0o700, "chmod o+x"),
    ("../..", 0o710, "chmod o+x"),
    ("sub/notes.txt", 0o600, ""),
]


@pytest.mark.parametrize(("closed", "mode", "remedy"), CLOSED)
def test_what_nginx_could_not_read(
    patient: Patient, public: Path, closed: str, mode: int, remedy: str
) -> None:
    packages = public / "srv" / "data" / "packages"
    (packages / "sub").mkdir(parents=True)
    for name in (WHEEL, "sub/notes.txt"):
        (packages / name).write_bytes(b"")
    path = Path(os.path.normpath(packages / closed))
    path.chmod(mode)
    asked = told(patient, accel_redirect=("/+files",), directories=(str(packages),))

    found = [one for one in examine(asked) if one.check == "offloading"]

    if remedy:
        [finding] = found
        assert finding.health is Health.WARNING
        assert f"{path} ({mode:o})" in finding.detail
        assert finding.remedy == f"Run: {remedy} {path}"
        path.chmod(mode | (0o004 if "o+r" in remedy else 0o001))
        assert "offloading" not in ill(asked)
    else:
        assert [one.health for one in found] == [Health.OK]
    assert "offloading" not in ill(told(asked, accel_redirect=()))


def test_a_group_that_nginx_is_in_is_enough(
    patient: Patient, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = public / Path(WHEEL).name
    wheel.write_bytes(b"")
    wheel.chmod(0o640)
    asked = told(patient, accel_redirect=("/+files",), directories=(str(public),))
    monkeypatch.setattr(
        offload_permissions, "_front_groups", lambda: frozenset({wheel.stat().st_gid})
    )
    assert "offloading" not in ill(asked)
    wheel.chmod(0o604)  # its group is asked, and nobody else
    assert ill(asked)["offloading"].remedy == f"Run: chmod g+r {wheel}"


def test_of_many_closed_files_some_are_named(patient: Patient, public: Path) -> None:
    for number in range(12):
        path = public / f"acme_core-{number}-py3-none-any.whl"
        path.write_bytes(b"")
        path.chmod(0o600)
    asked = told(patient, accel_redirect=("/+files",), directories=(str(public),))
    found = [one for one in examine(asked) if one.check == "offloading"]
    assert [one.health for one in found] == [Health.WARNING] * 11
    assert found[-1].detail == "And 2 more."


@pytest.mark.parametrize(
    ("locations", "directories", "said"),
    [
        (("/+files",), 1, ""),
        (("/+files", "/+more/"), 2, ""),
        (("/+files",), 0, ""),
        (("/a", "/b"), 1, "names 2 locations for 1 directory"),
        (("/a",), 2, "names 1 location for 2 directories"),
        (("/a", "/a/"), 2, "names a location twice"),
        (("/a", "/a"), 0, "names a location twice"),
        (("files",), 1, "'files', which is no location"),
        (("//files",), 1, "no location"),
        (("https://host/files",), 0, "no location"),
        (("/fi les",), 1, "no location"),
        (("/files;",), 1, "no location"),
        (("/files?x",), 1, "no location"),
        (("/f\u00fcr",), 1, "no location"),
    ],
)
def test_locations_of_nginx_that_do_not_fit(
    patient: Patient, public: Path, locations: tuple[str, ...], directories: int, said: str
) -> None:
    named = [public / f"packages{number}" for number in range(directories)]
    for directory in named:
        directory.mkdir()
    settings = {"accel_redirect": locations, "directories": tuple(map(str, named[:1]))}
    found = ill(replace(told(patient, **settings), directories=tuple(named[1:])))
    assert found.keys() == ({"offloading"} if said else set())
    assert not said or said in found["offloading"].detail


def test_a_driver_of_postgresql_that_is_not_there_or_cannot_be_loaded(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = told(patient, database_url="postgresql://shop@127.0.0.1:1/shop")

    def broken(_: str) -> None:
        raise ImportError("no pq wrapper available.\nAttempts made:")

    monkeypatch.setattr(database_url, "import_module", broken)
    said = [one for one in examine(there) if "psycopg" in one.detail]
    assert len(said) == 1
    assert "its driver psycopg cannot be loaded (no pq wrapper available.)." in said[0].detail
    monkeypatch.setattr(database_url, "find_spec", lambda _: None)
    said = [one for one in examine(there) if "psycopg" in one.detail]
    assert len(said) == 1
    assert "index-entitlements[postgres]" in said[0].remedy
