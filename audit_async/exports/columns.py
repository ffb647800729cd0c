"""An event as a row: the fields of `AuditEvent.to_dict()`, in its order."""

from __future__ import annotations

from typing import Any

import msgspec

from audit_async.events import AuditEvent
from audit_async.exports.lines import one_line_json

COLUMNS: tuple[str, ...] = (*AuditEvent.__struct_fields__, "success")
"""Of every row. `success` says whether the outcome is success: for those who ask for nothing else."""

TIMES = frozenset({"created_at", "recorded_at"})
NUMBERS = frozenset({"status_code", "duration_ms", "writer_seq"})
OBJECTS = frozenset({"details", "metadata", "old_values", "new_values"})

_DEFAULTS: dict[str, Any] = {"details": {}, "metadata": {}, "tags": ()}


def given(event: AuditEvent, name: str) -> Any:
    """Return field *name* of *event*, None where nothing was said: no details, no tags. An empty text was said."""
    value = getattr(event, name)
    return None if value == _DEFAULTS.get(name) else value


def json_text(value: Any) -> str:
    """Return *value* as compact JSON on one line."""
    return one_line_json(msgspec.json.encode(value)).decode()
