"""A distribution file that lies on this disk, as the answer to a token holder."""

from __future__ import annotations

import os
from typing import Final

from devpi_entitlements.authentication import AdmittedFile, TokenRequest
from devpi_entitlements.devpi_types import FileStoreEntry, PyramidResponse
from devpi_entitlements.file_cache import LocalFile
from devpi_entitlements.responses import refusal, response_of
from devpi_entitlements.site import Site
from entitlements_core.engine.downloads import send_file
from entitlements_core.engine.files import OpenFile
from entitlements_core.policy.decide import Question
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.resource import DistributionFile

__all__ = ["send_admitted", "send_local"]

NOT_ON_DISK: Final = None
"""Nothing is answered: the file is on a mirror or a primary, or in devpi's database."""


def send_admitted(
    site: Site, token_request: TokenRequest, admitted: AdmittedFile
) -> PyramidResponse:
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
    return send_local(site, token_request, admitted.question, file)


def send_local(
    site: Site, token_request: TokenRequest, question: Question, file: LocalFile
) -> PyramidResponse:
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
    except BaseException:
        opened.close()
        raise
    sent = send_file(opened, question, token_request.request, gate=site.gate, sender=site.sender)
    if isinstance(sent, Deny):
        return refusal(sent, token_request, transfers=True)
    return response_of(sent)


def _locate(site: Site, entry: FileStoreEntry) -> LocalFile | None:
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
