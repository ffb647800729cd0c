"""docs/roles.md is true: its blocks run in their order, on a real server."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from audit_async.table.columns import COLUMNS
from tests.tables import count_rows
from tests.test_cli import audit_async

PAGE = (Path(__file__).parents[2] / "docs" / "roles.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)


async def test_the_page_runs_as_it_stands(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block does what the text says, and the application's event is in the table, for its tenant's reader."""
    monkeypatch.setenv("AUDIT_JOURNAL_DIR", str(tmp_path))
    url = make_url(postgres_url)
    at = f"@{url.host}:{url.port}/{url.database}"
    administrator = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    try:
        await administrator.execute("DROP ROLE IF EXISTS audit_maintenance")
        for language, block in BLOCKS:
            if language == "sh":
                for line in block.replace("postgresql+asyncpg://admin@db/app", postgres_url).splitlines():
                    done = await asyncio.to_thread(audit_async, *line.split()[1:])
                    assert (0, "") == (done.returncode, done.stderr), line
            elif language == "sql" and "SET LOCAL" not in block:
                await administrator.execute(block)
            elif language == "python":
                await asyncio.to_thread(exec, block.replace("@db/app", at), {})
                assert await count_rows(postgres_url) == 1
            else:
                reader = await asyncpg.connect(f"postgresql://audit_reader:another{at}")
                _, _, select, _ = block.splitlines()
                async with reader.transaction():
                    await reader.execute("SET LOCAL audit.tenant_id = 't-1'")
                    assert [row["action"] for row in await reader.fetch(select)] == ["report.print"]
                assert await reader.fetch(select) == []
                await reader.close()
    finally:
        await administrator.execute("DROP ROLE IF EXISTS audit_maintenance")
        await administrator.close()


def test_the_columns_that_the_writer_cannot_set_are_none_of_an_event() -> None:
    """What the page says of `recorded_at` and `xact_id` is so because an entry does not fill them."""
    assert not {"recorded_at", "xact_id"} & set(COLUMNS)
