"""What of a running devpi-server we rely on: routes, tweens, stages, identities, answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import pytest
from pyramid.interfaces import IRoutesMapper, ISecurityPolicy, ITweens

from entitlements_core.services.core import Core
from tests.plugins.devpi.apps import JSON_PAGE, DevpiApp, wheel_name

pytestmark = pytest.mark.notransaction

STAGE: Final = "/{user:[^+/]+}/{index:[^+/]+}"
RELEASE: Final = "/{user}/{index}/{project}/{version}"
ROUTES: Final = {
    # devpi-server
    "/": "/",
    "/+api": "/+api",
    "/+authcheck": "/+authcheck",
    "/+changelog/{serial}": r"/+changelog/{serial:\d+}",
    "/+changelog/{serial}-": r"/+changelog/{serial:\d+}-",
    "/+login": "/+login",
    "/+status": "/+status",
    "/{user}": "/{user:[^+/]+}",
    "/{user}/": "/{user:[^+/]+}/",
    "/{user}/+api": "/{user:[^+/]+}/+api",
    "/{user}/{index}": STAGE,
    "/{user}/{index}/": f"{STAGE}/",
    "/{user}/{index}/+api": f"{STAGE}/+api",
    "/{user}/{index}/+e/{relpath:.*}": f"{STAGE}/+e/{{relpath:.*}}",
    "/{user}/{index}/+f/{relpath:.*}": f"{STAGE}/+f/{{relpath:.*}}",
    "/{user}/{index}/+simple": f"{STAGE}/+simple",
    "/{user}/{index}/+simple/": f"{STAGE}/+simple/",
    "/{user}/{index}/+simple/{project}": f"{STAGE}/+simple/{{project:[^+/]+}}",
    "/{user}/{index}/+simple/{project}/": f"{STAGE}/+simple/{{project:[^+/]+}}/",
    "/{user}/{index}/+simple/{project}/refresh": f"{STAGE}/+simple/{{project:[^+/]+}}/refresh",
    "/{user}/{index}/{project}": f"{STAGE}/{{project:[^+/]+/?}}",
    "/{user}/{index}/{project}/{version}": f"{STAGE}/{{project:[^+/]+}}/{{version:[^/]+/?}}",
    "installer_simple": "/{user:[^+/]+}/{index:[^+/]+/?}",
    "installer_simple_project": "/{user:[^+/]+}/{index}/{project:[^+/]+/?}",
    # devpi-web
    "__+static-N/": "+static-N/*subpath",
    "docroot": f"{RELEASE}/+doc/{{relpath:.*}}",
    "docviewroot": f"{RELEASE}/+d/{{relpath:.*}}",
    "project_refresh": "/{user}/{index}/{project}/refresh",
    "root": "/",
    "search": "/+search",
    "search_help": "/+searchhelp",
    "toxresult": f"{RELEASE}/+toxresults/{{basename}}/{{toxresult}}",
    "toxresults": f"{RELEASE}/+toxresults/{{basename}}",
    # devpi-lockdown
    "login": "/+login",
    "logout": "/+logout",
    # devpi-tokens
    "user-token-create": "/{user}/+token-create",
    "user-token-delete": "/{user}/+tokens/{id}",
    "user-tokens": "/{user}/+tokens",
}
TWEENS: Final = [
    "devpi_server.views.tween_request_logging",
    "devpi_server.views.tween_keyfs_transaction",
    "devpi_web.views.tween_trailing_slash_redirect",
    "pyramid.tweens.excview_tween_factory",
]


@pytest.fixture
def full(
    core: Core,
    other_plugins: list[ModuleType],
    makexom: Callable[..., Any],
    maketestapp: Callable[..., Any],
    makemapp: Callable[..., Any],
) -> DevpiApp:
    """A full installation without our plugin."""
    testapp = maketestapp(makexom(["--enable-core-metadata"], plugins=other_plugins))
    return DevpiApp(xom=testapp.xom, testapp=testapp, mapp=makemapp(testapp), core=core)


def registry(app: DevpiApp) -> Any:  # noqa: ANN401 - pyramid has no types
    """Pyramid's registry of the application."""
    return app.testapp.app.app.registry


