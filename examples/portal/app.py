"""The portal: who is a member, what they may do, and the trail of what was done. Every line about auditing is here,
in `signing_in` and in `syncing`."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from fastapi import BackgroundTasks, FastAPI, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import select
from starlette.middleware.sessions import SessionMiddleware

from audit_async import AuditReader, Query, ashutdown, configure, create_table, events
from audit_async.integrations import apscheduler as audit_apscheduler
from audit_async.middleware import AuditMiddleware
from examples.portal import pages, signing_in
from examples.portal.members import Administrator, Audit, Base, Member, Session, SignedIn, engine
from examples.portal.syncing import ended, sync, sync_all

DATABASE_URL = os.environ["AUDIT_DATABASE_URL"]


def is_news(record: logging.LogRecord) -> bool:
    """Return whether the scheduler has more to say than that its own end has cancelled a sync: the trail has that."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


@asynccontextmanager
async def lifespan(portal: FastAPI) -> AsyncIterator[None]:
    await create_table(DATABASE_URL)  # in earnest `audit-async init`, by a role that may make tables
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    configure(service="portal")  # what an earlier process left on this disk is delivered from here on
    logging.getLogger("apscheduler.executors.default").addFilter(is_news)
    scheduler = AsyncIOScheduler()
    audit_apscheduler.install(scheduler)
    scheduler.add_job(sync_all, "cron", hour=3, id="nightly", name="directory.sync", next_run_time=datetime.now(UTC))
    scheduler.start()
    yield
    scheduler.shutdown(wait=False)  # cancels a sync
    await ended()  # which logs its end
    await ashutdown()
    await engine.dispose()


portal = FastAPI(lifespan=lifespan)
portal.add_middleware(SessionMiddleware, secret_key=os.environ.get("PORTAL_SECRET") or secrets.token_hex())
portal.include_router(signing_in.router)


@portal.get("/")
async def members(me: SignedIn, session: Session) -> HTMLResponse:
    found = await session.scalars(select(Member).where(Member.tenant == me.tenant).order_by(Member.name))
    return pages.members(me, list(found))


@portal.post("/members/{member_id}/role")
async def assign(
    member_id: str, role: Literal["admin", "member"], me: Administrator, session: Session, audit: Audit
) -> RedirectResponse:
    member = await session.get(Member, (me.tenant, member_id))
    if member is None:
        raise HTTPException(404, "there is no such member")
    event = events.role(
        "role.assign",
        role_name=role,
        target_user_id=member.id,
        description=f"{member.name} becomes {role}",
        old_values={"role": member.role},
        new_values={"role": role},
    )
    member.role = role
    await audit.add(session, event)  # the event stands or falls with the change
    await session.commit()
    return RedirectResponse("/", 303)


@portal.post("/sync")
async def sync_now(me: Administrator, background: BackgroundTasks) -> RedirectResponse:
    background.add_task(sync, me.tenant)  # still knows who asked for it
    return RedirectResponse("/audit", 303)


@portal.get("/audit")
async def trail(me: Administrator, cursor: str | None = None) -> HTMLResponse:
    async with AuditReader(DATABASE_URL, tenant=me.tenant) as reader:  # of no other tenant, whatever is asked
        return pages.trail(me, await reader.search(Query(limit=50), cursor))


def of_session(name: str) -> Any:
    return lambda scope: scope.get("session", {}).get(name)


app = AuditMiddleware(
    portal,
    user=of_session("user"),
    tenant=of_session("tenant"),
    session=of_session("id"),
    log_requests=True,
    skip=["/company/*"],
)
