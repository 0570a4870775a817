"""Rendered pages are remembered as long as nothing that they show can have changed."""

from __future__ import annotations

from datetime import UTC, datetime
from types import ModuleType
from typing import Any, Final

import pytest
from devpi_server.config import hookimpl

from devpi_entitlements.page_cache import CACHE_BYTES, PageCache
from devpi_entitlements.site import SITE, Site
from entitlements_core.engine.pages import Page
from tests.actors import person
from tests.plugins.devpi.apps import JSON_PAGE, DevpiApp, basic, bearer, wheel_name
from tests.plugins.devpi.conftest import MakeDevpiApp

pytestmark = pytest.mark.notransaction

Answer = Any
LIST: Final = "/acme/priv/+simple/"
PAGE: Final = "/acme/priv/+simple/acme-core/"
HTML: Final = {"Accept": "text/html"}


def site_of(app: DevpiApp) -> Site:
    site: Site = app.testapp.app.app.registry[SITE]
    return site


class Watch:
    """Asks for pages, and tells which answers were remembered ones."""

    def __init__(self, app: DevpiApp) -> None:
        self.app = app
        self._site = site_of(app)

    def get(self, path: str, secret: str | None = None, **headers: str) -> tuple[bool, Answer]:
        before = self._site.pages.hits
        answer = self.app.get(path, secret, **(headers or HTML))
        return self._site.pages.hits > before, answer

    def is_remembered(self, path: str, secret: str | None = None, **headers: str) -> bool:
        """Whether the second of two equal requests is, with the same answer."""
        first = self.app.get(path, secret, **(headers or HTML))
        assert first.status_code == 200, first.text
        remembered, second = self.get(path, secret, **headers)
        assert second.body == first.body
        assert dict(second.headers) == dict(first.headers)
        return remembered


@pytest.fixture
def acme(devpi: DevpiApp) -> DevpiApp:
    """An index with two releases, and one that inherits from it."""
    devpi.closed_index("acme/base", bases=[])
    devpi.closed_index("acme/priv", bases=[])
    for version in ("1.0", "2.0"):
        devpi.upload("acme/priv", "acme-core", version)
    return devpi


def test_the_same_page_is_rendered_once(acme: DevpiApp) -> None:
    watch = Watch(acme)
    secret = acme.token("acme/priv", query="version:<2")
    for path in (LIST, PAGE, "/simple/", "/simple/acme-core/"):
        for headers in (HTML, JSON_PAGE, {"Accept": "*/*", "User-Agent": "pip/26.0"}):
            assert watch.is_remembered(path, secret, **headers)
    for path in (LIST, PAGE):
        for login in (basic("token", secret), basic("who", secret), bearer(secret)):
            assert watch.get(path, **HTML, **login)[0], "however the same token comes"

    # The same restriction is the same page; another one is another page.
    same = acme.token("acme/priv", query="version:<2", name="same")
    assert watch.get(PAGE, same)[0]
    every = acme.token("acme/priv", name="every")
    remembered, answer = watch.get(PAGE, every)
    assert not remembered
    assert wheel_name("acme-core", "2.0") in answer.text
    assert wheel_name("acme-core", "2.0") not in watch.get(PAGE, secret)[1].text
    frozen = acme.token("acme/priv", name="frozen", updates_until=datetime(2020, 1, 1, tzinfo=UTC))
    assert acme.files("acme/priv", "acme-core", frozen) == []

    # A form of address that is not the usual one goes the long way.
    for path in (LIST.rstrip("/"), PAGE.rstrip("/"), "/acme/priv/+simple/Acme.Core/"):
        assert not watch.get(path, every)[0]
    # Neither is remembered what depends on the moment, or on counters.
    for number, query in enumerate(("uploaded:>'1 day ago'", "downloads:>=0")):
        moving = acme.token("acme/priv", query=query, name=f"moving {number}")
        assert not watch.is_remembered(PAGE, moving)
    # Nor is what is not there.
    for name in ("never-was", "other"):
        path = f"/acme/priv/+simple/{name}/"
        assert acme.get(path, every).status_code == 404
        remembered, answer = watch.get(path, every)
        assert (remembered, answer.status_code) == (False, 404)


