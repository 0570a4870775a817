"""Reads the fields of core metadata that an index asks for, in time that grows with their length.

The format is that of mail headers. `email` and `packaging.metadata` go through all fields once for
every different name, which for two megabytes of short lines takes minutes.
"""

import io
from collections.abc import Iterator
from typing import Final

__all__ = ["Fields", "is_announceable", "read_fields"]

FIELDS: Final = frozenset(
    {
        "name",
        "version",
        "requires-python",
        "license-expression",
        "license",
        "summary",
        "requires-dist",
    }
)

Fields = dict[str, list[str]]
"""By name in lower case: the values in their order, without the ends of lines behind them."""


def read_fields(metadata: bytes) -> Fields:
    """The values of `FIELDS`; one that is not UTF-8 is left out as `packaging` does, all of it.

    The headers end at the first line that is none, as they do for `email`.
    """
    fields: Fields = {}
    for name, value in _headers(metadata):
        if name in FIELDS:
            fields.setdefault(name, []).append(value.rstrip("\r\n"))
    return {name: values for name, values in fields.items() if all(map(_is_text, values))}


def is_announceable(metadata: bytes) -> bool:
    """Whether they are served apart from their file (PEP 658), as UTF-8 they all have to be.

    pip ends in a traceback over others that an index announces. In the file itself it finds the
    same, and says so in a sentence; uv's newest takes the file. Nothing else was found that an
    installer can read there and not here: a NUL, a version of the format that is none or is left
    out, an invalid requirement, parentheses without end lead to the same in both.
    """
    try:
        metadata.decode()
    except UnicodeDecodeError:
        return False
    return True


def _headers(metadata: bytes) -> Iterator[tuple[str, str]]:
    name, lines = "", [""]
    for line in io.StringIO(metadata.decode("utf-8", "surrogateescape"), newline=None):
        if line[0] in " \t":
            lines.append(line)
            continue
        yield name, "".join(lines)
        name, colon, value = line.partition(":")
        if line.startswith("From "):  # a mailbox's, passed over
            name = ""
        elif not colon or not _is_name(name):
            return
        name, lines = name.lower(), [value.lstrip(" \t")]
    yield name, "".join(lines)


def _is_name(name: str) -> bool:
    return name.isascii() and name.isprintable() and " " not in name


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
