"""The client's address, where only proxies that are trusted may say it."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from audit_async.config import CONTEXT_SPELLINGS, MAX_ADDRESS_CHARS, MAX_PROXIES
from audit_async.errors import ConfigurationError
from audit_async.events.fields import parse_address

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

UNIX = "unix"
"""Stands for whoever connects by a Unix socket, where there is no address."""


@functools.lru_cache(maxsize=CONTEXT_SPELLINGS)
def address_of(text: str) -> str | None:
    """Return the IP address that *text* is in its usual spelling; None if it is none."""
    found = _parsed(text)
    return None if found is None else str(found)


class Proxies:
    """Knows which proxies are trusted.

    Args:
        networks: addresses and networks of them, as text or as `ipaddress` has them; `unix` for a Unix socket.

    Raises:
        ConfigurationError: one of *networks* is none.
    """

    def __init__(self, networks: object = ()) -> None:
        given = [networks] if isinstance(networks, (str, ipaddress.IPv4Network, ipaddress.IPv6Network)) else networks
        if not isinstance(given, Iterable):
            raise _no_network(given)
        items = list(given)
        self._has_unix = UNIX in items
        self._networks = tuple(_network(item) for item in items if item != UNIX)
        # Of one object, so that two applications in a process do not share what they trust.
        self._trusts = functools.lru_cache(maxsize=CONTEXT_SPELLINGS)(self._is_in_networks)

    def __bool__(self) -> bool:
        return self._has_unix or bool(self._networks)

    def trusts(self, peer: str | None) -> bool:
        """Return whether who has connected may say for whom: an address, or None for a Unix socket."""
        return self._has_unix if not peer else bool(self._networks) and self._trusts(peer)

    def client(self, peer: str | None, hops: Iterable[str]) -> str | None:
        """Return the address of the client: the first of *hops* that is not trusted, else the last of them.

        Args:
            peer: who has connected.
            hops: whom each proxy has named, that of the nearest one first.
        """
        known = address_of(peer) if peer else None
        if not self.trusts(peer):
            return known
        for number, hop in enumerate(hops):
            address = address_of(_without_port(hop)) if len(hop) <= MAX_ADDRESS_CHARS else None
            # Behind a word that is no address (`unknown`, a slip, a lie) anything may stand.
            if address is None or number >= MAX_PROXIES:
                break
            known = address
            if not self._trusts(address):
                break
        return known

    def _is_in_networks(self, text: str) -> bool:
        address = _parsed(text)
        return address is not None and any(address in network for network in self._networks)


def hops_in_list(values: Iterable[str]) -> Iterator[str]:
    """Give the addresses of `X-Forwarded-For` headers from right to left."""
    for value in reversed(list(values)):
        rest = value
        while rest:
            rest, _, hop = rest.rpartition(",")
            yield hop.strip()


def hops_in_forwarded(values: Iterable[str]) -> Iterator[str]:
    """Give what is said by `for=` in `Forwarded` headers, from right to left; an empty text where nothing is.

    Source: RFC 7239, sections 4 and 6. A comma in quotes, which no address has, makes a hop that is none.
    """
    for hop in hops_in_list(values):
        pairs = (pair.partition("=") for pair in hop.split(";", MAX_PROXIES))
        named = [value.strip() for name, _, value in pairs if name.strip().lower() == "for"]
        yield named[0].strip('"') if len(named) == 1 else ""


def _without_port(hop: str) -> str:
    """Return *hop* without a port and brackets: four cases, `[v6]:port`, `[v6]`, `v4:port` and a bare address."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _parsed(text: str) -> Address | None:
    try:
        return parse_address(text.strip())
    except ValueError:
        return None


def _network(given: object) -> Network:
    if isinstance(given, (str, ipaddress.IPv4Address, ipaddress.IPv6Address)) and given:
        given = str(given).strip()
    elif not isinstance(given, (ipaddress.IPv4Network, ipaddress.IPv6Network)):
        raise _no_network(given)
    try:
        return ipaddress.ip_network(given, strict=False)
    except ValueError:
        raise _no_network(given) from None


def _no_network(given: object) -> ConfigurationError:
    return ConfigurationError(
        f"trusted_proxies has {str(given)[:MAX_ADDRESS_CHARS]!r}, which is no address and no network",
        hint="name them as 10.0.0.0/8 or 192.0.2.7; `unix` is a Unix socket; 0.0.0.0/0 and ::/0 trust everybody",
    )
