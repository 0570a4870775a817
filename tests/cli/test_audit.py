"""``entitlements audit``."""

import pytest

from tests.cli.conftest import CommandLine


def test_the_audit_is_whole_unless_a_page_is_asked_for(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entitlements_core.services.pagination._AT_ONCE", 1)
    everything = cli.done("audit")
    assert len(everything) > 2
    assert cli.done("audit", "--page-size", "2") == everything[:2]
    assert cli.done("audit", "--page", "2", "--page-size", "2") == everything[2:4]


def test_audit(cli: CommandLine) -> None:
    token = cli.token("--secret", "one-of-our-own-secrets")
    cli.done("token", "disable", token["slug_perm"])
    entries = cli.done("audit", "--token", token["slug_perm"])
    assert [one["action"] for one in entries] == ["token.disabled", "token.created"]
    assert entries[0]["before"] == {"state": "enabled"}
    assert entries[0]["after"] == {"state": "disabled"}
    assert "one-of-our-own-secrets" not in cli("audit", "--json").out
    ran = cli("audit", "--page-size", "1", "--repo", "acme/prod")
    assert '"enabled" → "disabled"' in ran.out
    assert 'name: "Customer"' in cli("audit").out
    assert " of " in ran.err
    assert cli.done("audit", "--actor", "nobody") == []
    assert cli.done("audit", "--from", "2999-01-01") == []
