"""A quick look at an event: takes out what its keys give away, and says whether more has to be looked for.

Nearly every event has keys seen before and texts without a clue, and that has to cost little: what is to be done with
an object is worked out once for each combination of its keys and the types of its values.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import NoneType
from typing import Any

import msgspec

from audit_async.config import CONTEXT_SPELLINGS, MAX_ID_CHARS, MAX_KEY_CHARS, MAX_PLANNED_KEYS
from audit_async.events import AuditEvent
from audit_async.redact.digits import is_card
from audit_async.redact.echoes import Echoes
from audit_async.redact.marks import REDACTED
from audit_async.redact.suspicion import is_suspicious
from audit_async.redact.texts import hide_secrets
from audit_async.redact.verdicts import HARMLESS, Verdicts
from audit_async.text import CUT_NOTE

OBJECTS = ("details", "metadata", "old_values", "new_values")
_FIELDS = (
    *("action", "description", "error_message", "resource_id", "actor_name", "actor_id", "api_key_id", "session_id"),
    *("writer_id", "writer_seq", "recorded_at"),  # absent, unless somebody set them by hand
)
"""Where an application puts what it was given by others; the rest are ids of its own."""

_NOTHING: dict[str, Any] = {}
_PLACES = {name: place for place, name in enumerate(AuditEvent.__struct_fields__)}
_texts_of = operator.itemgetter(*(_PLACES[name] for name in _FIELDS))
_rest_of = operator.itemgetter(*(_PLACES[name] for name in ("user_agent", "tags", *OBJECTS)))
_astuple = msgspec.structs.astuple

_CONTAINERS = frozenset({dict, list})
_KINDS = frozenset({str, int, float, bool, NoneType, dict, list})
_NO_SECRETS = frozenset({bool, NoneType})
_LEAST_CARD = 10**12

_MARKERS = frozenset({"$bytes", "$truncated"})
_NAMES = frozenset({"name", "key", "header"})
"""Beside a `value`: then the value of one of these, and not its key, says what it is."""

_Getter = Callable[[dict[str, Any]], tuple[Any, ...]]


class LookCloserError(Exception):
    """The event holds, or may hold, what a quick look does not take out."""


class _Plan:
    """What is to be done with objects of the same keys and types of values.

    Raises:
        LookCloserError: no plan does.
    """

    __slots__ = ("deeper", "is_flat", "numbers", "secrets", "texts_of")

    def __init__(self, value: dict[str, Any], verdicts: Verdicts) -> None:
        if not _MARKERS.isdisjoint(value) or ("value" in value and not _NAMES.isdisjoint(value)):
            raise LookCloserError
        texts: list[str] = []
        numbers: list[str] = []
        self.secrets: list[str] = []
        self.deeper: list[str] = []
        for key, item in value.items():
            kind = type(item)
            if type(key) is not str or kind not in _KINDS:
                raise LookCloserError
            verdict = verdicts.of(key)
            if verdict.is_secret:
                if kind in _CONTAINERS:
                    raise LookCloserError
                if kind not in _NO_SECRETS and not (verdict.is_counted and kind is not str):
                    self.secrets.append(key)
            elif kind in _CONTAINERS:
                self.deeper.append(key)
            elif kind is str and not verdict.is_kept:
                texts.append(key)
            elif kind is int and not (verdict.is_id or verdict.is_kept):
                numbers.append(key)
        if is_suspicious("\n".join(value)):
            raise LookCloserError
        self.is_flat = not (self.secrets or self.deeper)
        self.texts_of = _getter(texts)
        self.numbers = numbers

    def check_numbers(self, value: dict[str, Any]) -> None:
        """Raise `LookCloserError` when a number of *value* is a card's."""
        for key in self.numbers:
            if value[key] >= _LEAST_CARD and is_card(str(value[key])):
                raise LookCloserError


def _getter(keys: list[str]) -> _Getter:
    """Return what gets the values of *keys* from an object, as a tuple whatever their number."""
    if len(keys) > 1:
        return operator.itemgetter(*keys)
    return (lambda value: (value[keys[0]],)) if keys else (lambda value: ())


