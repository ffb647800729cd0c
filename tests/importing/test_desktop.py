"""The queue of the desktop program becomes what its own calls would have logged."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from audit_async.importing.formats import FORMATS, Reading, RefusedError

USE = {
    "kind": "use_log",
    "ts": "2026-03-01T17:30:00",
    "user_name": "ann",
    "device_name": "pc-1",
    "prompt": "a cat",
    "result_path": None,
    "status": "failed",
    "error_message": "no cat",
    "model": "m-1",
    "duration_ms": 1200,
    "finish_reason": "STOP",
}
LOGIN = {"kind": "login_log", "ts": "2026-03-01T17:30:00", "user_name": "ann", "local_ip": "10.0.0.1", "public_ip": ""}


def read(record: dict[str, Any]) -> Any:
    return FORMATS["seed003-ndjson"].read(record, Reading(zone=ZoneInfo("Asia/Shanghai"))).event


def test_a_use_keeps_its_own_time() -> None:
    """Not that of the upload, which is what the old program's table had."""
    event = read(USE)
    assert ("2026-03-01T09:30:00+00:00", "failure", 1200.0) == (
        event.created_at.isoformat(),
        event.outcome,
        event.duration_ms,
    )
    assert ("use_log", "ann", "a cat") == (event.legacy_action("desktop"), event.user_id, event.details["prompt"])


def test_a_log_in_is_one() -> None:
    """From the public address, or where there is none from the local one."""
    event = read(LOGIN)
    assert ("auth.login", "10.0.0.1", "10.0.0.1") == (event.action, event.ip_address, event.details["local_ip"])


def test_another_kind_is_refused() -> None:
    """The old program was stopped by one for ever; here it is told, and the others go on."""
    with pytest.raises(RefusedError, match="'other'"):
        read({**USE, "kind": "other"})
