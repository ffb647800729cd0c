"""A quick look at an event: takes out what its keys give away, and says whether more has to be looked for.

Nearly every event has keys seen before and texts without a clue, and that has to cost little: what is to be done with
an object is worked out once for each combination of its keys and the types of its values, and who acts, by which
program, is looked at once.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from types import NoneType
from typing import Any

import msgspec

from audit_async.config import CONTEXT_SPELLINGS, MAX_ID_CHARS, MAX_KEY_CHARS, MAX_PLANNED_KEYS, MAX_QUICK_CONTAINERS
from audit_async.events import AuditEvent
from audit_async.plain_copy import getter
from audit_async.redact.digits import is_card
from audit_async.redact.echoes import Echoes
from audit_async.redact.masks import REDACTED, is_mark
from audit_async.redact.texts import hide_secrets, is_suspicious
from audit_async.redact.verdicts import HARMLESS, ID, NO_SECRETS, OBJECTS, Verdicts, name_of_values
from audit_async.text import CUT_NOTE

_PLACES = {name: place for place, name in enumerate(AuditEvent.__struct_fields__)}


def _getter_of(*names: str) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    return operator.itemgetter(*(_PLACES[name] for name in names))


# Each field that may hold a text is in one of these; of ids no digits are a card's.
_ACTOR = slice(_PLACES["actor_type"], _PLACES["resource_type"] + 1)
_names_of = _getter_of("actor_type", "actor_name", "on_behalf_of", "resource_type")
_ids_of = _getter_of("actor_id", "user_id", "agent_id", "api_key_id", "tenant_id", "organization_id")
_REQUEST = slice(_PLACES["session_id"], _PLACES["span_id"] + 1)
_rest_of = _getter_of(
    *("action", "description", "error_message", "resource_id", "ip_address", "user_agent", "tags", *OBJECTS)
)
_READ_BACK = slice(_PLACES["writer_id"], _PLACES["recorded_at"] + 1)
_NOT_READ_BACK = (None, None, None)

_NOTHING: dict[str, Any] = {}
_astuple = msgspec.structs.astuple
_is_address_v6 = re.compile(r"[0-9A-Fa-f]{0,4}(?::{1,2}[0-9A-Fa-f]{1,4}){0,7}(?:::)?(?:%\w+)?").fullmatch
"""In the spelling of a builder: a colon in any other text is a clue."""

_CONTAINERS = frozenset({dict, list})
_TEXTS_ONLY = frozenset({str})
_KINDS = frozenset({str, int, float, bool, NoneType, dict, list})
_LEAST_CARD = 10**12

_MARKERS = frozenset({"$bytes", "$truncated"})


class LookCloserError(Exception):
    """The event holds, or may hold, what a quick look does not take out."""


class _Found:
    """What was met in the objects of an event: texts, those that are ids, secrets, and containers by their id."""

    __slots__ = ("ids", "secrets", "seen", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.secrets: list[Any] = []
        self.seen: set[int] = set()


class _Plan:
    """What is to be done with objects of the same keys and types of values.

    Raises:
        LookCloserError: no plan does.
    """

    __slots__ = ("deeper", "deeper_of", "has_ids", "has_texts", "ids_of", "numbers", "secrets", "texts_of")

    def __init__(self, value: dict[str, Any], verdicts: Verdicts) -> None:
        if not _MARKERS.isdisjoint(value) or name_of_values(value) is not None:
            raise LookCloserError
        texts: list[str] = []
        ids: list[str] = []
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
                if kind not in NO_SECRETS and not (verdict.is_counted and kind is not str):
                    self.secrets.append(key)
            elif kind in _CONTAINERS:
                self.deeper.append(key)
            elif kind is str and not verdict.is_kept:
                (ids if verdict.is_id else texts).append(key)
            elif kind is int and not (verdict.is_id or verdict.is_kept):
                numbers.append(key)
        if is_suspicious("\n".join(value)):
            raise LookCloserError
        self.deeper_of = getter(self.deeper)
        self.has_texts, self.texts_of = bool(texts), getter(texts)
        self.has_ids, self.ids_of = bool(ids), getter(ids)
        self.numbers = numbers

    def check_numbers(self, value: dict[str, Any]) -> None:
        """Raise `LookCloserError` when a number of *value* is a card's."""
        for key in self.numbers:
            if value[key] >= _LEAST_CARD and is_card(str(value[key])):
                raise LookCloserError


