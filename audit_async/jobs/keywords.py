"""What a job is told: its name, who and where, fields of its own two events, and details."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audit_async.config import CONTEXT_SPELLINGS, MAX_ID_CHARS
from audit_async.context import FIELDS
from audit_async.events import AuditAction
from audit_async.events.build import INVALID_KEY, settle
from audit_async.events.fields import convert
from audit_async.events.vocabulary import TERMS, Term
from audit_async.values import plain_object

_OF_ITS_EVENTS = frozenset({"description", "category", "severity", "tags", "metadata"})
_OF_CONTEXTS = frozenset(FIELDS)
_MEANT = {spelling.replace("_", ""): field for field in FIELDS for spelling in (field, field.removesuffix("_id"))}
"""The field of a context that is meant by what looks like its name: `tenant`, `userId`."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a job is called, who acts in it unless it says so, and the actions of its two events."""

    name: str
    actor: dict[str, str]
    start: Term
    finish: Term


def read_name(given: Any) -> Named:
    """Return what a job of the name *given* is called: any value is legal."""
    if type(given) is AuditAction:
        given = given.value
    return _named(given) if type(given) is str and len(given) <= MAX_ID_CHARS else _named.__wrapped__(given)


@functools.lru_cache(maxsize=CONTEXT_SPELLINGS)
def _named(given: Any) -> Named:
    said = settle(given, "custom")
    name = said.term.name if said.term.is_known else (said.spelled or "unnamed")
    start = TERMS.get(f"{name}_start")
    actor = {"actor_type": "job", "actor_id": convert("actor_id", name, {}), "actor_name": name}
    if start is None:
        return Named(name, actor, TERMS["job.start"], TERMS["job.finish"])
    return Named(name, actor, start, TERMS[name])


class Keywords:
    """The keywords of a job, sorted; any value is legal, and None is nothing.

    Attributes:
        who: what its context says, of every event inside.
        invalid: what of that no field holds.
        own: fields of its own two events.
        details: of these, as plain data.

    Raises:
        TypeError: a name is that of a context's field but for its spelling. Taken for a detail, it would leave every
            event inside without its tenant, or user.
    """

    __slots__ = ("details", "invalid", "own", "who")

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.who: dict[str, str] = {}
        self.own: dict[str, Any] = {}
        self.invalid: dict[str, Any] = {}
        details: dict[str, Any] = {}
        unfit: dict[str, Any] = {}
        for name, value in given.items():
            is_of_context = name in _OF_CONTEXTS
            if is_of_context or name in _OF_ITS_EVENTS:
                kept = None if value is None else convert(name, value, self.invalid if is_of_context else unfit)
                if kept is not None:
                    (self.who if is_of_context else self.own)[name] = kept
            elif name != "details":
                _check(name)
                if value is not None:
                    details[name] = value
        self.details: dict[str, Any] = plain_object(details) if details else {}
        if given.get("details") is not None:
            self.details = {**plain_object(given["details"]), **self.details}
        if unfit:
            self.own["metadata"] = {**self.own.get("metadata", {}), INVALID_KEY: unfit}


@functools.lru_cache(maxsize=CONTEXT_SPELLINGS)
def _check(name: str) -> None:
    meant = _MEANT.get(name.replace("_", "").lower())
    if meant is not None:
        raise TypeError(
            f"job() got an unexpected keyword argument {name!r} (did you mean {meant!r}?). "
            f"If not, it can be a detail: details={{{name!r}: ...}}"
        )
