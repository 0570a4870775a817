"""Which version is the latest, for ``tag:latest``."""

import pytest
from packaging.version import Version

from entitlements_core.policy.facts import latest_of


@pytest.mark.parametrize(
    ("files", "latest"),
    [
        ([], None),
        ([("1.0", None)], "1.0"),
        ([("1.0", None), ("1.10", None), ("1.9", None)], "1.10"),
        ([("1.0", None), ("2.0rc1", None)], "1.0"),
        ([("1.0rc1", None), ("1.0b2", None)], "1.0rc1"),
        ([("1.0", None), ("2.0", "broken")], "1.0"),
        ([("1.0", None), ("2.0", "")], "1.0"),
        ([("2.0", "broken"), ("2.0", None), ("1.0", None)], "2.0"),
        ([("1.0", "a"), ("2.0", "b")], "2.0"),
        ([("2.0", "b"), ("3.0rc1", None)], "3.0rc1"),
    ],
)
def test_the_latest_version(files: list[tuple[str, str | None]], latest: str | None) -> None:
    found = latest_of((Version(version), yanked) for version, yanked in files)
    assert found == (None if latest is None else Version(latest))
