"""The desktop client's face: what it is given, and the row that comes of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit_async.compat.desktop import DesktopAuditLogger, init_audit_logger
from tests.logs import heard
from tests.tables import all_rows

USE = {
    "user_name": "王小明",
    "device_name": "front desk",
    "prompt": "一只猫",
    "result_path": "/out/1.png",
    "status": "success",
    "error_message": None,
    "model": "m-1",
    "duration_ms": 1200,
    "finish_reason": "STOP",
}


class Hostile:
    """Raises when it is asked for its truth, its text or its equal."""

    def __bool__(self) -> bool:
        raise RuntimeError("hostile")

    def __str__(self) -> str:
        raise RuntimeError("hostile")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("hostile")

    __repr__ = __str__
    __hash__ = None  # type: ignore[assignment]  # a type without one


async def rows_of(desktop: DesktopAuditLogger, url: str) -> list[dict[str, Any]]:
    assert desktop.shutdown(20)
    return await all_rows(url)


async def test_a_use_keeps_every_place(desktop: DesktopAuditLogger, sqlite_url: str) -> None:
    """Each parameter of `log_use` is found again where it belongs, and the time is that of the call."""
    before = datetime.now(UTC)
    desktop.log_use(**USE)  # type: ignore[arg-type]  # a dict of several types
    (row,) = await rows_of(desktop, sqlite_url)
    assert ("api.request", "user", "王小明", "王小明") == tuple(
        row[n] for n in ("action", "actor_type", "actor_name", "user_id")
    )
    assert ("success", 1200, None) == (row["outcome"], row["duration_ms"], row["error_message"])
    kept = ("device_name", "prompt", "result_path", "status", "model", "finish_reason")
    assert {name: USE[name] for name in kept} == row["details"]
    moment = datetime.fromisoformat(row["created_at"]).replace(tzinfo=UTC)
    assert before <= moment <= before + timedelta(seconds=30)


async def test_a_login_keeps_every_place(desktop: DesktopAuditLogger, sqlite_url: str) -> None:
    """Both addresses and the device are found again; the event's own address is the public one, else the local."""
    desktop.log_login("王小明", "10.0.0.7", "203.0.113.9", "front desk")
    desktop.log_login("王小明", local_ip="10.0.0.7", public_ip=None, device_name=None)
    first, second = await rows_of(desktop, sqlite_url)
    assert {"local_ip": "10.0.0.7", "public_ip": "203.0.113.9", "device_name": "front desk"} == first["details"]
    assert ("auth.login", "success", "王小明", "王小明", "203.0.113.9") == tuple(
        first[name] for name in ("action", "outcome", "actor_name", "user_id", "ip_address")
    )
    assert ("10.0.0.7", None) == (second["ip_address"], second["details"]["device_name"])


def test_the_parameters_are_the_old_ones() -> None:
    """Names, order and lack of defaults are those that callers know."""
    use, login = (inspect.signature(method) for method in (DesktopAuditLogger.log_use, DesktopAuditLogger.log_login))
    assert ["self", *USE] == list(use.parameters)
    assert ["self", "user_name", "local_ip", "public_ip", "device_name"] == list(login.parameters)
    assert ["db_config", "queue_path", "logs_dir"] == list(inspect.signature(init_audit_logger).parameters)
    assert 5.0 == inspect.signature(DesktopAuditLogger.shutdown).parameters["timeout"].default


@pytest.mark.parametrize("nobody", [None, "", "未知用户"])
async def test_nobody_is_an_unknown_user(nobody: Any, desktop: DesktopAuditLogger, sqlite_url: str) -> None:
    """Who is not known gets the old default for a name, and no id."""
    desktop.log_use(nobody, "", None, None, "success", None, None, None, None)  # type: ignore[arg-type]  # None for a name, as of old
    (row,) = await rows_of(desktop, sqlite_url)
    assert ("未知用户", None) == (row["actor_name"], row["user_id"])
    assert ("未知设备", "") == (row["details"]["device_name"], row["details"]["prompt"])


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((text, "success") for text in ("success", "OK", " Succeeded ", "done", "成功")),
        *((text, "failure") for text in ("failed", "fail", "FAILURE", "失败")),
        *((text, "error") for text in ("error", "timeout")),
        *((text, "cancelled") for text in ("cancelled", "canceled")),
        *((text, "unknown") for text in ("", None, "weird", 17, True, {"a": 1})),
    ],
)
async def test_a_status_tells_the_outcome(
    status: Any, outcome: str, desktop: DesktopAuditLogger, sqlite_url: str
) -> None:
    """Known words lead to an outcome, any other to unknown; the status itself is kept as it is."""
    desktop.log_use(**{**USE, "status": status})
    (row,) = await rows_of(desktop, sqlite_url)
    assert (outcome, status) == (row["outcome"], row["details"].get("status"))
    assert "$invalid" not in row["metadata"]


@pytest.mark.parametrize(
    "make", [Hostile, object, lambda: "\0\ud800", lambda: "x" * 10**6, lambda: b"\xff", lambda: 2**80]
)
async def test_no_value_raises(make: Callable[[], Any], desktop: DesktopAuditLogger, sqlite_url: str) -> None:
    """Whatever is passed, both calls return, and both events are stored."""
    desktop.log_use(*[make()] * 9)
    desktop.log_login(*[make()] * 4)
    rows = await rows_of(desktop, sqlite_url)
    assert ["api.request", "auth.login"] == [row["action"] for row in rows]


def test_no_fault_of_our_own_raises(desktop: DesktopAuditLogger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks inside, both calls return, and a line says so."""
    with heard() as lines, monkeypatch.context() as broken:
        broken.setattr(desktop, "_audit", object())
        desktop.log_use(**USE)  # type: ignore[arg-type]  # a dict of several types
        desktop.log_login("王小明", None, None, None)
    assert ["ERROR"] == [line.partition(" ")[0] for line in lines]


def test_a_wrong_number_of_arguments_is_the_callers_slip(desktop: DesktopAuditLogger) -> None:
    """A call without its arguments is a TypeError, as of any function."""
    with pytest.raises(TypeError):
        desktop.log_login("王小明")  # type: ignore[call-arg]  # the slip


def test_a_call_returns_with_the_event_on_disk(desktop: DesktopAuditLogger) -> None:
    """When a call has returned, everything it logged has been synced."""
    for number in range(20):
        desktop.log_login(f"u{number}", None, None, None)
        journal = desktop.audit._process.journal
        assert journal is not None
        assert (number + 1, number + 1) == (journal.last_seq, journal.synced.value)


def test_without_a_disk_it_says_so_and_goes_on(sqlite_url: str, tmp_path: Path) -> None:
    """Where no directory can be made, a call returns, soon, and a line tells that the event is in memory only."""
    (tmp_path / "file").write_text("in the way")
    with heard() as lines:
        desktop = init_audit_logger({"url": sqlite_url}, tmp_path / "file" / "queue", None)
        desktop.log_login("王小明", None, None, None)
    assert (1, "failing") == (desktop.audit.stats().accepted, desktop.audit.health().status)
    assert any("wait in memory" in line for line in lines)
