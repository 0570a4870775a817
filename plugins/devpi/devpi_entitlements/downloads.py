"""A distribution file that lies on this disk, as the answer to a token holder."""

from __future__ import annotations

import os
from typing import Any, Final

from devpi_entitlements.authentication import AdmittedFile, TokenRequest
from devpi_entitlements.files import LocalFile
from devpi_entitlements.responses import plain, refusal, response_of
from devpi_entitlements.site import Site
from entitlements_core.engine.files import OpenFile, plan
from entitlements_core.http import FILE_HEADERS, etag_matches, problem, read_range
from entitlements_core.policy.decide import Question
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.resource import DistributionFile
from entitlements_core.services.gate import Delivery, Reservation

__all__ = ["reserve", "send_file", "send_local"]

NOT_ON_DISK: Final = None
"""Nothing is answered: the file is on a mirror or a primary, or in devpi's database."""

Environ = dict[str, Any]


def send_file(
    site: Site, token_request: TokenRequest, admitted: AdmittedFile, environ: Environ
) -> Any:  # noqa: ANN401 - of pyramid
    """The response with a file, counted; None where it is not on this disk.

    Conditions and ranges work, which bare devpi-server does not offer.
    """
    file = None if admitted.is_metadata else _locate(site, admitted.entry)
    if file is None:
        return NOT_ON_DISK
    resource = admitted.question.resource
    if admitted.key is not None and isinstance(resource, DistributionFile):
        serial = site.xom.keyfs.tx.at_serial
        site.files.keep(admitted.key, serial, resource.facts, file)
    return send_local(site, token_request, admitted.question, file, environ)


def send_local(
    site: Site, token_request: TokenRequest, question: Question, file: LocalFile, environ: Environ
) -> Any:  # noqa: ANN401 - of pyramid
    """The response with a file of this disk, counted; None where it is gone or another one."""
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return NOT_ON_DISK
    opened = OpenFile(file, descriptor, file.etag)
    try:
        if os.fstat(descriptor).st_size != file.size:
            opened.close()
            return NOT_ON_DISK
        return _answer(site, token_request, question, opened, environ)
    except BaseException:
        opened.close()
        raise


def reserve(
    site: Site, token_request: TokenRequest, question: Question, start: int, length: int
) -> Reservation | Deny:
    """Count an answer of `length` bytes from `start`, before the first of them is sent."""
    delivery = Delivery(start=start, length=length, user_agent=token_request.user_agent)
    return site.gate.reserve(question, delivery)


def _answer(
    site: Site, token_request: TokenRequest, question: Question, opened: OpenFile, environ: Environ
) -> Any:  # noqa: ANN401 - of pyramid
    head = environ["REQUEST_METHOD"] == "HEAD"
    if etag_matches(environ.get("HTTP_IF_NONE_MATCH"), opened.etag):
        opened.close()
        return plain("304 Not Modified", (("ETag", opened.etag), *FILE_HEADERS), [])
    try:
        body = plan(opened, read_range(_range(site, environ, opened.etag), opened.file.size))
    except ValueError:
        opened.close()
        return _unsatisfiable(opened.file.size, head=head)
    status = "200 OK" if body.status == 200 else "206 Partial Content"  # noqa: PLR2004 - HTTP
    if head:
        opened.close()
        return plain(status, body.headers, [])
    reserved = reserve(site, token_request, question, body.start, body.length)
    if isinstance(reserved, Deny):
        opened.close()
        return refusal(reserved, token_request, transfers=True, head=head)
    try:
        headers, chunks = site.sender.send(opened, body, environ)
    except BaseException:
        site.gate.settle(reserved, delivered=False)
        raise
    return plain(status, headers, chunks)


def _unsatisfiable(size: int, *, head: bool) -> Any:  # noqa: ANN401 - of pyramid
    text = f"The file has {size} bytes."
    response = response_of(problem(416, "Range not satisfiable", text, code="range", head=head))
    response.headers["Content-Range"] = f"bytes */{size}"
    return response


def _range(site: Site, environ: Environ, etag: str) -> str | None:
    """The Range header of a GET, unless an If-Range names another state of the file."""
    condition = environ.get("HTTP_IF_RANGE")
    # Another server knows the file by another ETag, and may send all of it: that is counted.
    accepted = {None} if site.sender.elsewhere else {None, etag}
    applies = environ["REQUEST_METHOD"] == "GET" and condition in accepted
    return environ.get("HTTP_RANGE") if applies else None


def _locate(site: Site, entry: Any) -> LocalFile | None:  # noqa: ANN401 - of devpi-server
    """Where an entry's file lies, if devpi's storage keeps it as a file, and has it."""
    if not entry.file_exists():
        return None
    path = entry.file_os_path()
    if path is None:
        return None  # this devpi keeps its files in the database
    root = os.fspath(site.xom.config.server_path)
    return LocalFile(
        path=os.fspath(path),
        relative=os.path.relpath(path, root),
        size=entry.file_size(),
        etag=f'"{entry.best_available_hash_value or entry.relpath}"',
    )
