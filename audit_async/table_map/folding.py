"""What has no column: it is put into the JSON column, under its own name, and only where nothing else says it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from audit_async.entry import Entry
from audit_async.events.dialects import term_of
from audit_async.events.event import SPELLING_KEY
from audit_async.events.vocabulary import FAILED, Outcome
from audit_async.text import unused_name

# Of a table without a column for them, readers filter tenants by these keys: the caller's own give way.
_TENANCY = ("tenant_id", "organization_id")
_OBJECTS = ("details", "metadata", "old_values", "new_values", "tags")
_DECIDED_APART = frozenset(
    {"id", "created_at", "action", "category", "severity", "outcome", "error_message", "resource_type", "resource_id"}
    | {"writer_id", "writer_seq", *_TENANCY, *_OBJECTS}
)
_PLAIN = tuple(name for name in Entry.__struct_fields__ if name not in _DECIDED_APART)


_SAID_BY = {"success": ("success", "failure"), "result": ("success", "failure", "partial")}
"""Outcomes that a column filled from a view tells apart."""


class Folding:
    """Puts into an object what of an entry no column holds.

    Args:
        covered: fields that a column holds, or that are kept nowhere.
        is_terse: leave out what repeats another field, as the writers of old did: a resource, an id that it is, the
            tags of a builder.
    """

    def __init__(self, covered: Iterable[str], *, is_terse: bool = True) -> None:
        self._is_terse = is_terse
        covered = frozenset(covered)
        self._covered = covered
        self._outcomes_said = frozenset(
            outcome for view, outcomes in _SAID_BY.items() if view in covered for outcome in outcomes
        )
        self._rest = tuple(name for name in (*_TENANCY, *_PLAIN) if name not in covered)
        self._get_rest = values_of(self._rest)
        # What is None is left out by msgspec, in half the time that a loop takes.
        self._only_set = msgspec.defstruct(
            "Rest", [(name, Any, None) for name in self._rest], omit_defaults=True, gc=False
        )
        self._has_resource = {"resource_type", "resource_id"} <= covered
        self._repeats = _IDS if is_terse and self._has_resource else {}
        self._holds_apart = {"id", "created_at", "action", "error_message"} <= covered
        self._objects = tuple(name for name in _OBJECTS if name not in covered)
        self._verdicts = tuple(name for name in ("outcome", "category", "severity") if name not in covered)

    def is_empty(self, entry: Entry, spelling: str) -> bool:
        """Return whether there is nothing to fold: most entries of a wide table."""
        return (
            self._get_rest(entry).count(None) == len(self._rest)
            and all(len(getattr(entry, name)) <= 2 for name in self._objects)
            and {"id", "created_at", "action"} <= self._covered
            and ("error_message" in self._covered or not entry.error_message)
            and ("resource_type" in self._covered or entry.resource_type is None)
            and ("resource_id" in self._covered or entry.resource_id is None)
            and all(self._is_implied(name, entry, spelling, {}) for name in self._verdicts)
        )

    def rests(self, entries: Sequence[Entry]) -> list[dict[str, Any]]:
        """Return of each entry its fields without a column that are set, and that no other field repeats."""
        rests: list[dict[str, Any]] = msgspec.to_builtins(
            [self._only_set(*values) for values in map(self._get_rest, entries)]
        )
        for entry, rest in zip(entries, rests, strict=True):
            if "" in rest.values():
                for name in _TENANCY:
                    if rest.get(name) == "":
                        del rest[name]
            repeated = self._repeats.get(entry.resource_type)
            if repeated is not None and rest.get(repeated) == entry.resource_id:
                rest.pop(repeated, None)
        return rests

    def folded(self, entry: Entry, spelling: str, own: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
        """Return *own*, which the column holds anyway, and what of *entry* no column holds.

        Args:
            rest: that of `rests`; it is changed.
            spelling: of the action, as its column has it; empty where no column has it.
        """
        target = _joined(own, rest) if own else rest
        if not self._holds_apart:
            self._fold_apart(entry, own, target)
        if not self._has_resource:
            self._fold_resource(entry, own, target)
        for name in self._verdicts:
            if not self._is_implied(name, entry, spelling, own):
                fold(target, name, getattr(entry, name))
        for name in self._objects:
            raw = getattr(entry, name)
            if len(raw) > 2:
                self._fold_object(entry, name, raw, spelling, target)
        return target

    def _fold_apart(self, entry: Entry, own: dict[str, Any], target: dict[str, Any]) -> None:
        if "id" not in self._covered:
            fold(target, "event_id", entry.id)
        if "created_at" not in self._covered:
            fold(target, "created_at", entry.created_at.isoformat())
        if "action" not in self._covered:
            fold(target, "action", entry.action)
        if "error_message" not in self._covered and entry.error_message and "error" not in own:
            fold(target, "error_message", entry.error_message)

    def _fold_resource(self, entry: Entry, own: dict[str, Any], target: dict[str, Any]) -> None:
        """Fold the resource, unless it repeats what the builders of its family took it from."""
        kind, resource = entry.resource_type, entry.resource_id
        if (
            self._is_terse
            and kind in _REPEATED
            and "resource_id" not in self._covered
            and _REPEATED[kind](entry, own) == resource
        ):
            return
        for name in ("resource_type", "resource_id"):
            value = getattr(entry, name)
            if value is not None and name not in self._covered:
                fold(target, name, value)

    def _is_implied(self, name: str, entry: Entry, spelling: str, own: dict[str, Any]) -> bool:
        """Return whether the row says *name* without a place of its own, by its action or by its details."""
        if name == "outcome":
            if self._outcomes_said:
                return entry.outcome in self._outcomes_said
            said = term_of(spelling or entry.action)
            if said.outcome is not None or entry.outcome == said.usual:
                return entry.outcome == (said.outcome or said.usual)
            return "success" in own and entry.outcome == (Outcome.SUCCESS if own["success"] else Outcome.FAILURE)
        term = term_of(entry.action)
        if name == "category":
            return entry.category == term.category
        return entry.severity == (term.severity_failed if entry.outcome in FAILED else term.severity)

    def _fold_object(self, entry: Entry, name: str, raw: bytes, spelling: str, target: dict[str, Any]) -> None:
        value = msgspec.json.decode(raw)  # of an event that was made without a builder it may be anything
        if name == "metadata" and isinstance(value, dict):
            value.pop(SPELLING_KEY, None)
        is_said = name == "tags" and self._is_terse and isinstance(value, list) and _are_said(value, entry, spelling)
        if value and not is_said:
            fold(target, name, value)


def _joined(own: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """Return *own* with *rest*; of equal keys the caller's own counts, but for those of tenancy."""
    target = own.copy()
    for name, value in rest.items():
        if name not in own:
            target[name] = value
        elif name not in _TENANCY:
            fold(target, name, value)
        else:
            target[name] = value
            if str(own[name]) != value:
                fold(target, name, own[name])
    return target


