"""One repository on the wire: a request in, an answer out, the gate between.

Everything that is not a page, a distribution file or its core metadata is not there. A request is
authenticated before its path is looked at, so that a stranger learns nothing of any path.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.content_cache import ContentCache
from entitlements_core.engine.files import DirectSender, Sender, StoredFile
from entitlements_core.engine.handler import Parts, RequestHandler
from entitlements_core.engine.pages import Pages
from entitlements_core.engine.responses import (
    NOT_STORED,
    Incoming,
    Outgoing,
    method_refused,
    not_ready,
    refused,
)
from entitlements_core.http import Headers, refuse, status_of, words
from entitlements_core.policy.decide import RequestContext
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.upstream import Upstream
from entitlements_core.services.gate import Gate

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
            pages=pages or Pages(catalog),
            gate=gate,
            sender=sender or DirectSender(),
            bodies=ContentCache(),
            upstream=upstream,
        )

    @property
    def is_ready(self) -> bool:
        """The catalog was built once. Before that, everything would look as if it did not exist."""
        return self.catalog.is_built

    def answer(self, request: Incoming) -> Outgoing:
        """The response to a request."""
        if request.method not in {"GET", "HEAD"}:
            return method_refused(request)
        if not self.is_ready:
            return not_ready(request)
        visit = self._enter(request)
        if isinstance(visit, Deny):
            return refused(visit, request, transfers=_is_file(request.path))
        return visit.serve(request.path)

    def authorize(self, request: Incoming) -> Outgoing:
        """Only the decision, for a server in front that sends files itself (``auth_request``).

        204 allows; the download is then counted. ``X-Entitlements-File`` says which file it was
        allowed for, by its path below a directory, with a slash before it, and
        ``X-Entitlements-Directory`` which directory, counted from 0: what the address that was
        asked for means on a disk is nothing that the server in front should guess. 401 and 403
        refuse, since nginx passes no others; what the answer would have been stands in
        ``X-Entitlements-*`` headers. Pages are refused: a page from a disk is not filtered. So is
        a file whose path does not fit into a header; the index itself does send it.
        """
        if not self.is_ready:
            return _AUTHORIZE_LATER
        visit = self._enter(request)
        found = visit if isinstance(visit, Deny) else visit.authorize(request.path)
        if not isinstance(found, Deny):
            return Outgoing("204 Allowed", (*NOT_STORED, *_place(found)), [])
        denied = found
        form = request.presented.form if request.presented else None
        status = status_of(denied, form, transfers=True)
        challenge = refuse(denied, form=form, transfers=True).headers
        headers = (
            *(pair for pair in challenge if pair[0] == "WWW-Authenticate"),
            *NOT_STORED,
            ("X-Entitlements-Status", str(status)),
            ("X-Entitlements-Code", denied.reason.value),
            ("X-Entitlements-Reason", words(denied)),
        )
        return Outgoing("401 Refused" if status == _UNAUTHORIZED else "403 Refused", headers, [])

    def _enter(self, request: Incoming) -> RequestHandler | Deny:
        now = self._clock()
        context = RequestContext(repository=self.repository, address=request.address)
        credential = self._parts.gate.authenticate(request.presented, context, now)
        if isinstance(credential, Deny):
            return credential
        return RequestHandler(self._parts, request, context, credential, now)


_UNAUTHORIZED: Final = 401
_AUTHORIZE_LATER: Final = Outgoing(
    "403 Refused",
    (
        *NOT_STORED,
        ("X-Entitlements-Status", "503"),
        ("X-Entitlements-Code", "index_building"),
        ("X-Entitlements-Reason", "The index is being built"),
    ),
    (),
)


def _place(file: StoredFile | None) -> Headers:
    if file is None:
        return ()
    return (
        ("X-Entitlements-Directory", str(file.root_index)),
        ("X-Entitlements-File", f"/{file.relative}"),
    )


def _is_file(path: str) -> bool:
    return path.startswith("/packages/")
