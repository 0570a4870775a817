"""The project list and the project page, in HTML (PEP 503) and JSON (PEP 691).

The version a page states (PEP 629) is the lowest one that defines everything on that page, so
that no client is warned of something it does not meet: 1.1 for a JSON project page (sizes and
versions, PEP 700), 1.0 for the other pages; 1.2 with tracks or alternate locations (PEP 708),
1.3 with provenance (PEP 740), 1.4 with a project status (PEP 792).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from entitlements_core.simple.fragments import attribute, json_text

__all__ = [
    "NOTHING_SPECIAL",
    "ProjectMeta",
    "ProjectStatus",
    "list_html",
    "list_json",
    "project_html",
    "project_json",
]

_HTML_PROVENANCE = b' data-provenance="'
_JSON_PROVENANCE = b',"provenance":"'
"""Neither can be part of a value: there every quotation mark is escaped."""

_HTML_END = b"</body>\n</html>\n"


class ProjectStatus(StrEnum):
    """The state of a project as a whole (PEP 792)."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    QUARANTINED = "quarantined"
    DEPRECATED = "deprecated"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectMeta:
    """What a project page says of the project as a whole.

    Attributes:
        status: PEP 792, None to leave it out.
        status_reason: free text; shown only with a status.
        tracks: absolute URLs of the project pages this one extends (PEP 708).
        alternate_locations: absolute URLs of the same project elsewhere (PEP 708).
    """

    status: ProjectStatus | None = None
    status_reason: str | None = None
    tracks: tuple[str, ...] = ()
    alternate_locations: tuple[str, ...] = ()


NOTHING_SPECIAL = ProjectMeta()


def project_html(
    name: str, fragments: Iterable[bytes], meta: ProjectMeta = NOTHING_SPECIAL
) -> bytes:
    """The HTML page of a project; `fragments` come from `html_fragment`, in the order to show."""
    links = b"".join(fragments)
    version = _api_version(meta, provenance=_HTML_PROVENANCE in links, lowest="1.0")
    return _html(f"Links for {name}", links, (("repository-version", version), *_named(meta)))


def project_json(
    name: str,
    fragments: Iterable[bytes],
    versions: Iterable[str],
    meta: ProjectMeta = NOTHING_SPECIAL,
) -> bytes:
    """The JSON page of a project; `fragments` come from `json_fragment`, in the order to show.

    `versions` must name exactly the versions of the files shown (PEP 700).
    """
    files = b",".join(fragments)
    version = _api_version(meta, provenance=_JSON_PROVENANCE in files, lowest="1.1")
    head: dict[str, object] = {"meta": {"api-version": version}, "name": name}
    if meta.tracks:
        head["meta"] = {"api-version": version, "tracks": list(meta.tracks)}
    if meta.alternate_locations:
        head["alternate-locations"] = list(meta.alternate_locations)
    if meta.status is not None:
        reason = {} if meta.status_reason is None else {"reason": meta.status_reason}
        head["project-status"] = {"status": meta.status.value, **reason}
    head["versions"] = list(versions)
    return b"".join((json_text(head)[:-1], b',"files":[', files, b"]}"))


def list_html(fragments: Iterable[bytes]) -> bytes:
    """The HTML list of projects; `fragments` come from `html_name`."""
    return _html("Simple index", b"".join(fragments), (("repository-version", "1.0"),))


def list_json(fragments: Iterable[bytes]) -> bytes:
    """The JSON list of projects; `fragments` come from `json_name`."""
    return b'{"meta":{"api-version":"1.0"},"projects":[%b]}' % b",".join(fragments)


def _api_version(meta: ProjectMeta, *, provenance: bool, lowest: str) -> str:
    if meta.status is not None:
        return "1.4"
    if provenance:
        return "1.3"
    if meta.tracks or meta.alternate_locations:
        return "1.2"
    return lowest


def _named(meta: ProjectMeta) -> Iterable[tuple[str, str]]:
    yield from (("tracks", url) for url in meta.tracks)
    yield from (("alternate-locations", url) for url in meta.alternate_locations)
    if meta.status is not None:
        yield "project-status", meta.status.value
        if meta.status_reason is not None:
            yield "project-status-reason", meta.status_reason


def _html(title: str, links: bytes, named: Iterable[tuple[str, str]]) -> bytes:
    metas = "".join(
        f'<meta name="pypi:{name}" content="{attribute(content)}">\n' for name, content in named
    )
    heading = attribute(title)
    start = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"{metas}<title>{heading}</title>\n</head>\n<body>\n<h1>{heading}</h1>\n"
    )
    return b"".join((start.encode(), links, _HTML_END))
