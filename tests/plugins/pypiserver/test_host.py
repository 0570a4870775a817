"""What the core learns of its host."""

from __future__ import annotations

from importlib.metadata import version

from tests.plugins.pypiserver.conftest import REPOSITORY, Shop, Start


def test_the_core_knows_the_host_and_its_files(shop: Shop) -> None:
    plugins = shop.core.plugins

    assert plugins.host() == f"pypiserver {version('pypiserver')}"
    assert plugins.repositories() == (REPOSITORY,)
    assert {facts.name for facts in plugins.files(REPOSITORY) or ()} == {
        "acme-lib",
        "acme-tool",
        "secret-sauce",
    }
    assert len(plugins.files(REPOSITORY, "acme-lib") or ()) == 2
    assert plugins.files("acme/other") is None


def test_a_user_of_the_password_file_may_read(shop: Shop) -> None:
    plugins = shop.core.plugins

    assert plugins.user_may_read("alice", REPOSITORY)
    assert not plugins.user_may_read("mallory", REPOSITORY)
    assert not plugins.user_may_read("alice", "acme/other")


def test_where_passwords_are_asked_elsewhere_nobody_is_known(start: Start) -> None:
    shop = start(password_file=None, auther=lambda _user, _password: True)

    assert not shop.core.plugins.user_may_read("alice", REPOSITORY)
