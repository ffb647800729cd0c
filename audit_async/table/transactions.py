"""Short transactions beside a writer that goes on: no lock is waited for long, and none is held long."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import LOCK_TRIES, LOCK_TRY_SECONDS, LOCK_TURN_LOOK_SECONDS, LOCK_TURN_SECONDS
from audit_async.errors import TransientStoreError
from audit_async.faults import translate
from audit_async.inspection import TableName
from audit_async.table.ddl import MYSQL

_LOCK_NOT_AVAILABLE, _DEADLOCK = "55P03", "40P01"

_T = TypeVar("_T")


@asynccontextmanager
async def short_transaction(connection: AsyncConnection) -> AsyncIterator[None]:
    """Begin a transaction that waits for a lock for `LOCK_TRY_SECONDS` at most; commit it, or roll it back.

    MariaDB and MySQL count in whole seconds.
    """
    await connection.rollback()
    try:
        if connection.dialect.name == "postgresql":
            # What is looked at under a lock is what was committed before it was had, whatever the default is here.
            await connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            await connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_TRY_SECONDS * 1000:.0f}")
            # What a policy hides must be an error: a row that is not seen would count as one that is not there.
            await connection.exec_driver_sql("SET LOCAL row_security = off")
        elif connection.dialect.name in MYSQL:
            seconds = math.ceil(LOCK_TRY_SECONDS)
            await connection.exec_driver_sql(
                f"SET SESSION innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}"
            )
            # Whose reading with a lock keeps others from adding what it would have seen.
            await connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await begin_on_sqlite(connection)
        yield
    except BaseException:
        await connection.rollback()
        raise
    await connection.commit()


async def begin_on_sqlite(connection: AsyncConnection) -> None:
    """Begin a transaction on SQLite where there is none: the driver begins one for a change of rows only."""
    if connection.dialect.name == "sqlite":
        raw = (await connection.get_raw_connection()).driver_connection
        if raw is not None and not raw.in_transaction:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")


async def patiently(connection: AsyncConnection, work: Callable[[], Awaitable[_T]]) -> _T:
    """Do *work* in a short transaction, anew while others hold the locks that it needs.

    Raises:
        TransientStoreError: they were in the way `LOCK_TRIES` times; nothing was done.
    """
    for number in range(1, LOCK_TRIES + 1):
        try:
            async with short_transaction(connection):
                return await work()
        except DBAPIError as error:
            verdict = translate(error)
            if verdict.sqlstate not in (_LOCK_NOT_AVAILABLE, _DEADLOCK):
                raise
            if number == LOCK_TRIES:
                raise TransientStoreError(
                    f"others held a lock {LOCK_TRIES} times for over {LOCK_TRY_SECONDS:g} s",
                    hint=f"look for a long transaction in {_activity(connection)}, or run it again later",
                    sqlstate=verdict.sqlstate,
                ) from error
        # As long as the writers behind us had to wait, so that they get on meanwhile.
        await asyncio.sleep(random.uniform(LOCK_TRY_SECONDS / 2, LOCK_TRY_SECONDS))
    raise AssertionError("unreachable")


@asynccontextmanager
async def taking_turns(connection: AsyncConnection, name: TableName) -> AsyncIterator[None]:
    """Let one process at a time do what takes several transactions; a second one waits for its turn.

    It looks from time to time instead of waiting inside a statement, whose snapshot would hold up the making of an
    index by the first one.

    Raises:
        TransientStoreError: the turn did not come within `LOCK_TURN_SECONDS`.
    """
    if connection.dialect.name == "sqlite":
        # It has one writer at a time, and each of our transactions decides anew.
        yield
        return
    take, give_back = _turn(connection.dialect.name)
    bound: Mapping[str, str | None] = {"name": name.quoted()}
    if connection.dialect.name in MYSQL:
        bound = {"schema": name.schema, "name": name.name}
    try:
        async with asyncio.timeout(LOCK_TURN_SECONDS):
            while not await _answer(connection, take, bound):  # noqa: ASYNC110 -- in a server
                await asyncio.sleep(LOCK_TURN_LOOK_SECONDS)
    except TimeoutError:
        raise TransientStoreError(
            f"another process has been at work on table {name} for over {LOCK_TURN_SECONDS:g} s",
            hint="let it end, and run this again",
        ) from None
    try:
        yield
    finally:
        # A connection that failed has given the lock back by itself.
        if not connection.invalidated and not connection.closed:
            await connection.rollback()
            await _answer(connection, give_back, bound)


def _turn(dialect: str) -> tuple[str, str]:
    """Return what takes the lock of the session, or says that it is taken, and what gives it back."""
    if dialect in MYSQL:
        # One name space for the whole server, whose names have 64 characters at most.
        key = "concat('audit_async.maintain.', sha1(concat_ws('.', coalesce(:schema, database()), :name)))"
        return f"SELECT get_lock({key}, 0)", f"SELECT release_lock({key})"
    key = "hashtext('audit_async.maintain'), hashtext(:name)"
    return f"SELECT pg_try_advisory_lock({key})", f"SELECT pg_advisory_unlock({key})"


def _activity(connection: AsyncConnection) -> str:
    return "information_schema.innodb_trx" if connection.dialect.name in MYSQL else "pg_stat_activity"


async def _answer(connection: AsyncConnection, statement: str, bound: Mapping[str, str | None]) -> bool:
    answer = bool((await connection.execute(text(statement), bound)).scalar())
    await connection.commit()
    return answer
