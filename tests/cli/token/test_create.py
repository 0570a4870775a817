"""``entitlements token create``."""

from tests.cli.conftest import CommandLine

MASK = "**********"
FRESH = {"bases": [], "orphaned": False}


def test_create_with_everything(cli: CommandLine) -> None:
    found = cli.token(
        "--query",
        "name:^demo$",
        "--secret",
        "a-secret-of-our-own-1",
        "--access",
        "rw",
        "--valid-from",
        "2026-01-01",
        "--valid-until",
        "2027-01-31T18:30:00+02:00",
        "--max-downloads",
        "0",
        "--max-clients",
        "3",
        "--max-bandwidth",
        "10GB",
        "--reset-period",
        "monthly",
        "--reset-at",
        "2026-01-31",
        "--metadata",
        '{"plan": ["gold"]}',
        "--tag",
        "b",
        "--tag",
        "a",
        "--allow",
        "10.0.0.0/8",
        "--allow",
        "2001:db8::/32",
        "--deny",
        "10.1.0.7",
        "--updates-until",
        "2026-06-30T23:59:59Z",
        "--eula-required",
        "--owner",
        "sales",
        "--disabled",
    )  # fmt: skip - one pair after the other
    wanted = {
        "name": "Customer",
        "token": "a-secret-of-our-own-1",
        "limit_package_query": "name:^demo$",
        "access": "rw",
        "limit_date_range_from": "2026-01-01T00:00:00Z",
        "limit_date_range_to": "2027-01-31T16:30:00Z",
        "limit_num_downloads": 0,
        "limit_num_clients": 3,
        "limit_bandwidth": 10,
        "limit_bandwidth_unit": "Gigabyte",
        "scheduled_reset_period": "Monthly",
        "scheduled_reset_at": "2026-01-31T00:00:00Z",
        "metadata": {"plan": ["gold"]},
        "tags": ["a", "b"],
        "allow_networks": ["10.0.0.0/8", "2001:db8::/32"],
        "deny_networks": ["10.1.0.7/32"],
        "updates_until": "2026-06-30T23:59:59Z",
        "eula_required": True,
        "owner": "sales",
        "is_active": False,
        "status": "disabled",
        "has_limits": True,
        "is_limited": True,
        "limits_reached": ["limit_num_downloads"],
        "downloads": 0,
        "clients": 0,
        "bandwidth": 0,
        "usage": "0 B",
        "user": None,
        "default": False,
        "warnings": [],
    }
    assert {key: found[key] for key in wanted} == wanted
    assert len(found["slug_perm"]) == 12


def test_create_in_several_repositories(cli: CommandLine) -> None:
    found = cli.token("--repo", "acme/beta", "--query", "name:^demo$")
    assert found["repositories"] == [
        {"repository": name, "access": "r", "limit_package_query": "name:^demo$", **FRESH}
        for name in ("acme/beta", "acme/prod")
    ]
    assert found["limit_package_query"] is None


def test_a_generated_secret_is_shown_once(cli: CommandLine) -> None:
    found = cli.token()
    assert found["token"].startswith("ent_")
    slug = found["slug_perm"]
    assert cli.done("token", "show", slug)["token"] == MASK
    assert cli.done("token", "show", slug, "--show-secret")["token"] == found["token"]
    assert {one["token"] for one in cli.done("token", "list")} == {MASK}
    shown = {one["slug_perm"]: one["token"] for one in cli.done("token", "list", "--show-secret")}
    assert shown[slug] == found["token"]
    for command in (["show", slug], ["list"]):
        ran = cli("token", *command)
        assert found["token"] not in ran.out + ran.err
        assert found["token"] in cli("token", *command, "--show-secret").out
    revealed = [one for one in cli.done("audit") if one["action"] == "token.revealed"]
    assert {one["token"] for one in revealed} >= {slug}


def test_a_secret_from_stdin(cli: CommandLine) -> None:
    words = ("token", "create", "--repo", "acme/prod", "--name", "X", "--secret", "-", "--json")
    assert cli(*words, stdin="from-standard-input\n").json["token"] == "from-standard-input"
    refused = cli(*words, stdin="short\n")
    assert (refused.status, refused.detail["fields"].keys()) == (1, {"token"})
    assert "short\n" not in refused.err


def test_warnings_stand_in_the_document_or_on_stderr(cli: CommandLine) -> None:
    assert "not anchored" in cli.token("--query", "name:demo")["warnings"][0]
    assert "might be guessed" in cli.token("--secret", "short123")["warnings"][0]
    ran = cli("token", "create", "--repo", "acme/prod", "--name", "X", "--query", "name:demo")
    assert "Warning: name:demo is not anchored" in ran.err
    assert "Warning" not in ran.out
    assert "name:demo" in ran.out
