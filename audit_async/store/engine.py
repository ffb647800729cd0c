"""An engine of our own: made when it is first needed, and left alone in a forked child."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit_async.diagnostics import describe, report
from audit_async.errors import AuditError
from audit_async.timing import USUAL, Timing

_left_to_parents: list[Any] = []
"""Connections of parent processes, kept so that nothing ever collects and thereby closes them."""


class OwnEngine:
    """One engine and the raw connection that was last seen on it.

    Args:
        make: makes the engine; called in the event loop that will use it.
    """

    def __init__(self, make: Callable[[], AsyncEngine], timing: Timing = USUAL) -> None:
        self._make = make
        self._timing = timing
        self._engine: AsyncEngine | None = None
        self._owner = 0
        # The newest connection, which may not have come as far as to be `raw`.
        self._newest: Any = None
        self._borrowed: AsyncConnection | None = None
        self._is_in_use = False
        self.raw: Any = None

    def get(self) -> AsyncEngine:
        """Return the engine, made now if there is none. A connection that was borrowed from it is given back."""
        self.give_back()
        if self._engine is None:
            self._engine = self._make()
            self._owner = os.getpid()
            event.listen(self._engine.sync_engine, "connect", self._note)
        return self._engine

    async def borrow(self) -> AsyncConnection:
        """Return a connection, in use until `end_use`. It stays borrowed from the pool, for the next one who asks here,
        until it is given back: by `get`, `close` and `abandon` as well, so that nobody waits for it in vain.

        To take it out of the pool and to put it back costs a single row as much as a session does.
        """
        borrowed = self._borrowed
        if borrowed is None:
            borrowed = self._borrowed = await self.get().connect()
        self._is_in_use = True
        return borrowed

    def give_back(self) -> None:
        """Give the pool its connection back; one in use when `end_use` is told."""
        borrowed, self._borrowed = self._borrowed, None
        if borrowed is not None and not self._is_in_use:
            _close(borrowed)

    def end_use(self, borrowed: AsyncConnection) -> None:
        """Note that a session on *borrowed* is closed: if it was to be given back meanwhile, that is done now."""
        self._is_in_use = False
        if self._borrowed is not borrowed:
            _close(borrowed)

    def invalidate(self, borrowed: AsyncConnection) -> None:
        """Give a connection in use back as one that is not to be used again: the pool would hand it out for ever."""
        self.raw = None
        if borrowed.sync_connection is not None:
            borrowed.sync_connection.invalidate()
        self.give_back()

    def _note(self, connection: Any, _: object) -> None:
        self._newest = connection.driver_connection

    def forget(self) -> None:
        """Have no engine any more. Its connections are left to whoever else knows them, to close them."""
        self.give_back()
        engine, self._engine, self.raw = self._engine, None, None
        if engine is not None:
            engine.sync_engine.dispose(close=False)

    async def close(self) -> None:
        """Close the connection, if one is open. Never raises.

        Past SQLAlchemy where that can be, which tells the application's log of every close that is cut short: a server
        that is frozen, or behind a network that is, does not see to its end.
        """
        engine, raw, self._engine, self.raw = self._engine, self.raw, None, None
        if engine is None:
            return
        try:
            self.give_back()
            if hasattr(raw, "ensure_closed") or inspect.iscoroutinefunction(getattr(raw, "close", None)):
                engine.sync_engine.dispose(close=False)
                await (raw.ensure_closed() if hasattr(raw, "ensure_closed") else raw.close())
            else:
                await engine.dispose()
        except Exception as error:
            report("store_close", f"closing a connection failed: {describe(error)}")

    def abandon(self) -> None:
        """Forget engine and connection, without waiting for anyone. Never raises."""
        engine, raw, self._engine, self.raw = self._engine, self._newest or self.raw, None, None
        if engine is None:
            return
        try:
            self.give_back()
            if self._owner == os.getpid():
                close_hard(raw, self._timing)
                engine.sync_engine.dispose(close=False)
            else:
                _leave_to_parent(engine, raw)
        except Exception as error:
            report("store_abandon", f"a connection could not be abandoned: {describe(error)}")


def _close(borrowed: AsyncConnection) -> None:
    # The pool resets nothing, so this speaks to no server.
    if borrowed.sync_connection is not None:
        borrowed.sync_connection.close()


def close_hard(raw: Any, timing: Timing) -> None:
    """Close the socket at once (asyncpg, asyncmy, psycopg); cut short what aiosqlite's thread is doing, and end it."""
    if hasattr(raw, "terminate"):
        raw.terminate()
    if hasattr(raw, "stop"):
        # It may be closing itself in this very moment.
        with suppress(Exception):
            raw._connection.interrupt()
        end_thread(raw, timing)
        raw._thread.join(timing.cancel_seconds / 2)
    if hasattr(raw, "ensure_closed"):
        # It closes itself when a read is cancelled, but would first send what waits to be sent, which a frozen
        # server never takes.
        transport = raw._proto.transport if raw._proto is not None else None
        if transport is not None:
            transport.abort()
        raw.close()
    if hasattr(raw, "pgconn"):
        raw.pgconn.finish()


def end_thread(raw: Any, timing: Timing) -> None:
    """Have aiosqlite's thread close its connection and end, when it has done what it is at."""
    # From a thread without an event loop: elsewhere it would make one, or report to one that is about to close.
    stopper = threading.Thread(target=raw.stop, name="audit-stop", daemon=True)
    stopper.start()
    stopper.join(timing.cancel_seconds / 2)


def _leave_to_parent(engine: AsyncEngine, raw: Any) -> None:
    # The child shares the parent's selector, and SQLite's file locks: no destructor must get at either.
    _left_to_parents.append((engine, raw))
    if hasattr(raw, "_aborted"):
        raw._aborted = True


@asynccontextmanager
async def looking(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Give a connection to look at tables with; where its server's answer is a fault, it is used no more.

    After an answer that makes no sense the next one belongs to another question. Nor could what was begun be rolled
    back, and a connection that fails in that the pool takes for lent out until the collector finds it.
    """
    async with engine.connect() as connection:
        try:
            yield connection
        except AuditError:
            raise
        except Exception:
            # A file has no such answers; and one in memory would be gone.
            if engine.dialect.name != "sqlite":
                await connection.invalidate()
            raise


async def raw_connection(connection: AsyncConnection) -> Any:
    """Return the driver's own connection under *connection*, of whatever type the driver has."""
    return (await connection.get_raw_connection()).driver_connection
