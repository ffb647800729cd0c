"""Put an event together from an action and whatever the caller passed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from audit_async.config import CONTEXT_SPELLINGS, MAX_ID_CHARS, MAX_WORD_CHARS
from audit_async.errors import meant
from audit_async.events.actions import AuditAction
from audit_async.events.dialects import leads_back, term_of
from audit_async.events.event import SPELLING_KEY, AuditEvent
from audit_async.events.fields import CONVERTERS, EventFields, convert, convert_all, outcome_in_words, to_text
from audit_async.events.identifier import id_at, new_id, time_of
from audit_async.events.vocabulary import FAILED, FAMILY_CATEGORY, TERMS, Category, Outcome, Severity, Term
from audit_async.shapes import pass_on
from audit_async.text import short_text, unused_name
from audit_async.values import plain, plain_text

Id: TypeAlias = uuid.UUID | str | int | None
Text: TypeAlias = str | None
Number: TypeAlias = int | float | Decimal | None
"""What the families' own keywords are meant to be. Any value is legal for any of them."""

INVALID_KEY = "$invalid"
"""In `metadata`: values that the field they were passed for cannot hold."""

_FIELD_NAMES = frozenset(EventFields.__annotations__)


class Said(msgspec.Struct, frozen=True):
    """An action as a caller said it, settled.

    Attributes:
        spelled: as it was written, at the length of an id: it may be a megabyte of nonsense.
        invalid: what of it is no text.
    """

    term: Term
    spelled: str
    invalid: dict[str, Any]


def settle(action: Any, builder: str) -> Said:
    """Return what *action* means to *builder*: to that of API keys `create` is `api_key.create`."""
    if type(action) is AuditAction:
        action = action.value
    if type(action) is not str:
        return _settle(action, builder)
    said = _settled.get((builder, action))
    if said is None:
        said = _settle(action, builder)
        if said.term.is_known and len(_settled) < CONTEXT_SPELLINGS and len(action) <= MAX_WORD_CHARS:
            _settled[builder, action] = said
    return said


_settled: dict[tuple[str, str], Said] = {}
"""Of known actions, in whatever spelling, by builder and spelling."""


def _settle(action: Any, builder: str) -> Said:
    invalid: dict[str, Any] = {}
    if action is None:
        action = ""
    elif type(action) is not str or len(action) > MAX_ID_CHARS or not action.isprintable():
        action = convert("action", action, invalid) or ""
    term = TERMS.get(f"{_family_of(builder)}.{action}") if "." not in action else None
    return Said(term or term_of(action), action, invalid)


_USUAL_SEVERITY = {
    "api_key": Severity.MEDIUM,
    "module": Severity.MEDIUM,
    "permission": Severity.HIGH,
    "security": Severity.HIGH,
}
"""Of an action in somebody's own words, as the builders of old gave it."""

_AS_OF_OLD = frozenset({"identity", "role"})
"""Builders whose rows, in a table without a category, must not say one that their writers of old never said."""


def _family_of(builder: str) -> str:
    return FAMILY_OF_BUILDER.get(builder, builder)


FAMILY_OF_BUILDER = {
    "org_sync": "org",
    "api_request": "api",
    "usage": "api",
    "data_change": "data",
    "data_export": "data",
    "data_import": "data",
}
"""Of builders that are not called as the family of their actions."""


def build(
    action: Any,
    own: Mapping[str, Any],
    fields: Mapping[str, Any],
    *,
    builder: str,
    about: Mapping[str, Any] | None = None,
    tags: tuple[str, ...] = (),
) -> AuditEvent:
    """Return the event of *action* with *fields*. Never raises on a value.

    Args:
        action: whatever the caller passed, or settled already.
        own: details that the family says; the caller's own under the same key is kept as `key#2`.
        about: fields that the family fills where the caller says nothing: resource, description, category, severity.
        tags: those of the family, before the caller's.

    Raises:
        TypeError: *fields* has a name that no event has; the message names the nearest right one.
    """
    check_names(builder, fields)
    said = action if type(action) is Said else settle(action, builder)
    term, spelled, invalid = said.term, said.spelled, {**said.invalid}
    is_known = term.is_known
    values: dict[str, Any] = {}
    convert_all(fields, values, invalid)
    if about:
        convert_all(about, values, invalid)

    outcome = values.get("outcome") or _implied_outcome(term, fields.get("success"), invalid)
    values["outcome"] = outcome
    values["action"] = term.name
    if "category" not in values:
        values["category"] = term.category if is_known else _category_of(term, builder)
    if "severity" not in values:
        usual = None if is_known else _USUAL_SEVERITY.get(builder)
        values["severity"] = usual or (term.severity_failed if outcome in FAILED else term.severity)
    if "id" in values or "created_at" in values:
        _set_identity(values, invalid)
    else:
        values["id"], values["created_at"] = new_id()
    if own:
        values["details"] = with_own(values.get("details"), own)
    if tags:
        values["tags"] = tuple(dict.fromkeys((*tags, *values.get("tags", ()))))
    if spelled != term.name and not leads_back(spelled, term.name, outcome):
        values["metadata"] = {**(values.get("metadata") or {}), SPELLING_KEY: spelled}
    if invalid:
        values["metadata"] = {**(values.get("metadata") or {}), INVALID_KEY: invalid}
    return AuditEvent(**values)


