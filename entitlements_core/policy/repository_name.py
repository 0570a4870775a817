"""What a repository can be called."""

import re
from typing import Final

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.secret import RESERVED, shows_secret

__all__ = ["check_repository_name"]

_LONGEST_PART: Final = 100
_PART: Final = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9._@-]*")
_RESERVED: Final = RESERVED | {"simple", "static", "api", "admin", "health", "metrics"}
"""Words that a host or our own pages answer themselves."""


def check_repository_name(name: str, *, hosted: bool = False) -> str:
    """`name`, if it is ``owner/slug`` with parts of 1 to 100 of ``A-Z a-z 0-9 . _ - @``.

    They are the ASCII characters that devpi-server allows in a user and an index (its
    ``is_valid_name``). A part does not begin with a dash or dot, which tools take for an option or
    a hidden file.

    Args:
        name: of a repository.
        hosted: a host serves it already, so a reserved word in it shadows nothing.

    Raises:
        InvalidValue: naming ``repository``.
    """
    if shows_secret(name):
        raise InvalidValue(
            "repository",
            "What was given holds the secret of a token.",
            "Name a repository, as owner/slug; its name is shown to everybody.",
        )
    parts = name.split("/")
    if len(parts) != 2 or not all(map(_PART.fullmatch, parts)):  # noqa: PLR2004 - owner and slug
        problem = f"{name!r} is no repository name."
    elif max(map(len, parts)) > _LONGEST_PART:
        problem = f"A part of {name!r} is longer than {_LONGEST_PART} characters."
    elif not hosted and any(part.lower() in _RESERVED for part in parts):
        problem = f"A part of {name!r} is a reserved word."
    else:
        return name
    raise InvalidValue(
        "repository",
        problem,
        "Write owner/slug with letters, digits, dots, dashes, underscores and at signs,"
        " neither part beginning with a dot or dash.",
    )