class Look:
    """Looks at events, with the plans for objects of keys and types seen before."""

    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts
        self._plans: dict[tuple[Any, ...], _Plan] = {}
        # Many requests come from the same people, and from few programs, whose names are long.
        self._known: set[Any] = set()

    def at(self, event: AuditEvent) -> AuditEvent:
        """Return *event* without the secrets that its keys give away; the same object if there are none.

        Raises:
            LookCloserError: that does not do.
        """
        fields = _astuple(event)
        action, description, message, resource, address, agent, tags, details, metadata, old, new = _rest_of(fields)
        if fields[_READ_BACK] != _NOT_READ_BACK:
            raise LookCloserError
        texts: list[str] = [action]
        ids: list[str] = []
        changes: dict[str, Any] = _NOTHING
        secrets: list[Any] | None = None
        # Of most events by far there is nothing to do but to look at texts.
        if old is not None or new is not None or metadata != _NOTHING or not self._are_plain(details, texts, ids):
            found = _Found()
            changes = self._changes((details, metadata, old, new), found)
            texts, ids, secrets = [action, *found.texts], found.ids, found.secrets
        ids += filter(None, fields[_REQUEST])
        if resource:
            ids.append(resource)
        if description:
            texts.append(description)
        if message:
            texts.append(message)
        try:
            if address and (":" not in address or not _is_address_v6(address)):
                texts.append(address)
            if tags:
                texts += tags if type(tags) is tuple else (tags,)
            actor = fields[_ACTOR]
            is_known = actor in self._known and agent in self._known
            if not is_known:
                texts += filter(None, (agent, *_names_of(fields)))
                ids += filter(None, _ids_of(fields))
            joined, joined_ids = "\n".join(texts), "\n".join(ids)
        except TypeError:
            raise LookCloserError from None
        if is_suspicious(joined, joined_ids) and not self._are_cleared(joined, joined_ids):
            raise LookCloserError
        if not is_known:
            self._remember(actor, agent)
        if secrets and any(str(secret).strip() in f"{joined}\n{joined_ids}\n{agent}" for secret in secrets):
            echoes = Echoes(self._verdicts)
            echoes.add_secret(secrets)
            changes = {**changes, **echoes.hidden_in(event)}
        return msgspec.structs.replace(event, **changes) if changes else event

    def _are_plain(self, value: Any, texts: list[str], ids: list[str]) -> bool:
        """Put what is to be looked at in *value*, an object of an event, into *texts* and *ids*; return False, with a
        part of it in them, where there is more to do."""
        if type(value) is not dict or not value:
            return type(value) is dict
        inside: list[Any] = [value]
        for each in inside:
            if type(each) is dict:
                plan = self._plans.get((*each, *map(type, each.values())))
                if plan is None or plan.secrets:
                    return False
                if plan.has_texts:
                    texts += plan.texts_of(each)
                if plan.has_ids:
                    ids += plan.ids_of(each)
                if plan.numbers:
                    plan.check_numbers(each)
                if plan.deeper:
                    inside += plan.deeper_of(each)
                    # One that holds itself would never end.
                    if len(inside) > MAX_QUICK_CONTAINERS:
                        return False
            elif len(each) != 2 and _TEXTS_ONLY.issuperset(map(type, each)):
                texts += each
            else:
                return False
        return True

    def _remember(self, actor: tuple[str | None, ...], agent: str | None) -> None:
        """Look at *actor* and *agent*, which were found harmless, no more."""
        if sum(map(len, filter(None, (*actor, agent)))) <= MAX_ID_CHARS:
            if len(self._known) >= CONTEXT_SPELLINGS:
                self._known.clear()
            self._known |= {actor, agent}

    def _are_cleared(self, texts: str, ids: str) -> bool:
        """Return whether the texts, together, turn out harmless. JSON and texts that were cut are not for here."""
        return all(
            '"' not in joined and CUT_NOTE not in joined and hide_secrets(joined, verdict, self._verdicts) == joined
            for joined, verdict in ((texts, HARMLESS), (ids, ID))
        )

    def _changes(self, objects: tuple[Any, ...], found: _Found) -> dict[str, Any]:
        """Return those of *objects* that have to change."""
        changes: dict[str, Any] = {}
        for name, value in zip(OBJECTS, objects, strict=True):
            if value is not None and (value or type(value) is not dict):
                found.seen.clear()
                clean = self._object(value, found)
                if clean is not value:
                    changes[name] = clean
        return changes

    def _object(self, value: Any, found: _Found) -> dict[str, Any]:
        """Return *value* itself as long as nothing in it has to change, else a copy."""
        if type(value) is not dict:
            raise LookCloserError
        shape = (*value, *map(type, value.values()))
        plan = self._plans.get(shape) or self._new_plan(shape, value)
        found.texts += plan.texts_of(value)
        found.ids += plan.ids_of(value)
        plan.check_numbers(value)
        result = value
        for key in plan.secrets:
            if not (type(value[key]) is str and is_mark(value[key])):
                found.secrets.append(value[key])
                result = result if result is not value else dict(value)
                result[key] = REDACTED
        for key in plan.deeper:
            clean = self._deeper(value[key], found)
            if clean is not value[key]:
                result = result if result is not value else dict(value)
                result[key] = clean
        return result

    def _deeper(self, item: Any, found: _Found) -> Any:
        if id(item) in found.seen:
            raise LookCloserError
        found.seen.add(id(item))
        return self._object(item, found) if type(item) is dict else self._list(item, found)

    def _list(self, value: list[Any], found: _Found) -> list[Any]:
        if len(value) == 2 and type(value[0]) is not int and self._may_be_pair(value):
            raise LookCloserError
        result = value
        for index, item in enumerate(value):
            kind = type(item)
            if kind is str:
                found.texts.append(item)
            elif kind in _CONTAINERS:
                clean = self._deeper(item, found)
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
        if is_small:
            if len(self._plans) >= CONTEXT_SPELLINGS:
                self._plans.clear()
            self._plans[shape] = plan
        return plan