class Look:
    """Looks at events, with the plans for objects of keys and types seen before."""

    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts
        self._plans: dict[tuple[Any, ...], _Plan] = {}
        # Many requests come from few programs, whose names are long.
        self._agents: set[str] = set()

    def at(self, event: AuditEvent) -> AuditEvent:
        """Return *event* without the secrets that its keys give away; the same object if there are none.

        Raises:
            LookCloserError: that does not do.
        """
        fields = _astuple(event)
        agent, tags, details, metadata, old_values, new_values = _rest_of(fields)
        texts = [*filter(None, _texts_of(fields))]
        secrets: list[Any] = []
        changes: dict[str, Any] = {}
        plan = self._plans.get((*details, *map(type, details.values()))) if type(details) is dict else None
        if plan and plan.is_flat and old_values is None and new_values is None and metadata == _NOTHING:
            # Most events by far: there is nothing to do but to look at texts.
            texts += plan.texts_of(details)
            if plan.numbers:
                plan.check_numbers(details)
        else:
            changes = self._changes((details, metadata, old_values, new_values), texts, secrets)
        try:
            new_agent = None if agent in self._agents else agent
            if tags:
                texts += tags if type(tags) is tuple else (tags,)
            if new_agent is not None:
                texts.append(new_agent)
            joined = "\n".join(texts)
        except TypeError:
            raise LookCloserError from None
        if is_suspicious(joined) and not self._is_cleared(joined):
            raise LookCloserError
        if new_agent is not None and len(self._agents) < CONTEXT_SPELLINGS and len(new_agent) <= MAX_ID_CHARS:
            self._agents.add(new_agent)
        if secrets and any(str(secret).strip() in f"{joined}\n{agent}" for secret in secrets):
            echoes = Echoes()
            echoes.add_secret(secrets)
            changes.update(echoes.hidden_in(event))
        return msgspec.structs.replace(event, **changes) if changes else event

    def _is_cleared(self, joined: str) -> bool:
        """Return whether the texts, together, turn out harmless. JSON and texts that were cut are not for here."""
        return '"' not in joined and CUT_NOTE not in joined and hide_secrets(joined, HARMLESS, self._verdicts) == joined

    def _changes(self, objects: tuple[Any, ...], texts: list[str], secrets: list[Any]) -> dict[str, Any]:
        """Return those of *objects* that have to change, and add to *texts* what is not judged by its key."""
        changes: dict[str, Any] = {}
        for name, value in zip(OBJECTS, objects, strict=True):
            if value is not None and (value or type(value) is not dict):
                clean = self._object(value, texts, secrets, set())
                if clean is not value:
                    changes[name] = clean
        return changes

    def _object(self, value: Any, texts: list[str], secrets: list[Any], seen: set[int]) -> dict[str, Any]:
        """Return *value* itself as long as nothing in it has to change, else a copy."""
        if type(value) is not dict:
            raise LookCloserError
        shape = (*value, *map(type, value.values()))
        plan = self._plans.get(shape) or self._new_plan(shape, value)
        texts += plan.texts_of(value)
        plan.check_numbers(value)
        result = value
        for key in plan.secrets:
            if value[key] != REDACTED:
                secrets.append(value[key])
                result = result if result is not value else dict(value)
                result[key] = REDACTED
        for key in plan.deeper:
            clean = self._deeper(value[key], texts, secrets, seen)
            if clean is not value[key]:
                result = result if result is not value else dict(value)
                result[key] = clean
        return result

    def _deeper(self, item: Any, texts: list[str], secrets: list[Any], seen: set[int]) -> Any:
        if id(item) in seen:
            raise LookCloserError
        seen.add(id(item))
        if type(item) is dict:
            return self._object(item, texts, secrets, seen)
        return self._list(item, texts, secrets, seen)

    def _list(self, value: list[Any], texts: list[str], secrets: list[Any], seen: set[int]) -> list[Any]:
        if len(value) == 2 and type(value[0]) is not int and self._may_be_pair(value):
            raise LookCloserError
        result = value
        for index, item in enumerate(value):
            kind = type(item)
            if kind is str:
                texts.append(item)
            elif kind in _CONTAINERS:
                clean = self._deeper(item, texts, secrets, seen)
                if clean is not item:
                    result = result if result is not value else list(value)
                    result[index] = clean
            elif kind not in _KINDS or (kind is int and item >= _LEAST_CARD):
                raise LookCloserError
        return result

    def _may_be_pair(self, value: list[Any]) -> bool:
        """Return whether *value* may be a header, name and value, of which the name says what to do."""
        name = value[0]
        return type(name) is dict if type(name) is not str else self._verdicts.of(name).is_secret

    def _new_plan(self, shape: tuple[Any, ...], value: dict[str, Any]) -> _Plan:
        plan = _Plan(value, self._verdicts)
        is_small = len(value) <= MAX_PLANNED_KEYS and max(map(len, value), default=0) <= MAX_KEY_CHARS
        if is_small and len(self._plans) < CONTEXT_SPELLINGS:
            self._plans[shape] = plan
        return plan