def test_the_tag_of_a_page_is_of_its_contents(acme: DevpiApp) -> None:
    watch = Watch(acme)
    few, all_ = acme.token("acme/priv", query="version:1", name="few"), acme.token("acme/priv")
    tags = {}
    for secret in (few, all_):
        for path in (LIST, PAGE):
            for headers in (HTML, JSON_PAGE):
                first = watch.get(path, secret, **headers)[1]
                etag = tags[secret, path, str(headers)] = first.headers["ETag"]
                assert first.headers["Cache-Control"] == "private, no-cache"
                assert first.headers["Vary"] == "Accept, Authorization"
                assert first.headers["Content-Length"] == str(len(first.body))
                same = acme.get(path, secret, If_None_Match=etag, **headers)
                assert (same.status_code, same.body) == (304, b"")
                assert same.headers["ETag"] == etag
                head = acme.request("HEAD", path, secret, **headers)
                assert (head.status_code, head.body) == (200, b"")
                assert head.headers["Content-Length"] == str(len(first.body))
                assert acme.get(path, secret, If_None_Match='"x"', **headers).status_code == 200
    pages = {tag for (_, path, _), tag in tags.items() if path == PAGE}
    assert len(pages) == 4, "each view and each form has its own"
    other = tags[all_, PAGE, str(HTML)]
    assert acme.get(PAGE, few, If_None_Match=other, **HTML).status_code == 200
    # The first page ever asked for may be a HEAD, or not have changed.
    acme.upload("acme/priv", "acme-core", "3.0")
    head = acme.request("HEAD", PAGE, few, **HTML)
    assert (head.status_code, head.headers["ETag"]) == (200, tags[few, PAGE, str(HTML)])
    acme.upload("acme/priv", "acme-core", "4.0")
    same = acme.get(PAGE, few, If_None_Match=tags[few, PAGE, str(HTML)], **HTML)
    assert same.status_code == 304


class Customer:
    """Asks for the page of acme-core, twice each time, in the index that a token opens."""

    def __init__(self, app: DevpiApp) -> None:
        issued = app.issue(["acme/priv"])
        self._app = app
        self._lifecycle = app.core.lifecycle
        self.identifier, self.secret = issued.token.identifier, str(issued.secret)

    def versions(self) -> list[str]:
        files = self._app.files("acme/priv", "acme-core", self.secret)
        assert self._app.files("acme/priv", "acme-core", self.secret) == files
        return [file.split("-")[1] for file in files]

    def code(self) -> str:
        """Why there is no page; empty when there is one."""
        answer = self._app.get(PAGE, self.secret, **JSON_PAGE)
        return str(answer.json["code"]) if answer.status_code >= 400 else ""

    def restrict(self, query: str | None) -> None:
        self.edit(repository="acme/priv", limit_package_query=query)

    def edit(self, **changes: Any) -> None:  # noqa: ANN401 - any term
        self._lifecycle.edit(self.identifier, actor=person("test"), **changes)


def test_every_change_of_an_index_shows_on_the_next_request(acme: DevpiApp) -> None:
    customer = Customer(acme)
    assert customer.versions() == ["1.0", "2.0"]
    acme.upload("acme/priv", "acme-core", "3.0")
    assert customer.versions() == ["1.0", "2.0", "3.0"]
    acme.login("acme")
    acme.testapp.delete("/acme/priv/acme-core/3.0")
    acme.logout()
    assert customer.versions() == ["1.0", "2.0"]

    acme.upload("acme/base", "acme-core", "0.5")
    assert customer.versions() == ["1.0", "2.0"]
    acme.configure("acme/priv", bases=["acme/base"])
    assert customer.versions() == ["1.0", "2.0"]
    acme.core.grants.renew_repository("acme/priv", actor=person("test"))
    assert customer.versions() == ["0.5", "1.0", "2.0"]
    acme.upload("acme/base", "acme-core", "0.6")
    assert customer.versions() == ["0.5", "0.6", "1.0", "2.0"]
    acme.configure("acme/priv", bases="")
    assert customer.versions() == ["1.0", "2.0"]

    customer.restrict("tag:latest")
    assert customer.versions() == ["2.0"]
    acme.upload("acme/priv", "acme-core", "4.0")
    assert customer.versions() == ["4.0"]
    acme.login("acme")
    acme.mapp.delete_index("acme/priv")
    acme.logout()
    assert customer.code() == "unknown_token"


