"""The page on foreign tables is true: followed step by step on a real server, everything is as it says."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from audit_async import AuditLogger, TableMap, events
from audit_async.table_map.ready import READY
from tests.store.conftest import Place, _place, add_role
from tests.tables import run_sql

PAGE = (Path(__file__).parent.parent / "docs" / "your-table.md").read_text()
BLOCKS: list[tuple[str, str]] = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
ADDRESS = "postgresql+asyncpg://app:password@db/app"


def blocks(language: str) -> list[str]:
    return [text for of, text in BLOCKS if of == language]


@dataclass
class Reader:
    """Somebody who follows the page in a folder of their own.

    Attributes:
        url: of the application's role, which the page calls `app`.
    """

    place: Place
    url: str
    folder: Path

    async def sql(self, text: str) -> list[dict[str, Any]]:
        role = self.url.split("//")[1].split(":")[0]
        statements = [each for each in text.replace("TO app;", f"TO {role};").split(";") if each.strip()]
        return await run_sql(self.place.url, *statements)

    async def sh(self, command: str) -> subprocess.CompletedProcess[str]:
        done = await asyncio.to_thread(  # noqa: S604 -- the page has commands for a shell
            subprocess.run,
            command.replace(ADDRESS, f"'{self.url}'").replace("audit-async", f"{sys.executable} -m audit_async"),
            shell=True,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=50,
            env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(Path(__file__).parent.parent)},
        )
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture
async def reader(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reader]:
    monkeypatch.chdir(tmp_path)
    async for place in _place(postgres_url):
        yield Reader(place, await add_role(place), tmp_path)


async def test_the_page_leads_to_the_first_event(reader: Reader) -> None:
    """Table, proposal, check, mending, first event and row: each step gives what the page shows."""
    table, right, shown_row, beside = blocks("sql")
    proposed, added = blocks("toml")
    propose, check = blocks("sh")
    errors, row = blocks("text")
    await reader.sql(table)

    looked = await reader.sh(propose)
    assert (0, True) == (looked.returncode, "map check" in looked.stderr)
    assert tomllib.loads(proposed) == tomllib.loads((reader.folder / "map.toml").read_text())

    stopped = await reader.sh(check)
    role = reader.url.split("//")[1].split(":")[0]
    assert 1 == stopped.returncode
    for line in errors.replace("app may", f"{role} may").splitlines():
        assert line in stopped.stdout
    assert "STOP" in stopped.stdout

    await reader.sql(right)
    with (reader.folder / "map.toml").open("a") as file:
        file.write(added)
    fine = await reader.sh(check)
    assert (0, True) == (fine.returncode, "OK" in fine.stdout), fine.stdout

    names: dict[str, Any] = {}
    use, function, testing, several = blocks("python")
    exec(use.replace(ADDRESS, reader.url), names)
    await names["first_event"]()
    [stored] = await reader.sql(shown_row)
    assert row.strip() == " | ".join(str(value).replace("'", '"') for value in stored.values())

    exec(function, names)
    exec(testing, names)
    await names["test_the_table_fits"](reader.url)
    assert "resource_type" in str(names["table"].sources["object_type"])
    exec(several, names)
    assert ["logins", "activity"] == [each.table for each in names["tables"]]

    await reader.sql(beside)
    await reader.sql("ALTER TABLE activity DROP CONSTRAINT activity_event_id_key")
    probe = await names["table"].with_delivered_ids("activity_delivered").probe(reader.url)
    assert (True, False) == (probe.is_usable, "no unique column" in str(probe.findings))


async def test_events_left_behind_are_delivered_with_the_same_file(reader: Reader) -> None:
    """`audit-async drain --map` finds the events of an application that has the map."""
    await reader.sql(blocks("sql")[0].replace("bigserial", "bigint GENERATED ALWAYS AS IDENTITY"))
    (reader.folder / "map.toml").write_text(blocks("toml")[0] + blocks("toml")[1])
    logger = AuditLogger(
        reader.url, journal_dir=reader.folder / "j", writer="none", table=TableMap.load(reader.folder / "map.toml")
    )
    for _ in range(20):
        logger.log(events.custom("invoice.pay"))
    await logger.close()
    drained = await reader.sh(f"audit-async drain {ADDRESS} --journal-dir j --map map.toml")
    assert (0, "") == (drained.returncode, drained.stderr)
    assert 20 == await reader.place.count("activity")
    refused = await reader.sh(f"audit-async drain {ADDRESS} --journal-dir j --map map.toml --table x")
    assert (2, True) == (refused.returncode, "exclude each other" in refused.stderr)


def test_every_ready_map_is_on_the_page() -> None:
    """And no other."""
    named = set(re.findall(r"`(\w+)`", PAGE.split("## Ready maps")[1].split("There are")[1].split(";")[0]))
    assert set(READY) == named


@pytest.mark.parametrize("block", blocks("python"))
def test_every_block_compiles(block: str) -> None:
    """No block of the page has a syntax error."""
    compile(block, "your-table.md", "exec")
