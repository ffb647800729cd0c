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
    """What a job is called, and the actions of its two events."""

    name: str
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
    return Named(name, TERMS["job.start"], TERMS["job.finish"]) if start is None else Named(name, start, TERMS[name])


class Keywords:
    """The keywords of a job, sorted; any value is legal, and None is nothing.

    Attributes:
        who: what its context says, of every event inside.
        own: fields of its own two events, as these hold them.
        details: of these, as plain data.

    Raises:
        TypeError: a name is that of a context's field but for its spelling. Taken for a detail, it would leave every
            event inside without its tenant, or user.
    """

    __slots__ = ("details", "own", "who")

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.who: dict[str, Any] = {}
        self.own: dict[str, Any] = {}
        details: dict[str, Any] = {}
        for name, value in given.items():
            if name in _OF_CONTEXTS:
                if value is not None:
                    self.who[name] = value
            elif name in _OF_ITS_EVENTS:
                if value is not None:
                    self.own[name] = value
            elif name != "details":
                _check(name)
                if value is not None:
                    details[name] = value
        self.details: dict[str, Any] = plain_object(details) if details else {}
        if given.get("details") is not None:
            self.details = {**plain_object(given["details"]), **self.details}
        if self.own:
            self._convert()

    def _convert(self) -> None:
        invalid: dict[str, Any] = {}
        found = {name: convert(name, value, invalid) for name, value in self.own.items()}
        self.own = {name: value for name, value in found.items() if value is not None}
        if invalid:
            self.own["metadata"] = {**self.own.get("metadata", {}), INVALID_KEY: invalid}


def _check(name: str) -> None:
    meant = _MEANT.get(name.replace("_", "").lower())
    if meant is not None:
        raise TypeError(
            f"job() got an unexpected keyword argument {name!r} (did you mean {meant!r}?). "
            f"If not, it can be a detail: details={{{name!r}: ...}}"
        )