def _category_of(term: Term, builder: str) -> Category:
    """Return the category of an action in somebody's own words: without a family it is of that of the builder."""
    has_family = "." in term.name or builder in _AS_OF_OLD
    usual = None if has_family else FAMILY_CATEGORY.get(_family_of(builder))
    return usual or term.category


def check_names(builder: str, fields: Mapping[str, Any]) -> None:
    """Make sure that every name in *fields* is one of an event's.

    Raises:
        TypeError: one is not; the message names the nearest right one.
    """
    if not _FIELD_NAMES.issuperset(fields):
        raise _wrong_name(builder, fields)


def given(**values: Any) -> dict[str, Any]:
    """Return those of *values* that are not None, as plain data: a 0 and an empty text are something said."""
    return {name: plain(value) for name, value in values.items() if value is not None}


def verb_of(spelled: str) -> str:
    """Return what an action says of its subject: of a canonical one the part behind the dot."""
    return spelled.rpartition(".")[2]


def assume_success(fields: EventFields, success: bool) -> None:
    """Note *success* in *fields* where the caller says nothing of how it went."""
    fields.setdefault("success", success if fields.get("outcome") is None else None)


def outcome_of(said: Said, fields: Mapping[str, Any]) -> Outcome:
    """Return the outcome that the event of what was *said*, with *fields*, will have."""
    outcome = fields.get("outcome")
    kept = convert("outcome", outcome, {}) if outcome is not None else None
    return kept or _implied_outcome(said.term, fields.get("success"), {})


def say(value: Any) -> str:
    """Return *value* as the part of a sentence."""
    kept = convert("actor_name", value, {})
    return kept if isinstance(kept, str) else short_text(plain_text(value), MAX_ID_CHARS)


def named(sentence: str, name: Any) -> str:
    """Return *sentence* with the name of what it is about behind a colon, where it has one."""
    return sentence if name is None else f"{sentence}: {say(name)}"


def with_own(details: Any, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the caller's *details*, and those that the builder says, which win; the caller's is then `key#2`."""
    # The caller's details come first, so that none of them can stand in for what the family says.
    details = details or {}
    kept = {**details, **own}
    if len(kept) == len(details) + len(own):
        return kept
    for name, said in own.items():
        if name in details and details[name] != said:
            kept[unused_name(name, kept, {})] = details[name]
    return kept


def _implied_outcome(term: Term, success: Any, invalid: dict[str, Any]) -> Outcome:
    if term.outcome is not None:
        return term.outcome
    if success is None:
        return term.usual
    if type(success) is bool:
        return Outcome.SUCCESS if success else term.failed
    try:
        # A form field or an environment value: the text `no` is true to Python.
        if issubclass(type(success), (str, bytes)):
            found = outcome_in_words(to_text(success))
            if found is None:
                invalid["success"] = plain(success)
            return term.failed if found is Outcome.FAILURE else found or Outcome.UNKNOWN
        return Outcome.SUCCESS if success else term.failed
    except BaseException as error:
        pass_on(error)
        invalid["success"] = plain(success)
        return Outcome.UNKNOWN


def _set_identity(values: dict[str, Any], invalid: dict[str, Any]) -> None:
    """Settle id and time, three cases: the time is given, the id, or both. An empty id is none."""
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


def _wrong_name(builder: str, fields: Mapping[str, Any]) -> TypeError:
    from audit_async.events.families import own_keywords_of  # they import this module, and only a slip needs them

    known = [*own_keywords_of(builder), *sorted(_FIELD_NAMES)]
    wrong = sorted(set(fields) - _FIELD_NAMES)
    hints = ", ".join(f"{name!r}{meant(name, known)}" for name in wrong)
    plural = "s" if len(wrong) > 1 else ""
    return TypeError(
        f"events.{builder}() got unexpected keyword argument{plural} {hints}. "
        f"Put what has no field of its own into details={{...}}. It takes: {', '.join(known)}"
    )


assert frozenset(CONVERTERS) - {"action"} | {"success"} == _FIELD_NAMES  # a field without a converter is our own slip
