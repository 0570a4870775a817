"""Pure: which address a request comes from, behind the vendor's own proxies.

Proxies tell the address of their client in ``X-Forwarded-For``, or in ``Forwarded`` (RFC 7239).
Either is a list to which each proxy adds the peer it saw at the end, so it is read from the right,
and only for as long as the one who wrote is a proxy of ours: everything left of that can be made
up. An address that cannot be read is nobody's; it is never replaced by another one's.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.network import IPAddress, Network, parse_address, parse_network

__all__ = ["FORWARDED", "HEADERS_KEPT", "X_FORWARDED_FOR", "Hop", "Proxies", "read_node"]

FORWARDED: Final = "Forwarded"
X_FORWARDED_FOR: Final = "X-Forwarded-For"
HEADERS_KEPT: Final = "entitlements.headers_kept"
"""In the environment of a request: the server was told to take no header away."""

UNIX: Final = "unix"
"""Stands among the trusted networks for the peers of a Unix socket, which have no address."""

_NODE: Final = re.compile(
    r"(?P<v4>[0-9.]+)(?::\d{1,5})?|\[(?P<v6>[0-9a-f:.]+)\](?::\d{1,5})?", re.IGNORECASE
)
_ELEMENT: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_PAIR: Final = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+')

_CONFLATING: Final = re.compile(r"Granian$|WSGIServer/|uWSGI$")
"""Servers that hand over ``X_Forwarded_For`` under the same name as ``X-Forwarded-For``, so that
the client's own text can take the place of the proxy's: granian, wsgiref and uWSGI."""
_REMOVING: Final = "waitress"
"""The server that takes the header of any proxy away, unless it is told not to."""


def read_node(text: str) -> IPAddress | None:
    """The address in one entry of a list of hops; None when there is none.

    ``203.0.113.7``, ``203.0.113.7:51234``, ``2001:db8::1``, ``[2001:db8::1]`` and
    ``[2001:db8::1]:443`` (RFC 7239 §6; gateways write ports into ``X-Forwarded-For``, too).
    ``unknown`` and names that were made up to hide an address are none.
    """
    text = text.strip()
    found = _NODE.fullmatch(text)
    return parse_address(found["v4"] or found["v6"] if found else text)


@dataclass(frozen=True, slots=True)
class Hop:
    """Where a request comes from.

    Attributes:
        address: of the client; None when it cannot be read.
        proxy: of ours that sent it; empty when it came from elsewhere.
        silent: that proxy did not say for whom.
        problem: why the address cannot be read, in a few words; empty when it can.
    """

    address: IPAddress | None
    proxy: str = ""
    silent: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """The proxies that may say where a request comes from.

    Attributes:
        networks: of their addresses.
        unix: the peers of a Unix socket are among them.
        header: the one that they write, `FORWARDED` or `X_FORWARDED_FOR`; the other one may be the
            client's own and is never read. Empty is `X_FORWARDED_FOR`, except from servers that
            cannot tell it from another header.
    """

    networks: tuple[Network, ...] = ()
    unix: bool = False
    header: str = ""

    @classmethod
    def parse(cls, texts: Iterable[str], header: str = "") -> "Proxies":
        """Read CIDR texts, and the word ``unix``.

        Raises:
            InvalidValue: when one is neither.
        """
        words = [text.strip() for text in texts]
        try:
            networks = tuple(parse_network(word) for word in words if word.lower() != UNIX)
        except InvalidValue as error:
            remedy = "Write addresses, networks such as 10.0.0.0/8 or 2001:db8::/32, or unix."
            raise InvalidValue("trusted_proxies", error.problem, remedy) from None
        if header not in {"", FORWARDED, X_FORWARDED_FOR}:
            raise InvalidValue(
                "forwarded_header",
                f"{header!r} is not read.",
                f"Write {FORWARDED} or {X_FORWARDED_FOR}.",
            )
        return cls(networks=networks, unix=len(networks) < len(words), header=header)

    def __bool__(self) -> bool:
        return bool(self.networks) or self.unix

    def locate(self, environ: Mapping[str, Any]) -> Hop:
        """Where the request of a WSGI environment comes from."""
        remote = str(environ.get("REMOTE_ADDR") or "")
        address = parse_address(remote)
        if not self._trusts(address):
            return Hop(address, problem="" if address else "the peer has no address")
        proxy = remote or UNIX
        name = self.header or X_FORWARDED_FOR
        text = str(environ.get(_KEYS[name]) or "")
        software = _software(environ)
        if not text:
            removed = (
                software == _REMOVING and name == X_FORWARDED_FOR and HEADERS_KEPT not in environ
            )
            problem = f"the proxy sent no {name}" + (f", or {software} removed it" * removed)
            known = None if removed else address
            return Hop(known, proxy, silent=True, problem="" if known else problem)
        if not self.header and _CONFLATING.match(software):
            return Hop(None, proxy, problem=f"{software} cannot tell {name} from X_Forwarded_For")
        nodes = (_nodes(text) or [""]) if name == FORWARDED else text.split(",")
        while nodes and self._trusts(address):
            node = nodes.pop().strip()
            address = read_node(node)
            if address is None:
                return Hop(None, proxy, problem=f"{name} says {node[:40]!a}")
        return Hop(address, proxy)

    def _trusts(self, address: IPAddress | None) -> bool:
        if address is None:
            return self.unix
        return any(address.version == net.version and address in net for net in self.networks)


def _software(environ: Mapping[str, Any]) -> str:
    """What the server calls itself; uWSGI says it in a key of its own."""
    return "uWSGI" if "uwsgi.version" in environ else str(environ.get("SERVER_SOFTWARE") or "")


_KEYS: Final = {FORWARDED: "HTTP_FORWARDED", X_FORWARDED_FOR: "HTTP_X_FORWARDED_FOR"}


def _nodes(text: str) -> list[str]:
    """The ``for`` of each element of a ``Forwarded`` header; empty text where there is none."""
    return [_for(element) for element in _ELEMENT.findall(text)]


def _for(element: str) -> str:
    for pair in _PAIR.findall(element):
        name, _, value = pair.strip().partition("=")
        if name.lower() == "for":
            return re.sub(r"\\(.)", r"\1", value.removeprefix('"').removesuffix('"'))
    return ""
