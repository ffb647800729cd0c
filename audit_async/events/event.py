"""One thing that happened, as a frozen value."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from audit_async.events.vocabulary import Category, Outcome, Severity, legacy_spelling

SPELLING_KEY = "$action"
"""In `metadata`: the action as the caller spelled it, where name and outcome do not lead back to it."""


class AuditEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What happened: who did what, to what, for whom, from where, and how it went.

    Made by the builders in `audit_async.events`, which accept any value. The pair (`created_at`, `id`) is the order
    of the log and the key of its table: logging the same value twice stores it once.

    Attributes:
        id: text; made by us it is a UUIDv7 that carries `created_at`.
        created_at: when it happened, aware, UTC, to the microsecond.
        action: canonical name (`sso.login`) or a free-form one.
        description: one sentence for people.
        actor_type: `user`, `service`, `agent`, `api_key`, `system`, `job` or `anonymous`.
        on_behalf_of: for whom the actor acted, if not for itself.
        duration_ms: milliseconds.
        details: JSON object: what this kind of event has beyond the fields.
        metadata: JSON object: about the record rather than about what happened.
        old_values, new_values: JSON objects, of a change.
        writer_id, writer_seq: the process that logged it, and its number there; set on events that are read back.
        recorded_at: by the database's clock; set on events that are read back.
    """

    id: str
    created_at: datetime
    action: str
    category: Category
    severity: Severity
    outcome: Outcome
    description: str | None = None
    actor_type: str | None = None
    actor_id: str | None = None
    actor_name: str | None = None
    on_behalf_of: str | None = None
    user_id: str | None = None
    agent_id: str | None = None
    api_key_id: str | None = None
    tenant_id: str | None = None
    organization_id: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    session_id: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    status_code: int | None = None
    duration_ms: float | None = None
    error_message: str | None = None
    details: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    old_values: dict[str, Any] | None = None
    new_values: dict[str, Any] | None = None
    tags: tuple[str, ...] = ()
    writer_id: str | None = None
    writer_seq: int | None = None
    recorded_at: datetime | None = None

    def legacy_action(self, dialect: str = "clawith") -> str:
        """Return the action in the old spelling of *dialect*: `sso_login_failed` for a failed `sso.login`.

        Raises:
            ValueError: *dialect* is unknown.
        """
        if dialect != "clawith":
            raise ValueError(f"unknown dialect {dialect!r}; known: 'clawith'")
        spelled = self.metadata.get(SPELLING_KEY)
        return spelled if isinstance(spelled, str) else legacy_spelling(self.action, self.outcome)

    def to_dict(self) -> dict[str, Any]:
        """Return every field as plain JSON data, times as ISO text."""
        return {name: msgspec.to_builtins(getattr(self, name)) for name in self.__struct_fields__}
