"""Resources are a union: nothing falls between a list and a file."""

from typing import get_args

from entitlements_core.policy.resource import (
    CoreMetadata,
    DistributionFile,
    Other,
    ProjectList,
    ProjectPage,
    Resource,
    Unidentified,
)


def test_the_union_is_complete_and_distinct() -> None:
    assert set(get_args(Resource)) == {
        ProjectList,
        ProjectPage,
        DistributionFile,
        CoreMetadata,
        Unidentified,
        Other,
    }
