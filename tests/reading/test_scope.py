"""Nobody sees another tenant's event: by no query, no id, no cursor."""

from __future__ import annotations

import base64
import io
import random
import uuid
from typing import Any

import pytest

from audit_async import AuditReader, Query, Scope, create_table
from audit_async.errors import ConfigurationError
from audit_async.exports import read_event
from audit_async.reading.cursor import Cursor
from tests.reading.log import QUERIES, ids, made, stored
from tests.store.conftest import Place

TENANTS = ("t1", "t2", "t-3' OR '1'='1", None)


@pytest.mark.parametrize("seed", range(3))
async def test_no_question_shows_what_is_out_of_scope(place: Place, seed: int) -> None:
    """Of random scopes and queries, on pages, by id, in numbers and in files, only events of the scope come out."""
    chance = random.Random(seed)
    given = made(200, tenants=TENANTS, seed=seed)
    await stored(place, given)
    seen = 0
    for _ in range(12):
        scope = Scope.of(*chance.sample(TENANTS, chance.randrange(len(TENANTS) + 1)))
        query = Query(**chance.choice(list(QUERIES.values())), limit=chance.choice([3, 50]))
        async with AuditReader(place.url, tenant=scope) as reader:
            found = [event async for event in reader.events(query)]
            page = await reader.search(query)
            found += [*page, *(await reader.history("doc", "7")), *(await reader.timeline("u1"))]
            await reader.export(query, file=(handed_over := io.BytesIO()))
            found += [read_event(line) for line in handed_over.getvalue().splitlines()]
            if page.next_cursor:
                found += await reader.search(query, page.next_cursor)
            outside = chance.choice([event for event in given if not scope.covers(event.tenant_id)] or [None])
            assert outside is None or await reader.get(outside.id) is None
            expected = sum(scope.covers(event.tenant_id) for event in given)
            assert expected == await reader.count()
        assert [] == [event.tenant_id for event in found if not scope.covers(event.tenant_id)]
        seen += len(found)
    assert seen > 50


async def test_a_query_for_another_tenant_finds_nothing(place: Place) -> None:
    """A tenant in the query narrows the scope, and never widens it."""
    await stored(place, made(50, tenants=TENANTS))
    async with AuditReader(place.url, tenant="t1") as reader:
        assert 0 == await reader.count(Query(tenant_id=["t2", None]))
        assert await reader.count() == await reader.count(Query(tenant_id=["t1", "t2"]))


async def test_a_cursor_that_somebody_made_up_shows_nothing_more(place: Place) -> None:
    """With the digest of a scope of his own a forger gets to a position, and there sees what he may see."""
    given = made(100, tenants=("t1", "t2"))
    await stored(place, given)
    async with AuditReader(place.url, tenant="t1") as reader:
        listing = await reader._listing(Query())
        foreign = next(event for event in reversed(given) if event.tenant_id == "t2")
        forged = Cursor((reader._view.bound("created_at", foreign.created_at), foreign.id))  # type: ignore[union-attr]
        page = await reader.search(Query(), forged.write(listing.bound_to))
    assert {"t1"} == {event.tenant_id for event in page}


async def test_a_cursor_of_another_listing_is_told(place: Place) -> None:
    """One of another query, scope or table, a damaged one and one that is none are errors that say so."""
    await stored(place, made(20, tenants=("t1", "t2")))
    async with AuditReader(place.url, tenant="t1") as reader, AuditReader(place.url, tenant="t2") as other:
        cursor = (await reader.search(Query(limit=3))).next_cursor
        assert cursor is not None
        for asked, query in ((reader, Query(actions="auth", limit=3)), (other, Query(limit=3))):
            with pytest.raises(ConfigurationError, match="another query, scope or table"):
                await asked.search(query, cursor)
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        for at in range(len(raw)):
            broken = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
            with pytest.raises(ConfigurationError, match="cursor"):
                await reader.search(Query(limit=3), base64.urlsafe_b64encode(broken).decode().rstrip("="))
        for nonsense in ("", "x", "ä", "0" * 5000, cursor[:-1], cursor + "A", " ", 5, b"x"):
            with pytest.raises(ConfigurationError, match="cursor"):
                await reader.search(Query(limit=3), nonsense)  # type: ignore[arg-type]
        # The size of a page is no part of the listing.
        assert 5 == len(await reader.search(Query(limit=5), cursor))


@pytest.mark.parametrize(("one", "other"), [(["a, b"], ["a", "b"]), ([None], ["no tenant"]), ([], ["nothing"])])
async def test_a_cursor_belongs_to_its_tenants_and_not_to_how_they_read(
    sqlite_url: str, one: list[Any], other: list[Any]
) -> None:
    """Scopes whose texts are the same are two all the same."""
    await create_table(sqlite_url)
    async with AuditReader(sqlite_url, tenant=one) as reader:
        cursor = Cursor(("2026-03-01T00:00:00.000000Z", "x")).write((await reader._listing(Query())).bound_to)
        await reader.search(Query(), cursor)
    async with AuditReader(sqlite_url, tenant=other) as reader:
        assert str(reader.scope) == str(Scope.read(one))
        with pytest.raises(ConfigurationError, match="another query, scope or table"):
            await reader.search(Query(), cursor)


async def test_tenants_may_be_given_as_their_ids_are(place: Place) -> None:
    """A UUID, and its text in upper case, are the tenant whose events were logged with it."""
    tenant = uuid.UUID("0190b5b2-7c4e-7d3a-9c1f-000000000001")
    given = made(6, tenants=(str(tenant), None))
    await stored(place, given)
    expected = sorted(ids(event for event in given if event.tenant_id))
    for said in (tenant, str(tenant).upper(), [tenant], Scope.of(str(tenant))):
        async with AuditReader(place.url, tenant=said) as reader:
            assert expected == sorted(ids(await reader.search()))


async def test_a_scope_has_to_be_said(sqlite_url: str) -> None:
    """Without one there is no reader, and the error names the ways to say it."""
    await create_table(sqlite_url)
    with pytest.raises(ConfigurationError, match=r"whose events.*\n.*Scope.all\(\)"):
        AuditReader(sqlite_url)


@pytest.mark.parametrize("given", ["", True, object(), [""], [["t1"]], {"": 1}, b""])
def test_what_is_no_tenant_is_told(given: Any) -> None:
    """A slip is no scope, and the error names the ways to say one."""
    with pytest.raises(ConfigurationError, match=r"Scope.all\(\)"):
        Scope.read(given)


@pytest.mark.parametrize("given", [[], (), {}, set(), iter(())])
def test_a_scope_of_no_tenants_is_nothing(given: Any) -> None:
    """An empty list, as that of somebody without rights, is never all."""
    scope = Scope.read(given)
    assert [False] * 3 == [scope.is_all, scope.covers("t1"), scope.covers(None)]


def test_a_scope_says_what_it_is() -> None:
    """Its text names its tenants, as an export of it does."""
    assert ["all tenants", "nothing", "no tenant", "a, b"] == [
        str(scope) for scope in (Scope.all(), Scope.of(), Scope.of(None), Scope.of("b", "a"))
    ]
    assert ("a", None, None) == (Scope.of("a").only, Scope.of("a", "b").only, Scope.all().only)
