"""How the transaction of a session, or of a connection, ends; told to the events that wait for it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction

from audit_async.transaction.held import Held


class SessionEndings:
    """Tells *held* of a session's transactions; a session that is closed, or forgotten, has rolled back."""

    def __init__(self, session: Session, held: Held) -> None:
        self._held = held
        self._is_committed = False
        self._released: int | None = None
        event.listen(session, "after_transaction_create", self._begin)
        event.listen(session, "after_commit", self._commit)
        event.listen(session, "after_transaction_end", self._end)
        # A session that has begun nothing yet sends no event when it is rolled back or closed.
        for name in ("rollback", "close", "reset", "invalidate"):
            _wrap(session, name, partial(self._let_go, weakref.ref(session)))
        weakref.finalize(session, held.end, is_committed=False)

    def _begin(self, _: Session, transaction: SessionTransaction) -> None:
        if transaction.nested:
            # Its number, since the transaction itself would keep the session alive.
            self._held.begin_savepoint(id(transaction))

    def _commit(self, session: Session) -> None:
        nested = session.get_nested_transaction()
        if nested is not None:
            self._released = id(nested)
            return
        self._is_committed = True
        self._held.end(is_committed=True)

    def _end(self, _: Session, transaction: SessionTransaction) -> None:
        if transaction.nested:
            is_released, self._released = self._released == id(transaction), None
            end = self._held.release_savepoint if is_released else self._held.roll_back_savepoint
            end(id(transaction))
        elif transaction.parent is None:
            is_committed, self._is_committed = self._is_committed, False
            self._held.end(is_committed=is_committed)

    def _let_go(self, owner: weakref.ref[Session], call: Callable[..., None], *arguments: Any) -> None:
        call(*arguments)
        session = owner()
        if session is None or not session.in_transaction():
            self._held.end(is_committed=False)


def watch_connection(connection: Connection, held: Held) -> None:
    """Tell *held* of the transactions of *connection*."""
    event.listen(connection, "release_savepoint", lambda _, name, context: held.release_savepoint(name))
    event.listen(connection, "rollback_savepoint", lambda _, name, context: held.roll_back_savepoint(name))
    event.listen(connection, "rollback", lambda _: held.end(is_committed=False))
    event.listen(connection, "rollback_twophase", lambda _, xid, is_prepared: held.end(is_committed=False))
    # Other events come too early: a savepoint's has no name yet, a commit's is sent before it is tried, and none tells
    # of a commit that failed. So this one connection's own methods are wrapped, through which all of them go.
    _wrap(connection, "_savepoint_impl", partial(_begin_savepoint, held))
    _wrap(connection, "_commit_impl", partial(_commit, held))
    _wrap(connection, "_commit_twophase_impl", partial(_commit, held))


def _wrap(wrapped: Connection | Session, name: str, around: Callable[..., Any]) -> None:
    """Have *around* called with the method *name* of this one object, and its arguments, in the place of the method."""
    owner, inner = weakref.ref(wrapped), vars(wrapped).get(name)
    method = getattr(type(wrapped), name)

    def call(*arguments: Any) -> Any:
        # Another logger may have wrapped it before. No bound method, with which the object would keep itself alive.
        return around(inner or partial(method, owner()), *arguments)

    setattr(wrapped, name, call)


def _begin_savepoint(held: Held, begin: Callable[..., str], *arguments: Any) -> str:
    name = begin(*arguments)
    held.begin_savepoint(name)
    return name


def _commit(held: Held, commit: Callable[..., None], *arguments: Any) -> None:
    is_committed = False
    try:
        commit(*arguments)
        is_committed = True
    finally:
        held.end(is_committed=is_committed)
