"""The members of every company, in a table of the application's own, and what an endpoint can ask for."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from audit_async import AuditLogger
from audit_async.integrations.fastapi import audit_for_request

engine = create_async_engine(os.environ["AUDIT_DATABASE_URL"])
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """What SQLAlchemy wants."""


class Member(Base):
    """A person in a company, which is a tenant of the portal."""

    __tablename__ = "members"

    tenant: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    department: Mapped[str]
    role: Mapped[str]


async def in_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(in_session)]


async def who_is_signed_in(request: Request, session: Session) -> Member:
    me = await session.get(Member, (request.session.get("tenant", ""), request.session.get("user", "")))
    if me is None:
        raise HTTPException(401, "sign in first, at /sign-in")
    return me


SignedIn = Annotated[Member, Depends(who_is_signed_in)]


async def only_administrators(me: SignedIn) -> Member:
    if me.role != "admin":
        raise HTTPException(403, "only an administrator may do this")
    return me


Administrator = Annotated[Member, Depends(only_administrators)]
Audit = Annotated[AuditLogger, Depends(audit_for_request)]
