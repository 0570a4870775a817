"""``entitlements token edit``."""

import pytest

from tests.cli.conftest import CommandLine

FULL = (
    "--query",
    "name:^demo$",
    "--valid-from",
    "2026-01-01",
    "--valid-until",
    "2099-01-01",
    "--max-downloads",
    "1",
    "--max-clients",
    "2",
    "--max-bandwidth",
    "3GB",
    "--reset-period",
    "Daily",
    "--metadata",
    '{"a": 1}',
    "--tag",
    "t",
    "--allow",
    "10.0.0.0/8",
    "--deny",
    "10.0.0.1",
    "--updates-until",
    "2098-01-01",
    "--reset-at",
    "2026-02-01",
    "--owner",
    "sales",
)  # fmt: skip - one pair after the other


def test_edit_changes_only_what_is_named(cli: CommandLine) -> None:
    before = cli.token(*FULL)
    after = cli.done("token", "edit", before["slug_perm"], "--name", "New", "--max-downloads", "9")
    moved = {key for key in after if after[key] != before[key]}
    assert moved == {"name", "limit_num_downloads", "token", "updated_at", "updated_by"}


@pytest.mark.parametrize(
    ("option", "field", "cleared"),
    [
        ("--no-query", "limit_package_query", None),
        ("--no-valid-from", "limit_date_range_from", None),
        ("--no-valid-until", "limit_date_range_to", None),
        ("--no-updates-until", "updates_until", None),
        ("--no-max-downloads", "limit_num_downloads", None),
        ("--no-max-clients", "limit_num_clients", None),
        ("--no-max-bandwidth", "limit_bandwidth", None),
        ("--no-max-bandwidth", "limit_bandwidth_unit", "Byte"),
        ("--no-reset-period", "scheduled_reset_period", "Never Reset"),
        ("--no-metadata", "metadata", {}),
        ("--no-tags", "tags", []),
        ("--no-networks", "allow_networks", []),
        ("--no-networks", "deny_networks", []),
        ("--no-allow", "allow_networks", []),
        ("--no-deny", "deny_networks", []),
        ("--no-owner", "owner", "acme"),
    ],
)
def test_everything_can_be_cleared(
    cli: CommandLine, option: str, field: str, cleared: object
) -> None:
    before = cli.token(*FULL)
    assert before[field] != cleared
    assert cli.done("token", "edit", before["slug_perm"], option)[field] == cleared


def test_setting_and_clearing_at_once_is_refused(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    words = ("token", "edit", slug, "--max-clients", "0", "--no-max-clients")
    assert "contradict" in cli.refused(*words)["detail"]


def test_zero_is_a_limit(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    found = cli.done(
        "token", "edit", slug, "--max-downloads", "0", "--max-clients", "0", "--max-bandwidth", "0"
    )
    limits = ("limit_num_downloads", "limit_num_clients", "limit_bandwidth")
    assert [found[name] for name in limits] == [0, 0, 0]


def test_edit_of_one_of_several_repositories(cli: CommandLine) -> None:
    slug = cli.token("--repo", "acme/beta")["slug_perm"]
    assert cli.refused("token", "edit", slug, "--query", "name:^a$")["code"] == "invalid"
    words = ("token", "edit", slug, "--repo", "acme/beta", "--query", "name:a", "--access", "rw")
    found = cli.done(*words)
    assert (found["limit_package_query"], found["access"]) == ("name:a", "rw")
    assert len(found["warnings"]) == 1
    assert found["repositories"][1]["limit_package_query"] is None
