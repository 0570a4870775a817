"""The server's application: directories and settings in, a WSGI application out.

Any WSGI server can load it: ``granian --interface wsgi --factory`` or ``gunicorn`` with
``entitlements_core.engine.serving:create_app``.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from entitlements_core.engine.app import IndexApp
from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.downloads import DirectSender, Offload, Sender
from entitlements_core.engine.forks import keep_across_forks
from entitlements_core.engine.index import Index
from entitlements_core.engine.loading_errors import told_in_words
from entitlements_core.engine.pages import Pages
from entitlements_core.engine.source import Source
from entitlements_core.errors import ConfigurationError, Conflict, NotFound
from entitlements_core.policy.actor import Actor
from entitlements_core.policy.upstream import Upstream
from entitlements_core.services.core import Core
from entitlements_core.services.offload_locations import require_locations
from entitlements_core.services.redaction import protect_logs
from entitlements_core.services.settings import Settings

__all__ = ["create_app", "open_catalog", "open_index", "require_repository", "require_sender"]

log: Final = logging.getLogger("entitlements.engine")


def create_app(settings: Settings | None = None) -> IndexApp:
    """The application that ``ENTITLEMENTS_REPOSITORY`` and ``ENTITLEMENTS_DIRECTORIES`` name.

    The catalog is built in the background, and watched; until it is there, the answer is 503.

    Raises:
        EntitlementsError: when the settings, the key or the store cannot be used.
    """
    with told_in_words():
        return _create_app(settings or Settings.load())


def _create_app(settings: Settings) -> IndexApp:
    if not settings.repository or not settings.directories:
        raise ConfigurationError(
            "There is no repository or no directory to serve.",
            "Set ENTITLEMENTS_REPOSITORY and ENTITLEMENTS_DIRECTORIES,"
            " or run `entitlements serve`.",
        )
    protect_logs()
    core = Core.open(settings, create=True, empty=False)
    if not core.reader.has_repository(settings.repository):
        raise NotFound(
            f"There is no repository {settings.repository}.",
            f"Add it with `entitlements repo add {settings.repository}`.",
        )
    index = open_index(core, settings.repository, settings.directories)
    return IndexApp({"": index}, locate=core.addresses.of, ailment=core.readiness.ailment)


def open_index(  # noqa: PLR0913 - hosts differ in one or the other
    core: Core,
    repository: str,
    directories: Sequence[str | Path],
    *,
    sender: Sender | None = None,
    pages: Callable[[Catalog], Pages] | None = None,
    source: Source | None = None,
    build: Callable[[Catalog], object] | None = None,
    upstream: str | None = None,
) -> Index:
    """An index over directories, its catalog being built in the background and watched.

    Args:
        core: the services.
        repository: ``owner/slug``.
        directories: of its distributions.
        sender: how files are sent; None is what the settings say.
        pages: makes what renders the pages; None renders them with links to the index itself.
        source: says which files are in the directories; None is the file system.
        build: looks at everything for the first time, before the index is given; None does so in
            the background.
        upstream: the simple index that has what is not the vendor's; empty is none, None is what
            the settings say.

    Raises:
        ConfigurationError: when a directory is not there, or the offloading does not fit them.
        InvalidValue: when `upstream` is no address of an index.
    """
    sender = sender or _sender(core.settings, directories)
    catalog = open_catalog(core, repository, directories, source)
    keep_across_forks(catalog, polling=core.settings.watch == "polling")
    if build is not None:
        build(catalog)
    # Begins with a look of its own: the first one, or one that misses nothing in between.
    catalog.watch(polling=core.settings.watch == "polling")
    atexit.register(catalog.close)
    return Index(
        repository=repository,
        catalog=catalog,
        gate=core.gate,
        clock=core.clock,
        sender=sender,
        pages=None if pages is None else pages(catalog),
        upstream=_upstream(core.settings.upstream if upstream is None else upstream),
    )


def open_catalog(
    core: Core,
    repository: str,
    directories: Sequence[str | Path],
    source: Source | None = None,
    *,
    records: bool = True,
) -> Catalog:
    """The catalog of directories, not built yet.

    Args:
        core: the services.
        repository: ``owner/slug``.
        directories: of its distributions.
        source: says which files are in the directories; None is the file system.
        records: what is new is uploaded by being seen; False for who only wants to know.

    Raises:
        ConfigurationError: when a directory is not there.
    """
    roots = [Path(directory).expanduser().absolute() for directory in directories]
    for root in roots:
        if not root.exists():
            raise ConfigurationError(f"{root} does not exist.", "Make it, or correct its name.")
        if not root.is_dir():
            raise ConfigurationError(
                f"{root} is not a directory.", "Name the directory that holds the distributions."
            )
    cache = core.settings.catalog_file
    if source is not None:
        # Two hosts may mean different files by the same path, so neither shares a cache.
        cache = cache.with_name(f"catalog-{repository.replace('/', '-')}.db")
    return Catalog(
        roots,
        repository=repository,
        cache=cache,
        clock=core.clock,
        uploads=core.uploads_of(repository, records=records),
        source=source,
        metadata_limit=core.settings.metadata_limit,
    )


def _upstream(address: str) -> Upstream | None:
    return Upstream.parse(address) if address else None


def require_repository(core: Core, repository: str, remedy: str, *, creator: Actor | None) -> None:
    """Return when there is a repository, made now if need be.

    Args:
        core: the services.
        repository: ``owner/slug``.
        remedy: how a vendor adds it, in the terms of the host.
        creator: makes what is not there yet; None: nobody does.

    Raises:
        ConfigurationError: when there is none, and nobody makes it.
    """
    if core.reader.has_repository(repository):
        return
    if creator is None:
        raise ConfigurationError(
            f"The store {core.database_url} has no repository {repository}.", remedy
        )
    try:
        core.repositories.add(repository, actor=creator)
    except Conflict:
        log.info("another process added %s first", repository)


def require_sender(settings: Settings, directories: Sequence[str | Path]) -> None:
    """Return when what is set about sending files fits the directories.

    Raises:
        ConfigurationError: when it does not.
    """
    _sender(settings, directories)


def _sender(settings: Settings, directories: Sequence[str | Path]) -> Sender:
    if settings.accel_redirect:
        require_locations(settings.accel_redirect, directories)
        return Offload("X-Accel-Redirect", settings.accel_redirect)
    if settings.sendfile:
        roots = tuple(str(Path(item).expanduser().absolute()) for item in directories)
        return Offload("X-Sendfile", roots)
    return DirectSender()
