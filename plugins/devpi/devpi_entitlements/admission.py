"""What a visitor is let through to: the policy's questions in devpi's terms.

Nothing here depends on pyramid, so that a page, a download and the authorization for a server in
front ask the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import Any, Final

from packaging.utils import NormalizedName

from devpi_entitlements.customizers import is_settled
from devpi_entitlements.filtering import Window, host_lists
from devpi_entitlements.site import Site
from devpi_entitlements.vendor_names import keep_to_own
from devpi_entitlements.visitor import AdmittedFile, Seen, Visitor, opened_by
from entitlements_core.engine.distributions import Unservable, identify
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.decide import NOT_FOUND, UNKNOWN, Question
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.policy.resource import (
    CoreMetadata,
    DistributionFile,
    ProjectList,
    ProjectPage,
    Resource,
    Unidentified,
)

__all__ = ["METADATA_SUFFIX", "admit_file", "admit_page", "file_key", "see"]

METADATA_SUFFIX: Final = ".metadata"

Stage = Any


def admit_page(site: Site, visitor: Visitor, repository: str, project: str | None) -> Seen | Deny:
    """What may be shown on a page of a repository: of one project, or the list of them.

    Args:
        site: of the server.
        visitor: who asks.
        repository: the name of the index.
        project: normalised, or None for the list.
    """
    seen = see(site, visitor, repository)
    if isinstance(seen, Deny):
        return seen
    page: Resource = ProjectList() if project is None else ProjectPage(NormalizedName(project))
    decision = site.gate.decide(_question(visitor, seen.credential, repository, page))
    return decision if isinstance(decision, Deny) else seen


def admit_file(site: Site, visitor: Visitor, stage: Stage | None, path: str) -> AdmittedFile | Deny:
    """Whether a file may be read, in any of the repositories that the visitor's token opens.

    A page lists the files of the bases of its index under the bases' own addresses. So a file is
    asked for in each repository that it can belong to: the one in the address first, then those
    that inherit from it. The first that allows it is where it is counted.

    Args:
        site: of the server.
        visitor: who asks.
        stage: the index in the address; None where there is no such index.
        path: ``user/index/+f/…/filename``, or with ``.metadata`` behind it.
    """
    refusal: Deny = UNKNOWN
    for repository in _repositories(site, visitor, _index_of(path)):
        if isinstance(repository, Deny):
            return repository
        found = _admit_in(site, visitor, repository, stage, path)
        if isinstance(found, AdmittedFile):
            return found
        # Of several refusals, the one that says something about the file is worth more.
        if refusal.reason in {Reason.UNKNOWN_TOKEN, Reason.NOT_FOUND}:
            refusal = found
    return refusal


def _index_of(path: str) -> str:
    return "/".join(path.split("/", 2)[:2])


def _repositories(site: Site, visitor: Visitor, name: str) -> Iterator[str | Deny]:
    """Where a file of the index `name` may be found, whether or not there is such an index."""
    opened = opened_by(site, visitor)
    if isinstance(opened, Deny):
        yield name if _asks_others(site) else opened
        return
    if name in opened:
        yield name
    others = [other for other in opened if other != name]
    inheriting = [other for other in others if _inherits(site, visitor, other, name)]
    yield from inheriting
    if name not in opened and not inheriting:
        yield UNKNOWN  # known, but not here: as unknown as any other secret


def _inherits(site: Site, visitor: Visitor, repository: str, base: str) -> bool:
    """Whether a visitor may see `base` through `repository`; refused there, it is asked again."""
    seen = see(site, visitor, repository)
    if isinstance(seen, Deny):
        return seen.reason is Reason.VALIDATION_UNAVAILABLE
    found = site.xom.model.getstage(repository)
    return found is not None and base in {stage.name for stage in found.sro()}


def _admit_in(
    site: Site, visitor: Visitor, repository: str, stage: Stage | None, path: str
) -> AdmittedFile | Deny:
    seen = see(site, visitor, repository)
    if isinstance(seen, Deny):
        return seen
    is_metadata = path.endswith(METADATA_SUFFIX)
    path = path.removesuffix(METADATA_SUFFIX)
    granted = site.xom.model.getstage(seen.repository)
    settled = granted is not None and is_settled(granted)  # by all that it inherits from
    resource = _file(site, visitor, seen, (granted, stage), path)
    if isinstance(resource, Deny):
        return resource
    if is_metadata and isinstance(resource, DistributionFile):
        resource = CoreMetadata(resource.facts)
    question = _question(visitor, seen.credential, repository, resource)
    decision = site.gate.decide(question)
    entry = site.xom.filestore.get_file_entry(path)
    if isinstance(decision, Deny) or entry is None or not entry.meta:
        return decision if isinstance(decision, Deny) else NOT_FOUND
    exists = entry.file_exists()
    if is_metadata and exists and not site.knowledge.announces(site.xom, path):
        return NOT_FOUND
    if isinstance(resource, DistributionFile) and exists:
        sized = DistributionFile(replace(resource.facts, size=entry.file_size()))
        question = replace(question, resource=sized)
    from_primary = stage is not None and stage.ixconfig["type"] != "mirror" and not exists
    arrives_whole = is_metadata and from_primary
    key = file_key(seen, path) if settled and not is_metadata else None
    return AdmittedFile(question, path, is_metadata, arrives_whole, key, entry)


def file_key(seen: Seen, path: str) -> Hashable | None:
    """Under which a file may be remembered: whoever has this key sees it alike at one serial."""
    return None if seen.key is None else (seen.repository, path, seen.key)


def _asks_others(site: Site) -> bool:
    """Whether a plugin may know the secret: it is asked for one in a repository, never in all."""
    return site.core.plugins.implements("entitlements_find_credential")


def see(site: Site, visitor: Visitor, repository: str) -> Seen | Deny:
    """Who the visitor is in a repository, and what is to be shown; nothing is decided yet."""
    known = visitor.known.get(repository)
    if known is not None:
        return known
    credential = _authenticate(site, visitor, repository)
    if isinstance(credential, Deny):
        return credential
    visitor.identifier = credential.identifier
    view = site.gate.view(credential, repository, visitor.now)
    if isinstance(view, Deny):
        return view
    visitor.known[repository] = Seen(repository, credential, view)
    return visitor.known[repository]


def _authenticate(site: Site, visitor: Visitor, repository: str) -> Credential | Deny:
    """Who the visitor is in a repository; a secret that opens another one is not a guess here."""
    context, alone = visitor.context(repository), not _asks_others(site)
    if alone and visitor.opened is None:
        # Mostly a token is sent to what it opens: then nobody needs to know what else it does.
        found = site.gate.authenticate(visitor.presented, context, visitor.now, settles=False)
        if found is not UNKNOWN:
            return found
    opened = opened_by(site, visitor)
    if alone:
        if isinstance(opened, Deny):
            return opened
        if repository not in opened:
            return UNKNOWN
    return site.gate.authenticate(visitor.presented, context, visitor.now)


def _file(
    site: Site, visitor: Visitor, seen: Seen, stages: tuple[Stage | None, Stage | None], path: str
) -> Resource | Deny:
    """The file as a page of the repository would list it; hidden where none would.

    Args:
        site: of the server.
        visitor: who asks.
        seen: the repository that the token opens.
        stages: the index of that repository, and the one in the address.
        path: of the file.
    """
    hidden = Unidentified(path)
    granted, stage = stages
    try:
        project = identify(path.rpartition("/")[2]).name
    except Unservable:
        return hidden
    if stage is None or granted is None:
        return hidden
    keep_to_own(site, visitor, granted, project)
    if not _resolves(granted, stage, project):
        return hidden
    window = Window(granted, seen, site.knowledge)
    # Before anything is looked for: nobody makes a mirror ask upstream for what is not covered.
    link = site.knowledge.listed(stage, project, path) if window.may_show(project) else None
    known = None if link is None else window.known(project, link, window.latest(project))
    if link is None or known is None or not host_lists(granted, project, link):
        return hidden
    facts = site.gate.facts(seen.credential, seen.repository, known.facts)
    return facts if isinstance(facts, Deny) else DistributionFile(facts)


def _resolves(granted: Stage, stage: Stage, project: NormalizedName) -> bool:
    """Whether the pages of `granted` list what `stage` has of a project, as devpi resolves it."""
    if granted.name == stage.name:
        return True
    found = granted.op_sro_check_mirror_whitelist("has_project_perstage", project=project)
    return stage.name in {holder.name for holder, _ in found}


def _question(
    visitor: Visitor, credential: Credential, repository: str, resource: Resource
) -> Question:
    return Question(
        credential=credential,
        request=visitor.context(repository),
        resource=resource,
        now=visitor.now,
    )
