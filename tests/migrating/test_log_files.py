"""docs/migrating/log-files.md: lines become events, those to come and those that are there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit_async import AuditLogger, create_table
from tests.migrating.page import Page, follow
from tests.tables import all_rows


@pytest.fixture(autouse=True)
def logger() -> Iterator[logging.Logger]:
    """The logger of the page, as it was afterwards."""
    log = logging.getLogger("audit")
    log.setLevel("INFO")
    yield log
    log.handlers.clear()
    log.setLevel("NOTSET")


async def test_the_line_stays_and_is_an_event(sqlite_url: str, folder: Path, logger: logging.Logger) -> None:
    """The file has the same line before and after; the event has what it means."""
    logger.addHandler(logging.FileHandler(folder / "audit.log"))
    page = Page("log-files", sqlite_url)
    page.before()["signed_in"]("u-17", "192.0.2.1")
    async with AuditLogger(sqlite_url, journal_dir=folder / "j") as audit:
        page.after(names={"audit": audit})["signed_in"]("u-17", "192.0.2.1")
        assert await audit.flush(20)
    logger.handlers[0].close()
    first, second = (folder / "audit.log").read_text().splitlines()
    assert first == second
    [row] = await all_rows(sqlite_url)
    assert ("auth.login", "u-17", "192.0.2.1", first) == tuple(
        row[name] for name in ("action", "user_id", "ip_address", "description")
    )


async def test_an_event_is_said_without_a_line(sqlite_url: str, folder: Path) -> None:
    """Of the second way a row comes as well."""
    names = Page("log-files", sqlite_url).python("def signed_out(")
    names["signed_out"]("u-17", "192.0.2.1")
    assert await names["audit"].flush(20)
    await names["audit"].close()
    assert ["auth.logout"] == [row["action"] for row in await all_rows(sqlite_url)]


async def test_the_lines_that_are_there_are_brought_in(sqlite_url: str, folder: Path) -> None:
    """Each line once though imported twice, two alike as two, at a time of the zone that is said; others are told."""
    page = Page("log-files", sqlite_url)
    line = "2026-03-01 10:30:00,123 user u-17 logged in from 192.0.2.1\n"
    (folder / "audit.log").write_text(line * 2 + line.replace(" in ", " out ") + "Traceback\n")
    left = page.python("def convert(")["convert"]("audit.log", "audit.jsonl")
    assert ["Traceback\n"] == left
    await create_table(sqlite_url)
    for _ in range(2):
        more = f" --quiet-log --url {sqlite_url} --journal-dir {folder / 'j'}"
        assert [0] == [done.returncode for done in await follow([page.commands("import")[0] + more], folder)]
    rows = await all_rows(sqlite_url)
    assert ["auth.login", "auth.login", "auth.logout"] == sorted(row["action"] for row in rows)
    assert {"2026-03-01 09:30:00.123000"} == {str(row["created_at"])[:26].replace("T", " ") for row in rows}
