"""One repository on the wire: a request in, a response out, the gate between.

Everything that is not a page, a distribution file or its core metadata is not there. A request is
authenticated before its path is looked at, so that a stranger learns nothing of any path.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from entitlements_core.engine import auth_request
from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.content_cache import ContentCache
from entitlements_core.engine.downloads import DirectSender, Sender
from entitlements_core.engine.files import StoredFile
from entitlements_core.engine.handler import Parts, RequestHandler
from entitlements_core.engine.pages import Pages
from entitlements_core.engine.responses import method_refused, not_ready, refused
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.upstream import Upstream
from entitlements_core.services.gate import Caller, Gate
from entitlements_core.wsgi import Headers, Request, Response

__all__ = ["Index"]


class Index:
    """Serves one repository from a catalog.

    Args:
        repository: ``owner/slug``.
        catalog: of its files.
        gate: decides and counts.
        clock: tells the time.
        sender: how files are sent.
        pages: renders the pages; those of another kind may link elsewhere.
        upstream: has the projects that are not the vendor's; None: nobody is sent elsewhere.
    """

    def __init__(  # noqa: PLR0913 - it is put together from its parts
        self,
        *,
        repository: str,
        catalog: Catalog,
        gate: Gate,
        clock: Callable[[], datetime],
        sender: Sender | None = None,
        pages: Pages | None = None,
        upstream: Upstream | None = None,
    ) -> None:
        self.repository = repository
        self.catalog = catalog
        self._clock = clock
        self._parts = Parts(
            catalog=catalog,
            pages=pages or Pages(lambda: catalog.snapshot),
            gate=gate,
            sender=sender or DirectSender(),
            bodies=ContentCache(),
            upstream=upstream,
        )

    @property
    def is_ready(self) -> bool:
        """The catalog was built once. Before that, everything would look as if it did not exist."""
        return self.catalog.is_built

    def respond(self, request: Request, *, reason_links: bool = True) -> Response:
        """The response to a request.

        Args:
            request: its path is that of this index.
            reason_links: see `responses.refused`; False where the files have other addresses than
                this index gives them.
        """
        if not request.reads:
            return method_refused(request)
        if not self.is_ready:
            return not_ready()
        caller = self.identify(request)
        if isinstance(caller, Deny):
            return refused(
                caller, request, transfers=_is_file(request.path), reason_links=reason_links
            )
        return RequestHandler(self._parts, request, caller, reason_links=reason_links).respond()

    def authorize(self, request: Request) -> Response:
        """Only the decision, for a server in front that sends files itself (``auth_request``).

        204 allows; the download is then counted. ``X-Entitlements-File`` says which file it was
        allowed for, by its path below a directory, with a slash before it, and
        ``X-Entitlements-Directory`` which directory, counted from 0: what the address that was
        asked for means on a disk is nothing that the server in front should guess. Pages are
        refused: a page from a disk is not filtered. So is a file whose path does not fit into a
        header; the index itself does send it. See `auth_request` for what a refusal looks like.
        """
        if not self.is_ready:
            return auth_request.NOT_READY
        caller = self.identify(request)
        found = (
            caller
            if isinstance(caller, Deny)
            else RequestHandler(self._parts, request, caller).authorize()
        )
        if isinstance(found, Deny):
            return auth_request.denied(found, request.scheme)
        return auth_request.allowed(204, _place(found))

    def identify(self, request: Request) -> Caller | Deny:
        """Whose request this is."""
        return self._parts.gate.identify(request, self.repository, self._clock())


def _place(file: StoredFile | None) -> Headers:
    if file is None:
        return ()
    return (
        ("X-Entitlements-Directory", str(file.root_index)),
        ("X-Entitlements-File", f"/{file.relative}"),
    )


def _is_file(path: str) -> bool:
    return path.startswith("/packages/")
