"""The extension as a citizen of Flask: factories, several apps, signals, decorated views."""

import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, send_from_directory
from flask.typing import ResponseReturnValue

import flask_static_entitlements
from entitlements_core import hookimpl
from entitlements_core.errors import ConfigurationError, NotFound
from entitlements_core.policy.decide import Question
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.services.core import Core
from entitlements_core.services.repositories import RepositoryService
from entitlements_core.services.settings import Settings
from entitlements_core.store.failures import DatabaseMissing
from entitlements_core.store.records import Repository
from flask_static_entitlements import (
    Entitlements,
    RepositoryOptions,
    current_entitlement,
    distribution_downloaded,
    entitlement_allowed,
    entitlement_refused,
)
from tests.actors import person
from tests.health import check_health
from tests.plugins.flask_static.conftest import (
    HIDDEN,
    LIBRARY,
    REPOSITORY,
    TOOL,
    Served,
    Start,
    counted,
    issue,
    wait,
)


def test_a_factory_configures_each_app(tree: Path, tmp_path: Path) -> None:
    extension = Entitlements()

    def create_app(name: str) -> Flask:
        app = Flask(name)
        app.config["ENTITLEMENTS_HOME"] = tmp_path / name
        app.config["ENTITLEMENTS_REPOSITORY"] = f"acme/{name}"
        app.config["ENTITLEMENTS_DIRECTORIES"] = str(tree)
        app.config["ENTITLEMENTS_CREATE_REPOSITORIES"] = True
        extension.init_app(app)
        return app

    with pytest.raises(ConfigurationError, match="0 apps"):
        _ = extension.core
    first, second = create_app("one"), create_app("two")
    with pytest.raises(ConfigurationError, match="2 apps"):
        _ = extension.core
    with first.app_context():
        token = issue(extension.core, repository="acme/one")
    with second.app_context():
        assert extension.core.plugins.host().startswith("Flask ")
    for app, status in [(first, 200), (second, 410)]:
        client = app.test_client()
        wait(lambda client=client: client.get("/+health").status_code == 200)  # type: ignore[misc]
        assert client.get(f"/+t/{token}/simple/").status_code == status
    extension.close()


def test_an_app_has_one_extension(served: Served) -> None:
    with pytest.raises(ConfigurationError, match="already"):
        served.extension.init_app(served.app)


def test_a_missing_repository_names_the_command(tree: Path) -> None:
    Core.open(Settings.load(), create=True).close()
    with pytest.raises(ConfigurationError, match="flask entitlements repo add acme/prod"):
        Entitlements(Flask("vendor"), repository=REPOSITORY, directories=[tree])


