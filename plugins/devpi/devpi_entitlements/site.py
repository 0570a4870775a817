"""What the adapter holds while one devpi-server runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from devpi_entitlements.configuration import Configuration, is_locked_down
from devpi_entitlements.decision_counts import DecisionCounts
from devpi_entitlements.devpi_types import PyramidRequest, Xom
from devpi_entitlements.file_cache import FileCache
from devpi_entitlements.file_facts import FileFactsReader
from devpi_entitlements.marks import Marks
from devpi_entitlements.page_cache import PageCache
from devpi_entitlements.past_indexes import PastIndexes
from entitlements_core.engine.downloads import DirectSender, Offload, Sender
from entitlements_core.services.core import Core
from entitlements_core.services.gate import Gate

__all__ = ["SITE", "Site", "site_of"]

SITE: Final = "entitlements"
"""The key in pyramid's registry."""
ABSOLUTE_LINKS: Final = "entitlements_absolute_links"
"""Among the options of devpi-server: its own was set before we took it away."""


class Site:
    """The services of the core and what is remembered between requests.

    Args:
        core: the services.
        xom: devpi-server's own composition root.
        configuration: the options.
        marks: which index or account has a name now.

    Attributes:
        gate: decides and counts.
        pages: rendered pages, as long as nothing was committed.
        files: admitted files, just as long.
        file_facts: what is known of files.
        sender: how local files are sent.
        lockdown: see `Configuration`.
        is_locked_down: nothing is open to strangers, so nothing is open to a token by itself.
        absolute_links: devpi-server was told to write absolute links, which only users get.
    """

    def __init__(
        self,
        core: Core,
        xom: Xom,
        configuration: Configuration,
        marks: Marks,
    ) -> None:
        self.core = core
        self.marks = marks
        self.xom = xom
        self.configuration = configuration
        self.gate: Gate = core.gate
        self.pages = PageCache()
        self.files = FileCache()
        self.file_facts = FileFactsReader()
        self.past_indexes = PastIndexes()
        self.decision_counts = DecisionCounts()
        core.plugins.register(self.decision_counts)
        self.lockdown = configuration.lockdown
        self.is_locked_down = is_locked_down(xom.config)
        # Links to users remain as they were; those to a token holder would repeat the secret in the
        # page, and be another token holder's as well when it is remembered.
        options = xom.config.args
        self.absolute_links = bool(options.absolute_urls) or ABSOLUTE_LINKS in vars(options)
        if self.absolute_links:
            setattr(options, ABSOLUTE_LINKS, True)  # for the next application of this process
        options.absolute_urls = False
        location = configuration.accel_redirect
        self.sender: Sender = (
            Offload("X-Accel-Redirect", (location,)) if location else DirectSender()
        )

    def now(self) -> datetime:
        """Aware, UTC."""
        return self.core.clock()

    def serial(self) -> int:
        """The serial of devpi's last commit: equal serials are equal contents."""
        return self.marks.serials.current()

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """The model of devpi in a read transaction, the current one if there is one."""
        with self.xom.keyfs.read_transaction(allow_reuse=True):
            yield self.xom.model


def site_of(request: PyramidRequest) -> Site:
    """The site of the server that answers `request`."""
    site: Site = request.registry[SITE]
    return site
