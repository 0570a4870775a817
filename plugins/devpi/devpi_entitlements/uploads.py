"""Uploads with a token: only of what its grant covers, by the file itself and not by the form."""

from __future__ import annotations

from typing import Final

from packaging.version import InvalidVersion, Version

from devpi_entitlements.authentication import TokenRequest
from devpi_entitlements.devpi_types import (
    FileLink,
    MultiDict,
    PyramidRequest,
    PyramidResponse,
    Stage,
)
from devpi_entitlements.entitled_customizer import SubmittingCustomizer
from devpi_entitlements.identity import username_of
from devpi_entitlements.responses import refusal, response_of
from devpi_entitlements.site import Site
from devpi_entitlements.stages import is_mirror
from entitlements_core.engine.distributions import Unservable, parse_filename, same_release
from entitlements_core.engine.responses import upload_refused
from entitlements_core.engine.uploads import inspect_upload
from entitlements_core.policy.decide import UNKNOWN
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.resource import ProjectList
from entitlements_core.refusals import problem
from entitlements_core.services.gate import Caller

__all__ = ["admit_upload"]

_TAKEN: Final = problem(
    409,
    "This version has files that are not from this token",
    "Upload it under a new version, or ask the vendor to delete the old one.",
    code="file_exists",
)


def admit_upload(
    site: Site, request: PyramidRequest, token_request: TokenRequest
) -> PyramidResponse | None:
    """The refusal of an upload, or None: then devpi may store it.

    What stands in the form about the project is replaced by what stands in the file, since other
    customers' restrictions ask for it. A replica passes uploads on, and its primary decides.
    """
    stage = request.context._stage  # noqa: SLF001 - `stage` raises devpi's own 404
    repository = f"{request.context.username}/{request.context.index}"
    caller = _uploader(site, token_request, repository)
    if stage is None or isinstance(caller, Deny):
        denied = caller if isinstance(caller, Deny) else UNKNOWN
        return refusal(denied, token_request, transfers=True)
    token_request.identifier = caller.credential.identifier
    if site.xom.is_replica():
        return None
    facts = _inspected(site, request.POST, stage.name, token_request)
    if not isinstance(facts, FileFacts):
        return facts
    question = site.gate.decide_file(caller, facts)
    if isinstance(question, Deny):
        return response_of(upload_refused(question, token_request.request))
    if _is_of_others(stage, facts, token_request):
        return response_of(_TAKEN)
    _state(request.POST, facts)
    stage.customizer = SubmittingCustomizer(stage.customizer, username_of(token_request))
    token_request.uploads = True
    return None


def _is_of_others(stage: Stage, facts: FileFacts, token_request: TokenRequest) -> bool:
    """Whether the release has files that are not from this very token.

    devpi keeps metadata by version, and a file that comes later replaces that of all: other
    customers' restrictions ask for it. On a volatile index it replaces files as well. Whose they
    are stands in its log of each file.
    """
    if is_mirror(stage):
        return False  # devpi refuses it; a mirror would ask upstream
    own = {username_of(token_request)}
    for version in stage.list_versions_perstage(facts.name):
        links = stage.get_linkstore_perstage(facts.name, version).get_links()
        same = _is_version(version, facts)
        if any(
            (same or link.basename == facts.filename) and _sources(link) != own for link in links
        ):
            return True
    return False


def _is_version(text: str, facts: FileFacts) -> bool:
    try:
        return Version(text) == facts.version
    except InvalidVersion:
        return False


def _sources(link: FileLink) -> set[str]:
    """The names under which a file came to the index; devpi notes a replacement without one."""
    return {log["who"] for log in link.get_logs() if log.get("what") != "overwrite"}


def _uploader(site: Site, token_request: TokenRequest, repository: str) -> Caller | Deny:
    """Who uploads, if they may upload anything; asked before a body of any size is read."""
    caller = site.gate.identify(token_request.request, repository, token_request.now, writes=True)
    if isinstance(caller, Deny):
        return caller
    decision = site.gate.decide(caller.question(ProjectList()))
    return decision if isinstance(decision, Deny) else caller


def _inspected(
    site: Site,
    form: MultiDict,
    repository: str,
    token_request: TokenRequest,
) -> FileFacts | PyramidResponse:
    if form.get(":action") != "file_upload":
        return _bad("Only files can be uploaded with a token", "Use twine upload.")
    content = form.get("content")
    filename, archive = getattr(content, "filename", None), getattr(content, "file", None)
    if not filename or archive is None:
        return _bad("The upload has no file", "Send it in the field content, as twine does.")
    try:
        stated = same_release(
            str(form.get("name", "")), str(form.get("version", "")), parse_filename(filename)
        )
        if not stated:
            return _bad("The form and the file name are of different releases", "Use twine upload.")
        return inspect_upload(
            filename,
            archive,
            repository=repository,
            now=token_request.now,
            metadata_limit=site.core.settings.metadata_limit,
        )
    except Unservable as error:
        return _bad(error.problem, error.remedy)


def _state(form: MultiDict, facts: FileFacts) -> None:
    """Let the form say of the project what the file says."""
    is_expression = form.get("license_expression") == facts.license
    form["license_expression"] = facts.license if is_expression else ""
    form["license"] = "" if is_expression else facts.license
    form["summary"] = facts.summary
    form["requires_python"] = facts.requires_python or ""
    if "requires_dist" in form:
        del form["requires_dist"]
    # An empty one takes away what an earlier file of the version said; devpi keeps it else.
    for requirement in facts.dependencies or ("",):
        form.add("requires_dist", str(requirement))


def _bad(title: str, remedy: str) -> PyramidResponse:
    return response_of(problem(400, title, remedy, code="bad_upload"))
