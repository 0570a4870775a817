"""Uploads with a token: the file's name and the metadata inside are checked against the grant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from entitlements_core.engine.distributions import Unservable
from entitlements_core.engine.index import Index
from entitlements_core.engine.responses import upload_refused
from entitlements_core.engine.uploads import inspect_upload
from entitlements_core.policy.decision import Deny
from entitlements_core.refusals import problem
from entitlements_core.services.gate import Gate
from entitlements_core.wsgi import Request, Response
from pypiserver_entitlements.authorization import UploadAuthorization
from pypiserver_entitlements.current_user import Uploader
from pypiserver_entitlements.pypiserver_api import UploadedFile, UploadForm, read_form
from pypiserver_entitlements.request_bodies import DIGITS

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

__all__ = ["Uploads"]

SIGNATURE_LIMIT: Final = 64 * 1024
"""Bytes of a detached signature, inclusive; a real one has less than one thousand."""

_NO_FORM: Final = "Upload with twine, uv publish or the like."


class Uploads:
    """Decides on uploads to one repository.

    Args:
        index: of the repository.
        gate: decides.
        clock: tells the time.
        limit: bytes of a request, inclusive.
        metadata_limit: bytes that the core metadata of a file may have, inclusive.

    Attributes:
        limit: see above.
    """

    def __init__(
        self,
        index: Index,
        gate: Gate,
        clock: Callable[[], datetime],
        *,
        limit: int,
        metadata_limit: int,
    ) -> None:
        self._index = index
        self._gate = gate
        self._clock = clock
        self.limit = limit
        self._metadata_limit = metadata_limit

    def admit(self, request: Request) -> Uploader | Response:
        """Permission to pass an upload on to pypiserver, or the whole answer instead.

        Nothing of the body is read before it is known that the token may write at all, and that
        the body is not too large.
        """
        caller = self._gate.identify(request, self._index.repository, self._clock(), writes=True)
        if isinstance(caller, Deny):
            return upload_refused(caller, request)
        asks = UploadAuthorization(self._gate, caller)
        denied = asks.of_anything()
        if denied is not None:
            return upload_refused(denied, request)
        return self._too_large(request.environ) or self._read(asks, request)

    def _too_large(self, environ: WSGIEnvironment) -> Response | None:
        length = environ.get("CONTENT_LENGTH") or ""
        if not length.isdecimal():
            return problem(
                411, "An upload needs a Content-Length", _NO_FORM, code="length_required"
            )
        if len(length) > DIGITS or int(length) > self.limit:
            remedy = f"At most {self.limit} bytes are taken; ask the vendor."
            return problem(413, "The upload is too large", remedy, code="too_large")
        return None

    def _read(self, asks: UploadAuthorization, request: Request) -> Uploader | Response:
        try:
            form = read_form(request.environ)
        except ValueError:
            return problem(400, "The upload is not a form", _NO_FORM, code="bad_form")
        upload = _offered(form)
        if isinstance(upload, Response):
            return upload
        try:
            facts = inspect_upload(
                upload.filename,
                upload.file,
                repository=self._index.repository,
                now=asks.caller.now,
                metadata_limit=self._metadata_limit,
            )
        except Unservable as error:
            return problem(400, error.problem, error.remedy, code=error.code)
        replaced = self._index.catalog.snapshot.file(facts.filename)
        denied = asks.of_file(facts, None if replaced is None else replaced.facts)
        if denied is not None:
            return upload_refused(denied, request)
        files = (upload, form.signature)
        return Uploader(
            asks.caller.credential.identifier, frozenset(file.filename for file in files if file)
        )


def _offered(form: UploadForm) -> UploadedFile | Response:
    """The file of a form that is an upload; the whole answer where it is something else."""
    if form.action != "file_upload":
        remedy = "A token uploads files; to remove one, ask the vendor."
        return problem(403, "Only uploads are open to a token", remedy, code="read_only")
    if form.content is None:
        return problem(400, "The upload has no file 'content'", _NO_FORM, code="bad_form")
    signature = form.signature
    if signature is not None and (
        signature.filename != f"{form.content.filename}.asc"
        or len(signature.file.read(SIGNATURE_LIMIT + 1)) > SIGNATURE_LIMIT
        or signature.file.seek(0)
    ):
        remedy = "Name it after the file, with .asc at the end, and upload it with the file."
        return problem(400, "The signature does not belong to the file", remedy, code="bad_form")
    return form.content
