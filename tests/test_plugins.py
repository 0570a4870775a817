"""Plugins: what fits is registered, what fails refuses, what observes changes nothing."""

import logging
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from entitlements_core import PROJECT_NAME, hookimpl, hookspecs, plugins
from entitlements_core.errors import ConfigurationError, CredentialInvalid, PluginError
from entitlements_core.plugins import UNAVAILABLE, VETOED, Plugins
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.decide import Question, RequestContext
from entitlements_core.policy.decision import Allow, Decision, Deny, Reason
from entitlements_core.policy.events import Download, TokenChange
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.health import Finding, Health
from tests.factories import NOW, REPOSITORY, credential, question
from tests.policy.query.facts import wheel

CONTEXT = RequestContext(repository=REPOSITORY)


class Failing:
    """Every hook that is asked on the way of a request raises."""

    @hookimpl
    def entitlements_find_credential(self, secret: str) -> Credential | None:
        raise ZeroDivisionError(secret)

    @hookimpl
    def entitlements_veto(self) -> Deny | None:
        raise ZeroDivisionError

    @hookimpl
    def entitlements_user_may_read(self) -> bool | None:
        raise ZeroDivisionError

    @hookimpl
    def entitlements_user_is_admin(self) -> bool | None:
        raise ZeroDivisionError

    @hookimpl
    def entitlements_host(self) -> str | None:
        raise ZeroDivisionError

    @hookimpl
    def entitlements_file_facts(self) -> Mapping[str, str]:
        raise ZeroDivisionError

    @hookimpl
    def entitlements_decided(self) -> None:
        raise ZeroDivisionError

    @hookimpl
    def entitlements_downloaded(self) -> None:
        raise ZeroDivisionError

    @hookimpl
    def entitlements_token_changed(self) -> None:
        raise ZeroDivisionError

    @hookimpl
    def entitlements_commands(self) -> None:
        raise ZeroDivisionError


