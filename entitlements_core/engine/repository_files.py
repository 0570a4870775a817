"""What is known of the files of a repository: from directories, or from the host that has them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from entitlements_core.engine.progress import build
from entitlements_core.errors import InvalidValue

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from entitlements_core.engine.catalog import Catalog, ScanReport
    from entitlements_core.policy.facts import FileFacts
    from entitlements_core.policy.token import Token
    from entitlements_core.services.core import Core

__all__ = ["covered_files", "known_files", "mirrored_files", "scanned"]


@contextmanager
def scanned(
    core: "Core", repository: str, directories: Sequence[Path], *, records: bool = False
) -> Iterator[tuple["Catalog", "ScanReport"]]:
    """The catalog of directories, up to date, and what the look at them found.

    Args:
        core: the services.
        repository: ``owner/slug``.
        directories: that hold the files.
        records: record the upload times of new files, as a server does.

    Raises:
        NotFound: when there is no such repository.
        ConfigurationError: when a directory is not there.
    """
    from entitlements_core.engine.serving import open_catalog  # noqa: PLC0415 - a fast start

    core.repositories.show(repository)
    catalog = open_catalog(core, repository, directories, records=records)
    try:
        yield catalog, build(catalog)
    finally:
        catalog.close()


def known_files(
    core: "Core",
    repository: str,
    directories: Sequence[Path],
    bases: frozenset[str] | None = None,
) -> Mapping[str, "FileFacts"]:
    """The files of a repository by name, in the order of an index.

    Args:
        core: the services.
        repository: ``owner/slug``.
        directories: that hold the files. Where there are none, those of the settings do if they
            are of this repository; else a host is asked.
        bases: the only ones to look into of what a hosted repository inherits from; None is all.

    Raises:
        NotFound: when there is no such repository.
        InvalidValue: when no directory is named, and no host serves the repository.
    """
    directories = directories or core.settings.directories_of(repository)
    if directories:
        with scanned(core, repository, directories) as (catalog, _):
            projects = catalog.snapshot.projects.values()
            files = [file.facts for project in projects for file in project.files]
            return {facts.filename: facts for facts in files}
    core.repositories.show(repository)
    hosted = core.plugins.files(repository, bases=bases)
    if hosted is None:
        raise InvalidValue(
            "dir",
            f"Nobody here knows the files of {repository}.",
            "Name the directories that hold them with --dir.",
        )
    return {facts.filename: facts for facts in hosted}


def covered_files(
    core: "Core", token: "Token", repository: str, known: "Mapping[str, FileFacts]"
) -> tuple["FileFacts", ...]:
    """The files of a repository that a token covers now; none where it does not open it.

    Args:
        core: the services.
        token: whose restriction and freeze hold.
        repository: ``owner/slug``.
        known: the files by their names, see `known_files`.
    """
    from entitlements_core.services import outside_facts, previews  # noqa: PLC0415 - a fast start

    grant = token.grant_in(repository)
    if grant is None:
        return ()
    query = grant.limit_package_query or "name:*"
    files = outside_facts.with_outside_facts(
        tuple(known.values()),
        core.parse_query(query),
        repository=repository,
        source=core.reader,
        plugins=core.plugins,
    )
    found = previews.preview(
        query, files, now=core.clock(), parse=core.parse_query, token=token, repository=repository
    )
    return tuple(known[name] for name in found.files)


def mirrored_files(
    core: "Core", repository: str, names: Iterable["NormalizedName"], seen: frozenset[str] | None
) -> "dict[str, FileFacts]":
    """The files of projects that a host has from mirrors, as far as it fetched them."""
    found = [core.plugins.files(repository, name, bases=seen) or () for name in names]
    return {facts.filename: facts for files in found for facts in files}
