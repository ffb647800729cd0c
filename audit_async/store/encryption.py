"""What somebody between us and a server could do to a connection: read it, or stand in for the server."""

from __future__ import annotations

import ipaddress
import ssl
from typing import Any

from audit_async.config import CHECK_SECONDS
from audit_async.diagnostics import report


def warn_of_weakness(raw: Any, server: str, remedy: str) -> bool:
    """Say once a day if *raw*, a connection of asyncpg or asyncmy to *server*, is not safe on its way.

    Returns whether that was so.

    Args:
        remedy: what to add to the URL.
    """
    weakness = weakness_of(getattr(raw, "_transport", None))
    if weakness:
        report(f"tls {server}", f"{weakness} ({server}): add {remedy} to the URL", every_seconds=CHECK_SECONDS)
    return bool(weakness)


def weakness_of(transport: Any) -> str | None:
    """Return what is wrong with *transport*; None where nobody is on the way, or nobody there can do anything."""
    if transport is None or not leaves_this_host(transport.get_extra_info("peername")):
        return None
    secured = transport.get_extra_info("ssl_object")
    if secured is None:
        return "the connection to the database is NOT ENCRYPTED: whoever is on the way reads and changes events"
    if secured.context.verify_mode is not ssl.CERT_REQUIRED:
        return (
            "the connection to the database is encrypted, but NOBODY CHECKS WHOSE SERVER IT IS: whoever is on the way "
            "can stand in for it"
        )
    return None


def leaves_this_host(peer: object) -> bool:
    """Return whether *peer*, as a socket names it, is another host; a Unix socket's is no pair."""
    if not isinstance(peer, tuple) or not peer:
        return False
    try:
        address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    except ValueError:
        return True
    return not (getattr(address, "ipv4_mapped", None) or address).is_loopback
