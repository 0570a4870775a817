"""Pages: filtered, remembered for as long as nothing changed, and no longer."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from entitlements_core.engine import pages as module
from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.pages import Pages
from entitlements_core.policy.visibility import Visibility, visibility
from entitlements_core.simple import MediaType, negotiate
from tests.factories import NOW, REPOSITORY, credential
from tests.file_times import FileTimes
from tests.wheelhouse import build_sdist, build_wheel, yank

FOO = canonicalize_name("foo")
BAR = canonicalize_name("bar")


def media(accept: str) -> MediaType:
    found = negotiate(accept, None)
    assert found is not None
    return found


HTML = media("text/html")
JSON = media("application/vnd.pypi.simple.v1+json")


def seen(query: str | None = None) -> Visibility:
    whose = credential(query)
    return visibility(whose, whose.grants[0], NOW)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Two versions of foo, one of bar, and one of hidden."""
    folder = tmp_path / "files"
    build_wheel(folder, "foo", "1.0", padding=100)
    yank(build_wheel(folder, "foo", "2.0", padding=1000), "broken")
    build_sdist(folder, "foo", "1.0")
    build_wheel(folder, "bar", "1.0")
    build_wheel(folder, "hidden", "1.0")
    catalog = Catalog(
        [folder],
        repository=REPOSITORY,
        cache=tmp_path / "catalog.db",
        clock=lambda: NOW,
        uploads=FileTimes(),
    )
    catalog.refresh()
    yield catalog
    catalog.close()


def filenames(pages: Pages, query: str | None) -> list[str]:
    page = pages.project(FOO, seen(query), JSON)
    return [] if page is None else [file["filename"] for file in json.loads(page.body)["files"]]


SDIST, FIRST, SECOND = (
    "foo-1.0.tar.gz",
    "foo-1.0-py3-none-any.whl",
    "foo-2.0-py3-none-any.whl",
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (None, [FIRST, SDIST, SECOND]),
        ("name:^foo$", [FIRST, SDIST, SECOND]),
        ("format:wheel", [FIRST, SECOND]),
        ("version:>1.0", [SECOND]),
        ("NOT name:^foo$", []),
        ("name:^bar$", []),
    ],
)
def test_a_page_has_the_files_that_are_covered(
    catalog: Catalog, query: str | None, expected: list[str]
) -> None:
    assert filenames(Pages(lambda: catalog.snapshot), query) == expected


def test_versions_are_those_of_the_files(catalog: Catalog) -> None:
    page = Pages(lambda: catalog.snapshot).project(FOO, seen("version:>1"), JSON)
    assert page is not None
    assert json.loads(page.body)["versions"] == ["2.0"]


def test_a_project_that_does_not_exist_has_no_page(catalog: Catalog) -> None:
    assert (
        Pages(lambda: catalog.snapshot).project(canonicalize_name("missing"), seen(), HTML) is None
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (None, ["bar", "foo", "hidden"]),
        ("NOT name:^hidden$", ["bar", "foo"]),
        ("name:^foo$ OR name:^missing$", ["foo"]),
        ("version:>1", ["foo"]),
        ("version:>9", []),
        ("name:^foo$ version:>9", []),
    ],
)
@pytest.mark.parametrize("form", [HTML, JSON])
def test_a_list_has_the_projects_that_are_covered(
    catalog: Catalog, query: str | None, expected: list[str], form: MediaType
) -> None:
    page = Pages(lambda: catalog.snapshot).projects(seen(query), form)
    if form is JSON:
        assert [one["name"] for one in json.loads(page.body)["projects"]] == expected
    else:
        assert page.body.decode().count("<a ") == len(expected)
    assert dict(page.headers)["ETag"] == page.etag
    assert dict(page.headers)["Content-Type"] == form.content_type


def test_a_page_is_remembered_by_what_is_seen(catalog: Catalog) -> None:
    pages = Pages(lambda: catalog.snapshot)
    first = pages.project(FOO, seen("name:^foo$"), HTML)
    assert pages.project(FOO, seen("name:^foo$"), HTML) is first
    assert pages.project(FOO, seen("version:>1"), HTML) is not first
    assert pages.project(FOO, seen("name:^foo$"), JSON) is not first
    assert pages.projects(seen(), HTML) is pages.projects(seen(), HTML)


@pytest.mark.parametrize("query", ["uploaded:>'1 day ago'", "downloads:<5"])
def test_what_moves_is_not_remembered(catalog: Catalog, query: str) -> None:
    pages = Pages(lambda: catalog.snapshot)
    first = pages.projects(seen(query), HTML)
    assert pages.projects(seen(query), HTML) is not first
    assert len(pages._cache) == 0


def test_a_changed_project_has_a_new_page_and_others_keep_theirs(
    catalog: Catalog, tmp_path: Path
) -> None:
    pages = Pages(lambda: catalog.snapshot)
    foo, bar = pages.project(FOO, seen(), HTML), pages.project(BAR, seen(), HTML)
    whole = pages.projects(seen(), HTML)
    build_wheel(tmp_path / "files", "foo", "3.0")
    build_wheel(tmp_path / "files", "new", "1.0")
    catalog.refresh()

    after = pages.project(FOO, seen(), HTML)
    assert foo is not None
    assert after is not None
    assert after.etag != foo.etag
    assert b"foo-3.0" in after.body
    assert pages.project(BAR, seen(), HTML) is bar
    assert pages.projects(seen(), HTML).etag != whole.etag


def test_the_memory_for_pages_has_a_bound(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CACHE_BYTES", 5000)
    pages = Pages(lambda: catalog.snapshot)
    for number in range(50):
        pages.projects(seen(f"version:>=0.{number}"), HTML)
    assert 0 < pages._cache.currsize <= 5000


def test_a_page_too_large_is_not_remembered(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CACHE_BYTES", 400)
    pages = Pages(lambda: catalog.snapshot)
    assert pages.project(FOO, seen(), HTML) is not None
    assert len(pages._cache) == 0


def test_a_view_that_is_certain_of_nothing_looks_at_every_file(catalog: Catalog) -> None:
    """A freeze hides all files of a project, and with them the project."""
    whose = replace(credential("name:^foo$"), updates_until=NOW.replace(year=2000))
    frozen = visibility(whose, whose.grants[0], NOW)
    pages = Pages(lambda: catalog.snapshot)
    assert pages.project(FOO, frozen, HTML) is None
    assert b"<a " not in pages.projects(frozen, HTML).body


def names(pages: Pages, query: str) -> list[str]:
    page = pages.projects(seen(query), JSON)
    return [project["name"] for project in json.loads(page.body)["projects"]]


def test_a_list_follows_every_change_of_what_it_shows(catalog: Catalog, tmp_path: Path) -> None:
    pages, folder = Pages(lambda: catalog.snapshot), tmp_path / "files"
    assert names(pages, "version:<2") == ["bar", "foo", "hidden"]

    build_wheel(folder, "new", "1.0")
    build_wheel(folder, "later", "3.0")
    (folder / "bar-1.0-py3-none-any.whl").unlink()
    (folder / FIRST).unlink()
    (folder / SDIST).unlink()
    catalog.refresh()

    assert names(pages, "version:<2") == ["hidden", "new"]
    assert names(pages, "version:>=2") == ["foo", "later"]
