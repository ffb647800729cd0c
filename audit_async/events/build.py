"""Put an event together from an action and whatever the caller passed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from audit_async.config import MAX_ID_CHARS
from audit_async.events.actions import AuditAction
from audit_async.events.event import SPELLING_KEY, AuditEvent
from audit_async.events.fields import CONVERTERS, EventFields, convert
from audit_async.events.identifier import id_at, new_id, time_of
from audit_async.events.vocabulary import FAILED, Outcome, Term, legacy_spelling, term_of
from audit_async.shapes import pass_on

INVALID_KEY = "$invalid"
"""In `metadata`: values that the field they were passed for cannot hold."""

_FIELD_NAMES = frozenset(EventFields.__annotations__)


def build(action: Any, own: Mapping[str, Any], fields: Mapping[str, Any], *, builder: str) -> AuditEvent:
    """Return the event of *action* with *fields*, the family's *own* details before those of the caller.

    Never raises on a value.

    Raises:
        TypeError: *fields* has a name that no event has; the message names the nearest right one.
    """
    if not _FIELD_NAMES.issuperset(fields):
        raise _wrong_name(builder, fields, own)
    invalid: dict[str, Any] = {}
    term, spelled = _term(action, invalid)
    values: dict[str, Any] = {}
    for name, value in fields.items():
        if value is not None and name != "success":
            kept = convert(name, value, invalid)
            if kept is not None:
                values[name] = kept

    outcome = values.get("outcome") or _outcome(term, fields.get("success"))
    values["outcome"] = outcome
    values["action"] = term.name
    values.setdefault("category", term.category)
    values.setdefault("severity", term.severity_failed if outcome in FAILED else term.severity)
    _set_identity(values, invalid)
    if own:
        # The caller's details come first, so that none of them can stand in for what the family says.
        values["details"] = {**(values.get("details") or {}), **own}
    if spelled != term.name and legacy_spelling(term.name, outcome) != spelled:
        values["metadata"] = {**(values.get("metadata") or {}), SPELLING_KEY: spelled}
    if invalid:
        values["metadata"] = {**(values.get("metadata") or {}), INVALID_KEY: invalid}
    return AuditEvent(**values)


def _term(action: Any, invalid: dict[str, Any]) -> tuple[Term, str]:
    """Return the term of *action* and its spelling, kept at the length of an id: it may be a megabyte of nonsense."""
    if type(action) is AuditAction:
        action = action.value
    elif type(action) is not str or len(action) > MAX_ID_CHARS or not action.isprintable():
        action = convert("action", action, invalid) or ""
    return term_of(action), action


def _outcome(term: Term, success: Any) -> Outcome:
    if term.outcome is not None:
        return term.outcome
    if success is None:
        return Outcome.SUCCESS
    try:
        return Outcome.SUCCESS if success else Outcome.FAILURE
    except BaseException as error:
        pass_on(error)
        return Outcome.UNKNOWN


def _set_identity(values: dict[str, Any], invalid: dict[str, Any]) -> None:
    """Settle id and time, four cases: neither is given, the time, the id, or both."""
    event_id, moment = values.get("id") or None, values.get("created_at")
    if moment is not None and event_id is None:
        event_id = id_at(moment)
        if event_id is None:
            invalid["created_at"] = moment.isoformat()
            moment = None
    elif event_id is not None and moment is None:
        moment = time_of(event_id)
    if moment is not None and event_id is not None:
        values["id"], values["created_at"] = event_id, moment
    else:
        fresh, now = new_id()
        values["id"], values["created_at"] = event_id or fresh, now


def _wrong_name(builder: str, fields: Mapping[str, Any], own: Mapping[str, Any]) -> TypeError:
    family = sorted(set(own) - _FIELD_NAMES - {"error"})
    known = [*family, *sorted(_FIELD_NAMES)]
    wrong = sorted(set(fields) - _FIELD_NAMES)
    near = {name: difflib.get_close_matches(name, known, n=1) for name in wrong}
    hints = ", ".join(f"{name!r} (did you mean {m[0]!r}?)" if m else repr(name) for name, m in near.items())
    plural = "s" if len(wrong) > 1 else ""
    return TypeError(
        f"events.{builder}() got unexpected keyword argument{plural} {hints}. "
        f"Put what has no field of its own into details={{...}}. It takes: {', '.join(known)}"
    )


assert frozenset(CONVERTERS) - {"action"} | {"success"} == _FIELD_NAMES  # a field without a converter is our own slip
