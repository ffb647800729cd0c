"""Clawith's helpers: a table of six columns, and four functions that put a row there each by raw SQL.

The table's own model is not known; its columns are those that the statement names.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, String, Uuid, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class AuditLog(Base):
    __tablename__ = "audit_logs"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    user_id: Mapped[uuid.UUID | None] = mapped_column(Uuid, index=True)
    agent_id: Mapped[uuid.UUID | None] = mapped_column(Uuid, index=True)
    action: Mapped[str] = mapped_column(String(100), index=True)
    details: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=lambda: datetime.now(UTC), index=True)


metadata = Base.metadata

_INSERT = text(
    "INSERT INTO audit_logs (id, action, details, agent_id, user_id, created_at) "
    "VALUES (:id, :action, :details, :agent_id, :user_id, :created_at)"
)


async def write_audit_log(
    db: AsyncConnection,
    action: str,
    details: dict[str, Any] | None = None,
    agent_id: uuid.UUID | None = None,
    user_id: uuid.UUID | None = None,
) -> None:
    await _write_log(db, action, details, agent_id=agent_id, user_id=user_id)


async def write_identity_audit_log(
    db: AsyncConnection,
    action: str,
    user_id: uuid.UUID | None = None,
    provider_type: str | None = None,
    provider_user_id: str | None = None,
    success: bool = True,
    error_message: str | None = None,
    tenant_id: uuid.UUID | None = None,
) -> None:
    said = {"provider_type": provider_type, "provider_user_id": provider_user_id, "success": success}
    if error_message:
        said["error"] = error_message
    await _write_log(db, action, said, user_id=user_id, tenant_id=tenant_id)


async def write_role_audit_log(
    db: AsyncConnection,
    action: str,
    user_id: uuid.UUID | None = None,
    target_user_id: uuid.UUID | None = None,
    role_name: str | None = None,
    tenant_id: uuid.UUID | None = None,
    granted_by: uuid.UUID | None = None,
) -> None:
    said = {
        "target_user_id": str(target_user_id) if target_user_id else None,
        "role_name": role_name,
        "granted_by": str(granted_by) if granted_by else None,
    }
    await _write_log(db, action, said, user_id=user_id, tenant_id=tenant_id)


async def write_tenant_audit_log(
    db: AsyncConnection,
    action: str,
    user_id: uuid.UUID | None = None,
    tenant_id: uuid.UUID | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    await _write_log(db, action, details, user_id=user_id, tenant_id=tenant_id)


async def _write_log(
    db: AsyncConnection,
    action: str,
    details: dict[str, Any] | None,
    *,
    agent_id: uuid.UUID | None = None,
    user_id: uuid.UUID | None = None,
    tenant_id: uuid.UUID | None = None,
) -> None:
    # Of the caller's own dict a copy: that this one was changed is a trap which would spoil the comparison.
    said = dict(details or {})
    if tenant_id:
        said["tenant_id"] = str(tenant_id)
    bound: dict[str, Any] = {
        "id": uuid.uuid4(),
        "agent_id": agent_id,
        "user_id": user_id,
        "created_at": datetime.now(UTC),
    }
    if db.dialect.name == "sqlite":
        # Its driver takes no UUID: there the function never worked. So as SQLAlchemy's own type writes it.
        bound |= {name: bound[name] and bound[name].hex for name in ("id", "agent_id", "user_id")}
        bound["created_at"] = bound["created_at"].replace(tzinfo=None).isoformat(" ", "microseconds")
    bound |= {"action": action, "details": json.dumps(said, ensure_ascii=False, default=str)}
    await db.execute(_INSERT, bound)
