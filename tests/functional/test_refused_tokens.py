"""A token that is refused for now: nothing foreign in its place, and lock files outlive it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from tests.actors import person
from tests.functional.installers import INSTALLERS, Project
from tests.functional.public_index import public_index
from tests.functional.refusals import shown
from tests.functional.vendors import Client, Running, Vendor
from tests.wheelhouse import build_wheel

ENDED: Final = datetime(2026, 1, 31, tzinfo=UTC)
STATES: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "disabled": ({"enabled": False}, "Entitlement token disabled"),
    "expired": ({"limit_date_range_to": ENDED}, "Entitlement expired 2026-01-31 00:00 UTC"),
}
OFTEN: Final = {"pip 26.3", "uv 0.13.9"}
"""Who is run every time."""
INDIFFERENT: Final = {"pip 26.3", "pip 23.2.1"}
"""Of equal versions in two indexes they take whichever they like."""
FOREIGN: Final = "Somebody else's"


@dataclass(frozen=True)
class Street:
    """A vendor's server, and indexes of everybody that have the vendor's names, too.

    Attributes:
        vendor: whose server it is.
        server: with version 1.0 of everything.
        public: the URLs of the others, by the version that they have.
    """

    vendor: Vendor
    server: Running
    public: Mapping[str, str]


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    root = tmp_path_factory.mktemp("street")
    vendor = Vendor(root)
    build_wheel(vendor.packages, "lab-bar", "1.0")
    build_wheel(vendor.packages, "lab-foo", "1.0", requires=["lab-bar"])
    vendor.core.lifecycle.list()
    with ExitStack() as stack:
        public = {}
        for version in ("0.9", "1.0"):
            wheels = root / f"wheels-{version}"
            for name in ("lab-bar", "lab-foo"):
                build_wheel(wheels, name, version, summary=FOREIGN)
            public[version] = stack.enter_context(public_index(wheels)).url
        yield Street(vendor, stack.enter_context(vendor.serving()), public)


def each(names: Iterable[str]) -> list[Any]:
    """Every client; most of them only by ``make clients``."""
    return [
        pytest.param(name, marks=[] if name in OFTEN else [pytest.mark.clients]) for name in names
    ]


@pytest.mark.parametrize("version", ["0.9", "1.0"])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", each(INSTALLERS))
def test_nothing_foreign_is_installed_in_its_place(
    street: Street, tmp_path: Path, name: str, state: str, version: str
) -> None:
    """The pages go on, so that the vendor's files stay in the race, and are refused."""
    terms, words = STATES[state]
    issued = street.vendor.token(tmp_path.name, **terms)
    url = street.server.with_basic(issued.secret or "")
    project = Project(tmp_path, url, second=street.public[version])

    ended = INSTALLERS[name].run(project)

    if version == "1.0" and name in INDIFFERENT:
        # Nothing that an index answers can change that; docs/refusals.md says so.
        assert set(project.installed.values()) <= {FOREIGN}
        return
    assert ended.status != 0, ended.text
    assert shown(ended.text, words)
    assert FOREIGN not in project.installed.values()


LOCKS: Final = {
    "uv 0.13.9": (("uv", "lock"), ("uv", "sync", "--frozen", "--no-cache")),
    "Poetry 2.5.1": (("poetry", "lock"), ("poetry", "install", "--no-interaction")),
    "PDM 2.29.3": (("pdm", "lock", "--static-urls"), ("pdm", "sync")),
    "pipenv 2026.10.3": (("pipenv", "lock"), ("pipenv", "sync")),
}
"""How a client writes its lock file, and how it installs from it."""


@pytest.mark.parametrize("name", each(LOCKS))
def test_lock_files_made_meanwhile_work_after_renewal(
    street: Street, tmp_path: Path, name: str
) -> None:
    """Whatever addresses were written down while files were refused, they lead to the files."""
    installer = INSTALLERS[name]
    issued = street.vendor.token(tmp_path.name, limit_date_range_to=ENDED)
    project = Project(tmp_path, street.server.with_token(issued.secret or ""))
    locking, installing = LOCKS[name]
    installer.prepare(project)

    locked = installer.run(project, *locking)
    refused = installer.run(project, *installing)
    street.vendor.core.lifecycle.edit(
        issued.token.identifier, actor=person("test"), limit_date_range_to=None
    )
    renewed = installer.run(project, *installing)

    assert locked.status == 0, locked.text
    assert refused.status != 0, refused.text
    assert renewed.status == 0, renewed.text
    assert set(project.installed) == {"lab_foo", "lab_bar"}


@pytest.mark.parametrize("word", ["~Entitlement-expired-2026-01-31-00-00-UTC", "~"])
def test_addresses_that_older_versions_wrote_down_lead_to_the_file(
    street: Street, tmp_path: Path, pip: Client, word: str
) -> None:
    """Words stood in the links of pages once, and were kept in lock files."""
    secret = street.vendor.token(tmp_path.name).secret
    base = f"{street.server.url}/+t/{secret}/packages/{word}"
    for stem in ("lab_bar", "lab_foo"):
        url = f"{base}/{stem}-1.0-py3-none-any.whl"
        ended = pip.install(url, street.server.with_token(secret or ""), tmp_path / stem)
        assert ended.status == 0, ended.text
        assert (tmp_path / stem / f"{stem}-1.0.dist-info").is_dir()
