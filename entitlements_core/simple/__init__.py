"""Pure: the pages of the simple repository API as bytes, and which form a client asked for."""

from entitlements_core.simple.fragments import (
    METADATA_SUFFIX,
    FileEntry,
    file_url,
    html_fragment,
    html_name,
    json_fragment,
    json_name,
    json_uploaded,
)
from entitlements_core.simple.negotiation import MediaType, negotiate
from entitlements_core.simple.pages import (
    NOTHING_SPECIAL,
    ProjectMeta,
    ProjectStatus,
    list_html,
    list_json,
    project_html,
    project_json,
)

__all__ = [
    "METADATA_SUFFIX",
    "NOTHING_SPECIAL",
    "FileEntry",
    "MediaType",
    "ProjectMeta",
    "ProjectStatus",
    "file_url",
    "html_fragment",
    "html_name",
    "json_fragment",
    "json_name",
    "json_uploaded",
    "list_html",
    "list_json",
    "negotiate",
    "project_html",
    "project_json",
]
