"""Whether what is set about a server in front, which sends the files, fits the directories."""

import re
from collections.abc import Sequence
from typing import Final

from entitlements_core.errors import ConfigurationError
from entitlements_core.policy.counted import counted

__all__ = ["require_locations"]

_LOCATION: Final = re.compile(r"/(?!/)[!-~]*")
_ODD: Final = frozenset("?#%\\\"'<>{};$")
"""What would end an address, or a line of nginx's configuration."""


def require_locations(
    locations: Sequence[str], directories: Sequence[object] | None, of: str = "accel_redirect"
) -> None:
    """Return when each directory has an internal location of nginx, which can be one.

    Args:
        locations: in the order of the directories.
        directories: that are served; None where that is not known.
        of: how to name the setting.

    Raises:
        ConfigurationError: naming what does not fit.
    """
    for location in locations:
        if not _LOCATION.fullmatch(location) or not _ODD.isdisjoint(location):
            raise ConfigurationError(
                f"{of} names {location!r}, which is no location of nginx.",
                "Write the path of an internal location, such as /+files.",
            )
    if directories is not None and len(locations) != len(directories):
        raise ConfigurationError(
            f"{of} does not fit: it names {counted(len(locations), 'location')} for"
            f" {counted(len(directories), 'directory', 'directories')}.",
            "Name one internal location for each directory, in the same order.",
        )
    if len({location.rstrip("/") for location in locations}) < len(locations):
        raise ConfigurationError(
            f"{of} names a location twice.",
            "Give each directory a location of its own; nginx would send the files of another.",
        )
