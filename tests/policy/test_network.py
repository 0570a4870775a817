"""Addresses: which are admitted, and which count as one client."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.network import (
    Networks,
    client_key,
    parse_address,
    parse_network,
)

V4 = st.ip_addresses(v=4)
V6 = st.ip_addresses(v=6)
BOTH = st.one_of(V4, V6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.0/24", "203.0.113.0/24"),
        (" 203.0.113.7/24 ", "203.0.113.0/24"),
        ("203.0.113.7", "203.0.113.7/32"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::fffe:0:0/96", "::fffe:0:0/96"),
        ("::/96", "::/96"),
    ],
)
def test_a_network_is_read(text: str, expected: str) -> None:
    assert str(parse_network(text)) == expected


@pytest.mark.parametrize(
    "text", ["", "193.5.0.1/92", "1.2.3", "example.com", "1.2.3.4/-1", "::1/129", "1.2.3.4/24/24"]
)
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="is not a network") as caught:
        parse_network(text)
    assert caught.value.field == "networks"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9 ", "203.0.113.9"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("::ffff:cb00:7109", "203.0.113.9"),
        ("", "None"),
        ("unknown", "None"),
        ("203.0.113.9:80", "None"),
        ("2130706433", "None"),
        ("127.1", "None"),
        ("0x7f.0.0.1", "None"),
        ("010.0.0.1", "None"),
    ],
)
def test_an_address_is_read(text: str, expected: str) -> None:
    assert str(parse_address(text)) == expected


@given(address=V4)
def test_one_peer_has_one_spelling(address: IPv4Address) -> None:
    assert parse_address(str(address)) == address
    assert parse_address(f"::ffff:{address}") == address


@pytest.mark.parametrize(
    ("address", "prefix", "expected"),
    [
        ("203.0.113.9", 64, "203.0.113.9"),
        ("203.0.113.9", 1, "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3:4:5:6", 48, "2001:db8:1::/48"),
        ("2001:db8:1:2:3:4:5:6", 128, "2001:db8:1:2:3:4:5:6/128"),
        ("nonsense", 64, "unknown"),
    ],
)
def test_an_address_counts_as_a_client(address: str, prefix: int, expected: str) -> None:
    assert client_key(parse_address(address), ipv6_prefix=prefix) == expected


@given(address=V6, host=st.integers(0, 2**64 - 1))
def test_a_network_of_64_bits_is_one_client(address: IPv6Address, host: int) -> None:
    neighbour = IPv6Address((int(address) >> 64 << 64) | host)
    assert client_key(neighbour) == client_key(address)


@given(first=V6, second=V6)
def test_other_networks_are_other_clients(first: IPv6Address, second: IPv6Address) -> None:
    same = int(first) >> 64 == int(second) >> 64
    assert (client_key(first) == client_key(second)) is same


@given(first=V4, second=V4)
def test_every_ipv4_address_is_a_client(first: IPv4Address, second: IPv4Address) -> None:
    assert (client_key(first) == client_key(second)) is (first == second)


@pytest.mark.parametrize(
    ("allow", "deny", "address", "admitted"),
    [
        ([], [], "203.0.113.9", True),
        ([], [], "unknown", True),
        (["203.0.113.0/24"], [], "203.0.113.9", True),
        (["203.0.113.0/24"], [], "203.0.114.9", False),
        (["203.0.113.0/24"], [], "unknown", False),
        (["203.0.113.0/24"], [], "::ffff:203.0.113.9", True),
        (["203.0.113.0/24"], [], "2001:db8::1", False),
        (["203.0.113.0/24", "2001:db8::/32"], [], "2001:db8::1", True),
        ([], ["203.0.113.0/24"], "203.0.113.9", False),
        ([], ["203.0.113.0/24"], "203.0.114.9", True),
        ([], ["203.0.113.0/24"], "unknown", False),
        (["203.0.113.0/24"], ["203.0.113.9"], "203.0.113.9", False),
        (["203.0.113.0/24"], ["203.0.113.9"], "203.0.113.8", True),
        (["203.0.113.9"], ["0.0.0.0/0"], "203.0.113.9", False),
        (["0.0.0.0/0"], [], "2001:db8::1", False),
    ],
)
def test_deny_wins_and_allow_is_exclusive(
    allow: list[str],
    deny: list[str],
    address: str,
    admitted: bool,  # noqa: FBT001 - the answer
) -> None:
    assert Networks.parse(allow, deny).admits(parse_address(address)) is admitted


def _networks(text: str, prefix: int) -> str:
    return str(parse_network(f"{text}/{prefix}"))


NETWORKS = st.one_of(
    st.builds(_networks, V4.map(str), st.integers(0, 32)),
    st.builds(_networks, V6.map(str), st.integers(0, 128)),
)


@given(allow=st.lists(NETWORKS, max_size=3), deny=st.lists(NETWORKS, max_size=3), address=BOTH)
def test_rules_obey_their_definition(
    allow: list[str], deny: list[str], address: IPv4Address | IPv6Address
) -> None:
    try:
        rules = Networks.parse(allow, deny)
    except InvalidValue:
        assert {parse_network(text) for text in allow} & {parse_network(text) for text in deny}
        return
    address = parse_address(str(address)) or address
    inside = [
        [address.version == network.version and address in network for network in side]
        for side in (rules.allow, rules.deny)
    ]
    assert rules.admits(address) is (not any(inside[1]) and (not rules.allow or any(inside[0])))


@given(network=NETWORKS, address=BOTH)
def test_what_is_denied_is_denied_whatever_is_allowed(
    network: str, address: IPv4Address | IPv6Address
) -> None:
    assume(parse_network(str(address)) != parse_network(network))
    rules = Networks.parse([str(address)], [network])
    if ip_address(str(address)) in parse_network(network):
        assert not rules.admits(address)


def test_a_network_is_not_both_allowed_and_denied() -> None:
    with pytest.raises(InvalidValue, match=r"203\.0\.113\.0/24 is both allowed and denied"):
        Networks.parse(["203.0.113.0/24"], ["198.51.100.0/24", "203.0.113.77/24"])
