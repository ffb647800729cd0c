"""The engine of a PostgreSQL store: one connection, and what every session tells the server about itself."""

from __future__ import annotations

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from audit_async.config import (
    CONNECT_SECONDS,
    IDLE_IN_TRANSACTION_SECONDS,
    LOCK_SECONDS,
    STATEMENT_SECONDS,
)
from audit_async.table.sessions import asyncpg_arguments

_TIMEOUTS = {
    "statement_timeout": f"{STATEMENT_SECONDS * 1000:.0f}",
    "lock_timeout": f"{LOCK_SECONDS * 1000:.0f}",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS * 1000:.0f}",
}

SET_TIMEOUTS = "; ".join(f"SET LOCAL {name} = {value}" for name, value in _TIMEOUTS.items())
"""For a transaction behind a pooler, whose connections come without our settings."""


def new_engine(url: URL) -> AsyncEngine:
    """Return an engine with one connection at most, not made yet.

    Raises:
        ValueError: a number in the URL is none.
    """
    url, arguments = asyncpg_arguments(url, _TIMEOUTS)
    return create_async_engine(
        url,
        connect_args=arguments,
        hide_parameters=True,
        pool_size=1,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        # Each batch ends its own transaction, or its connection.
        pool_reset_on_return=None,
    )
