"""What `docs/following.md` shows runs as it stands."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from audit_async import create_table
from audit_async.config import FOLLOW_BEGIN_NUMBERS, FOLLOW_GAPS, FOLLOW_POSITION_KEYS, FOLLOW_WINDOW_KEYS
from audit_async.events import AuditEvent
from tests.polling import eventually
from tests.reading.log import made, stored
from tests.store.conftest import Place, _place

PAGE = (Path(__file__).parents[2] / "docs/following.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("name", "more"), [("watch", []), ("ship", [None])])
async def test_what_the_page_shows_runs(name: str, more: list[None], sqlite_url: str) -> None:
    """Each block prints what comes, and can be cancelled."""
    said: list[str] = []
    names: dict[str, Any] = {"print": lambda *given: said.append(str(given[0]))}
    for block in BLOCKS:
        exec(block, names)
    await create_table(sqlite_url)
    running = asyncio.create_task(names[name](sqlite_url, *more))
    try:
        async for place in _place(sqlite_url):
            await _said(place, said)
    finally:
        running.cancel()
    assert await asyncio.wait({running})


async def _said(place: Place, said: list[str]) -> None:
    failed = [event for event in made(40, tenants=("t-1",)) if event.outcome == "failure"]
    # Again until the first look has begun: rows that are there before are none of the new ones.
    for number in range(100):
        await stored(place, [_again(event, number) for event in failed[:1]])
        try:
            await eventually(lambda: said, 0.5)
            return
        except TimeoutError:
            continue


def _again(event: AuditEvent, number: int) -> AuditEvent:
    return msgspec.structs.replace(event, id=f"{event.id}-{number}")


def test_the_numbers_of_the_page_are_those_of_the_package() -> None:
    """What the page says of bounds is what `config` has."""
    for number in (FOLLOW_BEGIN_NUMBERS, FOLLOW_GAPS, FOLLOW_POSITION_KEYS, FOLLOW_WINDOW_KEYS):
        assert f"{number:,}" in PAGE
