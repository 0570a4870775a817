"""A token is bound to the index, and to the account, that it was made for: names come back."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from devpi_entitlements.marks import Marks
from devpi_entitlements.site import SITE, Site
from entitlements_core.errors import Refused
from entitlements_core.plugins import Plugins
from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.core import Core
from entitlements_core.services.explanation import explain_file
from entitlements_core.services.token_issuer import Issued
from tests.actors import person
from tests.plugins.devpi.apps import JSON_PAGE, PASSWORD, DevpiApp, basic, wheel_name
from tests.plugins.devpi.conftest import MakeDevpiApp

pytestmark = pytest.mark.notransaction

INDEX: Final = "acme/priv"
CORE: Final = "acme-core"


@pytest.fixture
def acme(devpi: DevpiApp) -> DevpiApp:
    devpi.closed_index(INDEX, bases=[], volatile=True)
    devpi.upload(INDEX, CORE, "1.0")
    return devpi


def again(app: DevpiApp, *, owner: bool = False) -> str:
    """Delete the index (or its owner) and make it again; gives the path of the new file."""
    app.login("root" if owner else "acme")
    if owner:
        app.mapp.delete_user("acme")
    else:
        app.mapp.delete_index(INDEX)
    app.logout()
    app.closed_index(INDEX, bases=[], volatile=True)
    return app.upload(INDEX, CORE, "1.0")


def answers(app: DevpiApp, secret: str, path: str) -> list[Any]:
    """What is answered on all ways."""
    header = basic("token", secret)
    return [
        app.get(f"/{INDEX}/+simple/", secret),
        app.get(f"/{INDEX}/+simple/{CORE}/", secret, **JSON_PAGE),
        app.get("/simple/", secret),
        app.get(path, secret),
        app.request("HEAD", path, secret),
        app.get(f"{path}.metadata", secret),
        app.get(f"/{INDEX}/+simple/", None, **header),
        app.get(path, None, **header),
        app.get("/+authcheck", None, X_Original_URI=f"/+t/{secret}{path}"),
        app.request("POST", f"/{INDEX}/", secret),
    ]


def site(app: DevpiApp) -> Site:
    found: Site = app.testapp.app.app.registry[SITE]
    return found


@pytest.mark.parametrize("owner", [False, True])
def test_an_index_that_was_made_again_is_another_one(acme: DevpiApp, *, owner: bool) -> None:
    old = acme.issue([INDEX])
    first = acme.path_of(INDEX, CORE, wheel_name(CORE, "1.0"))
    assert acme.get(first, old.secret).status_code == 200  # and is remembered
    path = again(acme, owner=owner)
    unknown = answers(acme, "ent_" + "x" * 38, path)
    for got, expected in zip(answers(acme, str(old.secret), path), unknown, strict=True):
        assert (got.status, got.body) == (expected.status, expected.body)
        assert list(got.headers.items()) == list(expected.headers.items())
    # One that is made for the new index opens it.
    assert acme.get(path, acme.token(INDEX, name="new")).status_code == 200


def test_what_is_orphaned_is_said_to_be_and_granted_anew_by_command(acme: DevpiApp) -> None:
    core = acme.core
    old = acme.issue([INDEX], query="name:^acme-core$")
    identifier = old.token.identifier
    assert core.binding.orphaned(core.lifecycle.read(identifier)) == frozenset()
    path = again(acme)
    assert core.binding.orphaned(core.lifecycle.read(identifier)) == {INDEX}
    explained = explain_file(core, identifier, wheel_name(CORE, "1.0"), None)
    assert explained.reasons[0].title == f"The token was made for another {INDEX}, which is gone"
    # What is changed of it otherwise does not bring it back.
    core.lifecycle.edit(identifier, actor=person("test"), limit_package_query="version:1")
    core.lifecycle.disable(identifier, actor=person("test"))
    core.lifecycle.enable(identifier, actor=person("test"))
    core.rotation.refresh(identifier, actor=person("test"))
    secret = str(core.rotation.reveal(identifier, actor=person("test")))
    assert acme.get(path, secret).status_code == 410
    core.grants.renew_token(identifier, actor=person())
    assert acme.get(path, secret).status_code == 200
    [entry] = core.reports.audit(token=identifier, page_size=1).items
    assert (entry.action, entry.actor) == ("token.regranted", "vendor")
    assert core.lifecycle.read(identifier).grants[0].limit_package_query == "version:1"


def test_a_deleted_index_cannot_be_granted_anew(acme: DevpiApp) -> None:
    old = acme.issue([INDEX])
    acme.login("acme")
    acme.mapp.delete_index(INDEX)
    acme.logout()
    with pytest.raises(Refused, match="does not have acme/priv now"):
        acme.core.grants.renew_token(old.token.identifier, actor=person("test"))
    assert acme.core.binding.orphaned(old.token) == {INDEX}


def test_of_several_indexes_one_is_lost(acme: DevpiApp) -> None:
    acme.closed_index("acme/other", bases=[])
    secret = acme.token(INDEX, "acme/other")
    assert acme.get("/simple/", secret).json["code"] == "ambiguous_index"
    again(acme)
    assert acme.get("/simple/", secret).status_code == 200
    assert acme.get("/acme/other/+simple/", secret).status_code == 200
    assert acme.get(f"/{INDEX}/+simple/", secret).status_code == 410


def test_a_user_token_is_bound_to_the_account(acme: DevpiApp) -> None:
    core = acme.core
    core.repositories.edit(INDEX, user_tokens_enabled=True, actor=person("test"))
    acme.user("ann")
    acme.configure(INDEX, acl_pkg_read=["acme", "ann"])
    old = core.user_tokens.get("ann", INDEX)
    assert core.user_tokens.get("ann", INDEX).secret == old.secret
    assert acme.get(f"/{INDEX}/+simple/", old.secret).status_code == 200
    acme.login("root")
    acme.mapp.delete_user("ann")
    acme.logout()
    acme.user("ann")
    assert acme.get(f"/{INDEX}/+simple/", old.secret).json["code"] == "unknown_token"
    # Somebody else is not given it, but one of their own.
    own = acme.get(f"/+entitlements/me?index={INDEX}", None, **basic("ann", PASSWORD)).json["token"]
    assert own != old.secret
    assert acme.get(f"/{INDEX}/+simple/", own).status_code == 200
    assert core.user_tokens.get("ann", INDEX).secret == own
    # Of a whole repository, users' tokens are not granted anew; by themselves they can be.
    core.grants.renew_repository(INDEX, actor=person("test"))
    assert acme.get(f"/{INDEX}/+simple/", old.secret).status_code == 410
    [lost] = core.user_tokens.cleanup(actor=person("test"))
    assert lost.identifier == old.token.identifier
    core.grants.renew_token(old.token.identifier, actor=person("test"))
    assert acme.get(f"/{INDEX}/+simple/", old.secret).status_code == 200


def test_a_changed_password_changes_no_account(acme: DevpiApp) -> None:
    secret = acme.token(INDEX)
    with acme.xom.keyfs.write_transaction():
        acme.xom.model.get_user("acme").modify(password="another", email="new@acme.example")
    assert acme.get(f"/{INDEX}/+simple/", secret).status_code == 200


def silent(app: DevpiApp) -> tuple[Core, Issued]:
    """A token that was made where nobody could ask devpi-server."""
    core = Core.open(app.core.settings, plugins=Plugins(discover=False))
    return core, core.lifecycle.create(
        "silent", [TokenGrant(repository=INDEX)], actor=person("test")
    )


def test_a_token_that_is_bound_to_nothing_is_bound_when_it_is_used(acme: DevpiApp) -> None:
    core, issued = silent(acme)
    assert core.lifecycle.read(issued.token.identifier).grants[0].mark == ""
    assert acme.get(f"/{INDEX}/+simple/", issued.secret).status_code == 200
    mark = core.lifecycle.read(issued.token.identifier).grants[0].mark
    assert mark == site(acme).marks.of(INDEX)
    again(acme)
    assert acme.get(f"/{INDEX}/+simple/", issued.secret).status_code == 410
    # What is bound stays so.
    assert core.grants.bind(issued.token.identifier, INDEX, "x", actor=person("test")) == mark
    core.close()


def test_at_the_start_tokens_of_old_are_bound(acme: DevpiApp, make_devpi_app: MakeDevpiApp) -> None:
    core, issued = silent(acme)
    core.repositories.add("acme/gone", actor=person("test"))
    gone = core.lifecycle.create("gone", [TokenGrant(repository="acme/gone")], actor=person("test"))
    with core.database.begin() as unit:
        unit.session.execute(text("UPDATE grants SET mark = NULL"))  # as an earlier version left it
    assert acme.core.grants.adopt(actor=person("start")) == 4  # with two default tokens
    assert acme.core.grants.adopt(actor=person("start")) == 0
    assert core.lifecycle.read(issued.token.identifier).grants[0].mark
    # An index that is made later is not the one of a token that was there before it.
    acme.login("acme")
    acme.mapp.create_index("acme/gone", {"bases": [], "acl_pkg_read": ["acme"]}, use=False)
    acme.logout()
    assert acme.get("/acme/gone/+simple/", gone.secret).status_code == 410
    core.grants  # noqa: B018 - it knows no host
    with pytest.raises(Refused, match="No host can be asked here"):
        core.grants.renew_token(gone.token.identifier, actor=person("test"))
    core.close()


def test_a_host_that_cannot_tell_refuses(acme: DevpiApp, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = acme.token(INDEX)
    monkeypatch.setattr(Marks, "_find", lambda *_: 1 / 0)
    again_asked = acme.get(f"/{INDEX}/+simple/", secret)
    assert (again_asked.status_code, again_asked.json["code"]) == (503, "validation_unavailable")


STEPS: Final = st.lists(
    st.sampled_from(["make user", "drop user", "make a", "drop a", "make b", "drop b", "touch"]),
    max_size=14,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_a_mark_lives_as_long_as_what_it_marks(devpi: DevpiApp, steps: list[str]) -> None:
    """Whatever happened, as known from step to step and as found out at once afterwards."""
    xom = devpi.xom
    living: dict[str, str] = {}
    spent: set[str] = set()
    known = Marks(xom)
    for step in [*steps, "drop user"]:
        before = there(xom)
        with xom.keyfs.write_transaction():
            take(xom.model, *step.split(" "))
        after = there(xom)
        spent.update(living.pop(name) for name in before - after)
        for marks in (known, Marks(xom)):
            for name in NAMES:
                mark = marks.of(name)
                assert bool(mark) is (name in after)
                assert mark not in spent
                assert name not in after or living.setdefault(name, mark) == mark


NAMES: Final = ("eve/a", "eve/b")


def there(xom: Any) -> set[str]:  # noqa: ANN401 - devpi has no types
    with xom.keyfs.read_transaction():
        return {name for name in NAMES if xom.model.getstage(name) is not None}


def take(model: Any, verb: str, what: str = "") -> None:  # noqa: ANN401 - devpi has no types
    """One step, where it is possible."""
    user = model.get_user("eve")
    if user is None:
        if (verb, what) == ("make", "user"):
            model.create_user("eve", password="x")
        return
    found = user if what == "user" else user.getstage(what or "a")
    if verb == "touch":
        user.modify(email=f"{len(str(user.get()))}@eve.example")
    elif verb == "drop" and found is not None:
        found.delete()
    elif verb == "make" and found is None:
        user.create_stage(what)
