"""What the command line says of a token beside what was asked."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from entitlements_core.http import AuthScheme, ByteRange, Presented
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.decide import RequestContext
from entitlements_core.policy.instants import instant
from entitlements_core.policy.network import parse_address
from entitlements_core.services.gate import Reservation
from tests.cli.conftest import CommandLine
from tests.factories import question


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_one_download_is_no_several(cli: CommandLine) -> None:
    perm = cli.token()["slug_perm"]
    assert "0 downloads, 0 clients, 0 B" in cli("token", "show", perm).out
    cli.use(perm)
    assert "1 download, 1 client, 1.5 kB" in cli("token", "show", perm).out


def test_an_old_secret_is_told_for_as_long_as_it_lives(cli: CommandLine) -> None:
    token = cli.token()
    perm = token["slug_perm"]
    assert cli.done("token", "show", perm)["previous_secrets"] == []

    refreshed = cli.done("token", "refresh", perm, "--overlap", "2h")
    again = cli("token", "refresh", perm, "--overlap", "1d", "--yes")

    [until] = [moment(one["valid_until"]) for one in refreshed["previous_secrets"]]
    assert timedelta(hours=1) < until - datetime.now(UTC) <= timedelta(hours=2)  # noqa: TID251 - the command has the real time
    assert again.err.count("The old secret goes on until") == 2
    assert f"entitlements token refresh {perm}" in again.err
    shown = cli.done("token", "show", perm)["previous_secrets"]
    assert moment(shown[0]["valid_until"]) == until
    assert len(shown) == 2
    assert len(re.findall("Old secret .*opens the same until", cli("token", "show", perm).out)) == 2

    cli.done("token", "refresh", perm)
    assert cli.done("token", "show", perm)["previous_secrets"] == []
    assert "Old secret" not in cli("token", "show", perm).out


def test_whether_an_old_secret_is_still_used_is_told(cli: CommandLine) -> None:
    token = cli.token()
    perm, secret = token["slug_perm"], token["token"]
    [before] = cli.done("token", "refresh", perm, "--overlap", "2h")["previous_secrets"]
    assert before["last_used_at"] is None
    shown = " ".join(cli("token", "show", perm).out.split())
    assert f"opens the same until {before['valid_until']}, not used since the refresh" in shown

    with closing(cli.core()) as core:
        presented = Presented(secret=secret, scheme=AuthScheme.BASIC)
        context = RequestContext(repository="acme/prod", address=parse_address("192.0.2.1"))
        used = core.clock()
        found = core.gate.authenticate(presented, context, used)
        assert isinstance(found, Credential)
        asked = question(found, repository="acme/prod", address="192.0.2.1")
        reserved = core.gate.reserve(replace(asked, now=used), ByteRange(0, 1))
        assert isinstance(reserved, Reservation)

    [after] = cli.done("token", "show", perm)["previous_secrets"]
    assert after == before | {"last_used_at": instant(used)}
    shown = " ".join(cli("token", "show", perm).out.split())
    assert f"opens the same until {before['valid_until']}, last used {instant(used)}" in shown


def test_a_repository_says_what_its_default_token_opens(cli: CommandLine) -> None:
    added = cli("repo", "add", "acme/other")
    told = " ".join(added.err.split())
    assert "It opens everything in acme/other (r) to whoever has its secret" in told
    assert "entitlements token disable " in told
    assert not cli("repo", "add", "acme/bare", "--no-default-token").err


@pytest.mark.parametrize("command", ["create", "edit"])
def test_an_end_that_is_over_is_warned_about(cli: CommandLine, command: str) -> None:
    words = ["--repo", "acme/prod", "--name", "x"]
    if command == "edit":
        words = [cli.token()["slug_perm"]]
    past = cli.done("token", command, *words, "--valid-until", "2020-01-01")
    [said] = past["warnings"]
    assert said.startswith("The token ended on 2020-01-01 00:00 UTC, which is over")
    if command == "edit":
        assert not cli.done("token", "edit", *words, "--name", "y")["warnings"]
        assert not cli.done("token", "edit", *words, "--valid-until", "2120-01-01")["warnings"]
        assert not cli.done("token", "edit", *words, "--no-valid-until")["warnings"]


def test_a_deleted_token_is_called_deleted(cli: CommandLine) -> None:
    perm = cli.token()["slug_perm"]
    cli.done("token", "delete", perm)

    assert "This token is deleted, for good" in cli("token", "show", perm).err
    assert cli.done("token", "show", perm)["status"] == "deleted"
    for extra in ([], ["--show-secret"]):
        words = ("snippets", perm, "--url", "https://index.example", *extra)
        assert "is deleted, which is final" in cli.refused(*words)["detail"]
