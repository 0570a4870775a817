"""Who is sent to the upstream, and for what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.utils import canonicalize_name

from entitlements_core.errors import StoreError
from entitlements_core.policy.credential import State
from entitlements_core.policy.project_names import NamePattern
from entitlements_core.policy.upstream import Upstream
from entitlements_core.store.reader import CredentialReader
from entitlements_core.store.upload_register import UploadRegister
from tests.factories import NOW, REPOSITORY, Response, Site, open_site
from tests.wheelhouse import build_sdist, build_wheel

UPSTREAM: Final = Upstream.parse("https://index.example/simple")
FOREIGN: Final = ("numpy", "NumPy", "acme", "ac", "foo-bar", "a" * 200)


def asked(site: Site, path: str, secret: str | None = None, method: str = "GET") -> Response:
    """An answer without the checks of `wsgiref.validate`, which wants a type of no content."""
    return site.get(path, secret, method=method, strict=False)


@pytest.fixture
def site(tmp_path: Path, sqlite_template: Path) -> Iterator[Site]:
    """Files of foo, hidden and a broken one; gone was there once, and new-* is reserved."""
    directory = tmp_path / "files"
    build_wheel(directory, "foo", "1.0")
    build_sdist(directory, "hidden", "1.0")
    (directory / "broken_one-1.0-py3-none-any.whl").write_text("no wheel")
    (directory / "Broken-Two-1.0.tar.gz").write_text("no archive")
    (directory / "old-style-1.0.egg").write_text("an egg")
    (directory / "linked_out-1.0-py3-none-any.whl").symlink_to(tmp_path / "elsewhere.whl")
    with open_site(tmp_path, sqlite_template, upstream=UPSTREAM) as site:
        register = UploadRegister(f"sqlite:///{tmp_path / 'store.db'}")
        found = {("gone-1.0.tar.gz", "0" * 64): NOW}
        register.record(REPOSITORY, found, NOW, complete=True)
        register.close()
        with site.database.begin() as unit:
            unit.reserved_names.put(REPOSITORY, [NamePattern.parse("new-*")])
        yield site


OWN: Final = (
    *("hidden", "broken-one", "broken-two", "old-style", "linked-out", "gone", "new-one"),
    *("Hidden", "GONE", "new_one", "new.two"),
)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_project_is_the_upstreams(site: Site, name: str, method: str) -> None:
    secret = site.token(query="name:^foo$")
    answer = asked(site, f"/simple/{name}/", secret, method)
    assert answer.code == 307
    assert answer.headers["Location"] == UPSTREAM.page(canonicalize_name(name))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.body == b""
    assert site.used() == (0, 0, 0)


@pytest.mark.parametrize("name", OWN)
def test_what_ever_was_the_vendors_is_nowhere_else(site: Site, name: str) -> None:
    secret = site.token(query="name:^foo$")
    path = f"/simple/{canonicalize_name(name)}/" if name == "Hidden" else f"/simple/{name}/"
    answer = asked(site, path, secret)
    assert answer.code == 404
    assert "Location" not in answer.headers
    assert answer.body == asked(site, "/simple/foo/x", secret).body


def test_the_vendors_own_pages_stay(site: Site) -> None:
    secret = site.token()
    assert asked(site, "/simple/foo/", secret).code == 200
    listed = asked(site, "/simple/", secret)
    assert listed.code == 200
    assert b"numpy" not in listed.body


@pytest.mark.parametrize(
    "path", ["/packages/numpy-1.0-py3-none-any.whl", "/simple/numpy/x", "/simple/numpy/1.0/", "/"]
)
def test_only_pages_of_projects_lead_there(site: Site, path: str) -> None:
    assert asked(site, path, site.token()).code == 404


def test_a_name_without_a_slash_gets_one_first(site: Site) -> None:
    answer = asked(site, "/simple/NumPy", site.token())
    assert (answer.code, answer.headers["Location"]) == (307, "numpy/")


def test_below_a_token_no_secret_is_in_the_address(site: Site) -> None:
    secret = site.token()
    answer = asked(site, f"/+t/{secret}/simple/numpy/")
    assert answer.headers["Location"] == "https://index.example/simple/numpy/"


REFUSED: Final[dict[str, tuple[dict[str, Any], int]]] = {
    "deleted": ({"state": State.DELETED}, 401),
    "elsewhere": ({"allow_networks": ("10.0.0.0/8",)}, 402),
}


@pytest.mark.parametrize(("terms", "status"), REFUSED.values(), ids=REFUSED)
def test_who_sees_no_page_is_sent_nowhere(site: Site, terms: dict[str, Any], status: int) -> None:
    answer = asked(site, "/simple/numpy/", site.token(**terms))
    assert (answer.code, answer.headers.get("Location")) == (status, None)


def test_strangers_are_sent_nowhere(site: Site) -> None:
    for secret in (None, "somebody-else"):
        answer = asked(site, "/simple/numpy/", secret)
        assert (answer.code, answer.headers.get("Location")) == (401, None)


@pytest.mark.parametrize(
    "terms",
    [
        {"limit_date_range_to": NOW},
        {"limit_num_downloads": 0},
        {"eula_required": True},
        {"state": State.DISABLED},
    ],
    ids=["expired", "used-up", "licence", "disabled"],
)
def test_who_is_refused_at_the_file_still_gets_as_far(site: Site, terms: dict[str, Any]) -> None:
    """Else installing would fail at what the vendor does not have, without a word of why."""
    assert asked(site, "/simple/numpy/", site.token(**terms)).code == 307


def test_a_file_that_comes_takes_its_name_at_once(site: Site) -> None:
    secret = site.token(query="name:^foo$")
    assert asked(site, "/simple/late/", secret).code == 307
    build_wheel(site.directory, "late", "1.0")
    site.catalog.refresh()
    assert asked(site, "/simple/late/", secret).code == 404
    next(site.directory.rglob("late-*")).unlink()
    site.catalog.refresh()
    # Only what the store remembers outlives the file; this site's store was not told.
    assert asked(site, "/simple/late/", secret).code == 307


def test_where_it_cannot_be_told_whose_a_name_is_nobody_is_sent_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = site.token()

    def fail(*_: object) -> bool:
        raise StoreError("The store is away.")

    monkeypatch.setattr(CredentialReader, "is_own", fail)
    answer = asked(site, "/simple/numpy/", secret)
    assert (answer.code, answer.headers.get("Location")) == (503, None)
    assert asked(site, "/simple/foo/", secret).code == 200


def test_who_is_too_early_gets_as_far(site: Site) -> None:
    secret = site.token(limit_date_range_from=NOW + timedelta(hours=1))
    assert asked(site, "/simple/numpy/", secret).code == 307
