"""Every example of Cloudsmith's documentation, with the answer it documents."""

import pytest

from entitlements_core.errors import QuerySyntaxError
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.query import PackageQuery
from tests.policy.query.facts import NOW, requiring, sdist, wheel


@pytest.mark.parametrize(
    ("query", "facts", "expected"),
    [
        ("name:^AlphaLib$ AND version:~=1.0", wheel("AlphaLib", "1.0"), True),
        ("name:^AlphaLib$ AND version:~=1.0", wheel("AlphaLib", "1.1"), True),
        ("name:^AlphaLib$ AND version:~=1.0", wheel("AlphaLib", "2.0"), False),
        ("name:^AlphaLib$ AND version:~=1.0", wheel("AlphaLib2", "1.0"), False),
        ("name:^foo$ filename:.zip$ architecture:~x86", sdist(filename="foo-1.0.zip"), True),
        ("name:^foo$ filename:.zip$ architecture:~x86", sdist(), False),
        (
            "name:^foo$ filename:.whl$ architecture:~x86",
            wheel(platform_tags=frozenset({"linux_x86_64"})),
            False,
        ),
        ("tag:latest", wheel(), True),
        ("tag:~latest", wheel(), False),
        ("tag:latest AND (format:sdist OR format:wheel)", wheel(), True),
        ("format:python AND downloads:>50 AND size:>2048", wheel(downloads=51, size=2049), True),
        ("format:python AND downloads:>50 AND size:>2048", wheel(downloads=51, size=2048), False),
        ("format:python AND downloads:>50 AND size:>2048", wheel(downloads=50, size=2049), False),
        (
            "format:python AND name:cloudsmith-api AND version:^0.21",
            wheel("cloudsmith-api", "0.21.3"),
            True,
        ),
        (
            "format:python AND name:cloudsmith-api AND version:^0.21",
            wheel("cloudsmith-api", "1.0.21"),
            False,
        ),
        (
            "package-darwin-amd64 OR package-windows-amd64",
            wheel("package-windows-amd64"),
            True,
        ),
        ("package-darwin-amd64 OR package-windows-amd64", wheel("package-linux-amd64"), False),
        ("name:my-web-app AND tag:release", wheel("my-web-app", tags=frozenset({"Release"})), True),
        ("version:1.1.0", wheel(version="1.1.0"), True),
        ("version:1.2.0", wheel(version="1.2.0.post1"), False),
        ("version:1.2.0*", wheel(version="1.2.0.post1"), True),
        ("version:1.1.0*post1", wheel(version="1.1.0.post1"), True),
        ("version:^1.1.0$", wheel(version="1.1.0"), True),
        ("version:>1.1.0", wheel(version="1.1.1"), True),
        ("version:~=1.1.0", wheel(version="1.1.9"), True),
        ("version:~=1.1.0", wheel(version="1.2.0"), False),
        ("prerelease:false", wheel(), True),
        ("architecture:x86_64", wheel(platform_tags=frozenset({"manylinux_x86_64"})), True),
        ("checksum:5afba", wheel(), True),
        ("type:binary", wheel(), True),
        ("type:source", wheel(), False),
        ("uploaded:'1 day ago'", wheel(), True),
        ("uploaded:>'1 month ago'", wheel(), True),
        ("uploaded:'August 14, 2019 EST'", wheel(), False),
        ("dependency:log4j", requiring("log4j>=1"), True),
        ("dependency:log4j=1.2.17", requiring("log4j>=1"), True),
        ("dependency:log4j<2.0.0", requiring("log4j>=2"), False),
        ("repository:acme", wheel(), True),
        ("license:MIT", wheel(), True),
    ],
)
def test_documented_example(query: str, facts: FileFacts, expected: bool) -> None:  # noqa: FBT001 - a table
    assert PackageQuery.parse(query).matches(facts, NOW) is expected


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("tag:latest AND (format:rpm OR format:composer)", "rpm is not a value of format"),
        ("format:maven AND name:cloudsmith-api AND version:^0.21", "maven is not a value"),
        (
            "name:flask AND NOT status:quarantined AND deny_policy_violated:false",
            "There is no field status.",
        ),
        ("status:quarantined OR deny_policy_violated:true", "There is no field status."),
        ("version:~=1.0.", "~=1.0. is not a version specifier"),
    ],
)
def test_example_for_something_else_is_refused(query: str, problem: str) -> None:
    with pytest.raises(QuerySyntaxError, match=f"^{problem}"):
        PackageQuery.parse(query)
