"""An export is whole or has another name, goes on where it was interrupted, and is told of."""

from __future__ import annotations

import asyncio
import io
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from audit_async import AuditReader, Query, Scope, create_table
from audit_async.errors import AuditError, ConfigurationError
from audit_async.exports import FORMATS, read_event
from audit_async.reading.draft import Draft, Progress
from audit_async.reading.export import Exported
from tests.children import Child
from tests.reading.log import everything, ids, made, stored
from tests.store.conftest import Place, _place

EVENTS = 600


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Place]:
    """A SQLite table with some events."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}"
    await create_table(url)
    async for place in _place(url):
        await stored(place, made(EVENTS))
        yield place


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of which even a few events need several."""
    monkeypatch.setattr("audit_async.reader.EXPORT_PAGE_EVENTS", 50)
    monkeypatch.setattr("audit_async.reading.export.EXPORT_NOTE_EVENTS", 50)


@pytest.mark.parametrize("format", FORMATS)
async def test_a_file_holds_what_was_asked_for(log: Place, tmp_path: Path, format: str) -> None:
    """In each format, under its own name, for its owner alone, with nothing left beside it."""
    path = tmp_path / "out"
    async with everything(log) as reader:
        exported = await reader.export(Query(actions="auth"), format=format, path=path)
        expected = await reader.count(Query(actions="auth"))
    assert (expected, True, False, path) == (
        exported.events,
        exported.is_complete,
        exported.is_continued,
        exported.path,
    )
    assert 0o600 == path.stat().st_mode & 0o777
    assert ["out"] == [found.name for found in tmp_path.iterdir() if found.name.startswith("out")]
    if format != "parquet":
        assert expected == path.read_bytes().count(b"\n") - (format == "csv")


