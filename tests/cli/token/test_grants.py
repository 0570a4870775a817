"""``entitlements token grant``, ``revoke`` and ``clients``."""

import pytest

from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.host_binding import HostBinding
from tests.cli.conftest import CommandLine


def test_grant_revoke_and_clients(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    granted = cli.done("token", "grant", slug, "acme/beta", "--query", "name:^b$", "--access", "rw")
    assert (granted["access"], granted["limit_package_query"]) == ("rw", "name:^b$")
    assert len(granted["repositories"]) == 2
    assert len(cli.done("token", "revoke", slug, "acme/beta")["repositories"]) == 1
    assert cli.refused("token", "revoke", slug, "acme/prod")["code"] == "refused"
    assert cli.done("token", "clients", slug) == []
    cli.use(slug)
    (client,) = cli.done("token", "clients", slug)
    assert (client["client"], client["counts"]) == ("192.0.2.1", True)
    assert "192.0.2.1" in cli("token", "clients", slug).out


def test_an_edit_in_between_is_not_undone(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    slug = cli.token()["slug_perm"]
    bound = HostBinding.bound

    def edited_first(self: HostBinding, grant: TokenGrant, user: str = "") -> TokenGrant:
        cli.done("token", "edit", slug, "--query", "name:^narrow$")
        return bound(self, grant, user)

    monkeypatch.setattr(HostBinding, "bound", edited_first)
    granted = cli.done("token", "grant", slug, "acme/prod", "--access", "rw")
    assert (granted["access"], granted["limit_package_query"]) == ("rw", "name:^narrow$")
