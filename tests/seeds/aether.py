"""Aether's audit service: a table, and four ways to fill it. It never commits."""

from __future__ import annotations

import enum
import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class AuditEventType(enum.Enum):
    LOGIN_SUCCESS = "login_success"
    LOGIN_FAILED = "login_failed"
    LOGOUT = "logout"
    API_KEY_CREATED = "api_key_created"
    API_KEY_DELETED = "api_key_deleted"
    API_KEY_USED = "api_key_used"
    REQUEST_SUCCESS = "request_success"
    REQUEST_FAILED = "request_failed"
    REQUEST_RATE_LIMITED = "request_rate_limited"
    REQUEST_QUOTA_EXCEEDED = "request_quota_exceeded"
    USER_CREATED = "user_created"
    USER_UPDATED = "user_updated"
    USER_DELETED = "user_deleted"
    PROVIDER_ADDED = "provider_added"
    PROVIDER_UPDATED = "provider_updated"
    PROVIDER_REMOVED = "provider_removed"
    SUSPICIOUS_ACTIVITY = "suspicious_activity"
    UNAUTHORIZED_ACCESS = "unauthorized_access"
    DATA_EXPORT = "data_export"
    CONFIG_CHANGED = "config_changed"
    MANAGEMENT_TOKEN_CREATED = "management_token_created"


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)


class AuditLog(Base):
    __tablename__ = "audit_logs"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid.uuid4()), index=True)
    event_type: Mapped[str] = mapped_column(String(50), index=True)
    user_id: Mapped[str | None] = mapped_column(String(36), ForeignKey("users.id", ondelete="SET NULL"), index=True)
    api_key_id: Mapped[str | None] = mapped_column(String(36))
    description: Mapped[str] = mapped_column(Text)
    ip_address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(500))
    request_id: Mapped[str | None] = mapped_column(String(100), index=True)
    event_metadata: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    status_code: Mapped[int | None]
    error_message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=lambda: datetime.now(UTC), index=True)


metadata = Base.metadata


def log_event(
    db: Session,
    event_type: AuditEventType,
    description: str,
    user_id: str | None = None,
    api_key_id: str | None = None,
    ip_address: str | None = None,
    user_agent: str | None = None,
    request_id: str | None = None,
    status_code: int | None = None,
    error_message: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    row = AuditLog(
        event_type=event_type.value,
        description=description,
        user_id=user_id,
        api_key_id=api_key_id,
        ip_address=ip_address,
        user_agent=user_agent,
        request_id=request_id,
        status_code=status_code,
        error_message=error_message,
        event_metadata=metadata,
    )
    db.add(row)
    db.flush()


def log_login_attempt(
    db: Session,
    email: str,
    success: bool,
    ip_address: str,
    user_agent: str,
    user_id: str | None = None,
    error_reason: str | None = None,
) -> None:
    because = f": {error_reason}" if error_reason and not success else ""
    log_event(
        db,
        AuditEventType.LOGIN_SUCCESS if success else AuditEventType.LOGIN_FAILED,
        f"Login attempt for {email}{because}",
        user_id=user_id,
        ip_address=ip_address,
        user_agent=user_agent,
        metadata={"email": email},
    )


def log_api_request(
    db: Session,
    user_id: str,
    api_key_id: str,
    request_id: str,
    model: str,
    provider: str,
    success: bool,
    ip_address: str,
    status_code: int,
    error_message: str | None = None,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    cost_usd: float | None = None,
) -> None:
    usage = {"input_tokens": input_tokens, "output_tokens": output_tokens, "cost_usd": cost_usd}
    log_event(
        db,
        AuditEventType.REQUEST_SUCCESS if success else AuditEventType.REQUEST_FAILED,
        f"API request to {provider}/{model}",
        user_id=user_id,
        api_key_id=api_key_id,
        request_id=request_id,
        ip_address=ip_address,
        status_code=status_code,
        error_message=error_message,
        # A number that is 0 is left out.
        metadata={"model": model, "provider": provider, **{name: value for name, value in usage.items() if value}},
    )


def log_security_event(
    db: Session,
    event_type: AuditEventType,
    description: str,
    ip_address: str,
    user_id: str | None = None,
    severity: str = "medium",
    details: dict[str, Any] | None = None,
) -> None:
    log_event(
        db,
        event_type,
        description,
        user_id=user_id,
        ip_address=ip_address,
        metadata={"severity": severity, **(details or {})},
    )