async def test_what_was_exported_is_what_is_read(place: Place, tmp_path: Path) -> None:
    """On every database each event is in the file once, in order, as the reader shows it."""
    given = made(120)
    await stored(place, given)
    async with everything(place) as reader:
        await reader.export(Query(oldest_first=True), path=tmp_path / "out.jsonl")
        found = [read_event(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
        assert found == [event async for event in reader.events(Query(oldest_first=True))]
    assert sorted(ids(given)) == sorted(ids(found))


@pytest.mark.parametrize("seed", range(4))
async def test_a_killed_export_goes_on(log: Place, tmp_path: Path, seed: int) -> None:
    """Killed again and again, it ends as one that was left alone: the same bytes."""
    chance, path = random.Random(seed), tmp_path / "out.jsonl"
    async with everything(log) as reader:
        await reader.export(Query(oldest_first=True), path=tmp_path / "whole.jsonl")
    # However late the kill comes, neither has come to its end; and the second one still has four pages to tell of.
    for stop in (EVENTS // 2 - 50, EVENTS - 150):
        with Child("exporting_child", log.url, path, stop) as child:
            child.lines(chance.randrange(2, 5))
            child.kill()
        assert not path.exists()
    with Child("exporting_child", log.url, path) as child:
        said = child.rest()
    assert 50 < int(said[0]) <= EVENTS == int(said[-1])
    assert (tmp_path / "whole.jsonl").read_bytes() == path.read_bytes()


async def test_a_broken_off_export_has_another_name_and_is_told(log: Place, tmp_path: Path) -> None:
    """A cancelled one leaves a part, is told as such, and is continued by the same question alone."""
    path = tmp_path / "out.jsonl"
    told: list[Exported] = []
    async with AuditReader(log.url, tenant=Scope.all(), on_export=told.append) as reader:

        def stop(events: int) -> None:
            if events >= 200:
                raise KeyError("enough")

        with pytest.raises(KeyError):
            await reader.export(path=path, on_progress=stop)
        assert (False, 200) == (told[-1].is_complete, told[-1].events)
        assert ["out.jsonl.part", "out.jsonl.part.progress"] == sorted(
            found.name for found in tmp_path.iterdir() if found.name.startswith("out")
        )
        other = await reader.export(Query(actions="*"), path=path)
        assert (False, EVENTS) == (other.is_continued, other.events)
        path.unlink()
        with pytest.raises(KeyError):
            await reader.export(path=path, on_progress=stop)
        rest = await reader.export(path=path)
    assert (True, True, EVENTS) == (rest.is_continued, rest.is_complete, rest.events)
    assert EVENTS == len({read_event(line).id for line in path.read_bytes().splitlines()})


async def test_every_export_is_told_of(log: Place, tmp_path: Path) -> None:
    """What was asked, whose events, how many and where to: to a function or a coroutine, and before it is returned."""
    told: list[Exported] = []

    async def tell(exported: Exported) -> None:
        await asyncio.sleep(0)
        told.append(exported)

    async with AuditReader(log.url, tenant="t1", on_export=tell) as reader:
        first = await reader.export(Query(outcome="failure", limit=1), path=tmp_path / "a")
        second = await reader.export(file=io.BytesIO(), format="csv", bom=True)
        for wrong in ({"format": "xls"}, {"bom": True}, {"path": tmp_path / "no" / "a"}):
            with pytest.raises(ConfigurationError):
                await reader.export(**{"path": tmp_path / "b", **wrong})  # type: ignore[arg-type]
    assert [first, second] == told
    assert (["failure"], "t1", "audit_logs", "jsonl") == (
        first.query["outcome"],
        first.scope,
        first.table,
        first.format,
    )
    assert (None, EVENTS) == (second.path, second.events)
    assert not (tmp_path / "b.part").exists()


async def test_a_pipe_that_breaks_at_the_first_events_is_told(log: Place) -> None:
    """Nobody knows how many of them have left: what is told of is no fewer."""

    class Broken(io.BytesIO):
        def write(self, _: object) -> int:
            raise BrokenPipeError

    told: list[Exported] = []
    async with AuditReader(log.url, tenant=Scope.all(), on_export=told.append) as reader:
        with pytest.raises(BrokenPipeError):
            await reader.export(file=Broken())
    assert [(False, 50)] == [(each.is_complete, each.events) for each in told]


async def test_another_database_does_not_continue_it(log: Place, tmp_path: Path) -> None:
    """What broke off in one is begun anew from another, however alike their tables are."""

    def stop(_: int) -> None:
        raise KeyError("enough")

    async with everything(log) as reader:
        for _ in range(2):
            with pytest.raises(KeyError):
                await reader.export(
                    path=tmp_path / "out", on_progress=lambda events: stop(events) if events > 50 else None
                )
    url = f"sqlite+aiosqlite:///{tmp_path / 'other.db'}"
    await create_table(url)
    async with AuditReader(url, tenant=Scope.all()) as reader:
        exported = await reader.export(path=tmp_path / "out")
    assert (False, 0) == (exported.is_continued, exported.events)


async def test_two_exports_do_not_write_to_one_file(log: Place, tmp_path: Path) -> None:
    """The second is told so, whether it would begin anew or go on, and the first one's file is whole."""
    path = tmp_path / "out.jsonl"
    told = []

    def meet(_: int) -> None:
        for way in (Draft.begin, lambda draft: draft.resume(Progress(bound_to="", began_at=""))):
            draft = Draft(path, may_replace=False)
            with pytest.raises(AuditError, match="another export"):
                way(draft)
            draft.close()
            told.append(way)

    async with everything(log) as reader:
        await reader.export(path=path, on_progress=meet)
    assert (2 * EVENTS // 50, EVENTS) == (len(told), len(path.read_bytes().splitlines()))


async def test_no_half_file_gets_the_name_of_a_whole_one(log: Place, tmp_path: Path) -> None:
    """Where another one has taken the place of the part, that is told, and the name stays free."""
    path = tmp_path / "out.jsonl"

    def take(_: int) -> None:
        path.with_name("out.jsonl.part").unlink()
        path.with_name("out.jsonl.part").write_text("half")

    async with everything(log) as reader:
        with pytest.raises(AuditError, match="another export"):
            await reader.export(path=path, on_progress=take)
    assert not path.exists()


async def test_what_is_no_file_is_not_replaced_by_one(log: Place, tmp_path: Path) -> None:
    """A pipe, or a device such as that which everybody throws things into."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    async with everything(log) as reader:
        with pytest.raises(ConfigurationError, match="is no file"):
            await reader.export(path=path, may_replace=True)
    assert path.is_fifo()


async def test_no_file_is_lost(log: Place, tmp_path: Path) -> None:
    """One that is there is kept, unless it was allowed to be replaced; then until the new one is whole."""
    path = tmp_path / "out.jsonl"
    path.write_text("mine")
    async with everything(log) as reader:
        with pytest.raises(ConfigurationError, match="already"):
            await reader.export(path=path)
        assert "mine" == path.read_text()

        def still_there(_: int) -> None:
            assert "mine" == path.read_text()

        await reader.export(path=path, may_replace=True, on_progress=still_there)
    assert EVENTS == len(path.read_bytes().splitlines())


async def test_a_file_that_came_meanwhile_is_not_replaced(log: Place, tmp_path: Path) -> None:
    """Unless it may be; what was exported waits under its other name."""
    path = tmp_path / "out"

    def put_there(_: int) -> None:
        path.write_text("another one")

    async with everything(log) as reader:
        with pytest.raises(AuditError, match="meanwhile"):
            await reader.export(path=path, on_progress=put_there)
        assert ("another one", True) == (path.read_text(), (tmp_path / "out.part").exists())
        exported = await reader.export(path=path, may_replace=True, on_progress=put_there)
        assert (EVENTS, EVENTS) == (exported.events, path.read_bytes().count(b"\n"))


async def test_a_file_that_cannot_be_written_is_told(log: Place, tmp_path: Path) -> None:
    """A full disk under an open file is the caller's to know; a link in the place of the part is not followed."""
    async with everything(log) as reader:
        with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError, match="No space"):  # noqa: ASYNC230
            await reader.export(file=full)
        with pytest.raises(ConfigurationError, match="needs a file"):
            await reader.export()
        victim = tmp_path / "victim"
        victim.write_text("mine")
        os.symlink(victim, tmp_path / "out.part")
        await reader.export(path=tmp_path / "out")
        (tmp_path / "is_a_folder.part").mkdir()
        with pytest.raises(AuditError, match="cannot be written"):
            await reader.export(path=tmp_path / "is_a_folder")
    assert "mine" == victim.read_text()
