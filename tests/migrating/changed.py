"""Pages about models: what is added to a session of the application's own, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from tests.migrating.page import Names
from tests.store.conftest import Place
from tests.table_map.side_by_side import Differences, differing, look


async def called(connection: AsyncConnection, function: Any, given: tuple[Any, ...]) -> None:
    """Call *function* with a session, which is then committed."""
    async with AsyncSession(connection, expire_on_commit=False) as session:
        await function(session, *given)
        await session.commit()


async def differences(
    place: Place, before: Names, after: Names, calls: Mapping[str, tuple[Any, ...]]
) -> dict[str, Differences]:
    """Return in what the two rows of each call differ, by its name; those alone that do."""
    found = {}
    async with look(place) as looked:
        for name, given in calls.items():
            await called(looked.connection, before[name], given)
            theirs = await looked.take()
            await called(looked.connection, after[name], given)
            assert await after["audit"].flush(20)
            found[name] = differing(theirs, await looked.take())
    return {name: each for name, each in found.items() if each}
