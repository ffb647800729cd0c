"""Tenants: the reader sees one tenant's rows, the auditor all, and the writer writes every tenant's."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.maintenance.conftest import Ruled
from tests.store.conftest import add_role
from tests.store.entries import entries

COUNT = "SELECT count(*) FROM audit_logs"


async def test_the_reader_sees_one_tenant(isolated: Ruled) -> None:
    """With the setting it sees that tenant's rows, without, or with an empty one, none."""
    reader = isolated.roles.reader
    for tenant, count in (("t1", 3), ("t2", 20), ("t3", 0), ("", 0)):
        assert await isolated.run(reader, f"SET LOCAL audit.tenant_id = '{tenant}'", COUNT) == [(count,)]
    assert await isolated.run(reader, COUNT) == [(0,)]


async def test_the_auditor_and_the_owner_see_all(isolated: Ruled) -> None:
    """Neither needs the setting, and neither is narrowed by it."""
    assert await isolated.run(isolated.roles.auditor, "SET LOCAL audit.tenant_id = 't1'", COUNT) == [(24,)]
    member = await add_role(isolated.place, f'GRANT "{isolated.roles.owner}" TO {{role}}')
    as_member = create_async_engine(member)
    try:
        async with as_member.connect() as connection:
            assert (await connection.execute(text(COUNT))).scalar() == 24
    finally:
        await as_member.dispose()


async def test_a_pooled_connection_keeps_no_tenant(isolated: Ruled) -> None:
    """The same session's next transaction sees nothing, prepared statements or not."""
    engine = create_async_engine(isolated.url(isolated.roles.reader), pool_size=1, max_overflow=0)
    seen: list[Any] = []
    try:
        for tenant in ("t1", None, "t2", None):
            async with engine.begin() as connection:
                if tenant:
                    await connection.execute(
                        text("SELECT set_config('audit.tenant_id', :tenant, true)"), {"tenant": tenant}
                    )
                seen.append((await connection.execute(text(COUNT))).scalar())
    finally:
        await engine.dispose()
    assert [3, 0, 20, 0] == seen


async def test_no_other_policy_shows_the_reader_more(isolated: Ruled) -> None:
    """A policy that somebody adds for everyone opens no other tenant to the reader."""
    await isolated.place.execute("CREATE POLICY open_to_all ON audit_logs FOR SELECT USING (true)")
    assert await isolated.run(isolated.roles.reader, "SET LOCAL audit.tenant_id = 't1'", COUNT) == [(3,)]


@pytest.mark.parametrize("count", [1, 20, 200])
async def test_the_writer_writes_every_tenant(isolated: Ruled, count: int) -> None:
    """Row-level security keeps no row of the writer's out, though it refuses COPY, and lets a replay pass."""
    store = isolated.place.open(url=isolated.url(isolated.roles.writer))
    batch = entries(count, tenant_id="t9")
    await store.insert(batch)
    await store.insert(batch, is_replay=True)
    assert await isolated.place.count() == 24 + count
    await isolated.is_refused(isolated.roles.writer, "SELECT FROM audit_logs")


async def test_a_writer_past_row_security_copies_and_sees_no_more(isolated: Ruled) -> None:
    """COPY is refused to the writer, and taken once it is past row-level security; it still reads nothing."""
    columns = ["id", "created_at", "action", "category", "severity", "outcome", "details", "metadata", "tags"]
    raw = await asyncpg.connect(isolated.url(isolated.roles.writer).replace("+asyncpg", ""))
    try:
        row = ("x", await raw.fetchval("SELECT now()"), *"abcd", "{}", "{}", "[]")
        with pytest.raises(asyncpg.FeatureNotSupportedError, match="row-level security"):
            await raw.copy_records_to_table("audit_logs", columns=columns, records=[row])
        await isolated.place.execute(f'ALTER ROLE "{isolated.roles.writer}" BYPASSRLS')
        await raw.copy_records_to_table("audit_logs", columns=columns, records=[row])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await raw.fetch("SELECT FROM audit_logs")
    finally:
        await raw.close()
    assert await isolated.place.count() == 25
