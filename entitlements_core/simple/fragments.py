"""One file or one project as the bytes it takes on a page, made once and joined per request."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final
from urllib.parse import quote

__all__ = [
    "METADATA_SUFFIX",
    "FileEntry",
    "attribute",
    "file_url",
    "html_fragment",
    "html_name",
    "json_fragment",
    "json_name",
    "json_text",
    "json_uploaded",
]

METADATA_SUFFIX: Final = ".metadata"
"""Behind the address of a file: its core metadata (PEP 658)."""

_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Control characters and lone surrogates: no HTML text may hold them, no strict JSON reader
accepts the latter."""

_LINE_ENDS = {ord("\t"): "&#9;", ord("\n"): "&#10;", ord("\r"): "&#13;"}
"""A raw CR would be read back as LF; as references all three survive and an entry stays a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """What the simple repository API says of one distribution file.

    Attributes:
        filename: the last part of the file's path, not encoded.
        url: percent-encoded, relative to the project page or absolute, without a fragment; see
            `file_url`. The core metadata is at the same URL with ``.metadata`` appended (PEP 658).
        sha256: of the file, lower-case hexadecimal, or empty while unknown.
        size: in bytes (PEP 700).
        upload_time: aware; shown in UTC (PEP 700). None while it is not known.
        requires_python: the specifier set as text, or None.
        yanked: the reason (possibly empty) when yanked, None when not (PEP 592).
        core_metadata_sha256: of the core metadata, None where it is not served (PEP 658, 714).
        provenance: absolute URL of the provenance object (PEP 740), or None.
    """

    filename: str
    url: str
    sha256: str
    size: int
    upload_time: datetime | None = None
    requires_python: str | None = None
    yanked: str | None = None
    core_metadata_sha256: str | None = None
    provenance: str | None = None


def file_url(filename: str) -> str:
    """The URL of a file, relative to the page ``<prefix>/simple/<name>/``.

    Relative, so that a prefix that carries a token stays in front of it and is never written
    into a page.
    """
    return "../../packages/" + quote(_fit(filename), safe="")


def html_fragment(entry: FileEntry) -> bytes:
    """One anchor of the HTML project page (PEP 503), with a line end."""
    fragment = f"#sha256={entry.sha256}" if entry.sha256 else ""
    attributes = "".join(
        f' {name}="{attribute(value)}"'
        for name, value in _html_attributes(entry)
        if value is not None
    )
    link = f'<a href="{attribute(entry.url + fragment)}"{attributes}>'
    return f"{link}{attribute(entry.filename)}</a><br>\n".encode()


def json_fragment(entry: FileEntry) -> bytes:
    """One object of the ``files`` list of the JSON project page (PEP 691)."""
    fragment = json_text(
        {
            "filename": entry.filename,
            "url": entry.url,
            "hashes": {"sha256": entry.sha256} if entry.sha256 else {},
            "size": entry.size,
            **_json_options(entry),
        }
    )
    return fragment if entry.upload_time is None else json_uploaded(fragment, entry.upload_time)


def json_uploaded(fragment: bytes, moment: datetime) -> bytes:
    """A `json_fragment` without an upload time, with one (PEP 700). `moment` is aware."""
    return b'%s,"upload-time":"%s"}' % (fragment[:-1], _timestamp(moment).encode())


def html_name(name: str) -> bytes:
    """One anchor of the HTML project list, with a line end. `name` is PEP 503-normalised."""
    return f'<a href="{quote(_fit(name), safe="")}/">{attribute(name)}</a><br>\n'.encode()


def json_name(name: str) -> bytes:
    """One object of the JSON project list. `name` is PEP 503-normalised."""
    return json_text({"name": name})


def attribute(text: str) -> str:
    """The text, safe inside a double-quoted HTML attribute and as HTML text."""
    return escape(_fit(text), quote=True).translate(_LINE_ENDS)


def json_text(value: object) -> bytes:
    """The value as compact ASCII JSON that every reader accepts."""
    return json.dumps(_fit_all(value), separators=(",", ":")).encode("ascii")


def _fit(text: str) -> str:
    return _UNFIT.sub("\ufffd", text)


def _fit_all(value: object) -> object:
    if isinstance(value, str):
        return _fit(value)
    if isinstance(value, dict):
        return {key: _fit_all(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_fit_all(item) for item in value]
    return value


def _timestamp(moment: datetime) -> str:
    """PEP 700: ``yyyy-mm-ddThh:mm:ss.ffffffZ``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _html_attributes(entry: FileEntry) -> tuple[tuple[str, str | None], ...]:
    digest = entry.core_metadata_sha256
    metadata = None if digest is None else f"sha256={digest}"
    return (
        ("data-requires-python", entry.requires_python),
        ("data-core-metadata", metadata),
        ("data-dist-info-metadata", metadata),  # the name before PEP 714, for older clients
        ("data-yanked", entry.yanked),
        ("data-provenance", entry.provenance),
    )


def _json_options(entry: FileEntry) -> dict[str, object]:
    options: dict[str, object] = {}
    if entry.requires_python is not None:
        options["requires-python"] = entry.requires_python
    if entry.core_metadata_sha256 is not None:
        # The name before PEP 714 stands in HTML alone: in JSON, pip 22.3 to 23.1 fails at it.
        options["core-metadata"] = {"sha256": entry.core_metadata_sha256}
    if entry.yanked is not None:
        options["yanked"] = entry.yanked or True  # PEP 691: a reason is a non-empty string
    if entry.provenance is not None:
        options["provenance"] = entry.provenance
    return options
