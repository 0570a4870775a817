"""What a request is for. A union on purpose: None could mean a list, or a file nobody can name."""

from dataclasses import dataclass

from packaging.utils import NormalizedName

from entitlements_core.policy.facts import FileFacts

__all__ = [
    "CoreMetadata",
    "DistributionFile",
    "Other",
    "ProjectList",
    "ProjectPage",
    "Resource",
    "Unidentified",
]


@dataclass(frozen=True, slots=True)
class ProjectList:
    """The list of projects (PEP 503 root page). Its contents are filtered; itself it is open."""


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """The page of one project. Its files are filtered; itself it is open."""

    name: NormalizedName


@dataclass(frozen=True, slots=True)
class DistributionFile:
    """A wheel or an sdist."""

    facts: FileFacts


@dataclass(frozen=True, slots=True)
class CoreMetadata:
    """The ``.metadata`` file beside a wheel (PEP 658); it is as visible as its wheel."""

    facts: FileFacts


@dataclass(frozen=True, slots=True)
class Unidentified:
    """A file whose name says no project and version, or that the index does not have. Hidden."""

    path: str


@dataclass(frozen=True, slots=True)
class Other:
    """Anything else of a host. Hidden from every credential."""

    path: str


Resource = ProjectList | ProjectPage | DistributionFile | CoreMetadata | Unidentified | Other