def test_the_routes_of_a_full_installation_are_those_that_were_classified(full: DevpiApp) -> None:
    mapper = registry(full).getUtility(IRoutesMapper)
    found = {
        without_version(route.name): without_version(route.pattern)
        for route in mapper.get_routes(include_static=True)
    }

    new, gone = found.keys() - ROUTES.keys(), ROUTES.keys() - found.keys()
    assert not new, f"routes that nobody decided about: { {name: found[name] for name in new} }"
    assert not gone, f"routes that are gone: {sorted(gone)}"
    assert found == ROUTES, "a route has another pattern"


def without_version(text: str) -> str:
    """The static files of devpi-web carry its version in their path."""
    return re.sub(r"\+static-[^/]+", "+static-N", text)


def test_the_tweens_are_those_that_ours_stands_before(full: DevpiApp) -> None:
    names = [name for name, _ in registry(full).getUtility(ITweens).implicit()]

    assert names == TWEENS, "other tweens, or another order"


def test_the_application_is_wrapped_by_the_outside_url_alone(full: DevpiApp) -> None:
    wrapper = full.testapp.app

    assert type(wrapper).__name__ == "OutsideURLMiddleware", "XOM.create_app gives something else"
    assert registry(full)["xom"] is full.xom, "the registry no longer holds the server as 'xom'"


def test_the_security_policy_caches_the_identity(full: DevpiApp) -> None:
    policy = registry(full).getUtility(ISecurityPolicy)

    assert hasattr(policy.identity_cache, "get_or_create"), "the identity is cached otherwise"
    assert policy.realm == "pypi", "the realm of basic auth has another name"


def test_devpi_web_keeps_its_search_in_the_registry(full: DevpiApp) -> None:
    search = registry(full)["search_index"]

    assert callable(search.query_projects), "devpi-web searches by another name"


def test_a_stage_of_a_transaction_is_one_object(full: DevpiApp) -> None:
    full.index("acme/prod", bases=[])
    keyfs = full.xom.keyfs
    with keyfs.read_transaction() as tx:
        stage = full.xom.model.getstage("acme/prod")

        assert full.xom.model.getstage("acme", "prod") is stage, "a stage is made anew each time"
        cache = tx.get_model(full.xom).model_cache
        assert cache["acme", "prod"] is stage, "model_cache is keyed or filled otherwise"
        stage.customizer = type(stage.customizer)(stage)
        stage.list_projects_perstage = lambda: {"patched"}
        assert full.xom.model.getstage("acme/prod").list_projects_perstage() == {"patched"}, (
            "a method of a stage can no longer be replaced for one transaction"
        )
    with keyfs.read_transaction():
        assert full.xom.model.getstage("acme/prod") is not stage, (
            "a stage outlives its transaction: what is set on it would reach other requests"
        )


def test_the_customizer_of_the_entry_stage_filters_what_its_bases_give(full: DevpiApp) -> None:
    full.index("acme/base", bases=[])
    full.index("acme/prod", bases=["acme/base"])
    full.upload("acme/base", "lab-foo", "1.0")
    full.upload("acme/base", "lab-foo", "2.0")
    full.upload("acme/base", "lab-bar", "1.0")
    with full.xom.keyfs.read_transaction():
        stage = full.xom.model.getstage("acme/prod")
        stage.customizer = Narrow(stage.customizer)

        assert names_of(stage.list_projects()) == {"lab-foo"}, "list_projects is not filtered"
        assert not stage.has_project("lab-bar"), "has_project is not filtered"
        assert stage.list_versions("lab-foo") == {"1.0"}, "list_versions is not filtered"
        assert not stage.get_versiondata("lab-foo", "2.0"), "get_versiondata is not filtered"
        [link] = stage.get_simplelinks("lab-foo")
        assert link.version == "1.0", "get_simplelinks is not filtered"
        assert link.path.startswith("acme/base/+f/"), "a link is no path below the index any more"
        assert not stage.get_simplelinks("lab-bar"), "a hidden project has links"


