"""Which addresses may use a credential, and which address counts as which client."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from entitlements_core.errors import InvalidValue

__all__ = ["IPAddress", "Network", "Networks", "client_key", "parse_address", "parse_network"]

IPAddress = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def parse_network(text: str) -> Network:
    """Read a CIDR such as ``203.0.113.0/24``; host bits are dropped, a bare address is one host.

    An IPv4-mapped IPv6 network (``::ffff:a.b.c.d/n``, n at least 96) is read as the IPv4 one,
    since that is how addresses are compared.

    Raises:
        InvalidValue: when it is no network, such as ``193.5.0.1/92``.
    """
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        raise InvalidValue(
            "networks",
            f"{text!r} is not a network.",
            "Write an address and a prefix length, such as 203.0.113.0/24 or 2001:db8::/32.",
        ) from None
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:  # noqa: PLR2004 - 128 - 32
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


@lru_cache(maxsize=16_384)
def parse_address(text: str) -> IPAddress | None:
    """Read an address as a server hands it over; None when it is not one.

    Zone ids are dropped and IPv4-mapped IPv6 addresses become IPv4, so that one peer has one
    spelling.
    """
    try:
        address = ip_address(text.strip().strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=16_384)
def client_key(address: IPAddress | None, *, ipv6_prefix: int = 64) -> str:
    """The client that an address counts as: the IPv4 address, or the IPv6 network.

    Args:
        address: None (a Unix socket, an unreadable peer) counts as one client of its own.
        ipv6_prefix: bits of an IPv6 address that make a client; a customer is usually handed a /64.
    """
    if address is None:
        return "unknown"
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, ipv6_prefix), strict=False))


@dataclass(frozen=True, slots=True)
class Networks:
    """Address rules. Deny wins; with any allow rule, what matches none is denied.

    An unknown address passes only when there are no rules.
    """

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, allow: Iterable[str] = (), deny: Iterable[str] = ()) -> "Networks":
        """Read two lists of CIDR texts.

        Raises:
            InvalidValue: when one is no network, or one stands in both lists.
        """
        networks = cls(tuple(map(parse_network, allow)), tuple(map(parse_network, deny)))
        for network in networks.allow:
            if network in networks.deny:
                raise InvalidValue(
                    "networks",
                    f"{network} is both allowed and denied.",
                    "Remove it from one of the two lists.",
                )
        return networks

    @property
    def any(self) -> bool:
        """Whether there is any rule."""
        return bool(self.allow or self.deny)

    def admits(self, address: IPAddress | None) -> bool:
        """Whether a request from `address` may use the credential."""
        if not self.any:
            return True
        if address is None or any(_contains(network, address) for network in self.deny):
            return False
        return not self.allow or any(_contains(network, address) for network in self.allow)


def _contains(network: Network, address: IPAddress) -> bool:
    return address.version == network.version and address in network
