"""The engine of a PostgreSQL store: one connection, and what every session tells the server about itself."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from audit_async.config import (
    CONNECT_SECONDS,
    IDLE_IN_TRANSACTION_SECONDS,
    KEEPALIVE_COUNT,
    KEEPALIVE_IDLE_SECONDS,
    KEEPALIVE_INTERVAL_SECONDS,
    LOCK_SECONDS,
    STATEMENT_SECONDS,
)

_TIMEOUTS = {
    "statement_timeout": f"{STATEMENT_SECONDS * 1000:.0f}",
    "lock_timeout": f"{LOCK_SECONDS * 1000:.0f}",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS * 1000:.0f}",
}
_KEEPALIVES = {
    "tcp_keepalives_idle": str(KEEPALIVE_IDLE_SECONDS),
    "tcp_keepalives_interval": str(KEEPALIVE_INTERVAL_SECONDS),
    "tcp_keepalives_count": str(KEEPALIVE_COUNT),
}

SET_TIMEOUTS = "; ".join(f"SET LOCAL {name} = {value}" for name, value in _TIMEOUTS.items())
"""For a transaction behind a pooler, whose connections come without our settings."""

# Options of asyncpg that SQLAlchemy hands on as the text that stands in the URL.
_NUMBERS: dict[str, type[int] | type[float]] = {
    "prepared_statement_cache_size": int,
    "statement_cache_size": int,
    "max_cached_statement_lifetime": int,
    "max_cacheable_statement_size": int,
    "timeout": float,
    "command_timeout": float,
}


def has_pooler(url: URL) -> bool:
    """Say whether *url* switches prepared statements off, as one does behind a transaction pooler."""
    return any(url.query.get(f"{prefix}statement_cache_size") == "0" for prefix in ("", "prepared_"))


def new_engine(url: URL) -> AsyncEngine:
    """Return an engine with one connection at most, not made yet.

    Raises:
        ValueError: a number in the URL is none.
    """
    arguments: dict[str, Any] = {
        "timeout": CONNECT_SECONDS,
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
        arguments["server_settings"] = {"application_name": "audit", **_TIMEOUTS, **_KEEPALIVES}
    return create_async_engine(
        url.difference_update_query(_NUMBERS),
        connect_args=arguments,
        hide_parameters=True,
        pool_size=1,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        # Each batch ends its own transaction, or its connection.
        pool_reset_on_return=None,
    )
