"""Which session or connection the caller gave; what cannot be meant is an error that names the right call."""

from __future__ import annotations

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session


def async_caller(given: object) -> AsyncSession | AsyncConnection:
    """Return the session or connection of `add()`.

    Raises:
        TypeError: it is none, or one that blocks.
    """
    found = given() if isinstance(given, async_scoped_session) else given
    if isinstance(found, (AsyncSession, AsyncConnection)):
        return found
    if isinstance(found, (Session, Connection, scoped_session)):
        raise TypeError(f"add() takes an AsyncSession or AsyncConnection; for {_a(found)} call audit.add_sync(...)")
    raise TypeError(f"add() takes an AsyncSession or AsyncConnection, not {_a(found)}{_advice(found)}")


def sync_caller(given: object) -> Session | Connection:
    """Return the session or connection of `add_sync()`.

    Raises:
        TypeError: it is none, or an async one.
    """
    found = given() if isinstance(given, scoped_session) else given
    if isinstance(found, (Session, Connection)):
        return found
    if isinstance(found, (AsyncSession, AsyncConnection, async_scoped_session)):
        raise TypeError(f"add_sync() takes a Session or Connection; for {_a(found)} write: await audit.add(...)")
    raise TypeError(f"add_sync() takes a Session or Connection, not {_a(found)}{_advice(found)}")


def session_of(given: object) -> Session:
    """Return the session of `within()`; of an async one the session inside it.

    Raises:
        TypeError: it is none.
    """
    found = given() if isinstance(given, (scoped_session, async_scoped_session)) else given
    if isinstance(found, AsyncSession):
        return found.sync_session
    if isinstance(found, Session):
        return found
    raise TypeError(f"within() takes a Session or AsyncSession, not {_a(found)}{_advice(found)}")


def _a(found: object) -> str:
    name = type(found).__name__
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"


def _advice(found: object) -> str:
    if isinstance(found, (Engine, AsyncEngine)):
        return ": an engine is in no transaction; open a session, or connect"
    return ""
