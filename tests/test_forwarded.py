"""Where a request comes from: whoever is not our proxy cannot choose, and nobody is somebody."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.errors import ConfigurationError, InvalidValue
from entitlements_core.forwarded import HEADERS_KEPT, Hop, Proxies, read_node
from entitlements_core.policy.network import parse_address
from entitlements_core.services.settings import Settings

PROXIES = Proxies.parse(["10.0.0.0/8", "2001:db8:ffff::/48"])
FORWARDED = Proxies.parse(["10.0.0.0/8"], "Forwarded")


def environ(remote: str | None, forwarded_for: str | None = None, **more: str) -> dict[str, Any]:
    found: dict[str, Any] = {"REMOTE_ADDR": remote, **more}
    if forwarded_for is not None:
        found["HTTP_X_FORWARDED_FOR"] = forwarded_for
    return found


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("203.0.113.7:51234", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:DB8::1]:443", "2001:db8::1"),
        ("[::ffff:203.0.113.7]:443", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("203.0.113.7:", "None"),
        ("203.0.113.7:999999", "None"),
        ("203.0.113", "None"),
        ("[2001:db8::1]:", "None"),
        ("unknown", "None"),
        ("_hidden", "None"),
        ("", "None"),
        ("203.0.113.7, 203.0.113.8", "None"),
    ],
)
def test_a_node_is_an_address_with_or_without_a_port(text: str, address: str) -> None:
    assert str(read_node(text)) == address


@given(address=st.ip_addresses(), port=st.integers(0, 65535))
def test_every_spelling_of_a_node_is_the_same_address(address: Any, port: int) -> None:  # noqa: ANN401 - either version
    bracketed = f"[{address}]" if address.version == 6 else str(address)
    expected = parse_address(str(address))
    spellings = (str(address), bracketed, f"{bracketed}:{port}")
    assert [read_node(text) for text in spellings] == [expected] * 3


@pytest.mark.parametrize(
    ("remote", "forwarded", "expected"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9:51234", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, [2001:db8::9]:1, 10.0.0.2:80", "2001:db8::9"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("2001:db8:ffff::1", "2001:db8::9", "2001:db8::9"),
        ("10.0.0.1", "203.0.113.9, nonsense", "None"),
        ("10.0.0.1", "203.0.113.9,", "None"),
        ("10.0.0.1", "unknown", "None"),
        (None, "203.0.113.9", "None"),
        ("", None, "None"),
    ],
)
def test_the_client_is_the_first_hop_that_is_not_ours(
    remote: str | None, forwarded: str | None, expected: str
) -> None:
    hop = PROXIES.locate(environ(remote, forwarded))
    assert str(hop.address) == expected
    assert bool(hop.problem) == (hop.address is None)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=198.51.100.1;proto=http, FOR=203.0.113.9;by=10.0.0.1", "203.0.113.9"),
        ('for="[2001:db8::9]:443";host="a,b;c"', "2001:db8::9"),
        ('for="203.0.113.9:80", for=10.0.0.2', "203.0.113.9"),
        ('proto=http;for="\\2\\0\\3.0.113.9"', "203.0.113.9"),
        ("for=198.51.100.1, proto=http", "None"),
        ("for=unknown", "None"),
        ("for=_secret", "None"),
        ('for="203.0.113.9', "203.0.113.9"),
        (",", "None"),
    ],
)
def test_forwarded_is_read_as_rfc_7239_has_it(header: str, expected: str) -> None:
    asked = environ("10.0.0.1", "198.51.100.66", HTTP_FORWARDED=header)
    assert str(FORWARDED.locate(asked).address) == expected


def test_only_the_header_that_the_proxies_write_is_read() -> None:
    both = environ("10.0.0.1", "203.0.113.9", HTTP_FORWARDED="for=198.51.100.66")
    assert str(PROXIES.locate(both).address) == "203.0.113.9"
    assert str(FORWARDED.locate(both).address) == "198.51.100.66"
    assert FORWARDED.locate(environ("10.0.0.1", "203.0.113.9")) == Hop(
        parse_address("10.0.0.1"), "10.0.0.1", silent=True
    )


def test_without_proxies_nothing_is_believed() -> None:
    asked = environ("10.0.0.1", "203.0.113.9", SERVER_SOFTWARE="Granian")
    assert Proxies().locate(asked) == Hop(parse_address("10.0.0.1"))
    assert not Proxies()
    assert PROXIES


def test_the_peers_of_a_unix_socket_can_be_proxies() -> None:
    unix = Proxies.parse(["Unix", "10.0.0.0/8"])
    assert str(unix.locate(environ("", "203.0.113.9")).address) == "203.0.113.9"
    assert str(unix.locate(environ("localhost", "203.0.113.9")).address) == "203.0.113.9"
    assert unix.locate(environ("")).problem == "the proxy sent no X-Forwarded-For"
    assert str(Proxies.parse(["unix"]).locate(environ("203.0.113.1", "x")).address) == "203.0.113.1"


@pytest.mark.parametrize(
    "server",
    [
        {"SERVER_SOFTWARE": "Granian"},
        {"SERVER_SOFTWARE": "WSGIServer/0.2 CPython/3.11.7"},
        {"uwsgi.version": "2.0.30"},
    ],
)
def test_a_server_that_mixes_names_up_is_not_believed(server: dict[str, str]) -> None:
    asked = environ("10.0.0.1", "203.0.113.9", **server)
    assert PROXIES.locate(asked).address is None
    assert "cannot tell" in PROXIES.locate(asked).problem
    # Whoever names the header says that no other arrives; and Forwarded has no other spelling.
    named = Proxies.parse(["10.0.0.0/8"], "X-Forwarded-For")
    assert str(named.locate(asked).address) == "203.0.113.9"
    other = environ("10.0.0.1", HTTP_FORWARDED="for=203.0.113.9", **server)
    assert str(FORWARDED.locate(other).address) == "203.0.113.9"


def test_a_header_that_the_server_takes_away_is_missed() -> None:
    asked = environ("10.0.0.1", SERVER_SOFTWARE="waitress")
    assert PROXIES.locate(asked) == Hop(
        None,
        "10.0.0.1",
        silent=True,
        problem="the proxy sent no X-Forwarded-For, or waitress removed it",
    )
    kept = PROXIES.locate({**asked, HEADERS_KEPT: True})
    assert kept == Hop(parse_address("10.0.0.1"), "10.0.0.1", silent=True)
    assert str(PROXIES.locate({**asked, "REMOTE_ADDR": "203.0.113.9"}).address) == "203.0.113.9"


@pytest.mark.parametrize(("proxies", "header"), [(["nonsense"], ""), (["10.0.0.0/8"], "X-Real-IP")])
def test_what_cannot_be_read_is_refused(proxies: list[str], header: str) -> None:
    with pytest.raises(InvalidValue):
        Proxies.parse(proxies, header)
    with pytest.raises(ConfigurationError, match=r"or unix|'X-Forwarded-For'"):
        Settings.load(trusted_proxies=proxies, forwarded_header=header)


@pytest.mark.parametrize("spelled", ["x-forwarded-for", " X-FORWARDED-FOR", "forwarded"])
def test_the_name_of_a_header_has_no_case(spelled: str) -> None:
    named = Settings.load(trusted_proxies="10.0.0.1,unix", forwarded_header=spelled).proxies.header
    assert named.lower() == spelled.strip().lower()
    assert named in {"Forwarded", "X-Forwarded-For"}


OURS = st.sampled_from(["10.0.0.1", "10.9.9.9", "2001:db8:ffff::1"])
FOREIGN = st.one_of(
    st.ip_addresses(v=4).map(str).filter(lambda text: not text.startswith("10.")),
    st.ip_addresses(v=6, network="2001:db8::/48").map(str),
)


@given(
    spoofed=st.lists(st.one_of(OURS, FOREIGN, st.text(max_size=10)), max_size=5),
    client=FOREIGN,
    hops=st.lists(OURS, max_size=3),
    peer=OURS,
)
def test_a_spoofed_left_part_never_changes_the_client(
    spoofed: list[str], client: str, hops: list[str], peer: str
) -> None:
    honest = PROXIES.locate(environ(peer, ", ".join([client, *hops])))
    forged = PROXIES.locate(environ(peer, ", ".join([*spoofed, client, *hops])))
    assert forged.address == honest.address == parse_address(client)


@given(forwarded=st.text(max_size=40), client=FOREIGN)
def test_a_foreign_peer_cannot_choose_its_address(forwarded: str, client: str) -> None:
    asked = environ(client, forwarded, HTTP_FORWARDED=forwarded)
    assert PROXIES.locate(asked).address == parse_address(client)


@given(
    spoofed=st.text(alphabet='for=1.2,;"\\ x', max_size=40),
    client=FOREIGN.filter(lambda text: "." in text),
)
def test_nothing_on_the_left_of_forwarded_changes_what_the_proxy_added(
    spoofed: str, client: str
) -> None:
    """An open quotation mark of the client's may spoil the header, and never forges it."""
    hop = FORWARDED.locate(environ("10.0.0.1", HTTP_FORWARDED=f"{spoofed}, for={client}"))
    assert hop.address in {parse_address(client), None}