def test_every_change_of_a_token_shows_on_the_next_request(acme: DevpiApp) -> None:
    core, customer = acme.core, Customer(acme)
    assert customer.versions() == ["1.0", "2.0"]
    customer.restrict("version:1")
    assert customer.versions() == ["1.0"]
    customer.restrict("tag:^stable$")
    assert customer.versions() == []
    core.package_tags.add("acme/priv", "acme-core==2.0", ["stable"], actor=person("test"))
    assert customer.versions() == ["2.0"]
    core.package_tags.remove("acme/priv", "acme-core==2.0", ["stable"], actor=person("test"))
    assert customer.versions() == []
    customer.restrict(None)
    assert customer.versions() == ["1.0", "2.0"]

    core.lifecycle.disable(customer.identifier, actor=person("test"))
    assert customer.versions() == ["1.0", "2.0"]  # files are refused, and say why
    core.lifecycle.enable(customer.identifier, actor=person("test"))
    customer.edit(deny_networks=["0.0.0.0/0", "::/0"], allow_networks=["192.0.2.1"])
    assert customer.code() == "address_denied"
    customer.edit(deny_networks=[], allow_networks=[])
    assert customer.code() == ""
    old = customer.secret
    customer.secret = str(core.rotation.refresh(customer.identifier, actor=person("test")).secret)
    assert customer.versions() == ["1.0", "2.0"]
    assert acme.get(PAGE, old).status_code == 410
    core.lifecycle.delete(customer.identifier, actor=person("test"))
    assert customer.code() == "unknown_token"


def test_what_a_mirror_takes_part_in_is_never_remembered(
    make_devpi_app: MakeDevpiApp, other_plugins: list[ModuleType]
) -> None:
    app = make_devpi_app(plugins=other_plugins)
    app.mirror("acme/up", {"lab-foo": ""})
    app.closed_index("acme/priv", bases=["acme/up"])
    app.closed_index("acme/own", bases=[])
    app.closed_index("acme/few", type="constrained", bases=["acme/own"], constraints=["other"])
    for index in ("acme/priv", "acme/own"):
        app.upload(index, "acme-core", "1.0")
    watch = Watch(app)
    for index, expected in (
        ("acme/priv", False),
        ("acme/own", True),
        ("acme/few", True),
    ):
        secret = app.token(index, name=index)
        for path in (f"/{index}/+simple/", f"/{index}/+simple/acme-core/", "/simple/"):
            assert watch.is_remembered(path, secret) is expected, path
    # What the index's own filter says is part of its configuration, and so of a commit.
    app.configure("acme/few", constraints="acme-core>1")
    assert app.files("acme/few", "acme-core", secret) == []


def test_the_store_of_pages() -> None:
    cache = PageCache()
    page = Page.of(b"body", "text/html")
    cache.keep("key", 3, page)
    assert cache.recall("key", lambda: 3) is page
    assert cache.recall("key", lambda: 4) is None
    assert cache.recall("key", lambda: 2) is None
    assert cache.recall("other", lambda: 1 // 0) is None, "the serial is not asked for"
    assert cache.hits == 1
    cache.keep("large", 3, Page.of(b"x" * (CACHE_BYTES // 4), "text/html"))
    assert cache.recall("large", lambda: 3) is None
    for number in range(6):
        cache.keep(number, 3, Page.of(b"x" * (CACHE_BYTES // 5), "text/html"))
    assert cache.recall("key", lambda: 3) is None, "the oldest gave way"
    assert cache.recall(5, lambda: 3) is not None


def test_what_a_client_accepts_is_not_remembered_for_others(acme: DevpiApp) -> None:
    watch, secret = Watch(acme), acme.token("acme/priv")
    for path in (LIST, PAGE):
        for accept in ("application/xml", "image/png", "text/html;q=0", "*/*", "text/html"):
            answer = watch.get(path, secret, Accept=accept)[1]
            assert (answer.status_code, answer.content_type) == (200, "text/html"), accept
        answer = watch.get(path, secret, **JSON_PAGE)[1]
        assert answer.content_type == JSON_PAGE["Accept"]


class Moody:
    """A type of index of another plugin, whose pages do not depend on commits alone."""

    shows = True

    class Stage:
        """See devpi's BaseStageCustomizer."""

        def get_simple_links_filter_iter(self, project: str, links: list[Any]) -> Any:  # noqa: ANN401 - of devpi
            return (Moody.shows for _ in links)

    @hookimpl
    def devpiserver_get_stage_customizer_classes(self) -> list[tuple[str, type]]:
        return [("moody", self.Stage)]


def test_what_another_plugin_filters_is_never_remembered(
    make_devpi_app: MakeDevpiApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_devpi_app(plugins=[Moody()])
    app.closed_index("acme/priv", type="moody", bases=[])
    path = app.upload("acme/priv", "acme-core", "1.0")
    watch, secret = Watch(app), app.token("acme/priv")
    assert not watch.is_remembered(PAGE, secret)
    assert app.get(path, secret).status_code == app.get(path, secret).status_code == 200
    monkeypatch.setattr(Moody, "shows", False)
    assert app.files("acme/priv", "acme-core", secret) == []
    assert app.get(path, secret).status_code == 404
