"""What the doctor finds out of an upstream, on request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from entitlements_core.policy.upstream import Upstream
from tests.cli.conftest import CommandLine
from tests.upstreams import JSON, Page, project, upstream

__all__ = ["upstream"]


def upstream_checks(document: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - JSON
    checks = document["checks"]
    return [(one["status"], one["detail"]) for one in checks if one["check"] == "upstream"]


def test_the_doctor_asks_only_when_it_is_asked(
    cli: CommandLine,
    upstream: Upstream,
    packages: Path,
) -> None:
    cli.done("repo", "reserve", "acme/prod", "acme-next", "acme-p*")
    Page.answers = {"demo": project(2, "9.0")}
    where = {"ENTITLEMENTS_UPSTREAM": upstream.url, "ENTITLEMENTS_REPOSITORY": "acme/prod"}

    assert upstream_checks(cli.done("doctor", **where)) == []
    assert Page.asked == []

    [(status, detail)] = upstream_checks(cli.done("doctor", "--ask-upstream", **where))
    assert (status, detail) == ("ok", f"{upstream.url} has none of your 1 name.")
    asked = {name for name, _ in Page.asked}
    assert {name for name in asked if not name.startswith("nobodys-")} == {"acme-next"}

    ran = cli("doctor", str(packages), "--repo", "acme/prod", "--upstream", upstream.url, "--json")
    assert ran.status == 1
    found = {one["name"]: one for one in ran.json["upstream"]}
    assert found["demo"] == {
        "name": "demo",
        "exists": True,
        "files": 2,
        "newest": "9.0",
        "reason": None,
    }
    assert found["acme-next"]["exists"] is False
    [(status, detail)] = upstream_checks(ran.json)
    assert status == "error"
    assert (
        f"demo is yours, and {upstream.url} has it as well, with 2 files, the newest 9.0." == detail
    )


def test_the_doctor_says_what_it_cannot_tell(
    cli: CommandLine,
    upstream: Upstream,
) -> None:
    cli.done("repo", "reserve", "acme/prod", *(f"acme-{number}" for number in range(12)))
    Page.answers = {"*": lambda page: page.send(500, JSON, b"")}
    document = cli.done("doctor", "--upstream", upstream.url)
    [(status, detail)] = upstream_checks(document)
    assert status == "warning"
    assert " and 2 more it cannot be told" in detail
    assert "it answers 500" in detail
    assert cli.refused("doctor", "--ask-upstream")["code"] == "invalid"
    assert cli.refused("doctor", "--upstream", "index.example")["code"] == "invalid"
    ran = cli("doctor", "--repo", "acme/none", "--upstream", upstream.url, "--json")
    assert "cannot be read" in upstream_checks(ran.json)[0][1]
