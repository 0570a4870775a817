"""What a token sees through the index that it opens: only what somebody answers for."""

from __future__ import annotations

from itertools import product
from typing import Final

import pytest

from devpi_entitlements.host import HostHooks
from entitlements_core.errors import InvalidValue
from entitlements_core.policy.bases import Unseen
from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.explanation import explain_file
from tests.actors import person
from tests.plugins.devpi.apps import DevpiApp, basic, wheel_name
from tests.plugins.devpi.conftest import MakeDevpiApp

pytestmark = pytest.mark.notransaction

CUST: Final = "acme/cust"
SECRET: Final = "vault/secret"
NAME: Final = "vault-core"
FILE: Final = wheel_name(NAME, "1.0")


def stocked(app: DevpiApp, **acl: list[str]) -> str:
    """An index of one user, and a closed one of another; gives the path of the other's file."""
    app.closed_index(CUST, bases=[])
    app.upload(CUST, "own", "1.0")
    app.index(SECRET, acl_pkg_read=acl.get("acl", ["vault"]), bases=[])
    return app.upload(SECRET, NAME, "1.0")


def sees(app: DevpiApp, path: str, secret: str, index: str = CUST) -> bool:
    """Whether the token sees the file, which all ways to it have to agree on."""
    listed = NAME in app.projects(index, secret)
    again = NAME in app.projects(index, None, **basic("token", secret))
    paged = app.files(index, NAME, secret) == [FILE]
    answers = [
        app.request(method, path + suffix, secret)
        for method, suffix in product(("GET", "HEAD"), ("", ".metadata"))
    ]
    answers.append(app.get(path, None, **basic("token", secret)))
    original = {"X_Original_URI": f"/+t/{secret}{path}"}
    checked = app.get("/+authcheck", None, **original).status_code == 200
    found = {listed, again, paged, checked, *(one.status_code == 200 for one in answers)}
    assert len(found) == 1, (listed, again, paged, checked, [one.status for one in answers])
    if not listed:
        assert answers[0].json == app.get(path.replace(FILE, "none-1.0.tar.gz"), secret).json
    return listed


def test_whoever_changes_an_index_does_not_widen_its_tokens(devpi: DevpiApp) -> None:
    path = stocked(devpi)
    secret = devpi.token(CUST)
    assert not sees(devpi, path, secret)
    devpi.configure(CUST, bases=[SECRET])
    assert not sees(devpi, path, secret)
    # Neither does a token that is made for it afterwards: the owner may not read it.
    assert not sees(devpi, path, devpi.token(CUST, name="later"))
    # Nor one that names it.
    named = devpi.core.lifecycle.create(
        "named",
        [TokenGrant(repository=CUST, bases=frozenset({(SECRET, "")}))],
        actor=person("test"),
    )
    assert not sees(devpi, path, str(named.secret))


def test_what_was_seen_when_a_token_was_made_is_seen(devpi: DevpiApp) -> None:
    path = stocked(devpi, acl=["vault", "acme"])
    early = devpi.token(CUST, name="early")
    devpi.configure(CUST, bases=[SECRET])
    late = devpi.issue([CUST], name="late")
    assert not sees(devpi, path, early)
    assert sees(devpi, path, str(late.secret))
    # The same restriction, the same page: neither is shown what is remembered for the other.
    assert not sees(devpi, path, early)
    assert sees(devpi, path, str(late.secret))
    # The other owner takes the permission away, and gives it back.
    devpi.configure(SECRET, acl_pkg_read=["vault"])
    assert not sees(devpi, path, str(late.secret))
    devpi.configure(SECRET, acl_pkg_read=["vault", "acme"])
    assert sees(devpi, path, str(late.secret))
    devpi.core.lifecycle.edit(late.token.identifier, actor=person("test"), bases=None)
    assert not sees(devpi, path, str(late.secret))
    devpi.core.lifecycle.edit(late.token.identifier, actor=person("test"), bases=[SECRET])
    assert sees(devpi, path, str(late.secret))


