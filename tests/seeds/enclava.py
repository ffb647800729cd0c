"""Enclava's audit log: a model of twenty columns, and nine builders of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import JSON, DateTime, ForeignKey, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)


def _utcnow() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


class AuditLog(Base):
    __tablename__ = "audit_logs"

    id: Mapped[int] = mapped_column(primary_key=True, index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    action: Mapped[str] = mapped_column(String)
    resource_type: Mapped[str] = mapped_column(String)
    resource_id: Mapped[str | None] = mapped_column(String)
    description: Mapped[str] = mapped_column(Text)
    details: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=dict)
    ip_address: Mapped[str | None] = mapped_column(String)
    user_agent: Mapped[str | None] = mapped_column(String)
    session_id: Mapped[str | None] = mapped_column(String)
    request_id: Mapped[str | None] = mapped_column(String)
    severity: Mapped[str | None] = mapped_column(String, default="low")
    category: Mapped[str | None] = mapped_column(String)
    success: Mapped[bool | None] = mapped_column(default=True)
    error_message: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str] | None] = mapped_column(JSON, default=list)
    audit_metadata: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSON, default=dict)
    old_values: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    new_values: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    created_at: Mapped[datetime | None] = mapped_column(DateTime, default=_utcnow, index=True)

    @classmethod
    def create_login_event(
        cls,
        user_id: int,
        success: bool = True,
        ip_address: str | None = None,
        user_agent: str | None = None,
        session_id: str | None = None,
        error_message: str | None = None,
    ) -> Self:
        return cls(
            user_id=user_id,
            action="login",
            resource_type="user",
            resource_id=str(user_id),
            description="User login successful" if success else "User login failed",
            details={"login_method": "password", "success": success},
            ip_address=ip_address,
            user_agent=user_agent,
            session_id=session_id,
            severity="low" if success else "medium",
            category="security",
            success=success,
            error_message=error_message,
            tags=["authentication", "login"],
        )

    @classmethod
    def create_logout_event(cls, user_id: int, session_id: str | None = None) -> Self:
        return cls(
            user_id=user_id,
            action="logout",
            resource_type="user",
            resource_id=str(user_id),
            description="User logout",
            details={"logout_method": "manual"},
            session_id=session_id,
            severity="low",
            category="security",
            success=True,
            tags=["authentication", "logout"],
        )

    @classmethod
    def create_api_key_event(
        cls,
        user_id: int,
        action: str,
        api_key_id: int,
        api_key_name: str,
        success: bool = True,
        error_message: str | None = None,
    ) -> Self:
        return cls(
            user_id=user_id,
            action=action,
            resource_type="api_key",
            resource_id=str(api_key_id),
            description=f"API key {action}: {api_key_name}",
            details={"api_key_name": api_key_name, "action": action},
            severity="medium",
            category="security",
            success=success,
            error_message=error_message,
            tags=["api_key", action],
        )

    @classmethod
    def create_budget_event(
        cls,
        user_id: int,
        action: str,
        budget_id: int,
        budget_name: str,
        details: dict[str, Any] | None = None,
        success: bool = True,
    ) -> Self:
        return cls(
            user_id=user_id,
            action=action,
            resource_type="budget",
            resource_id=str(budget_id),
            description=f"Budget {action}: {budget_name}",
            details=details or {},
            severity="medium" if action == "budget_exceed" else "low",
            category="financial",
            success=success,
            tags=["budget", action],
        )

    @classmethod
    def create_module_event(
        cls,
        user_id: int,
        action: str,
        module_name: str,
        success: bool = True,
        error_message: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> Self:
        return cls(
            user_id=user_id,
            action=action,
            resource_type="module",
            resource_id=module_name,
            description=f"Module {action}: {module_name}",
            details=details or {},
            severity="medium",
            category="system",
            success=success,
            error_message=error_message,
            tags=["module", action],
        )

    @classmethod
    def create_permission_event(
        cls, user_id: int, action: str, target_user_id: int, permission: str, success: bool = True
    ) -> Self:
        return cls(
            user_id=user_id,
            action=action,
            resource_type="permission",
            resource_id=str(target_user_id),
            description=f"Permission {action}: {permission} for user {target_user_id}",
            details={"permission": permission, "target_user_id": target_user_id},
            severity="high",
            category="security",
            success=success,
            tags=["permission", action],
        )

    @classmethod
    def create_security_event(
        cls,
        user_id: int | None,
        event_type: str,
        description: str,
        severity: str = "high",
        details: dict[str, Any] | None = None,
        ip_address: str | None = None,
    ) -> Self:
        return cls(
            user_id=user_id,
            action="security_event",
            resource_type="security",
            resource_id=event_type,
            description=description,
            details=details or {},
            ip_address=ip_address,
            severity=severity,
            category="security",
            success=False,
            tags=["security", event_type],
        )

    @classmethod
    def create_system_event(
        cls,
        action: str,
        description: str,
        resource_type: str = "system",
        resource_id: str | None = None,
        severity: str = "low",
        details: dict[str, Any] | None = None,
    ) -> Self:
        return cls(
            user_id=None,
            action=action,
            resource_type=resource_type,
            resource_id=resource_id,
            description=description,
            details=details or {},
            severity=severity,
            category="system",
            success=True,
            tags=["system", action],
        )

    @classmethod
    def create_data_change_event(
        cls,
        user_id: int,
        action: str,
        resource_type: str,
        resource_id: str,
        description: str,
        old_values: dict[str, Any] | None,
        new_values: dict[str, Any] | None,
    ) -> Self:
        return cls(
            user_id=user_id,
            action=action,
            resource_type=resource_type,
            resource_id=resource_id,
            description=description,
            old_values=old_values,
            new_values=new_values,
            severity="low",
            category="data",
            success=True,
            tags=["data_change", action],
        )


metadata = Base.metadata
