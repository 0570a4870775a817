"""What a token holder is let through to: the policy's questions in devpi's terms.

Nothing here depends on pyramid, so that a page, a download and the authorization for a server in
front ask the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace

from packaging.utils import NormalizedName

from devpi_entitlements.authentication import (
    AdmittedFile,
    TokenRequest,
    VisibleRepository,
    opened_by,
)
from devpi_entitlements.customizers import is_settled
from devpi_entitlements.devpi_types import Stage
from devpi_entitlements.entitled_customizer import IndexView, host_lists
from devpi_entitlements.site import Site
from devpi_entitlements.stages import is_mirror
from devpi_entitlements.vendor_names import keep_to_own
from entitlements_core.engine.distributions import Unservable, parse_filename
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.decide import NOT_FOUND, UNKNOWN
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.policy.resource import (
    CoreMetadata,
    DistributionFile,
    ProjectList,
    ProjectPage,
    Resource,
    Unidentified,
)
from entitlements_core.services.gate import Caller
from entitlements_core.simple import METADATA_SUFFIX

__all__ = ["admit_file", "admit_page", "file_key", "see"]


def admit_page(
    site: Site, token_request: TokenRequest, repository: str, project: str | None
) -> VisibleRepository | Deny:
    """What may be shown on a page of a repository: of one project, or the list of them.

    Args:
        site: of the server.
        token_request: who asks.
        repository: the name of the index.
        project: normalised, or None for the list.
    """
    visible = see(site, token_request, repository)
    if isinstance(visible, Deny):
        return visible
    page: Resource = ProjectList() if project is None else ProjectPage(NormalizedName(project))
    decision = site.gate.decide(visible.caller.question(page))
    return decision if isinstance(decision, Deny) else visible


def admit_file(
    site: Site, token_request: TokenRequest, stage: Stage | None, path: str
) -> AdmittedFile | Deny:
    """Whether a file may be read, in any of the repositories that the token holder's token opens.

    A page lists the files of the bases of its index under the bases' own addresses. So a file is
    asked for in each repository that it can belong to: the one in the address first, then those
    that inherit from it. The first that allows it is where it is counted.

    Args:
        site: of the server.
        token_request: who asks.
        stage: the index in the address; None where there is no such index.
        path: ``user/index/+f/…/filename``, or with ``.metadata`` behind it.
    """
    refusal: Deny = UNKNOWN
    for repository in _repositories(site, token_request, _index_of(path)):
        if isinstance(repository, Deny):
            return repository
        found = _admit_in(site, token_request, repository, stage, path)
        if isinstance(found, AdmittedFile):
            return found
        # Of several refusals, the one that says something about the file is worth more.
        if refusal.reason in {Reason.UNKNOWN_TOKEN, Reason.NOT_FOUND}:
            refusal = found
    return refusal


def _index_of(path: str) -> str:
    return "/".join(path.split("/", 2)[:2])


def _repositories(site: Site, token_request: TokenRequest, name: str) -> Iterator[str | Deny]:
    """Where a file of the index `name` may be found, whether or not there is such an index."""
    opened = opened_by(site, token_request)
    if isinstance(opened, Deny):
        yield name if _asks_others(site) else opened
        return
    if name in opened:
        yield name
    others = [other for other in opened if other != name]
    inheriting = [other for other in others if _inherits(site, token_request, other, name)]
    yield from inheriting
    if name not in opened and not inheriting:
        yield UNKNOWN  # known, but not here: as unknown as any other secret


def _inherits(site: Site, token_request: TokenRequest, repository: str, base: str) -> bool:
    """Whether `base` is seen through `repository`; where that is refused, it is asked again."""
    visible = see(site, token_request, repository)
    if isinstance(visible, Deny):
        return visible.reason is Reason.VALIDATION_UNAVAILABLE
    found = site.xom.model.getstage(repository)
    return found is not None and base in {stage.name for stage in found.sro()}


def _admit_in(
    site: Site, token_request: TokenRequest, repository: str, stage: Stage | None, path: str
) -> AdmittedFile | Deny:
    visible = see(site, token_request, repository)
    if isinstance(visible, Deny):
        return visible
    is_metadata = path.endswith(METADATA_SUFFIX)
    path = path.removesuffix(METADATA_SUFFIX)
    granted = site.xom.model.getstage(visible.repository)
    settled = granted is not None and is_settled(granted)  # by all that it inherits from
    resource = _file(site, token_request, visible, (granted, stage), path)
    if isinstance(resource, Deny):
        return resource
    if is_metadata and isinstance(resource, DistributionFile):
        resource = CoreMetadata(resource.facts)
    question = visible.caller.question(resource)
    decision = site.gate.decide(question)
    entry = site.xom.filestore.get_file_entry(path)
    if isinstance(decision, Deny) or entry is None or not entry.meta:
        return decision if isinstance(decision, Deny) else NOT_FOUND
    exists = entry.file_exists()
    if is_metadata and exists and not site.file_facts.announces(site.xom, path):
        return NOT_FOUND
    if isinstance(resource, DistributionFile) and exists:
        sized = DistributionFile(replace(resource.facts, size=entry.file_size()))
        question = replace(question, resource=sized)
    from_primary = stage is not None and not is_mirror(stage) and not exists
    arrives_whole = is_metadata and from_primary
    key = file_key(visible, path) if settled and not is_metadata else None
    return AdmittedFile(question, path, is_metadata, arrives_whole, key, entry)


def file_key(visible: VisibleRepository, path: str) -> Hashable | None:
    """Under which a file may be remembered: whoever has this key sees it alike at one serial."""
    return None if visible.key is None else (visible.repository, path, visible.key)


def _asks_others(site: Site) -> bool:
    """Whether a plugin may know the secret: it is asked for one in a repository, never in all."""
    return site.core.plugins.implements("entitlements_find_credential")


def see(site: Site, token_request: TokenRequest, repository: str) -> VisibleRepository | Deny:
    """Who the token holder is in a repository, and what is to be shown; nothing is decided yet."""
    known = token_request.known.get(repository)
    if known is not None:
        return known
    credential = _authenticate(site, token_request, repository)
    if isinstance(credential, Deny):
        return credential
    token_request.identifier = credential.identifier
    caller = Caller(credential, token_request.context(repository), token_request.now)
    visibility = site.gate.visibility(caller)
    if isinstance(visibility, Deny):
        return visibility
    token_request.known[repository] = VisibleRepository(caller, visibility)
    return token_request.known[repository]


def _authenticate(site: Site, token_request: TokenRequest, repository: str) -> Credential | Deny:
    """Who asks, in a repository; a secret that opens another one is no guess here."""
    context, alone = token_request.context(repository), not _asks_others(site)
    if alone and token_request.opened is None:
        # Mostly a token is sent to what it opens: then nobody needs to know what else it does.
        found = site.gate.authenticate(
            token_request.presented, context, token_request.now, settles=False
        )
        if found is not UNKNOWN:
            return found
    opened = opened_by(site, token_request)
    if alone:
        if isinstance(opened, Deny):
            return opened
        if repository not in opened:
            return UNKNOWN
    return site.gate.authenticate(token_request.presented, context, token_request.now)


def _file(
    site: Site,
    token_request: TokenRequest,
    visible: VisibleRepository,
    stages: tuple[Stage | None, Stage | None],
    path: str,
) -> Resource | Deny:
    """The file as a page of the repository would list it; hidden where none would.

    Args:
        site: of the server.
        token_request: who asks.
        visible: the repository that the token opens.
        stages: the index of that repository, and the one in the address.
        path: of the file.
    """
    hidden = Unidentified(path)
    granted, stage = stages
    try:
        project = parse_filename(path.rpartition("/")[2]).name
    except Unservable:
        return hidden
    if stage is None or granted is None:
        return hidden
    keep_to_own(site, token_request, granted, project)
    if not _resolves(granted, stage, project):
        return hidden
    window = IndexView(granted, visible, site.file_facts)
    # Before anything is looked for: nobody makes a mirror ask upstream for what is not covered.
    link = site.file_facts.listed(stage, project, path) if window.may_show(project) else None
    known = None if link is None else window.known(project, link, window.latest(project))
    if link is None or known is None or not host_lists(granted, project, link):
        return hidden
    facts = site.gate.complete_facts(visible.caller, known.facts)
    return facts if isinstance(facts, Deny) else DistributionFile(facts)


def _resolves(granted: Stage, stage: Stage, project: NormalizedName) -> bool:
    """Whether the pages of `granted` list what `stage` has of a project, as devpi resolves it."""
    if granted.name == stage.name:
        return True
    found = granted.op_sro_check_mirror_whitelist("has_project_perstage", project=project)
    return stage.name in {holder.name for holder, _ in found}