class Narrow:
    """A customizer that shows lab-foo 1.0 alone."""

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - devpi has no types
        self._inner = inner

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - devpi has no types
        return getattr(self._inner, name)

    def get_projects_filter_iter(self, projects: Any) -> Any:  # noqa: ANN401 - devpi has no types
        return (project == "lab-foo" for project in projects)

    def get_versions_filter_iter(self, project: str, versions: Any) -> Any:  # noqa: ANN401 - devpi has no types
        return (version == "1.0" for version in versions)

    def get_simple_links_filter_iter(self, project: str, links: Any) -> Any:  # noqa: ANN401 - devpi has no types
        return (link.version == "1.0" for link in links)


def names_of(listed: Any) -> set[str]:  # noqa: ANN401 - devpi has no types
    """All projects of ``list_projects``."""
    return {str(name) for _, names in listed for name in names}


def test_a_file_entry_knows_what_the_file_is(full: DevpiApp) -> None:
    full.index("acme/prod", bases=[])
    path = full.upload("acme/prod", "lab-foo", "1.0")
    with full.xom.keyfs.read_transaction():
        entry = full.xom.filestore.get_file_entry(path.strip("/"))

        facts = (entry.user, entry.index, entry.project, entry.version, entry.basename)
        assert facts == ("acme", "prod", "lab-foo", "1.0", wheel_name("lab-foo", "1.0"))
        assert set(entry.hashes) == {"sha256"}, "files have other hashes"
        assert entry.file_exists(), "file_exists says otherwise"
        assert entry.file_os_path() is not None, "files are not on the file system any more"
        files = full.xom.config.server_path / "+files"
        assert str(entry.file_os_path()).startswith(str(files)), "files are elsewhere"
        with entry.file_open_read() as file:
            assert len(file.read()) == entry.file_size(), "file_size is not the file's"


def test_links_are_absolute_when_the_request_says_so(full: DevpiApp) -> None:
    full.index("acme/prod", bases=[])
    full.upload("acme/prod", "lab-foo", "1.0")
    page = "/acme/prod/+simple/lab-foo/"
    plain = full.get(page, **JSON_PAGE).json["files"][0]["url"]
    absolute = full.get(page, **JSON_PAGE, X_Devpi_Absolute_Urls="1").json["files"][0]["url"]

    assert plain.startswith("../../+f/"), f"links are otherwise relative: {plain}"
    assert absolute.startswith("http://localhost/acme/prod/+f/"), (
        "X-Devpi-Absolute-Urls is not heeded"
    )


def test_links_stay_below_a_prefix_of_the_application(full: DevpiApp) -> None:
    full.index("acme/prod", bases=[])
    full.upload("acme/prod", "lab-foo", "1.0")
    answer = full.testapp.get(
        "/acme/prod/lab-foo",
        headers={"Accept": "application/json"},
        extra_environ={"SCRIPT_NAME": "/+t/secret"},
    )
    [link] = answer.json["result"]["1.0"]["+links"]

    assert link["href"].startswith("http://localhost/+t/secret/acme/prod/+f/"), (
        "route_url no longer honours SCRIPT_NAME"
    )


def test_a_file_is_sent_without_validators(full: DevpiApp) -> None:
    full.index("acme/prod", bases=[])
    path = full.upload("acme/prod", "lab-foo", "1.0")
    answer = full.get(path, Range="bytes=0-1")

    assert answer.status_code == 200, "devpi has learned ranges: ours may go"
    assert answer.headers.get("ETag") is None, "devpi has learned ETags: ours may go"
    assert "public" in answer.headers["Cache-Control"], "devpi sends another Cache-Control"
