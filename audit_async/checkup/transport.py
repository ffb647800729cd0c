"""Who can read or change what is on its way to the server."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from audit_async.checkup.finding import Finding
from audit_async.store.encryption import leaves_this_host

_HINTS = {
    "postgresql": "?ssl=verify-full&sslrootcert=FILE in the address",
    "mysql": "?ssl_ca=FILE in the address",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """How a connection goes.

    Attributes:
        is_local: it does not leave this machine.
        protocol: of its encryption, such as `TLSv1.3`; None without.
        is_verified: the server's certificate was checked; None where the driver does not say.
        knows_host: the name in it, too.
    """

    is_local: bool
    protocol: str | None = None
    is_verified: bool | None = False
    knows_host: bool | None = False


def transport_of(driver: Any, host: str) -> Transport:
    """Return how *driver*, a connection of asyncpg, asyncmy or psycopg, reaches *host*."""
    stream = getattr(driver, "_transport", None) or getattr(driver, "_writer", None)
    ask = getattr(stream, "get_extra_info", None)
    if ask is None:
        # psycopg has its own library do it, which tells no more.
        in_use = bool(getattr(getattr(driver, "pgconn", None), "ssl_in_use", False))
        unknown = None if in_use else False
        return Transport(
            is_local=is_loopback(host), protocol="TLS" if in_use else None, is_verified=unknown, knows_host=unknown
        )
    is_local = not leaves_this_host(ask("peername"))
    secured: ssl.SSLObject | None = ask("ssl_object")
    if secured is None:
        return Transport(is_local=is_local)
    return Transport(
        is_local=is_local,
        protocol=secured.version(),
        is_verified=secured.context.verify_mode == ssl.CERT_REQUIRED,
        knows_host=secured.context.check_hostname,
    )


def is_loopback(host: str) -> bool:
    """Return whether *host* is this machine by its very name."""
    if host in ("", "localhost") or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def of_transport(transport: Transport, host: str, kind: str) -> Iterator[Finding]:
    """Yield what the way to *host* allows others; on this machine nobody else is on it."""
    secure = _HINTS.get("mysql" if kind == "mariadb" else kind)
    if transport.is_local:
        how = transport.protocol or "without TLS"
        yield Finding("ok", "transport", f"{how}, to this machine")
    elif transport.protocol is None:
        yield Finding(
            "warning",
            "transport",
            f"NOT ENCRYPTED: whoever is between here and {host} can read and change events on their way",
            secure,
        )
    elif transport.is_verified is False:
        yield Finding(
            "warning",
            "transport",
            f"{transport.protocol}, NOT VERIFIED: whoever is between here and {host} can pose as the server, read "
            "events and swallow them",
            secure,
        )
    elif not transport.is_verified or not transport.knows_host:
        told = "whether its certificate is verified is not told" if transport.is_verified is None else "not by its name"
        yield Finding("note", "transport", f"{transport.protocol} to {host}, {told}", secure)
    else:
        yield Finding("ok", "transport", f"{transport.protocol}, verified")
