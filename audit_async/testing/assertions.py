"""What a test says of the events that were logged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from audit_async.default import get_audit_logger
from audit_async.errors import ConfigurationError
from audit_async.events import AuditEvent
from audit_async.testing.expectation import Expectation
from audit_async.testing.memory import MemoryAuditLogger
from audit_async.testing.told import tell_missing, tell_unwanted


def assert_audited(
    action: Any = None,
    *,
    times: int | None = None,
    audit: MemoryAuditLogger | Iterable[AuditEvent] | None = None,
    **fields: Any,
) -> list[AuditEvent]:
    """Make sure that an event as described was logged, and return all that are.

    Of each field the value itself, as a builder takes it (a UUID for an id, an old spelling for an action, a pattern
    such as `auth.*`); or a `Partial` of it, a compiled pattern that is found in it, its type, or a function that gives
    something true for it.

    Args:
        times: how many there must be; at least one by default.
        audit: where to look: a `MemoryAuditLogger`, or events; by default what the process default logger has kept,
            in the fixture `audit_events` or in `recording`.
        fields: any field of an event, and its views (`success`, `family`, `is_security_event`, `is_high_severity`,
            `changes`).

    Raises:
        AssertionError: there is none, or another number of them; the message shows the nearest one beside it.
        TypeError: an event has no such field, or *times* is no number.
        ConfigurationError: the process default logger keeps no events, *audit* has none, or *action* names none.
    """
    __tracebackhide__ = True  # pytest shows the line of the test
    if times is not None and not isinstance(times, int):
        raise TypeError(f"times is {times!r}, and no whole number")
    expectation = Expectation("assert_audited", _with_action(action, fields))
    logged = _events_of(audit)
    found = [event for event in logged if expectation.fits(event)]
    if not found if times is None else len(found) != times:
        raise AssertionError(tell_missing(expectation, logged, times))
    return found


def assert_not_audited(
    action: Any = None,
    *,
    audit: MemoryAuditLogger | Iterable[AuditEvent] | None = None,
    **fields: Any,
) -> None:
    """Make sure that no event as described was logged; without a word of description, none at all.

    Args as of `assert_audited`.

    Raises:
        AssertionError: there is one; the message shows it.
        TypeError, ConfigurationError: as `assert_audited`.
    """
    __tracebackhide__ = True
    expectation = Expectation("assert_not_audited", _with_action(action, fields))
    logged = _events_of(audit)
    if any(expectation.fits(event) for event in logged):
        raise AssertionError(tell_unwanted(expectation, logged))


def _with_action(action: Any, fields: dict[str, Any]) -> dict[str, Any]:
    return fields if action is None else {"action": action, **fields}


def _events_of(audit: MemoryAuditLogger | Iterable[AuditEvent] | None) -> list[AuditEvent]:
    given = get_audit_logger() if audit is None else audit
    if isinstance(given, MemoryAuditLogger):
        return list(given.events)
    found = None if audit is None or not isinstance(given, Iterable) else list(given)
    if found is None or not all(isinstance(each, AuditEvent) for each in found):
        raise ConfigurationError(
            f"{given!r} keeps no events that could be looked at",
            hint="take the fixture audit_events, or `with recording():`; or give audit=MemoryAuditLogger(...)",
        )
    return found
