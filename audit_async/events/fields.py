"""Turn whatever a caller passes for a field into what the field holds.

A value that cannot be one is not an error: the field stays empty, and the value is kept, cleaned, in the event's
`metadata` under `$invalid`.
"""

from __future__ import annotations

import enum
import math
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypedDict

import msgspec

from audit_async.config import MAX_ID_CHARS, MAX_STRING_CHARS
from audit_async.events.identifier import normal_uuid
from audit_async.events.vocabulary import Category, Outcome, Severity
from audit_async.shapes import is_object, pass_on
from audit_async.text import short_text
from audit_async.values import plain, plain_object, plain_text


class EventFields(TypedDict, total=False):
    """The fields of an event that every builder takes as keywords. Any value is legal for any of them."""

    id: Any
    created_at: Any
    category: Any
    severity: Any
    outcome: Any
    success: Any
    description: Any
    actor_type: Any
    actor_id: Any
    actor_name: Any
    on_behalf_of: Any
    user_id: Any
    agent_id: Any
    api_key_id: Any
    tenant_id: Any
    organization_id: Any
    resource_type: Any
    resource_id: Any
    ip_address: Any
    user_agent: Any
    session_id: Any
    request_id: Any
    trace_id: Any
    span_id: Any
    status_code: Any
    duration_ms: Any
    error_message: Any
    details: Any
    metadata: Any
    old_values: Any
    new_values: Any
    tags: Any


class InvalidValueError(Exception):
    """The value cannot be what the field holds. Its argument is what to keep in the field instead."""


def to_id(value: Any) -> str:
    """Return an id as text: a UUID in its usual spelling, 16 bytes as a UUID, anything else as its text."""
    kind = type(value)
    if kind is str:
        if 36 <= len(value) <= 45:
            value = normal_uuid(value)
        return value if len(value) <= MAX_ID_CHARS and value.isprintable() else short_text(value, MAX_ID_CHARS)
    if kind is uuid.UUID:
        text: str = msgspec.to_builtins(value)  # as `str` does, in a quarter of the time
        return text
    if issubclass(kind, (bytes, bytearray)) and len(value) == 16:
        return str(uuid.UUID(bytes=bytes(value)))
    return normal_uuid(short_text(_one_text(value), MAX_ID_CHARS))


def to_short(value: Any) -> str:
    """Return a short text: an address, a type, a name."""
    if type(value) is str and len(value) <= MAX_ID_CHARS and value.isascii() and "\0" not in value:
        return value
    return short_text(_one_text(value), MAX_ID_CHARS)


def to_text(value: Any) -> str:
    """Return a text of up to 16 Ki characters. Of an exception: its type and text."""
    if issubclass(type(value), BaseException):
        kept = plain(value)
        name = kept["$type"].rpartition(".")[2]
        return short_text(f"{name}: {kept.get('message', '')}".removesuffix(": "), MAX_STRING_CHARS)
    return short_text(_one_text(value), MAX_STRING_CHARS)


def _one_text(value: Any) -> str:
    """Return *value* as text, uncut. A container is none: as an invalid value its parts stay apart and are redacted."""
    if issubclass(type(value), str):
        return str.__str__(value)
    kept = plain(value)
    if isinstance(kept, list) or is_object(value):
        raise InvalidValueError(None)
    return kept if isinstance(kept, str) else plain_text(kept)


def to_int(value: Any) -> int:
    """Return a status code. A text of digits is one; True and 1.9 are not."""
    if isinstance(value, enum.Enum):
        return to_int(value.value)
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) < 20:
        return to_int(int(value))
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidValueError(None)
    # Of a subclass the number itself, since its own methods may lie.
    number = int.__int__(value)
    if not -(2**31) <= number < 2**31:
        raise InvalidValueError(None)
    return number


def to_milliseconds(value: Any) -> float:
    """Return a duration in milliseconds, from a number or a timedelta."""
    if hasattr(value, "total_seconds"):
        value = value.total_seconds() * 1000
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)) or not math.isfinite(value):
        raise InvalidValueError(None)
    return float.__float__(float(value))


def to_time(value: Any) -> datetime:
    """Return an aware datetime in UTC, from an aware one, ISO text with an offset, or seconds since 1970."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        value = datetime.fromtimestamp(value, UTC)
    if not isinstance(value, datetime):
        raise InvalidValueError(None)
    if value.utcoffset() is None:
        raise InvalidValueError(_exact(value))
    return _exact(value.astimezone(UTC))


def _exact(moment: datetime) -> datetime:
    """Return *moment*, of whatever subclass, as a plain datetime whose clock shows UTC."""
    parts = (
        moment.year,
        moment.month,
        moment.day,
        moment.hour,
        moment.minute,
        moment.second,
        moment.microsecond,
    )
    return datetime(*parts, tzinfo=UTC)


def to_tags(value: Any) -> tuple[str, ...]:
    """Return texts, each once, in their order. A single text is one tag."""
    if isinstance(value, str):
        return (to_short(value),)
    kept = plain(value)
    return tuple(dict.fromkeys(to_short(item) for item in (kept if isinstance(kept, list) else [kept])))


def _member_of(kind: type[enum.StrEnum], otherwise: enum.StrEnum | None) -> Callable[[Any], enum.StrEnum]:
    members = {member.value: member for member in kind}

    def convert(value: Any) -> enum.StrEnum:
        if isinstance(value, enum.Enum):
            value = value.value
        try:
            return members.get(value) or members[str.lower(value).strip()]
        except Exception:
            raise InvalidValueError(otherwise) from None

    return convert


CONVERTERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        (
            *("actor_id", "on_behalf_of", "user_id", "agent_id", "api_key_id", "tenant_id", "organization_id"),
            *("resource_id", "session_id", "request_id", "trace_id", "span_id", "id"),
        ),
        to_id,
    ),
    **dict.fromkeys(("action", "actor_type", "actor_name", "resource_type", "ip_address"), to_short),
    **dict.fromkeys(("description", "error_message", "user_agent"), to_text),
    **dict.fromkeys(("details", "metadata", "old_values", "new_values"), plain_object),
    "category": _member_of(Category, None),
    "severity": _member_of(Severity, None),
    "outcome": _member_of(Outcome, Outcome.UNKNOWN),
    "status_code": to_int,
    "duration_ms": to_milliseconds,
    "created_at": to_time,
    "tags": to_tags,
}


def convert(name: str, value: Any, invalid: dict[str, Any]) -> Any:
    """Return *value* as field *name* holds it; what it cannot hold goes to *invalid*. Never raises."""
    try:
        return CONVERTERS[name](value)
    except InvalidValueError as unfit:
        invalid[name] = plain(value)
        return unfit.args[0]
    except BaseException as error:
        pass_on(error)
        invalid[name] = plain(value)
        return None
