"""The client's address: who may say it, and what is made of what is said."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import pytest

from audit_async.config import MAX_PROXIES
from audit_async.errors import ConfigurationError
from audit_async.web.reader import RequestReader

TRUSTED = ["10.0.0.0/8", "2001:db8:aaaa::/48", "192.0.2.1"]
FOR, RFC = b"x-forwarded-for", b"forwarded"


def address(
    headers: Iterable[tuple[bytes, bytes]],
    peer: str | None = "10.0.0.1",
    trusted: object = TRUSTED,
    forwarded_header: str | None = None,
) -> str | None:
    reader = RequestReader(trusted_proxies=trusted, forwarded_header=forwarded_header)
    return reader.read(headers, peer).get("ip_address")


@pytest.mark.parametrize("header", [(FOR, b"203.0.113.9"), (RFC, b"for=203.0.113.9")])
@pytest.mark.parametrize(("peer", "trusted"), [("198.51.100.7", TRUSTED), ("10.0.0.1", ()), ("198.51.100.7", "unix")])
def test_who_is_not_trusted_is_the_client(header: tuple[bytes, bytes], peer: str, trusted: object) -> None:
    """What somebody says who is no trusted proxy is not looked at."""
    assert peer == address([header], peer, trusted)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"203.0.113.9", "203.0.113.9"),
        (b"1.1.1.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
        (b"10.9.9.9, 203.0.113.9,10.0.0.7 , 192.0.2.1", "203.0.113.9"),
        (b"10.0.0.9, 10.0.0.8", "10.0.0.9"),
        (b"1.1.1.1, unknown, 10.0.0.7", "10.0.0.7"),
        (b"203.0.113.9:4711", "203.0.113.9"),
        (b"2001:DB8::0017", "2001:db8::17"),
        (b"[2001:db8::17]:443", "2001:db8::17"),
        (b"1.1.1.1, 2001:db8:aaaa::5", "1.1.1.1"),
        (b"1.1.1.1, ::ffff:10.0.0.7", "1.1.1.1"),
        (b"", "10.0.0.1"),
        (b"1.1.1.1,", "10.0.0.1"),
        (b"1.1.1.1, 999.1.1.1", "10.0.0.1"),
        (b"1.1.1.1, 010.0.0.1", "10.0.0.1"),
        (b"1.1.1.1, \xff\x00", "10.0.0.1"),
        (b"fe80::1%eth0", "fe80::1%eth0"),
        (b"1.1.1.1, fe80::1%\x00", "10.0.0.1"),
        (b"1.1.1.1, [fe80::1%' OR 1]:80", "10.0.0.1"),
        (b"1.1.1.1, " + b"9" * 60_000, "10.0.0.1"),
    ],
)
def test_the_chain_is_followed_from_right_to_left(said: bytes, expected: str) -> None:
    """The first that is no trusted proxy is the client; behind what is no address nothing is believed."""
    assert expected == address([(FOR, said)])


def test_several_headers_are_one_chain() -> None:
    """A header that the client has sent stands left of the one that the proxy has added."""
    assert "203.0.113.9" == address([(FOR, b"1.1.1.1"), (b"host", b"x"), (FOR, b"203.0.113.9, 10.0.0.7")])


def test_a_chain_is_followed_for_so_many_proxies_only() -> None:
    """A chain of trusted addresses, however long, ends somewhere in it."""
    chain = [f"10.1.{number // 250}.{number % 250}" for number in range(5000)]
    assert chain[-MAX_PROXIES] == address([(FOR, ", ".join(chain).encode())])


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"for=203.0.113.9;proto=https;by=10.0.0.1", "203.0.113.9"),
        (b'For="[2001:db8::17]:4711"', "2001:db8::17"),
        (b"for=1.1.1.1, for=203.0.113.9 , for=10.0.0.7;host=x", "203.0.113.9"),
        (b"for=1.1.1.1, for=_hidden", "10.0.0.1"),
        (b"for=1.1.1.1, proto=https", "10.0.0.1"),
        (b"for=1.1.1.1;for=203.0.113.9", "10.0.0.1"),
        (b'for="1.1.1.1, for=10.0.0.7', "1.1.1.1"),
        (b";" * 60_000, "10.0.0.1"),
    ],
)
def test_forwarded_is_read_likewise(said: bytes, expected: str) -> None:
    """`Forwarded` names each hop by `for=`, quoted or not; a hop that names none, or two, ends the chain."""
    assert expected == address([(RFC, said)])


def test_only_one_of_the_two_headers_is_believed() -> None:
    """Beside `X-Forwarded-For` a `Forwarded` comes from the client, unless the proxies are said to write that."""
    both = [(RFC, b"for=1.1.1.1"), (FOR, b"203.0.113.9")]
    assert "203.0.113.9" == address(both)
    assert "1.1.1.1" == address(both, forwarded_header="Forwarded")
    assert "10.0.0.1" == address([(FOR, b"1.1.1.1")], forwarded_header="forwarded")
    assert "1.1.1.1" == address([*both, (b"cf-connecting-ip", b"1.1.1.1")], forwarded_header="CF-Connecting-IP")


def test_who_comes_by_a_unix_socket_has_no_address() -> None:
    """Nobody's address is None; a proxy on a Unix socket is trusted where that was said."""
    assert address([(FOR, b"203.0.113.9")], None) is None
    assert "203.0.113.9" == address([(FOR, b"203.0.113.9")], None, ["unix"])
    assert address([], None, ["unix"]) is None


@pytest.mark.parametrize("trusted", ["10.0.0.1", "10.7.7.7/8", ipaddress.ip_network("10.0.0.0/8")])
def test_a_network_may_be_said_in_several_ways(trusted: object) -> None:
    """One alone needs no list, and host bits in a network do no harm."""
    assert "203.0.113.9" == address([(FOR, b"203.0.113.9")], "10.0.0.1", trusted)
    assert "203.0.113.9" == address([(FOR, b"203.0.113.9")], "10.0.0.1", [trusted])


@pytest.mark.parametrize("trusted", ["*", ["proxy.local"], [""], [None], [b"10.0.0.1"], 7, "10.0.0.0/99"])
def test_what_is_no_network_is_an_error_at_the_start(trusted: object) -> None:
    """A slip in the list is told when the application starts, with the way to write it."""
    with pytest.raises(ConfigurationError, match=r"10\.0\.0\.0/8"):
        RequestReader(trusted_proxies=trusted)


@pytest.mark.parametrize("peer", ["testclient", "", "::ffff:203.0.113.9"])
def test_a_peer_is_an_address_or_nothing(peer: str) -> None:
    """A name in the place of an address, as test clients have, is left out; IPv4 in IPv6 is IPv4."""
    assert ("203.0.113.9" if "9" in peer else None) == address([], peer)
