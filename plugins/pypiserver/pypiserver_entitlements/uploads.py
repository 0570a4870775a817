"""Uploads with a token: the file's name and the metadata inside are checked against the grant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from entitlements_core.engine.distributions import Unservable
from entitlements_core.engine.index import Index
from entitlements_core.engine.responses import Incoming, Outgoing, in_terms_of_logins, outgoing
from entitlements_core.engine.uploads import inspect_upload
from entitlements_core.http import problem, refuse
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.decide import Question, RequestContext
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.resource import DistributionFile, ProjectList, Resource
from entitlements_core.services.gate import Gate
from pypiserver_entitlements.pypiserver_api import UploadedFile, UploadForm, read_form
from pypiserver_entitlements.users import Uploader

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

    def admit(self, request: Incoming) -> Uploader | Outgoing:
        """Leave to pass an upload on to pypiserver, or the whole answer instead.

        Nothing of the body is read before it is known that the token may write at all, and that
        the body is not too large.
        """
        now = self._clock()
        context = RequestContext(
            repository=self._index.repository, address=request.address, writes=True
        )
        credential = self._gate.authenticate(request.presented, context, now)
        if isinstance(credential, Deny):
            return _refused(credential, request)
        asks = _Asker(self._gate, credential, context, now)
        denied = asks.about(ProjectList())
        if denied is not None:
            return _refused(denied, request)
        return self._too_large(request.headers) or self._read(asks, request)

    def _too_large(self, environ: dict[str, Any]) -> Outgoing | None:
        length = environ.get("CONTENT_LENGTH") or ""
        if not length.isdecimal():
            return _problem(411, "An upload needs a Content-Length", _NO_FORM, "length_required")
        if int(length) > self.limit:
            remedy = f"At most {self.limit} bytes are taken; ask the vendor."
            return _problem(413, "The upload is too large", remedy, "too_large")
        return None

    def _read(self, asks: _Asker, request: Incoming) -> Uploader | Outgoing:
        try:
            form = read_form(request.headers)
        except ValueError:
            return _problem(400, "The upload is not a form", _NO_FORM, "bad_form")
        upload = _offered(form)
        if isinstance(upload, Outgoing):
            return upload
        try:
            facts = inspect_upload(
                upload.filename,
                upload.file,
                repository=self._index.repository,
                now=asks.now,
                metadata_limit=self._metadata_limit,
            )
        except Unservable as error:
            return _problem(400, error.problem, error.remedy, error.code)
        denied = self._denied(asks, facts)
        if denied is not None:
            return _refused(denied, request)
        files = (upload, form.signature)
        return Uploader(asks.identifier, frozenset(file.filename for file in files if file))

    def _denied(self, asks: _Asker, facts: FileFacts) -> Deny | None:
        """Both what is uploaded and what it would replace must be covered."""
        replaced = self._index.catalog.snapshot.file(facts.filename)
        denied = asks.about_file(facts)
        if denied is None and replaced is not None:
            return asks.about_file(replaced.facts)
        return denied


class _Asker:
    """Asks the gate on behalf of one request that writes."""

    def __init__(
        self, gate: Gate, credential: Credential, context: RequestContext, now: datetime
    ) -> None:
        self._gate = gate
        self._credential = credential
        self._context = context
        self.now = now

    @property
    def identifier(self) -> str:
        """The credential's public name."""
        return self._credential.identifier

    def about(self, resource: Resource) -> Deny | None:
        """Why it may not write this, or None."""
        decision = self._gate.decide(
            Question(
                credential=self._credential, request=self._context, resource=resource, now=self.now
            )
        )
        return decision if isinstance(decision, Deny) else None

    def about_file(self, facts: FileFacts) -> Deny | None:
        """The same of a file, with the facts that only the store and plugins know."""
        complete = self._gate.facts(self._credential, self._context.repository, facts)
        return complete if isinstance(complete, Deny) else self.about(DistributionFile(complete))


def _offered(form: UploadForm) -> UploadedFile | Outgoing:
    """The file of a form that is an upload; the whole answer where it is something else."""
    if form.action != "file_upload":
        remedy = "A token uploads files; to remove one, ask the vendor."
        return _problem(403, "Only uploads are open to a token", remedy, "read_only")
    if form.content is None:
        return _problem(400, "The upload has no file 'content'", _NO_FORM, "bad_form")
    signature = form.signature
    if signature is not None and (
        signature.filename != f"{form.content.filename}.asc"
        or len(signature.file.read(SIGNATURE_LIMIT + 1)) > SIGNATURE_LIMIT
        or signature.file.seek(0)
    ):
        remedy = "Name it after the file, with .asc at the end, and upload it with the file."
        return _problem(400, "The signature does not belong to the file", remedy, "bad_form")
    return form.content


def _refused(deny: Deny, request: Incoming) -> Outgoing:
    if deny.reason is Reason.NOT_FOUND:
        # What is uploaded is not "not found". It is the same for what exists and what does not.
        title = "This upload is not covered by the entitlement"
        return _problem(403, title, deny.remedy, deny.reason.value)
    form = request.presented.form if request.presented else None
    deny = in_terms_of_logins(deny, request)
    return outgoing(refuse(deny, form=form, transfers=True))


def _problem(status: int, title: str, remedy: str, code: str) -> Outgoing:
    return outgoing(problem(status, title, remedy, code=code))
