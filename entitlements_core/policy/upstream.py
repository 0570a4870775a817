"""The index that is asked for what is not the vendor's."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from packaging.utils import NormalizedName

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.secret import named_address, shows_secret

__all__ = ["Upstream"]

_ODD: Final = re.compile(r"[^!-~]|[\"'<>\\^`{|}]")
"""What an address has to encode, or has no place in one."""

_TOKEN_PATH: Final = "/+t/"  # noqa: S105 - what stands before a token in a path


@dataclass(frozen=True, slots=True)
class Upstream:
    """A simple index (PEP 503) of everybody.

    Attributes:
        url: of its list of projects, with a slash at its end.
    """

    url: str

    @classmethod
    def parse(cls, text: str) -> "Upstream":
        """Read the address of a simple index.

        Customers are sent to it, so it cannot hold credentials, nor one of our tokens.

        Raises:
            InvalidValue: when it is no plain http or https address.
        """
        address = text.strip()
        try:
            parts = urlsplit(address)
            _ = parts.port
        except ValueError:
            raise _unfit(f"{named_address(address)} is no address") from None
        if _ODD.search(address) or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise _unfit(f"{named_address(address)} is no address of an index")
        if parts.username is not None or parts.password is not None:
            raise _unfit("Credentials in the address would be shown to every customer")
        if shows_secret(unquote(address)) or _TOKEN_PATH in f"{unquote(parts.path)}/".lower():
            raise _unfit("A token in the address would be shown to every customer")
        if parts.query or parts.fragment or "?" in address or "#" in address:
            raise _unfit("A query or a fragment would come before the names of projects")
        return cls(f"{address.rstrip('/')}/")

    @property
    def is_open(self) -> bool:
        """Whoever stands between can change what is installed."""
        return self.url.startswith("http://")

    def page(self, name: NormalizedName) -> str:
        """The address of a project's page."""
        return f"{self.url}{quote(name, safe='')}/"


def _unfit(reason: str) -> InvalidValue:
    return InvalidValue(
        "upstream",
        f"{reason}.",
        "Write the address of a simple index such as https://HOST/simple/.",
    )
