"""The time by which maintenance decides what is old: the server's, as long as our own does not contradict it."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import CLOCK_DIFFERENCE_SECONDS
from audit_async.errors import ConfigStoreError
from audit_async.table.ddl import MYSQL


async def agreed_time(connection: AsyncConnection) -> datetime:
    """Return the server's time; in a file of SQLite that is our own.

    Raises:
        ConfigStoreError: the two clocks differ by more than `CLOCK_DIFFERENCE_SECONDS`. One of them is wrong, and by
            the wrong one everything may be old.
    """
    before = datetime.now(UTC)
    theirs = await server_time(connection)
    ours = datetime.now(UTC)
    if theirs is None:
        return ours
    difference = max((before - theirs).total_seconds(), (theirs - ours).total_seconds())
    if difference > CLOCK_DIFFERENCE_SECONDS:
        raise ConfigStoreError(
            f"the clocks differ: it is {theirs:%Y-%m-%d %H:%M:%S} UTC on the database server, and"
            f" {ours:%Y-%m-%d %H:%M:%S} UTC here; nothing was done",
            hint="set the wrong one, and run this again: by it rows would go that are to be kept",
        )
    return theirs


async def server_time(connection: AsyncConnection) -> datetime | None:
    """Return the time that the server has; None of a file of SQLite, which has none of its own."""
    if connection.dialect.name == "postgresql":
        found = await connection.exec_driver_sql("SELECT clock_timestamp()")
    elif connection.dialect.name in MYSQL:
        found = await connection.exec_driver_sql("SELECT utc_timestamp(6)")
    else:
        return None
    time: datetime = found.scalar_one()
    # MariaDB and MySQL say no time zone.
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
