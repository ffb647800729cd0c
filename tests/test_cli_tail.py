"""`audit-async tail`: the last events, and each that comes, once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys

import pytest

from audit_async import AuditReader, Query, events
from audit_async.cli.listed import Listed
from audit_async.cli.tail import _follow
from audit_async.reading.pages import Page
from tests.terminal import START, added, filled, here, made

GIVEN = made()
LATE = events.custom("came.late", created_at=START, tenant_id="t-1")
NEW = events.custom("came.now", tenant_id="t-1")
OTHER = events.custom("came.now", tenant_id="t-2")


def test_the_last_ones_are_shown_in_the_order_of_time(sqlite_url: str) -> None:
    """So many as are asked for, the newest at the end; none is exit code 1; filters are those of a search."""
    asyncio.run(filled(sqlite_url, GIVEN))
    done = here("tail", sqlite_url, "--tenant", "t-1", "-n", 3, "--json")
    assert (0, "") == (done.returncode, done.stderr)
    assert ["33", "36", "39"] == [json.loads(line)["resource_id"] for line in done.stdout.splitlines()]
    filtered = here("tail", sqlite_url, "--all-tenants", "--user", "u-1", "--action", "role")
    assert [True, True] == ["role.assign" in line for line in filtered.stdout.splitlines()]
    assert 10 == len(here("tail", sqlite_url, "--all-tenants").stdout.splitlines())
    nothing = here("tail", sqlite_url, "--tenant", "t-9")
    assert (1, "", True) == (nothing.returncode, nothing.stdout, "of t-9" in nothing.stderr)
    assert (2, 2) == tuple(here("tail", sqlite_url, "--all-tenants", "-n", n).returncode for n in (-1, 501))


@pytest.fixture(params=["postgres", "sqlite"])
def url(request: pytest.FixtureRequest) -> str:
    """A database that is not filled yet."""
    return str(request.getfixturevalue(f"{request.param}_url"))


async def test_each_that_comes_is_shown_until_interrupted(url: str) -> None:
    """Also one that happened long ago; none of another tenant; an interruption is no traceback."""
    await filled(url, GIVEN)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "audit_async", "tail", "-f", "-n", "2", "--json", "--tenant", "t-1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "AUDIT_DATABASE_URL": url},
    )
    assert child.stdout is not None
    try:
        last = [json.loads(await child.stdout.readline()) for _ in range(2)]
        await added(url, [LATE, OTHER, NEW])
        came = [json.loads(await child.stdout.readline()) for _ in range(2)]
    finally:
        child.send_signal(signal.SIGINT)
        rest, said = await child.communicate()
    assert ["36", "39"] == [event["resource_id"] for event in last]
    assert {LATE.id, NEW.id} == {event["id"] for event in came}
    assert (130, b"", b"") == (child.returncode, rest, said)


async def test_what_comes_while_the_last_ones_are_read_is_shown_once(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An event between the beginning and the list of the last ones is in the list, and not shown again."""

    class Meanwhile(AuditReader):
        async def search(self, query: Query | None = None, cursor: str | None = None) -> Page:
            await added(url, [NEW])
            return await super().search(query, cursor)

    await filled(url, GIVEN)
    printed: list[str] = []
    async with Meanwhile(url, tenant="t-1") as reader:
        following = asyncio.create_task(
            _follow(reader, Query(limit=1), Listed(None, has_tenant=False), 1, as_json=True)
        )
        while len(printed) < 2:
            if not printed and NEW.id in (first := capsys.readouterr().out):
                printed.append(first)
                await added(url, [LATE])
            elif printed:
                printed += [text] if (text := capsys.readouterr().out) else []
            assert not following.done()
            await asyncio.sleep(0.01)
        following.cancel()
        await asyncio.wait({following})
    assert [NEW.id, LATE.id] == [json.loads(line)["id"] for line in "".join(printed).splitlines()]
