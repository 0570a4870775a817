"""The vendor's tags on packages: words that a restriction asks for with ``tag:``."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from packaging.utils import InvalidName, NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.facts import LATEST_TAG
from entitlements_core.policy.terms import check_tags

__all__ = ["Package", "TaggedPackage", "VendorTags", "check_package_tags"]

_NONE: Final[frozenset[str]] = frozenset()
_SPELLING: Final = "Write PROJECT or PROJECT==VERSION, such as acme-client or acme-client==1.2."


@dataclass(frozen=True, slots=True)
class Package:
    """A project, or one version of it.

    Attributes:
        project: PEP 503-normalised.
        version: PEP 440; None is every version, also those to come.
    """

    project: NormalizedName
    version: Version | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The package that ``PROJECT`` or ``PROJECT==VERSION`` names.

        Raises:
            InvalidValue: naming ``package``, when it is no such text.
        """
        name, pinned, version = (part.strip() for part in text.partition("=="))
        try:
            project = canonicalize_name(name, validate=True)
            return cls(project, Version(version) if pinned else None)
        except InvalidName:
            problem = f"{name!r} is no name of a project."
        except InvalidVersion:
            problem = f"{version!r} is no version (PEP 440)."
        raise InvalidValue("package", problem, _SPELLING)

    def __str__(self) -> str:
        return self.project if self.version is None else f"{self.project}=={self.version}"


@dataclass(frozen=True, slots=True)
class TaggedPackage:
    """A package with the tags that the vendor gave to just it, sorted."""

    package: Package
    tags: tuple[str, ...]


def check_package_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """`tags` in lower case, sorted and without repetition; the rules are those of a token's tags.

    Raises:
        InvalidValue: naming ``tags``.
    """
    words = tuple(sorted({word.lower() for word in check_tags(tags)}))
    if LATEST_TAG in words:
        raise InvalidValue(
            "tags",
            f"The tag {LATEST_TAG} is reserved: the files of a project's latest version have it"
            " by themselves.",
            "Choose another word, such as current.",
        )
    return words


@dataclass(frozen=True, slots=True)
class VendorTags:
    """The vendor's tags of all packages of one repository.

    Attributes:
        state: another value after every change of the tags; a part of what pages are remembered
            under.
    """

    state: Hashable = None
    _projects: Mapping[str, tuple[frozenset[str], Mapping[Version, frozenset[str]]]] = field(
        default_factory=dict
    )

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[str, str, str]], state: Hashable) -> Self:
        """The tags that are stored as project, version (empty for every one) and tag.

        Raises:
            ValueError: when a version is none.
        """
        every: dict[str, set[str]] = {}
        single: dict[str, dict[Version, set[str]]] = {}
        for project, version, tag in rows:
            own = every.setdefault(project, set())
            versions = single.setdefault(project, {})
            (versions.setdefault(Version(version), set()) if version else own).add(tag)
        return cls(
            state,
            {
                project: (
                    frozenset(own),
                    {version: frozenset(own | tags) for version, tags in single[project].items()},
                )
                for project, own in every.items()
            },
        )

    def of(self, project: NormalizedName, version: Version) -> frozenset[str]:
        """The tags of a file: those of its version, and those of every version of its project.

        Versions are equal as in PEP 440: what is said of 1.0 is said of 1.0.0.
        """
        found = self._projects.get(project)
        return _NONE if found is None else found[1].get(version, found[0])
