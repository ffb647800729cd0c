"""The engine of a PostgreSQL store: one connection, and what every session tells the server about itself."""

from __future__ import annotations

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from audit_async.table.sessions import asyncpg_arguments
from audit_async.timing import Timing


def set_timeouts(timing: Timing) -> str:
    """Return the statement for a transaction behind a pooler, whose connections come without our settings."""
    return "; ".join(f"SET LOCAL {name} = {value}" for name, value in _timeouts(timing).items())


def new_engine(url: URL, timing: Timing) -> AsyncEngine:
    """Return an engine with one connection at most, not made yet.

    Raises:
        ValueError: a number in the URL is none.
    """
    keepalives = {
        "tcp_keepalives_idle": f"{timing.keepalive_idle_seconds}",
        "tcp_keepalives_interval": f"{timing.keepalive_interval_seconds}",
        "tcp_keepalives_count": f"{timing.keepalive_count}",
    }
    settings = {**keepalives, **_timeouts(timing)}
    url, arguments = asyncpg_arguments(url, settings, timeout=timing.connect_seconds)
    return create_async_engine(
        url,
        connect_args=arguments,
        hide_parameters=True,
        pool_size=1,
        max_overflow=0,
        pool_timeout=timing.connect_seconds,
        # Each batch ends its own transaction, or its connection.
        pool_reset_on_return=None,
    )


def _timeouts(timing: Timing) -> dict[str, str]:
    """Return the server's time-outs, which it counts in milliseconds."""
    return {
        "statement_timeout": f"{timing.statement_seconds * 1000:.0f}",
        "lock_timeout": f"{timing.lock_seconds * 1000:.0f}",
        "idle_in_transaction_session_timeout": f"{timing.idle_in_transaction_seconds * 1000:.0f}",
    }
