"""Who stands in the audit."""

import os
import pwd

import pytest

from tests.cli.conftest import CommandLine

USER = pwd.getpwuid(os.geteuid()).pw_name


@pytest.mark.parametrize(
    ("claimed", "recorded"),
    [
        ("alice", f"alice (as {USER})"),
        ("AD\\alice", f"AD\\alice (as {USER})"),
        (USER, USER),
        ("", USER),
        ("alice (as root)", USER),
        ("a\nb", USER),
        ("a" * 65, USER),
    ],
)
def test_who_became_another_user_is_recorded_with_that_one(
    cli: CommandLine, claimed: str, recorded: str
) -> None:
    made = cli.done("token", "create", "--repo", "acme/prod", "--name", "X", SUDO_USER=claimed)
    (entry,) = cli.done("audit", "--token", made["slug_perm"])
    assert entry["actor"] == recorded
    assert len(cli.done("audit", "--actor", recorded, "--token", made["slug_perm"])) == 1


def test_the_environment_does_not_name_the_effective_user(cli: CommandLine) -> None:
    words = ("token", "create", "--repo", "acme/prod", "--name", "X")
    made = cli.done(*words, LOGNAME="somebody", USER="somebody", SUDO_USER="")
    assert made["created_by"] == USER
