"""An application with a table of its own, whose transactions events are added to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, String, event, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import NullPool

from audit_async import AuditEvent, AuditLogger, events


class Base(DeclarativeBase):
    """The application's own models."""


class Order(Base):
    """What the application is about."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(String(50))


@dataclass
class Shop:
    """The application's database, and the logger whose table is there too, or in another database.

    Attributes:
        engine: the application's own.
        audit_engine: looks into the database of the audit table.
    """

    audit: AuditLogger
    engine: AsyncEngine
    audit_engine: AsyncEngine

    async def orders(self) -> int:
        return await _count(self.engine, "orders")

    async def rows(self) -> list[dict[str, Any]]:
        async with self.audit_engine.connect() as connection:
            found = await connection.execute(text("SELECT * FROM audit_logs ORDER BY created_at, id"))
            return [dict(row) for row in found.mappings()]

    async def actions(self) -> list[str]:
        return [row["action"] for row in await self.rows()]

    async def log_in(self) -> AsyncSession:
        """Open a session that has an order in its transaction already."""
        session = AsyncSession(self.engine)
        await session.execute(text("INSERT INTO orders (id, what) VALUES (1, 'tea')"))
        return session


async def _count(engine: AsyncEngine, table: str) -> int:
    async with engine.connect() as connection:
        return int((await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


async def make_orders(url: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()


def paid(number: int = 1, **fields: Any) -> AuditEvent:
    return events.custom("order.paid", resource_type="order", resource_id=number, **fields)


@contextmanager
def statements(engine: AsyncEngine | Engine) -> Iterator[list[str]]:
    """Collect what is sent to the database meanwhile."""
    target = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(target, "before_cursor_execute", note)
    yield sent
    event.remove(target, "before_cursor_execute", note)


def orders_in(session: Session) -> list[int]:
    return list(session.scalars(select(Order.id)))
