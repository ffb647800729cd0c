"""What every connection of ours, the writer's and maintenance's, tells its driver and its server about itself."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import URL

from audit_async.config import CONNECT_SECONDS, KEEPALIVE_COUNT, KEEPALIVE_IDLE_SECONDS, KEEPALIVE_INTERVAL_SECONDS
from audit_async.errors import ConfigStoreError

MYSQL_SETTINGS = "SET SESSION sql_mode = 'TRADITIONAL', time_zone = '+00:00'"
"""What does not fit is refused, and a statement means what it says, whatever the server's default is."""

_KEEPALIVES = {
    "tcp_keepalives_idle": str(KEEPALIVE_IDLE_SECONDS),
    "tcp_keepalives_interval": str(KEEPALIVE_INTERVAL_SECONDS),
    "tcp_keepalives_count": str(KEEPALIVE_COUNT),
}
# Options of asyncpg that SQLAlchemy hands on as the text that stands in the URL.
_NUMBERS: dict[str, type[int] | type[float]] = {
    "prepared_statement_cache_size": int,
    "statement_cache_size": int,
    "max_cached_statement_lifetime": int,
    "max_cacheable_statement_size": int,
    "timeout": float,
    "command_timeout": float,
}
# What libpq takes in an address; asyncpg takes it in an address of its own alone, and SQLAlchemy hands it none.
_TLS = (
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version"),
)
_TLS_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "ssl_ca", "ssl_cert", "ssl_key")


def has_pooler(url: URL) -> bool:
    """Say whether *url* switches prepared statements off, as one does behind a transaction pooler."""
    return any(url.query.get(f"{prefix}statement_cache_size") == "0" for prefix in ("", "prepared_"))


def asyncpg_arguments(url: URL, settings: Mapping[str, str], **defaults: float) -> tuple[URL, dict[str, Any]]:
    """Return *url* without the numbers and what is for TLS in it, and what goes to asyncpg besides.

    Args:
        settings: of the session, besides its keepalives; behind a pooler, which shares sessions, none are made.
        defaults: options of asyncpg that the URL may say otherwise.

    Raises:
        ValueError: a number in the URL is none.
        ConfigStoreError: a file for TLS that it names cannot be read.
    """
    _look_at_files(url)
    arguments: dict[str, Any] = {
        "timeout": CONNECT_SECONDS,
        **defaults,
        **{name: kind(str(url.query[name])) for name, kind in _NUMBERS.items() if name in url.query},
    }
    if has_pooler(url):
        # Statements of two clients meet on one connection there: none is kept, each has its own name.
        arguments |= {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"__audit_{uuid.uuid4().hex}__",
        }
    else:
        arguments["server_settings"] = {"application_name": "audit", **_KEEPALIVES, **settings}
    if tls := {name: str(url.query[name]) for name in _TLS if name in url.query}:
        arguments["dsn"] = f"postgresql://?{urlencode(tls)}"
    return url.difference_update_query([*_NUMBERS, *_TLS]), arguments


def asyncmy_arguments(url: URL, **defaults: float) -> dict[str, Any]:
    """Return what goes to asyncmy besides *url*; it may say the time-outs otherwise, and not the characters.

    Raises:
        ConfigStoreError: a file for TLS that *url* names cannot be read.
    """
    _look_at_files(url)
    timeouts = {"connect_timeout": CONNECT_SECONDS, **defaults}
    return {"charset": "utf8mb4"} | {name: value for name, value in timeouts.items() if name not in url.query}


def _look_at_files(url: URL) -> None:
    for name in _TLS_FILES:
        path = str(url.query.get(name, ""))
        if path and not os.access(path, os.R_OK):
            raise ConfigStoreError(
                f"the file {path} that the URL gives for {name} cannot be read",
                hint=f"correct {name}= in the URL, or let this process read the file",
            )


def connect_seconds(url: URL) -> float | None:
    """Return the time for a connection to *url* that its driver does not see to by itself.

    asyncmy counts until the server has taken the connection, which a frozen one does, and not until it has answered.

    Raises:
        ValueError: the number in the URL is none.
    """
    if url.get_driver_name() in ("asyncpg", "aiosqlite"):
        return None
    return float(str(url.query.get("connect_timeout", CONNECT_SECONDS)))
