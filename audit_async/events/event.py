"""One thing that happened, as a frozen value."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from audit_async.config import MAX_ID_CHARS
from audit_async.events.dialects import spell
from audit_async.events.fields import convert
from audit_async.events.vocabulary import SECURITY_FAMILIES, Category, Outcome, Severity, family_of
from audit_async.text import short_text
from audit_async.values import plain, plain_object, plain_text

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

    # --- views -----------------------------------------------------------------------------------------

    @property
    def family(self) -> str:
        """The part of the action before the dot; `custom` for an action without one."""
        return family_of(self.action)

    @property
    def success(self) -> bool:
        """Whether it went well: the outcome is success."""
        return self.outcome == Outcome.SUCCESS

    @property
    def is_security_event(self) -> bool:
        """Whether it concerns security: by its category, or by its family (log-ins, sessions, keys, permissions)."""
        return self.category == Category.SECURITY or self.family in SECURITY_FAMILIES

    @property
    def is_high_severity(self) -> bool:
        """Whether its severity is high or critical."""
        return self.severity in (Severity.HIGH, Severity.CRITICAL)

    @property
    def changes(self) -> dict[str, tuple[Any, Any]]:
        """The values that a change has changed: by name the old one and the new one, None where there was none."""
        return changes_of(self.old_values, self.new_values)

    def legacy_action(self, dialect: str = "clawith") -> str:
        """Return the action in the old spelling of *dialect*: `sso_login_failed` for a failed `sso.login`.

        What the caller wrote is given back where the dialect knows it, or none does.

        Args:
            dialect: `aether`, `clawith`, `desktop`, `enclava` or `wecom`.

        Raises:
            ValueError: *dialect* is unknown.
        """
        given = self.metadata.get(SPELLING_KEY)
        return spell(self.action, self.outcome, dialect, given if isinstance(given, str) else None)

    def to_dict(self) -> dict[str, Any]:
        """Return every field as plain JSON data, times as ISO text, and `success` beside the outcome."""
        fields = {name: msgspec.to_builtins(getattr(self, name)) for name in self.__struct_fields__}
        return {**fields, "tags": list(self.tags), "success": self.success}

    def summary(self) -> dict[str, Any]:
        """Return what a list shows of the event: eight of the values of `to_dict`."""
        whole = self.to_dict()
        return {name: whole[name] for name in _SUMMARY}

    # --- changes, each of which gives a new event ------------------------------------------------------

    def with_tag(self, tag: Any) -> AuditEvent:
        """Return the event with *tag*; itself if it has it."""
        tags = tuple(dict.fromkeys((*self.tags, _text(tag))))
        return self if tags == self.tags else msgspec.structs.replace(self, tags=tags)

    def without_tag(self, tag: Any) -> AuditEvent:
        """Return the event without *tag*; itself if it has none such."""
        gone = _text(tag)
        tags = tuple(each for each in self.tags if each != gone)
        return self if tags == self.tags else msgspec.structs.replace(self, tags=tags)

    def with_metadata(self, key: Any, value: Any) -> AuditEvent:
        """Return the event with *value* under *key* of its metadata, in the place of what was there."""
        return msgspec.structs.replace(self, metadata={**self.metadata, _text(key): plain(value)})

    def with_change(self, old_values: Any, new_values: Any) -> AuditEvent:
        """Return the event with the values before and after a change; `details.changed` names those that differ."""
        old, new = plain_object(old_values), plain_object(new_values)
        details = {**self.details, "changed": list(changes_of(old, new))}
        return msgspec.structs.replace(self, old_values=old, new_values=new, details=details)


_SUMMARY = ("id", "action", "resource_type", "description", "severity", "success", "created_at", "user_id")


def _text(value: Any) -> str:
    kept: tuple[str, ...] = convert("tags", [value], {}) or (short_text(plain_text(value), MAX_ID_CHARS),)
    return kept[0]


def changes_of(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, tuple[Any, Any]]:
    """Return the values that differ between two objects, by name: the old one and the new one."""
    old, new = old or {}, new or {}
    names = sorted(name for name in {**old, **new} if name not in old or name not in new or old[name] != new[name])
    return {name: (old.get(name), new.get(name)) for name in names}
