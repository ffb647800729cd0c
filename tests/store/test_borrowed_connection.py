"""The connection that PostgreSQL's store keeps borrowed between batches, and when it gives it back."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from audit_async.errors import TransientStoreError
from audit_async.store.postgres import PostgresStore
from tests.faults.holding import holding
from tests.polling import eventually
from tests.store.conftest import Place
from tests.store.entries import entries


def pool_of(store: PostgresStore) -> QueuePool:
    pool = store._engine.get().sync_engine.pool
    assert isinstance(pool, QueuePool)
    return pool


class NotedSession(Session):
    """A session that notes when it is opened and closed."""

    opened: ClassVar[list[Session]] = []
    closed: ClassVar[list[Session]] = []

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.opened.append(self)

    def close(self) -> None:
        self.closed.append(self)
        super().close()


async def test_a_batch_has_a_session_and_borrows_nothing(
    postgres_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch opens and closes a session of its own, on a connection that the store has borrowed once and gives back
    where something else is asked, and in the end."""
    store = postgres_place.open()
    assert isinstance(store, PostgresStore)
    borrowed: list[object] = []
    pool = pool_of(store)
    event.listen(pool, "checkout", lambda *_: borrowed.append(1))
    monkeypatch.setattr(AsyncSession, "sync_session_class", NotedSession)
    NotedSession.opened.clear()
    NotedSession.closed.clear()
    await store.insert(entries(1))
    looked = len(borrowed)
    for count in (2, 20):
        await store.insert(entries(count))
    assert (len(borrowed), len(NotedSession.opened)) == (looked, 3)
    await store.insert(entries(1), is_replay=True)
    assert len(borrowed) > looked
    assert len(set(map(id, NotedSession.opened))) == 4
    assert NotedSession.opened == NotedSession.closed
    assert pool.checkedout() == 1
    await store.close()
    assert pool.checkedout() == 0


async def test_an_attempt_that_is_left_behind_gives_its_connection_back(postgres_place: Place) -> None:
    """A store that is abandoned in the middle of a batch, or between two, leaves none borrowed for the collector."""
    store = postgres_place.open()
    assert isinstance(store, PostgresStore)
    await store.insert(entries(1))
    between = pool_of(store)
    store.abandon()
    assert between.checkedout() == 0

    await store.insert(entries(1))
    amid, left = pool_of(store), entries(1)
    with holding(postgres_place.url, "LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE"):
        hanging = asyncio.create_task(store.insert(left))
        await eventually(lambda: store._engine._is_in_use)
        store.abandon()
        with pytest.raises(TransientStoreError):
            await hanging
    assert amid.checkedout() == 0
    await store.insert(left, is_replay=True)
    assert await postgres_place.count() == 3
