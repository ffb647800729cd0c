"""What a reader finds is what was logged and asked for, on every database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from audit_async import AuditEvent, Query, events
from tests.reading.log import QUERIES, START, everything, ids, made, pages, stored
from tests.reading.oracle import answer
from tests.store.conftest import Place
from tests.table_map.test_ready_all import ONE_OF_EACH


def without_place(event: AuditEvent) -> AuditEvent:
    """Return *event* as it was before it had its place in the log."""
    return msgspec.structs.replace(event, writer_id=None, writer_seq=None, recorded_at=None)


async def test_an_event_is_read_as_it_was_logged(place: Place) -> None:
    """Every field comes back: texts, numbers, times to the microsecond, objects and tags."""
    given = [events.custom("order.paid", **ONE_OF_EACH), *made(100)]
    await stored(place, given)
    async with everything(place) as reader:
        page = await reader.search(Query(limit=500))
    assert answer(given, Query()) == [without_place(event) for event in page]
    assert all(event.writer_seq and event.recorded_at is not None for event in page)


async def test_every_query_finds_what_it_says(place: Place) -> None:
    """Each filter, alone and together with others, keeps exactly the events that a plain reckoning keeps."""
    given = made(600)
    await stored(place, given)
    wrong = {}
    async with everything(place) as reader:
        for name, fields in QUERIES.items():
            query = Query(**fields, limit=500)
            expected = ids(answer(given, query))
            found = ids(event for page in await pages(reader, query) for event in page)
            if expected != found or len(expected) != await reader.count(query):
                wrong[name] = (len(expected), len(found), await reader.count(query))
    assert {} == wrong


@pytest.mark.parametrize("oldest_first", [False, True])
async def test_pages_are_the_listing_cut_in_pieces(place: Place, oldest_first: bool) -> None:
    """Pages, forwards and backwards, hold each event once and in order, also where several are of one moment."""
    given = made(100)
    await stored(place, given)
    query = Query(limit=7, oldest_first=oldest_first)
    async with everything(place) as reader:
        forwards = await pages(reader, query)
        backwards = [forwards[-1]]
        while (cursor := backwards[-1].previous_cursor) is not None:
            backwards.append(await reader.search(query, cursor))
    assert ids(answer(given, query)) == [key for page in forwards for key in ids(page)]
    assert [7] * 14 + [2] == [len(page) for page in forwards]
    assert [ids(page) for page in forwards] == [ids(page) for page in reversed(backwards)]
    assert forwards[0].previous_cursor is None


async def test_what_comes_meanwhile_moves_no_page(place: Place) -> None:
    """The second page goes on where the first ended, though newer events were logged in between."""
    given = made(20)
    store = await stored(place, given)
    query = Query(limit=10)
    async with everything(place) as reader:
        first = await reader.search(query)
        newer = events.custom("app.opened", created_at=START + timedelta(days=1))
        await stored(place, [newer])
        second = await reader.search(query, first.next_cursor)
    await store.close()
    assert ids(answer(given, query)) == ids(first) + ids(second)


async def test_an_event_is_got_by_its_id(place: Place) -> None:
    """Its id alone leads to it, whether it carries its time or not; an unknown one, or what is no id, to nothing."""
    own, foreign = made(1)[0], events.custom("app.opened", id="order-1", created_at=START)
    other = events.custom("app.opened", id=events.custom("x").id, created_at=START)
    await stored(place, [own, foreign, other])
    async with everything(place) as reader:
        for event in (own, foreign, other):
            found = await reader.get(event.id)
            assert found is not None
            assert event == without_place(found)
        assert await reader.get("nothing") is None
        assert await reader.get({"no": "id"}) is None


async def test_the_history_of_a_resource_begins_at_its_beginning(place: Place) -> None:
    """It holds what happened to that resource and nothing else, the oldest first."""
    given = made(100)
    await stored(place, given)
    async with everything(place) as reader:
        page = await reader.history("doc", 7)
    assert ids(answer(given, Query(resource_type="doc", resource_id="7", oldest_first=True))) == ids(page)
    assert len(page) > 5


async def test_actions_and_tags_are_found_as_they_are_written(place: Place) -> None:
    """In another case, or where a mark of a pattern stands for itself, they are others."""
    actions = ["app.x1", "app.x[1]", "app.xy"]
    await stored(place, [events.custom(action, tags=["vip", "50%"], created_at=START) for action in actions])
    async with everything(place) as reader:
        for asked, count in (("app.x*", 3), ("APP.X*", 0), ("app.x[*", 0), ("app.?1", 0), ("*y", 1)):
            assert count == await reader.count(Query(actions=asked)), asked
        for tag, count in (("vip", 3), ("VIP", 0), ("50%", 3), ("5%", 0), ("vi", 0)):
            assert count == await reader.count(Query(tag=tag)), tag


async def test_the_timeline_of_a_user_is_what_they_had_to_do_with(place: Place) -> None:
    """What they did, and what was done to, about or for them, in the order of time and within it."""
    given = made(200)
    await stored(place, given)
    asked: dict[str, Any] = {"since": START + timedelta(minutes=10), "until": START + timedelta(minutes=50)}
    async with everything(place) as reader:
        page = await reader.timeline("u2", **asked)
    query = Query(involving="u2", oldest_first=True, **asked)
    assert ids(answer(given, query)) == ids(page)
    assert {"actor_id", "user_id", "on_behalf_of"} == {
        name for event in page for name in ("actor_id", "user_id", "on_behalf_of") if getattr(event, name) == "u2"
    }


async def test_all_pages_are_walked_through(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Going through all events yields each once, however they are cut into pages."""
    monkeypatch.setattr("audit_async.reader.EXPORT_PAGE_EVENTS", 30)
    given = made(90)
    await stored(place, given)
    async with everything(place) as reader:
        found = [event async for event in reader.events(Query(oldest_first=True, limit=1))]
    assert ids(answer(given, Query(oldest_first=True))) == ids(found)
