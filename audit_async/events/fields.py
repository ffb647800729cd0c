"""Turn whatever a caller passes for a field into what the field holds.

A value that cannot be one is not an error: the field stays empty, and the value is kept, cleaned, in the event's
`metadata` under `$invalid`.
"""

from __future__ import annotations

import enum
import functools
import ipaddress
import math
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypedDict

import msgspec

from audit_async.config import CONTEXT_SPELLINGS, MAX_ADDRESS_CHARS, MAX_ID_CHARS, MAX_STRING_CHARS, MAX_WORD_CHARS
from audit_async.events.identifier import normal_uuid
from audit_async.events.vocabulary import OUTCOME_WORDS, Category, Outcome, Severity
from audit_async.shapes import error_text, is_object, pass_on, type_name
from audit_async.text import ends_of_text, short_text, text_of_bytes
from audit_async.values import plain, plain_object, plain_text

_ZONE = re.compile(r"[A-Za-z0-9._~-]+")
ENDS_OF_TIME = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
"""Nobody means them: the first is what programs in Go have for no time. asyncpg takes them for infinities, and our COPY
does not: an event would stand in the table twice after an attempt of which nobody knows how it ended."""


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
        size = len(value)
        if size < 36:  # no UUID, and nothing to cut
            return value if value.isprintable() else short_text(value, MAX_ID_CHARS)
        if size <= 45:
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
    return (
        to_message(value) if issubclass(type(value), BaseException) else short_text(_one_text(value), MAX_STRING_CHARS)
    )


def to_message(value: Any) -> str:
    """Return an error message of up to 16 Ki characters: of a longer one beginning and end, as of a stack trace."""
    if issubclass(type(value), BaseException):
        name = type_name(value).rpartition(".")[2]
        value = f"{name}: {error_text(value)}".removesuffix(": ")
    return ends_of_text(_one_text(value), MAX_STRING_CHARS)


def to_address(value: Any) -> str | None:
    """Return an IP address in its usual spelling, without the prefix that makes IPv6 of an IPv4 one; None for a blank.

    A name, a list of proxies or an address with leading zeros is none: which of its readings is meant is not for us to
    say.
    """
    text = _one_text(value)
    if len(text) > MAX_ADDRESS_CHARS:
        raise InvalidValueError(None)
    text = text.strip()
    return _address(text) if text else None


@functools.lru_cache(maxsize=CONTEXT_SPELLINGS)
def _address(text: str) -> str:
    return str(parse_address(text))


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IP address that *text* is, without the prefix that makes IPv6 of an IPv4 one.

    Raises:
        ValueError: it is none, or its zone (`fe80::1%eth0`), for which Python takes any text, could not be one.

    Source: RFC 6874, section 2: what a zone is made of.
    """
    found = ipaddress.ip_address(text)
    zone = getattr(found, "scope_id", None)
    if zone is not None and not _ZONE.fullmatch(zone):
        raise ValueError("the zone of an address is made of letters, digits and -._~")
    return getattr(found, "ipv4_mapped", None) or found


def _one_text(value: Any) -> str:
    """Return *value* as text, uncut. A container is none: as an invalid value its parts stay apart and are redacted."""
    kind = type(value)
    if issubclass(kind, str):
        return str.__str__(value)
    if kind is bytes and len(value) <= MAX_STRING_CHARS:
        text = text_of_bytes(value)
        if text is not None:
            return text
    kept = plain(value)
    if isinstance(kept, list) or is_object(value):
        raise InvalidValueError(None)
    return kept if isinstance(kept, str) else plain_text(kept)


def to_int(value: Any) -> int:
    """Return a status code. A text of digits is one; True and 1.9 are not."""
    # What it is once it is plain: of a subclass, an enum or numpy's own integers the number itself.
    number = value if type(value) is int else plain(value)
    if type(number) is str and len(number) < 20 and number.strip().lstrip("-").isdecimal():
        number = int(number)
    if type(number) is not int or not -(2**31) <= number < 2**31:
        raise InvalidValueError(None)
    return number


def to_milliseconds(value: Any) -> float:
    """Return a duration in milliseconds, from a number or a timedelta."""
    kind = type(value)
    if kind is float and math.isfinite(value):
        return float(value + 0.0)  # -0.0 becomes 0.0
    if issubclass(kind, timedelta):
        return timedelta.total_seconds(value) * 1000
    number = float(Decimal.__float__(value)) if issubclass(kind, Decimal) else plain(value)
    if type(number) not in (int, float) or not math.isfinite(number):
        raise InvalidValueError(None)
    return float(number)


def to_time(value: Any) -> datetime:
    """Return an aware datetime in UTC, from an aware one, ISO text with an offset, or seconds since 1970."""
    if isinstance(value, str):
        if str.__len__(value) > MAX_WORD_CHARS:
            raise InvalidValueError(None)
        value = datetime.fromisoformat(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        value = datetime.fromtimestamp(value, UTC)
    if not isinstance(value, datetime):
        raise InvalidValueError(None)
    is_aware = value.utcoffset() is not None
    moment = _exact(value.astimezone(UTC) if is_aware else value)
    if moment in ENDS_OF_TIME:
        raise InvalidValueError(None)
    if not is_aware:
        raise InvalidValueError(moment)
    return moment


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


def to_outcome(value: Any) -> Outcome:
    """Return an outcome, of one in other words as well (`failed`, True)."""
    if type(value) is bool:
        return Outcome.SUCCESS if value else Outcome.FAILURE
    found = value if type(value) is Outcome else outcome_in_words(value)
    if found is None:
        raise InvalidValueError(Outcome.UNKNOWN)
    return found


def outcome_in_words(value: Any) -> Outcome | None:
    """Return the outcome that *value*, a text or an enumeration's member, says; None for what says none."""
    text = value if type(value) is str else plain(value)
    is_word = isinstance(text, str) and len(text) <= MAX_WORD_CHARS
    return OUTCOME_WORDS.get(text.strip().lower()) if is_word else None


