"""The vendor's tags on the wire: what is tagged is there with the very next request, or gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from entitlements_core.errors import StoreError
from entitlements_core.policy.package_tags import Package
from entitlements_core.store.reader import CredentialReader
from tests.factories import REPOSITORY, Site, open_site
from tests.wheelhouse import build_wheel

LIST, PAGE = "/simple/", "/simple/foo/"
OLD, NEW = "foo-1.0-py3-none-any.whl", "foo-2.0-py3-none-any.whl"
BAR = "bar-1.0-py3-none-any.whl"


@pytest.fixture
def site(tmp_path: Path, sqlite_template: Path) -> Iterator[Site]:
    """An index of two versions of foo, and of bar."""
    build_wheel(tmp_path / "files", "foo", "1.0")
    build_wheel(tmp_path / "files", "foo", "2.0")
    build_wheel(tmp_path / "files", "bar", "1.0")
    with open_site(tmp_path, sqlite_template) as site:
        yield site


def tag(site: Site, package: str, *tags: str) -> None:
    with site.database.begin() as unit:
        unit.package_tags.put(REPOSITORY, Package.parse(package), tags)


def opened(site: Site, secret: str) -> set[str]:
    """The files that are served, after a look that they are exactly those that are listed."""
    served = {name for name in (OLD, NEW, BAR) if site.get(f"/packages/{name}", secret).code == 200}
    for name in (OLD, NEW, BAR):
        project = name.partition("-")[0]
        page, metadata = f"/simple/{project}/", f"/packages/{name}.metadata"
        assert (name in site.get(page, secret).text) is (name in served)
        assert (site.get(metadata, secret).code == 200) is (name in served)
        listed = f">{project}</a>" in site.get(LIST, secret).text
        assert listed is any(one.startswith(project) for one in served)
    return served


def test_a_tag_opens_with_the_next_request_and_closes_with_the_next(site: Site) -> None:
    secret = site.token(query="tag:^stable$")
    assert opened(site, secret) == set()
    tag(site, "foo==1.0", "stable")
    assert opened(site, secret) == {OLD}
    tag(site, "foo", "stable")
    assert opened(site, secret) == {OLD, NEW}
    tag(site, "foo")
    assert opened(site, secret) == {OLD}
    tag(site, "bar==1.0.0", "stable")
    assert opened(site, secret) == {OLD, BAR}
    tag(site, "foo==1.0")
    assert opened(site, secret) == {BAR}


def test_a_tag_that_must_not_be_there_closes(site: Site) -> None:
    secret = site.token(query="name:^foo$ AND NOT tag:^internal$")
    assert opened(site, secret) == {OLD, NEW}
    tag(site, "foo==2.0", "internal")
    assert opened(site, secret) == {OLD}
    tag(site, "foo==2.0", "other")
    assert opened(site, secret) == {OLD, NEW}


def test_latest_and_the_vendors_tags_stand_together(site: Site) -> None:
    secret = site.token(query="tag:^stable$ tag:^latest$")
    tag(site, "foo", "stable")
    assert opened(site, secret) == {NEW}


def test_a_page_is_remembered_until_the_tags_change(site: Site) -> None:
    secret = site.token(query="tag:^stable$")
    tag(site, "foo==1.0", "stable")
    first, again = site.get(PAGE, secret), site.get(PAGE, secret)
    assert first.headers["ETag"] == again.headers["ETag"]
    etag = {"if-none-match": first.headers["ETag"]}
    assert site.get(PAGE, secret, headers=etag).code == 304
    tag(site, "foo", "stable")
    assert site.get(PAGE, secret, headers=etag).code == 200
    assert NEW in site.get(PAGE, secret).text


@pytest.mark.parametrize(
    ("query", "code"), [("NOT tag:^internal$", 503), ("name:^foo$", 200), ("tag:^latest$", 200)]
)
def test_tags_that_cannot_be_read_open_nothing(
    site: Site, query: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("The disk is gone.")

    secret = site.token(query=query)
    monkeypatch.setattr(CredentialReader, "package_tags", fail)
    for path in (LIST, PAGE, f"/packages/{NEW}", f"/packages/{NEW}.metadata"):
        assert site.get(path, secret).code == code