def test_present_bases_are_recorded_by_command(devpi: DevpiApp) -> None:
    path = stocked(devpi, acl=["vault", "acme"])
    tokens = [devpi.issue([CUST], name=f"customer {number}") for number in range(3)]
    devpi.configure(CUST, bases=[SECRET])
    grants = devpi.core.grants
    grants.renew_token(tokens[0].token.identifier, actor=person("test"))
    assert [sees(devpi, path, str(one.secret)) for one in tokens] == [True, False, False]
    regranted = grants.renew_repository(CUST, actor=person("test"))
    assert len(regranted) == 4  # the repository's default token, too
    assert all(sees(devpi, path, str(one.secret)) for one in tokens)
    [entry] = devpi.core.reports.audit(token=tokens[2].token.identifier, page_size=1).items
    assert (entry.action, entry.actor) == ("token.regranted", "test")
    assert entry.after["grants"][CUST]["bases"] == [SECRET]  # type: ignore[index] # JSON


def test_an_open_base_is_seen_by_every_token(devpi: DevpiApp) -> None:
    path = stocked(devpi, acl=[":ANONYMOUS:"])
    secret = devpi.token(CUST)
    devpi.configure(CUST, bases=[SECRET])
    assert sees(devpi, path, secret)
    devpi.configure(SECRET, acl_pkg_read=["vault", "acme"])
    assert not sees(devpi, path, secret)


def test_nothing_is_open_where_strangers_are_locked_out(make_devpi_app: MakeDevpiApp) -> None:
    app = make_devpi_app("--enable-core-metadata", "--entitlements-lockdown")
    path = stocked(app, acl=[":ANONYMOUS:"])
    secret = app.token(CUST)
    app.configure(CUST, bases=[SECRET])
    assert not sees(app, path, secret)
    assert sees(app, path, app.token(CUST, name="later"))


def test_a_base_behind_another_one(devpi: DevpiApp) -> None:
    path = stocked(devpi, acl=["vault", "acme"])
    devpi.index("other/between", acl_pkg_read=["other", "acme"], bases=[SECRET])
    devpi.configure(CUST, bases=["other/between"])
    issued = devpi.issue([CUST])
    assert sees(devpi, path, str(issued.secret))
    devpi.configure("other/between", acl_pkg_read=["other"])
    assert not sees(devpi, path, str(issued.secret))
    token = devpi.core.lifecycle.read(issued.token.identifier)
    assert devpi.core.binding.unseen(token.grants[0]) == {
        "other/between": Unseen.UNREADABLE,
        SECRET: Unseen.BEHIND,
    }
    # The owner of a base chooses bases of their own; nobody granted those.
    devpi.configure("other/between", acl_pkg_read=["other", "acme"], bases="")
    third = devpi.token(CUST, name="third")
    devpi.configure("other/between", bases=[SECRET])
    assert not sees(devpi, path, third)
    assert sees(devpi, path, str(issued.secret))


def test_a_base_that_was_made_again_is_another_one(devpi: DevpiApp) -> None:
    stocked(devpi, acl=["vault", "acme"])
    devpi.configure(CUST, bases=[SECRET])
    issued = devpi.issue([CUST])
    devpi.login("vault")
    devpi.mapp.delete_index(SECRET)
    devpi.logout()
    devpi.index(SECRET, acl_pkg_read=["vault", "acme"], bases=[])
    path = devpi.upload(SECRET, NAME, "1.0")
    assert not sees(devpi, path, str(issued.secret))
    token = devpi.core.lifecycle.read(issued.token.identifier)
    assert devpi.core.binding.unseen(token.grants[0]) == {SECRET: Unseen.REPLACED}
    devpi.core.grants.renew_token(token.identifier, actor=person("test"))
    assert sees(devpi, path, str(issued.secret))