def _are_said(tags: list[Any], entry: Entry, spelling: str) -> bool:
    """Return whether *tags* are those that builders give events of this kind: the row says them by its action and its
    resource."""
    family, _, verb = entry.action.rpartition(".")
    said = {entry.action, spelling, family, verb, entry.resource_type, entry.resource_id, *_TAGS.get(family, ())}
    return said.issuperset(map(str, tags))


def values_of(names: Sequence[str]) -> Callable[[Entry], tuple[Any, ...]]:
    """Return what gets the fields *names* of an entry, all at once."""
    if len(names) > 1:
        return attrgetter(*names)
    if not names:
        return lambda entry: ()
    # Of one name it does not return a tuple.
    get = attrgetter(*names)
    return lambda entry: (get(entry),)


_REPEATED: dict[str | None, Any] = {
    "tenant": lambda entry, own: entry.tenant_id,
    "agent": lambda entry, own: entry.agent_id,
    "user": lambda entry, own: entry.user_id,
    "api_key": lambda entry, own: entry.api_key_id,
    "session": lambda entry, own: entry.session_id,
    "role": lambda entry, own: None if own.get("role_name") is None else str(own["role_name"]),
    # Without an id it is there for its type alone, which the family says as well.
    "security": lambda entry, own: None if entry.action.startswith("security.") else entry.id,
}
"""What the resource of a type repeats."""

_IDS: dict[str | None, str] = {"agent": "agent_id", "user": "user_id", "api_key": "api_key_id", "session": "session_id"}
"""Of which the resource of a type is the value."""

_TAGS: dict[str, set[str | None]] = {"auth": {"authentication"}, "data": {"data_change"}}


def fold(target: dict[str, Any], name: str, value: Any) -> None:
    """Add *value* under *name*, or under `name#2` and so on where the caller has a key of that name."""
    if name not in target:
        target[name] = value
    elif target[name] != value:
        target[unused_name(name, target, {})] = value