def _member_of(kind: type[enum.StrEnum]) -> Callable[[Any], enum.StrEnum]:
    members = {member.value: member for member in kind}

    def convert(value: Any) -> enum.StrEnum:
        if type(value) is kind:
            return value
        name = value if type(value) is str else plain(value)
        try:
            return members.get(name) or members[name[:MAX_WORD_CHARS].lower().strip()]
        except Exception:
            raise InvalidValueError(None) from None

    return convert


CONVERTERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        (
            *("actor_id", "on_behalf_of", "user_id", "agent_id", "api_key_id", "tenant_id", "organization_id"),
            *("resource_id", "session_id", "request_id", "trace_id", "span_id", "id"),
        ),
        to_id,
    ),
    **dict.fromkeys(("action", "actor_type", "actor_name", "resource_type"), to_short),
    **dict.fromkeys(("description", "user_agent"), to_text),
    "error_message": to_message,
    "ip_address": to_address,
    **dict.fromkeys(("details", "metadata", "old_values", "new_values"), plain_object),
    "category": _member_of(Category),
    "severity": _member_of(Severity),
    "outcome": to_outcome,
    "status_code": to_int,
    "duration_ms": to_milliseconds,
    "created_at": to_time,
    "tags": to_tags,
}


def convert(name: str, value: Any, invalid: dict[str, Any]) -> Any:
    """Return *value* as field *name* holds it; what it cannot hold goes to *invalid*. Never raises."""
    try:
        return CONVERTERS[name](value)
    except BaseException as error:
        return _kept_of_unfit(name, value, error, invalid)


def convert_all(given: Mapping[str, Any], values: dict[str, Any], invalid: dict[str, Any]) -> None:
    """Put each of *given* that *values* does not have into it, as its field holds it; otherwise as `convert`.

    None says nothing. Nor does `success` here: it is about the outcome, and no field.
    """
    for name, value in given.items():
        if value is None or name in values or name == "success":
            continue
        try:
            kept = CONVERTERS[name](value)
        except BaseException as error:
            kept = _kept_of_unfit(name, value, error, invalid)
        if kept is not None:
            values[name] = kept


def _kept_of_unfit(name: str, value: Any, error: BaseException, invalid: dict[str, Any]) -> Any:
    """Put *value*, which *error* says field *name* cannot hold, into *invalid*; return what the field then holds."""
    pass_on(error)
    invalid[name] = plain(value)
    return error.args[0] if isinstance(error, InvalidValueError) else None