def test_a_user_token_sees_what_its_user_may_read(devpi: DevpiApp) -> None:
    path = stocked(devpi)
    for user in ("ann", "bob"):
        devpi.user(user)
    devpi.configure(CUST, acl_pkg_read=["acme", "ann", "bob"], bases=[SECRET])
    devpi.core.repositories.edit(CUST, user_tokens_enabled=True, actor=person("test"))
    secrets = {
        user: str(devpi.core.user_tokens.get(user, CUST).secret) for user in ("ann", "bob", "acme")
    }
    assert not any(sees(devpi, path, secret) for secret in secrets.values())
    devpi.configure(SECRET, acl_pkg_read=["vault", "ann"])
    assert [sees(devpi, path, secrets[user]) for user in ("ann", "bob", "acme")] == [
        True,
        False,
        False,
    ]
    devpi.configure(SECRET, acl_pkg_read=["vault", "bob"])
    assert [sees(devpi, path, secrets[user]) for user in ("ann", "bob", "acme")] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("closed", [True, False])
def test_a_mirror_is_a_base_like_others(devpi: DevpiApp, *, closed: bool) -> None:
    data = b"not looked at"
    name = wheel_name("public", "1.0")
    pages = {"public": f'<a href="../../files/{name}">{name}</a>'}
    devpi.closed_index(CUST, bases=[])
    devpi.mirror("vault/mirror", pages, acl_pkg_read=["vault" if closed else ":ANONYMOUS:"])
    devpi.upstream_file(f"files/{name}", data)
    secret = devpi.token(CUST)
    devpi.configure(CUST, bases=["vault/mirror"])
    found = devpi.files(CUST, "public", secret)
    assert found == ([] if closed else [name])
    assert (devpi.projects(CUST, secret) == []) is closed


def test_a_base_that_is_not_seen_is_named(devpi: DevpiApp) -> None:
    stocked(devpi, acl=["vault", "acme"])
    issued = devpi.issue([CUST])
    devpi.configure(CUST, bases=[SECRET])
    core = devpi.core
    explained = explain_file(core, issued.token.identifier, FILE, None)
    assert f"The base {SECRET} is not seen: the grant was made without it." in explained.warnings
    grant = core.lifecycle.read(issued.token.identifier).grants[0]
    assert core.binding.seen(grant) == frozenset()
    seen = core.plugins.files(CUST, bases=frozenset()) or ()
    assert [facts.name for facts in seen] == ["own"]
    everything = core.plugins.files(CUST) or ()
    assert sorted(facts.name for facts in everything) == ["own", NAME]
    core.grants.renew_token(issued.token.identifier, actor=person("test"))
    assert explain_file(core, issued.token.identifier, FILE, None).warnings == ()


def test_a_base_that_is_named_has_to_be_there(devpi: DevpiApp) -> None:
    stocked(devpi)
    grant = TokenGrant(repository=CUST, bases=frozenset({("vault/none", "")}))
    with pytest.raises(InvalidValue, match="'vault/none' cannot be recorded as a base"):
        devpi.core.lifecycle.create("named", [grant], actor=person("test"))


def test_what_everything_inherits_from_is_told_whoever_asks(devpi: DevpiApp) -> None:
    stocked(devpi)
    devpi.configure(CUST, bases=[SECRET])
    devpi.configure(SECRET, bases=[CUST])  # devpi lets indexes inherit in a circle
    host = HostHooks(devpi.xom)
    [base] = host.entitlements_bases(CUST, "") or ()
    assert (base.name, base.named_by, base.is_open, base.is_readable) == (
        SECRET,
        frozenset({CUST}),
        False,
        False,
    )
    [base] = host.entitlements_bases(CUST, "vault") or ()
    assert base.is_readable
    [base] = host.entitlements_bases(CUST, "nobody") or ()
    assert not base.is_readable
    assert host.entitlements_bases("acme/none", "") is None