def test_a_missing_home_is_not_made_for_a_repository_that_nobody_adds(tree: Path) -> None:
    home = Settings.load().home
    with pytest.raises(DatabaseMissing, match="There is no home"):
        Entitlements(Flask("vendor"), repository=REPOSITORY, directories=[tree])
    assert not home.exists()


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"directories": ["/nowhere/at/all"]}, "/nowhere/at/all does not exist"),
        ({"accel_redirect": ["/a", "/b"]}, "accel_redirect of acme/prod does not fit"),
    ],
)
def test_what_cannot_be_opened_is_said_at_once(
    tree: Path, own: RepositoryOptions, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Entitlements(
            Flask("vendor"),
            repositories={REPOSITORY: {"directories": [tree], **own}},
            create_repositories=True,
        )


def test_it_can_be_closed_and_opened_again(served: Served) -> None:
    served.extension.close()
    served.extension.close()
    served.extension.start()
    client = served.client()
    wait(lambda: client.get("/simple/").status_code == 200)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_sees_changes_too(served: Served, tree: Path) -> None:
    child = os.fork()
    if child == 0:
        try:
            page = served.client()
            (tree / "acme-tool" / TOOL).unlink()
            wait(lambda: page.get("/simple/acme-tool/").status_code == 404)
        except BaseException:  # noqa: BLE001 - the exit status is all a child can say
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_signals_are_sent_with_the_app(served: Served) -> None:
    heard: list[tuple[str, object, object]] = []

    def allowed(sender: Flask, question: Question, decision: object) -> None:
        heard.append(("allowed", sender, question.credential.name))

    def refused(sender: Flask, question: Question, decision: Deny) -> None:
        heard.append(("refused", sender, decision.reason))

    def downloaded(sender: Flask, **news: object) -> None:
        heard.append(("downloaded", sender, news["download"]))

    with (
        entitlement_allowed.connected_to(allowed),
        entitlement_refused.connected_to(refused, sender=served.app),
        distribution_downloaded.connected_to(downloaded),
    ):
        served.client().get(f"/packages/{TOOL}")
        served.client().get(f"/packages/{HIDDEN}")
    app = served.app
    assert heard[0] == ("allowed", app, "Customer")
    assert heard[1][:2] == ("downloaded", app)
    assert heard[2] == ("refused", app, Reason.NOT_FOUND)
    assert served.secret not in repr(heard)
    served.client().get(f"/packages/{LIBRARY}")
    served.client().get(f"/packages/{HIDDEN}")
    assert len(heard) == 3


def test_the_services_know_the_files_of_the_host(served: Served) -> None:
    plugins = served.core.plugins
    assert plugins.repositories() == (REPOSITORY,)
    assert len(plugins.files(REPOSITORY) or ()) == 4
    assert [facts.filename for facts in plugins.files(REPOSITORY, "acme-tool") or ()] == [TOOL]
    assert plugins.files("other/one") is None


class Veto:
    @hookimpl
    def entitlements_veto(self, question: Question) -> Deny | None:
        return Deny(Reason.VETOED, "Not on Sundays")


def test_plugins_come_along(start: Start, tree: Path) -> None:
    served = start(Flask("vendor"), repository=REPOSITORY, directories=[tree], plugins=[Veto()])
    assert served.client().get(f"/packages/{TOOL}").status == "403 Not on Sundays"


@pytest.fixture
def views(served: Served, tree: Path) -> Served:
    """Views of the app that ask by themselves."""
    app, extension = served.app, served.extension

    @app.get("/notes")
    @extension.required
    def notes() -> ResponseReturnValue:
        assert current_entitlement is not None
        return {
            "customer": current_entitlement.name,
            "visible": extension.filter([TOOL, HIDDEN, "unknown-1.0.tar.gz"]),
        }

    @app.get("/get/<path:name>")
    @extension.required(filename="name", repository=REPOSITORY)
    async def get(name: str) -> Response:
        return send_from_directory(tree, name, conditional=True)

    @app.get("/broken/<name>")
    @extension.required(filename="name")
    def broken(name: str) -> str:
        return str(1 / 0)

    @app.get("/big/<name>")
    @extension.required(filename="name")
    def big(name: str) -> Response:
        return Response(b"x" * 1000)

    @app.get("/open")
    def everyone() -> list[str]:
        return extension.filter([TOOL])

    return served


def test_a_view_knows_who_asks(views: Served) -> None:
    answer = views.client().get("/notes")
    assert answer.get_json() == {"customer": "Customer", "visible": [TOOL]}
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_without_a_credential_nothing_is_visible(views: Served) -> None:
    assert views.client("").get("/open").get_json() == []
    assert views.client().get("/open").get_json() == [TOOL]


def test_facts_can_be_filtered(views: Served) -> None:
    facts = views.core.plugins.files(REPOSITORY) or ()
    with views.app.test_request_context(views.path("/notes")):
        assert views.extension.filter(facts) == []  # no middleware ran: the path is not read
    headers = {"Authorization": f"Bearer {views.secret}"}
    with views.app.test_request_context("/notes", headers=headers):
        seen = {item.name for item in views.extension.filter(facts)}
        assert seen == {"acme-tool", "acme-lib"}
        assert views.extension.filter(facts, repository=REPOSITORY)


@pytest.mark.parametrize("form", ["header", "path"])
@pytest.mark.parametrize(
    ("terms", "status"),
    [
        ({"limit_date_range_to": "2020-01-01T00:00:00Z"}, 403),
        ({"limit_date_range_from": "2999-01-01T00:00:00Z"}, 403),
        ({"enabled": False}, 403),
        ({"deny_networks": ("127.0.0.1",)}, 403),
    ],
)
def test_a_view_is_closed_to_what_opens_nothing(
    views: Served, terms: dict[str, object], status: int, form: str
) -> None:
    given = {
        name: datetime.fromisoformat(value) if isinstance(value, str) else value
        for name, value in terms.items()
    }
    secret = issue(views.core, **given)  # type: ignore[arg-type] # a table of fields
    client = views.client(secret if form == "header" else "")
    prefix = "" if form == "header" else f"/+t/{secret}"
    answer = client.get(f"{prefix}/notes")
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert client.get(f"{prefix}/get/acme-tool/{TOOL}").status_code == status
    assert client.get(f"{prefix}/open").status_code == (200 if form == "header" else 404)


def test_a_closed_credential_sees_nothing(views: Served) -> None:
    secret = issue(views.core, limit_date_range_to=datetime(2020, 1, 1, tzinfo=UTC))
    assert views.client(secret).get("/open").get_json() == []


def test_strangers_are_asked_for_a_token(views: Served) -> None:
    for path in ("/notes", f"/get/{TOOL}"):
        answer = views.client("").get(path)
        assert answer.status == "401 Entitlement token required"


def test_a_file_view_is_counted(views: Served) -> None:
    client = views.client()
    assert client.get(f"/get/acme-tool/{TOOL}").status_code == 200
    assert client.get(f"/get/{TOOL}").status_code == 404  # not where the view looks
    assert client.head(f"/get/acme-lib/{LIBRARY}").status_code == 200
    assert client.get(f"/get/secret-sauce/{HIDDEN}").status_code == 404
    assert client.get(f"/get/acme-tool/{TOOL}.metadata").data.startswith(b"Metadata-Version")
    assert counted(views.core) == 1


def test_a_file_view_that_breaks_gives_back(views: Served) -> None:
    assert views.client().get(f"/broken/{TOOL}").status_code == 500
    assert counted(views.core) == 0


def test_a_file_view_is_stopped_where_only_it_knows(views: Served) -> None:
    client = views.client(issue(views.core, limit_bandwidth=10))
    headers = {"Range": "bytes=0-1", "If-Range": '"x"'}
    assert client.get(f"/big/{TOOL}", headers=headers).status_code == 403


def test_a_file_is_counted_once_though_asked_twice(start: Start, tree: Path) -> None:
    app = Flask("vendor")
    served = start(app, repository=REPOSITORY, directories=[tree], protect=["/simple"])

    @app.get("/simple/<path:path>")
    @served.extension.required(filename="path")
    def files(path: str) -> Response:
        return send_from_directory(tree, path)

    size = (tree / "acme-tool" / TOOL).stat().st_size
    assert served.client().get(f"/simple/acme-tool/{TOOL}").status_code == 200
    assert sum(token.usage.bandwidth for token in served.core.lifecycle.list().items) == size


def test_a_repository_must_be_named_where_there_are_several(start: Start, tree: Path) -> None:
    app = Flask("vendor")
    served = start(
        app,
        repositories={
            "acme/prod": {"directories": tree},
            "acme/beta": {"directories": tree},
        },
    )
    with (
        app.test_request_context(),
        pytest.raises(ConfigurationError, match="acme/prod, acme/beta"),
    ):
        served.extension.filter([TOOL])


def test_a_view_asks_each_repository(start: Start, tree: Path) -> None:
    app = Flask("vendor")
    both: dict[str, RepositoryOptions] = {
        "acme/prod": {"directories": tree},
        "acme/beta": {"directories": tree},
    }
    served = start(app, repositories=both)

    @app.get("/both")
    def visible() -> list[list[str]]:
        return [served.extension.filter([TOOL], repository=name) for name in both]

    assert served.client().get("/both").get_json() == [[TOOL], []]


def test_a_store_out_of_reach_is_503_and_no_traceback(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    served.extension.close()
    (served.core.settings.home / "key").unlink()
    served.extension.close()
    answer = served.client().get("/simple/")
    assert answer.status == "503 The index is not set up"
    assert served.secret not in caplog.text


def test_an_unforeseen_error_is_500(
    guarded: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        "flask_static_entitlements.guard.Guard.respond", lambda *_, **__: 1 / 0, raising=True
    )
    with caplog.at_level(logging.ERROR):
        assert guarded.client("").get(guarded.path("/simple/")).status == "500 Internal error"
    assert guarded.secret not in caplog.text


def test_no_secret_reaches_a_log_of_flask(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for name in ("werkzeug", served.app.name):
            logging.getLogger(name).info('"GET %s HTTP/1.1" 200', served.path("/simple/"))
    assert caplog.text.count("/+t/***/simple/") == 2


def test_two_processes_may_add_a_repository_at_once(
    start: Start, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = RepositoryService.show

    def late(self: RepositoryService, name: str) -> Repository:
        monkeypatch.setattr(RepositoryService, "show", show)
        self.add(name, actor=person("another process"))
        raise NotFound("none yet")

    monkeypatch.setattr(RepositoryService, "show", late)
    served = start(Flask("vendor"), repository=REPOSITORY, directories=[tree])
    assert served.client().get("/simple/").status_code == 200


def test_names_are_imported_when_they_are_used() -> None:
    for name in flask_static_entitlements.__all__:
        assert getattr(flask_static_entitlements, name) is not None
    with pytest.raises(AttributeError):
        _ = flask_static_entitlements.nothing


@pytest.mark.parametrize("kind", ["served", "guarded"])
def test_health_needs_no_credentials_and_no_store(
    kind: str, request: pytest.FixtureRequest
) -> None:
    app: Served = request.getfixturevalue(kind)

    def ask(path: str) -> tuple[int, dict[str, Any]]:
        answer = app.client("").get(path)
        return answer.status_code, answer.get_json()

    check_health(app.core.settings.home, ask)
