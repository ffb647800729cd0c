"""Members as the company's directory has them. Each sync of a company is one job of the audit log."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import httpx2
from sqlalchemy import select

from audit_async import current_job, events, get_audit_logger
from examples.portal.members import Member, sessions

TENANTS = ("acme", "globex")
under_way: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)


async def sync_all() -> None:
    """Sync every company, as the scheduler does at night."""
    for tenant in TENANTS:
        await sync(tenant)


async def sync(tenant: str) -> None:
    """Sync one company, and say in a line where its directory does not answer. That is in the trail, too, where this is
    a part of something else as a failed part of it."""
    try:
        await sync_members(tenant)
    except httpx2.HTTPError as error:
        if (night := current_job()) is not None:
            night.count("failed")
        told = "the directory of %s does not answer (%s): start it, or correct PORTAL_COMPANY_URL"
        logging.getLogger("portal").warning(told, tenant, error)


async def sync_members(tenant: str) -> None:
    """Take what a directory says: what changes is logged, who cannot be taken stops nobody, and the job sums it up."""
    async with under_way[tenant], get_audit_logger().job("org.sync", provider="company", tenant_id=tenant) as job:
        gone = await known_ids(tenant)
        async for person in directory(tenant):
            gone.discard(person["id"])
            try:
                verb, event = await take(tenant, person)
            except ValueError as error:
                verb = "failed"
                event = events.org_sync("org.member_create", member_id=person["id"], success=False, error_message=error)
            job.count(verb)
            if event is not None:
                job.log(event)
        for member_id in gone:
            async with sessions.begin() as session:
                await session.delete(await session.get_one(Member, (tenant, member_id)))
            job.count("deleted")
            job.log(events.org_sync("org.member_delete", member_id=member_id))


async def ended() -> None:
    """Wait until no sync is under way."""
    for lock in list(under_way.values()):
        async with lock:
            pass


async def take(tenant: str, person: dict[str, Any]) -> tuple[str, Any]:
    """Make *person* a member, or bring the member up to date; return what that was, and its event."""
    new = {"name": person["name"], "department": person["department"]}
    if not person["name"]:
        raise ValueError("the directory has no name for this member")
    async with sessions.begin() as session:
        member = await session.get(Member, (tenant, person["id"]))
        if member is None:
            session.add(Member(tenant=tenant, id=person["id"], role=person["role"], **new))
            return "created", events.org_sync("org.member_create", member_id=person["id"], new_values=new)
        old = {name: getattr(member, name) for name in new}
        if old == new:
            return "unchanged", None
        member.name, member.department = new["name"], new["department"]
        return "updated", events.org_sync("org.member_update", member_id=person["id"], old_values=old, new_values=new)


async def known_ids(tenant: str) -> set[str]:
    async with sessions() as session:
        return set(await session.scalars(select(Member.id).where(Member.tenant == tenant)))


async def directory(tenant: str) -> AsyncIterator[dict[str, Any]]:
    """Yield who is in the company's directory, a page at a time."""
    async with httpx2.AsyncClient(base_url=os.environ["PORTAL_COMPANY_URL"]) as client:
        page = 0
        while page is not None:
            answer = (await client.get(f"/directory/{tenant}", params={"page": page})).raise_for_status().json()
            for person in answer["members"]:
                yield person
            page = answer["next_page"]