class Host:
    """A host with one repository, and a third party's field."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    @hookimpl
    def entitlements_find_credential(
        self, secret: str, request: RequestContext
    ) -> Credential | None:
        if secret == "bad":
            raise CredentialInvalid("The key is revoked.")
        return credential(id=0) if (secret, request.repository) == ("good", REPOSITORY) else None

    @hookimpl
    def entitlements_veto(self, question: Question) -> Deny | None:
        denied = Deny(Reason.VETOED, "Not on Sundays")
        return denied if question.now.weekday() == 6 else None

    @hookimpl
    def entitlements_query_fields(self) -> Mapping[str, str]:
        return {"edition": "The edition."}

    @hookimpl
    def entitlements_file_facts(self, facts: FileFacts) -> Mapping[str, str]:
        return {"edition": "pro" if facts.name == "foo" else "free"}

    @hookimpl
    def entitlements_host(self) -> str | None:
        return "testhost 1.0"

    @hookimpl
    def entitlements_repositories(self) -> Iterable[str]:
        return ["acme/stable", "acme/beta"]

    @hookimpl
    def entitlements_files(
        self, repository: str, project: str | None
    ) -> Iterable[FileFacts] | None:
        files = [file for file in (wheel(), wheel("bar")) if project in {None, file.name}]
        return files if repository == REPOSITORY else None

    @hookimpl
    def entitlements_user_may_read(self, user: str, repository: str) -> bool | None:
        return {"ann": True, "bob": False}.get(user)

    @hookimpl
    def entitlements_user_is_admin(self, user: str) -> bool | None:
        return user == "ann" or None

    @hookimpl
    def entitlements_decided(self, question: Question, decision: Decision) -> None:
        self.seen += [question, decision]

    @hookimpl
    def entitlements_downloaded(self, download: Download) -> None:
        self.seen.append(download)

    @hookimpl
    def entitlements_token_changed(self, change: TokenChange) -> None:
        self.seen.append(change)

    @hookimpl
    def entitlements_commands(self, app: typer.Typer) -> None:
        self.seen.append(app)


class More:
    """A second plugin beside the host."""

    @hookimpl
    def entitlements_query_fields(self) -> Mapping[str, str]:
        return {"channel": "The channel."}

    @hookimpl
    def entitlements_file_facts(self) -> Mapping[str, str]:
        return {"channel": "beta"}

    @hookimpl
    def entitlements_repositories(self) -> Iterable[str]:
        return ("acme/beta", "more/index")


def only(*extra: object) -> Plugins:
    return Plugins(extra, discover=False)


DOWNLOAD = Download(
    at=NOW,
    token="abcdefghijkl",
    repository=REPOSITORY,
    project="foo",
    version="1.0",
    filename="foo-1.0-py3-none-any.whl",
    client="203.0.113.9",
    user_agent="pip",
    length=5,
)
CHANGE = TokenChange(at=NOW, actor="vendor", action="token.created", token="abcdefghijkl")


def test_a_host_is_asked() -> None:
    found = only(Host(), More())

    assert found.host() == "testhost 1.0"
    assert found.repositories() == ("acme/beta", "acme/stable", "more/index")
    assert found.files(REPOSITORY) == (wheel(), wheel("bar"))
    assert found.files(REPOSITORY, "bar") == (wheel("bar"),)
    assert found.files("acme/beta") is None
    assert found.query_fields() == {"edition": "The edition.", "channel": "The channel."}
    assert found.file_facts(wheel()) == {"edition": "pro", "channel": "beta"}


@pytest.mark.parametrize(("user", "reads"), [("ann", True), ("bob", False), ("eve", False)])
def test_only_a_clear_yes_lets_a_user_read(user: str, reads: bool) -> None:  # noqa: FBT001 - the answer
    found = only(Host())
    assert found.user_may_read(user, REPOSITORY) is reads
    assert found.user_is_admin(user, REPOSITORY) is (user == "ann")


@pytest.mark.parametrize("answer", ["yes", 1, object()])
def test_what_is_not_true_is_no(answer: object) -> None:
    class Odd:
        @hookimpl
        def entitlements_user_may_read(self) -> object:
            return answer

    assert only(Odd()).user_may_read("ann", REPOSITORY) is False
    assert only(Odd()).user_permission("ann", REPOSITORY) is None


def test_where_nobody_can_tell_that_is_told_apart_from_no() -> None:
    found = only(Host())
    assert [found.user_permission(user, REPOSITORY) for user in ("ann", "bob", "eve")] == [
        True,
        False,
        None,
    ]
    assert only().user_permission("ann", REPOSITORY) is None
    assert only(Failing()).user_permission("ann", REPOSITORY) is None


def test_without_plugins_every_answer_is_no() -> None:
    none = only()

    assert none.find_credential("good", CONTEXT) is None
    assert none.veto(question()) is None
    assert none.user_may_read("ann", REPOSITORY) is False
    assert none.user_is_admin("ann", REPOSITORY) is False
    assert none.host() == ""
    assert none.repositories() == ()
    assert none.files(REPOSITORY) is None
    assert none.query_fields() == {}
    assert none.file_facts(wheel()) == {}
    assert none.names == ()
    none.decided(question(), Allow())


def test_a_source_has_three_outcomes() -> None:
    found = only(Host())

    assert found.find_credential("good", CONTEXT) == credential(id=0)
    assert found.find_credential("foreign", CONTEXT) is None
    with pytest.raises(CredentialInvalid, match="revoked"):
        found.find_credential("bad", CONTEXT)


def test_a_source_that_fails_refuses_and_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    assert only(Failing()).find_credential("s3cret-value", CONTEXT) is UNAVAILABLE
    assert "ZeroDivisionError" in caplog.text
    assert "s3cret-value" not in caplog.text


def test_a_source_that_answers_nonsense_refuses(caplog: pytest.LogCaptureFixture) -> None:
    class Odd:
        @hookimpl
        def entitlements_find_credential(self) -> object:
            return True

    assert only(Odd()).find_credential("s3cret", CONTEXT) is UNAVAILABLE
    assert "answered bool, no credential" in caplog.text


SUNDAY = question(now=NOW.replace(day=29))


def test_any_veto_refuses() -> None:
    found = only(Host())
    assert found.veto(question()) is None
    assert found.veto(SUNDAY) == Deny(Reason.VETOED, "Not on Sundays")


@pytest.mark.parametrize("answer", [False, 0, "", "no", Allow()])
def test_a_veto_that_answers_nonsense_refuses(answer: object) -> None:
    class Odd:
        @hookimpl
        def entitlements_veto(self) -> object:
            return answer

    assert only(Odd()).veto(question()) is VETOED


@pytest.mark.parametrize("order", [[Host, Failing], [Failing, Host]])
def test_a_veto_that_raises_refuses(order: list[type], caplog: pytest.LogCaptureFixture) -> None:
    assert only(*[kind() for kind in order]).veto(question()) is VETOED
    assert "a veto raised" in caplog.text


def test_what_fails_elsewhere_is_no_or_unknown(caplog: pytest.LogCaptureFixture) -> None:
    failing = only(Failing(), More())

    assert failing.user_may_read("ann", REPOSITORY) is False
    assert failing.user_is_admin("ann", REPOSITORY) is False
    assert failing.host() == ""
    assert failing.file_facts(wheel()) == {}
    assert "entitlements_user_may_read failed and counts as no" in caplog.text
    assert "extra facts of foo-1.0-py3-none-any.whl are unknown" in caplog.text


def test_observers_are_told() -> None:
    host, app = Host(), typer.Typer()
    found = only(host)
    asked = question()

    found.decided(asked, Allow())
    found.downloaded(DOWNLOAD)
    found.token_changed(CHANGE)
    found.add_commands(app)

    assert host.seen == [asked, Allow(), DOWNLOAD, CHANGE, app]


def test_observers_that_fail_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    failing = only(Failing())

    failing.decided(question(), Allow())
    failing.downloaded(DOWNLOAD)
    failing.token_changed(CHANGE)
    failing.add_commands(typer.Typer())

    assert [record.getMessage() for record in caplog.records] == [
        "an observer failed in entitlements_decided",
        "an observer failed in entitlements_downloaded",
        "an observer failed in entitlements_token_changed",
        "an observer failed in entitlements_commands",
    ]
    assert {record.levelno for record in caplog.records} == {logging.ERROR}


def test_a_hook_is_in_use_as_soon_as_a_plugin_has_it() -> None:
    found = only()
    assert not found.implements("entitlements_veto")

    found.register(Host(), name="host")

    assert found.implements("entitlements_veto")
    assert not found.implements("entitlements_nonsense")
    assert found.names == ("host",)


class Mismatched:
    @hookimpl
    def entitlements_veto(self, question: Question, mood: str) -> Deny | None:
        """Take an argument that the hook does not give."""


class Unknown:
    @hookimpl
    def entitlements_vetoo(self) -> None:
        """Misspell a hook."""


def test_a_signature_that_does_not_fit_is_shown_beside_the_hooks() -> None:
    with pytest.raises(PluginError) as caught:
        only(Mismatched())
    text = str(caught.value)
    assert "'mood'" in text
    assert "hook:   entitlements_veto(question: " in text
    assert "plugin: entitlements_veto(question: " in text
    assert "mood: str)" in text


def test_an_unknown_hook_is_refused() -> None:
    with pytest.raises(PluginError, match="unknown hook 'entitlements_vetoo'"):
        only(Unknown())


@pytest.mark.parametrize("kind", [Mismatched, Unknown])
def test_a_refused_plugin_leaves_the_others_working(kind: type) -> None:
    found = only(Host())
    with pytest.raises(PluginError):
        found.register(kind(), name="odd")
    assert "odd" not in found.names
    assert found.veto(SUNDAY) == Deny(Reason.VETOED, "Not on Sundays")


def test_a_plugin_is_registered_once() -> None:
    host = Host()
    with pytest.raises(PluginError, match="already registered"):
        only(host, host)
    found = only()
    found.register(Host(), name="same")
    with pytest.raises(PluginError, match="already registered"):
        found.register(More(), name="same")


def point(value: str) -> EntryPoint:
    return EntryPoint(name="theirs", value=value, group=PROJECT_NAME)


def discovering(monkeypatch: pytest.MonkeyPatch, found: EntryPoint) -> None:
    def entry_points(group: str) -> list[EntryPoint]:
        return [found] if group == PROJECT_NAME else []

    monkeypatch.setattr(plugins, "entry_points", entry_points)


def test_entry_points_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    discovering(monkeypatch, point("tests.test_plugins:MODULE"))
    found = Plugins()
    assert found.names == ("theirs",)
    assert found.implements("entitlements_host")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("nowhere.to.be.found", "No module named 'nowhere'"),
        ("tests.test_plugins:NOTHING", "has no attribute 'NOTHING'"),
    ],
)
def test_an_entry_point_that_cannot_be_loaded_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    discovering(monkeypatch, point(value))
    with pytest.raises(PluginError, match=problem) as caught:
        Plugins()
    assert "the server does not run without its rules" in str(caught.value)


def test_every_hook_has_a_docstring_and_annotations() -> None:
    hooks = [hook for name, hook in vars(hookspecs).items() if name.startswith("entitlements_")]
    assert len(hooks) == 18
    assert all(hook.__doc__ and "return" in hook.__annotations__ for hook in hooks)


MODULE = SimpleNamespace(entitlements_host=Host().entitlements_host)


class Checks:
    """A plugin that looks over its host."""

    def __init__(self, *outcome: object) -> None:
        self.outcome = outcome

    @hookimpl
    def entitlements_checks(self) -> Iterable[Finding]:
        for found in self.outcome:
            if isinstance(found, Exception):
                raise found
            yield found  # type: ignore[misc]  # what does not fit is tested, too


FINE = Finding(check="nginx", health=Health.OK, detail="It is well.")
HOME = Path("home")


def test_each_plugin_makes_its_checks() -> None:
    found = Plugins([Checks(FINE), Failing(), Checks(FINE, FINE), Checks()], discover=False)
    assert found.checks(HOME) == (FINE, FINE, FINE)


@pytest.mark.parametrize(
    ("outcome", "detail", "remedy"),
    [
        (ZeroDivisionError("a-secret"), "Its checks failed: ZeroDivisionError.", "Correct"),
        (ConfigurationError("There is no host.", "Start it."), "There is no host.", "Start it."),
        ("fine", "Its checks gave something that is no finding.", "Correct"),
    ],
)
def test_a_check_that_fails_is_an_error_among_the_findings(
    outcome: object, detail: str, remedy: str
) -> None:
    found = Plugins(discover=False)
    found.register(Checks(FINE, outcome), "odd")
    found.register(Checks(FINE), "sound")
    bad, fine = found.checks(HOME)
    assert fine is FINE
    assert (bad.check, bad.health, bad.detail) == ("plugin odd", Health.ERROR, detail)
    assert bad.remedy.startswith(remedy)


def test_plugins_learn_where_the_store_is(tmp_path: Path) -> None:
    class Learning:
        homes: list[Path] = []  # noqa: RUF012 - a test's own

        @hookimpl
        def entitlements_opened(self, home: Path) -> None:
            self.homes.append(home)

    Plugins([learning := Learning()], discover=False).opened(tmp_path)
    assert learning.homes == [tmp_path]


def test_a_plugin_without_its_host_is_not_active() -> None:
    found = Plugins([])
    found.register(SimpleNamespace(requires=("no_such_host",)), name="away")
    found.register(SimpleNamespace(requires=("json",)), name="here")
    found.register(SimpleNamespace(), name="free")
    assert set(found.names) >= {"away", "free", "here"}
    assert set(found.names) - set(found.active) == {"away"}
