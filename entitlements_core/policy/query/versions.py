"""Versions, specifiers and dependencies of a query, read and compared as PEP 440 says."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, Specifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from entitlements_core.policy.query.patterns import read_pattern
from entitlements_core.policy.query.syntax import Dependency, TextPattern, VersionEqual, VersionSet
from entitlements_core.policy.query.tokenizer import Excerpt

__all__ = ["dependency_test", "read_dependency", "read_version", "version_test"]

MAX_SPECIFIERS: Final = 32
"""Version specifiers in one value; each costs time for every version that is compared."""

_OPERATORS: Final = ("<", ">", "=", "!", "~")
_PROJECT: Final = re.compile(r"[A-Za-z0-9._-]*")
_SINGLE_EQUALS: Final = re.compile(r"^\s*=(?!=)")
_LAST_NUMBER: Final = re.compile(r"[0-9]+$")
_CACHED_VERSIONS: Final = 1_024


def read_version(value: Excerpt) -> VersionEqual | VersionSet | TextPattern:
    """A specifier set if it starts with an operator, text if it has ``^ $ *``, else a version.

    Raises:
        QuerySyntaxError: not a version or not a specifier, PEP 440.
    """
    if any(map(value.begins, _OPERATORS)):
        return VersionSet(_read_specifiers(value))
    is_text = any(value.special(index, "*") for index in range(len(value.text)))
    if is_text or value.special(0, "^") or value.special(-1, "$"):
        return read_pattern(value)
    try:
        return VersionEqual(Version(value.text))
    except InvalidVersion:
        raise value.error(
            f"{value.text} is not a version (PEP 440); expected one such as 1.2, >=1.2,<3 or 1.2.*"
        ) from None


def read_dependency(value: Excerpt) -> Dependency:
    """``project [specifiers]``; a single ``=`` is read as ``==``.

    Raises:
        QuerySyntaxError: not a project name, or not specifiers.
    """
    found = _PROJECT.match(value.text)
    end = found.end() if found else 0
    project, rest = value.without(0, len(value.text) - end), value.without(end).stripped()
    try:
        name = canonicalize_name(project.text, validate=True)
    except InvalidName:
        raise value.error(
            "Expected a project name, with or without versions, such as urllib3 or urllib3<2."
        ) from None
    if not rest.text:
        return Dependency(name, SpecifierSet())
    return Dependency(name, _read_specifiers(rest, single_equals=True))


def _read_specifiers(value: Excerpt, *, single_equals: bool = False) -> SpecifierSet:
    specifiers = []
    start = 0
    if value.text.count(",") >= MAX_SPECIFIERS:
        raise value.error(f"At most {MAX_SPECIFIERS} specifiers may stand in one value.")
    for text in value.text.split(","):
        end = start + len(text)
        spelt = _SINGLE_EQUALS.sub("==", text) if single_equals else text
        try:
            specifiers.append(str(Specifier(spelt)))
        except InvalidSpecifier:
            part = value.without(start, len(value.text) - end)
            raise part.error(_not_a_specifier(text.strip())) from None
        start = end + 1
    return SpecifierSet(",".join(specifiers), prereleases=True)


def _not_a_specifier(text: str) -> str:
    if re.fullmatch(r"=[^=].*", text):
        return f"{text} is not a version specifier (PEP 440); write =={text[1:]}"
    found = f"{text} is" if text else "Nothing is"
    return f"{found} not a version specifier (PEP 440); expected one such as >=1.2 or ~=1.2"


def version_test(value: VersionEqual | VersionSet) -> Callable[[Version], bool]:
    """Whether a version is the one, or admitted by the specifiers."""
    if isinstance(value, VersionEqual):
        return value.version.__eq__
    specifiers = value.specifiers

    def admits(version: Version) -> bool:
        return specifiers.contains(version, prereleases=True)

    # Many files share a version. "===" compares text, and equal versions may differ in text.
    textual = any(specifier.operator == "===" for specifier in specifiers)
    return admits if textual else lru_cache(_CACHED_VERSIONS)(admits)


def dependency_test(wanted: Dependency) -> Callable[[Requirement], bool | None]:
    """Whether some version of the project satisfies both the query and a file's requirement.

    Without versions in the query the name is enough. Extras and environment markers of the
    requirement do not count. None for a requirement that names more than a version can hold.
    """

    @lru_cache(_CACHED_VERSIONS)
    def overlaps(required: SpecifierSet) -> bool:
        both = wanted.specifiers & required
        return any(both.contains(version, prereleases=True) for version in _samples(both))

    def admits(required: Requirement) -> bool | None:
        if canonicalize_name(required.name) != wanted.name:
            return False
        if not wanted.specifiers:
            return True
        try:
            return overlaps(required.specifier)
        except ValueError:  # a number with thousands of digits, which a publisher may write
            return None

    return admits


def _samples(specifiers: SpecifierSet) -> Iterator[Version]:
    """Versions at and just above every bound, and below all: one for each gap between bounds."""
    yield Version("0.dev0")
    yield Version("0")
    bounds = [*_bounds(specifiers)]
    depth = max((len(bound.release) for bound in bounds), default=0)
    for bound in bounds:
        release = bound.base_version
        yield bound
        yield _next(bound.public)
        yield _next(release)
        yield Version(f"{release}{'.0' * (depth - len(bound.release))}.1")
        if bound.post is None and bound.dev is None:
            yield Version(f"{bound.public}.post0")


def _bounds(specifiers: SpecifierSet) -> Iterator[Version]:
    for specifier in specifiers:
        with suppress(InvalidVersion):  # "===" takes any text
            yield Version(specifier.version.removesuffix(".*"))


def _next(version: str) -> Version:
    """The version with its last number raised: 1.3 for 1.2, 1.0rc2 for 1.0rc1."""
    return Version(_LAST_NUMBER.sub(lambda number: str(int(number[0]) + 1), version))
