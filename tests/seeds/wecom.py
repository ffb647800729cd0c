"""The WeCom service desk's audit log: a model, which its programs fill by its constructor."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Index, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

WHEN_TO_WRITE = (
    *("role_change", "config_change", "data_export", "account_disable", "account_create_reset"),
    *("assign_role", "revoke_role", "create_mapping_rule", "delete_mapping_rule"),
    *("login", "qrcode_login", "sso_login", "password_login"),
    *("mfa_bind", "mfa_verify", "mfa_reset"),
    *("resolve_conversation", "transfer_conversation"),
)
"""Its own list of the actions that are to be recorded."""


class Base(DeclarativeBase):
    pass


class AuditLog(Base):
    __tablename__ = "audit_logs"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid.uuid4()))
    employee_id: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(50))
    resource: Mapped[str] = mapped_column(String(50))
    resource_id: Mapped[str | None] = mapped_column(String(100))
    details: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    result: Mapped[str] = mapped_column(String(20), default="success")
    ip_address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(Text)
    # Without a zone of its own: what it means depends on the machine.
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=datetime.now)

    __table_args__ = (
        Index("idx_audit_employee_id", "employee_id"),
        Index("idx_audit_action", "action"),
        Index("idx_audit_resource", "resource", "resource_id"),
        Index("idx_audit_created_at", "created_at"),
    )


metadata = Base.metadata
