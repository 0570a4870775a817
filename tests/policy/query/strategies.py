"""Queries and files for the property tests; few words, so that they meet."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from packaging.requirements import Requirement

from entitlements_core.policy.facts import FileFacts, FileKind
from tests.policy.query.facts import NOW, wheel

_NAMES = ["foo", "bar", "foo-bar", "libfoo", "foobar"]
_VERSIONS = ["0.9", "1.0", "1.0.0", "1.0rc1", "1.0.post1", "1.0+x", "2.0", "2.0.dev1"]

_TERMS = [
    *("foo", "bar*", "'and'", "1.0"),
    *("name:^foo$", "name:^Foo_Bar$", "name:foo", "name:~^bar$", "name:^lib*o$", "name:*"),
    *("version:1.0", "version:>=1.0", "version:~=1.0", "version:<2,!=1.0", "version:===1.0"),
    *("version:^1.*", "version:~1.0", "version:~>1.0.dev0", "prerelease:true", "yanked:false"),
    *("filename:.whl$", "format:python", "format:~wheel", "type:source", "architecture:~x86"),
    *("python:py3", "tag:latest", "tag:~^stable$", "size:>1kB", "size:~2000", "downloads:>=5"),
    *("uploaded:'1 day ago'", "uploaded:>'1 month ago'", "uploaded:today", "uploaded:>2026-03-28"),
    *("checksum:a", "checksum:~sha256:b", "license:MIT", "license:^$", "license:~gpl"),
    *("dependency:six", "dependency:six<2", "dependency:~six>=2", "repository:acme"),
    *("requires_python:>=3.8", "channel:edge", "channel:~edge"),
]


def _combined(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(children, st.sampled_from([" AND ", " OR ", " "]), children)
    return st.one_of(
        pair.map("".join),
        pair.map(lambda parts: f"({''.join(parts)})"),
        children.map(lambda child: f"NOT {child}"),
        children.map(lambda child: f"NOT ({child})"),
    )


terms = st.sampled_from(_TERMS)
queries = st.recursive(terms, _combined, max_leaves=6)
names = st.sampled_from([wheel(name).name for name in _NAMES])


@st.composite
def files(draw: st.DrawFn, name: str | None = None) -> FileFacts:
    """A file of which more or less is known."""
    kind = draw(st.sampled_from(FileKind))
    tags = st.sets(st.sampled_from(["x86_64", "any", "py3", "latest", "Stable"])).map(frozenset)
    requirements = st.lists(st.sampled_from(["six", "six<2", "six>=3", "attrs"]), max_size=2)
    age = st.timedeltas(timedelta(days=-1), timedelta(days=60))
    return wheel(
        name or draw(names),
        draw(st.sampled_from(_VERSIONS)),
        kind=kind,
        python_tags=draw(tags),
        platform_tags=draw(tags),
        tags=draw(tags),
        size=draw(st.sampled_from([0, 500, 2000])),
        sha256=draw(st.sampled_from(["", "a" * 64, "b" * 64])),
        license=draw(st.sampled_from(["", "MIT", "GPL-3.0"])),
        summary=draw(st.sampled_from(["", "a package"])),
        dependencies=tuple(map(Requirement, draw(requirements))),
        requires_python=draw(st.sampled_from([None, ">=3.8"])),
        yanked=draw(st.sampled_from([None, "", "broken"])),
        downloads=draw(st.integers(0, 10)),
        repository=draw(st.sampled_from(["", "acme/stable"])),
        extra=draw(st.sampled_from([{}, {"channel": "edge"}])),
        uploaded_at=draw(st.none() | age.map(lambda past: NOW - past)),
    )


moments = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - Hypothesis wants naive bounds
    datetime(2100, 1, 1),  # noqa: DTZ001 - see above
    timezones=st.just(UTC),
)
