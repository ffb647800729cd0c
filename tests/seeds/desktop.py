"""The desktop client's logger: two tables on MySQL, and what its uploader inserts there of a queued record.

Of the tables only the statements are known. What else is here is what such tables have: a numbered key, and a time that
the server gives.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, String, Text, func, text
from sqlalchemy.dialects.mysql import TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# A server's time stamp; elsewhere a time.
_STAMP = DateTime().with_variant(TIMESTAMP(), "mysql")


class Base(DeclarativeBase):
    pass


class UseLog(Base):
    __tablename__ = "nano_banana_user_use_log"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    user_name: Mapped[str] = mapped_column(String(100))
    device_name: Mapped[str] = mapped_column(String(100))
    prompt: Mapped[str | None] = mapped_column(Text)
    result_path: Mapped[str | None] = mapped_column(String(500))
    status: Mapped[str] = mapped_column(String(20))
    error_message: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(String(100))
    duration_ms: Mapped[int | None]
    finish_reason: Mapped[str | None] = mapped_column(String(50))
    created_at: Mapped[datetime] = mapped_column(_STAMP, server_default=func.current_timestamp())


class LoginLog(Base):
    __tablename__ = "nano_banana_user_log"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    user_name: Mapped[str | None] = mapped_column(String(100))
    local_ip: Mapped[str | None] = mapped_column(String(45))
    public_ip: Mapped[str | None] = mapped_column(String(45))
    device_name: Mapped[str | None] = mapped_column(String(100))
    login_time: Mapped[datetime | None] = mapped_column(DateTime)
    created_at: Mapped[datetime] = mapped_column(_STAMP, server_default=func.current_timestamp())


metadata = Base.metadata

USE_COLUMNS = (
    *("user_name", "device_name", "prompt", "result_path", "status", "error_message", "model", "duration_ms"),
    "finish_reason",
)
LOGIN_COLUMNS = ("user_name", "local_ip", "public_ip", "device_name", "login_time")


def log_use(
    user_name: str | None,
    device_name: str | None,
    prompt: str | None,
    result_path: str | None,
    status: str,
    error_message: str | None,
    model: str | None,
    duration_ms: int | None,
    finish_reason: str | None,
) -> dict[str, Any]:
    """Return the record that goes to the queue."""
    return {
        "kind": "use_log",
        "ts": datetime.now().isoformat(timespec="seconds"),  # noqa: DTZ005 -- as it was: by the clock on the wall
        "user_name": user_name or "未知用户",
        "device_name": device_name or "未知设备",
        "prompt": prompt or "",
        "result_path": result_path,
        "status": status,
        "error_message": error_message,
        "model": model,
        "duration_ms": duration_ms,
        "finish_reason": finish_reason,
    }


def log_login(
    user_name: str | None, local_ip: str | None, public_ip: str | None, device_name: str | None
) -> dict[str, Any]:
    """Return the record that goes to the queue."""
    now = datetime.now()  # noqa: DTZ005 -- likewise
    return {
        "kind": "login_log",
        "ts": now.isoformat(timespec="seconds"),
        "user_name": user_name,
        "local_ip": local_ip,
        "public_ip": public_ip,
        "device_name": device_name,
        "login_time": now.strftime("%Y-%m-%d %H:%M:%S"),
    }


async def upload(db: AsyncConnection, record: dict[str, Any]) -> None:
    """Insert *record* where its kind belongs."""
    tables = {
        "use_log": ("nano_banana_user_use_log", USE_COLUMNS),
        "login_log": ("nano_banana_user_log", LOGIN_COLUMNS),
    }
    if record["kind"] not in tables:
        raise ValueError(f"unknown kind {record['kind']!r}")
    table, columns = tables[record["kind"]]
    values = ", ".join(f":{name}" for name in columns)
    await db.execute(
        text(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"),
        {name: record.get(name) for name in columns},
    )
