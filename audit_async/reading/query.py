"""What is asked for: a value, checked when it is made, so that a slip is told where it was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from audit_async.config import MAX_ID_CHARS, MAX_PAGE_EVENTS, MAX_QUERY_VALUES, MAX_STRING_CHARS, PAGE_EVENTS
from audit_async.errors import ConfigurationError, meant
from audit_async.events.fields import CONVERTERS, InvalidValueError
from audit_async.events.vocabulary import Category, Outcome, Severity
from audit_async.reading.moments import Moment, read_moment
from audit_async.reading.spellings import Actions, read_actions
from audit_async.text import clean_text

_ALLOWED = {
    "category": ", ".join(Category),
    "severity": ", ".join(Severity),
    "severity_at_least": ", ".join(Severity),
    "outcome": ", ".join(Outcome),
    "ip_address": "an IPv4 or IPv6 address",
    "status_code": "a whole number",
}

Wanted = tuple[Any, ...]
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which events are asked for. All that is given has to hold; of several values one.

        Query(actions="auth.*", outcome="failure", since="24h")
        Query(user_id=["u-1", "u-2"], details={"provider_type": "feishu"}, since="2026-01-01", until="2026-01-31")

    Whose events may be seen is no part of it: that is the reader's `Scope`.

    Attributes:
        actions: names (`auth.login`), families (`auth`), patterns (`auth.*`), or spellings of old (`login_failed`).
        category, severity, outcome: words of the vocabulary.
        user_id to span_id: values that the field has, whole; None in a list for events without one.
        status_code: whole numbers.
        severity_at_least: of `info low medium high critical`, this one and those behind it.
        since: from then on: a time, a day, or how long ago (`24h`).
        until: before then; of a day its end.
        involving: ids of users who did it, whom it is about, for whom or to whom it was done.
        text: is somewhere in the description, in upper or lower case.
        details: values by key in `details`; of nested objects by their keys with dots between (`geo.country`), or by a
            tuple of keys.
        tag: is among the event's tags.
        oldest_first: in the order of time, and not the newest first.
        limit: events on a page, 1 to `MAX_PAGE_EVENTS`.

    Raises:
        ConfigurationError: a value that its field cannot have; the hint says which it can.
    """

    actions: Any = None
    category: Any = None
    severity: Any = None
    outcome: Any = None
    user_id: Any = None
    actor_id: Any = None
    actor_type: Any = None
    actor_name: Any = None
    on_behalf_of: Any = None
    agent_id: Any = None
    api_key_id: Any = None
    tenant_id: Any = None
    organization_id: Any = None
    resource_type: Any = None
    resource_id: Any = None
    ip_address: Any = None
    user_agent: Any = None
    session_id: Any = None
    request_id: Any = None
    trace_id: Any = None
    span_id: Any = None
    status_code: Any = None
    severity_at_least: Any = None
    since: Any = None
    until: Any = None
    involving: Any = None
    text: Any = None
    details: Any = None
    tag: Any = None
    oldest_first: bool = False
    limit: int = PAGE_EVENTS

    def __post_init__(self) -> None:
        wanted = {name: _values(name, getattr(self, name)) for name in FIELDS if getattr(self, name) is not None}
        if self.severity_at_least is not None:
            least = _values("severity_at_least", self.severity_at_least)
            levels = list(Severity)
            wanted["severity"] = _both(wanted.get("severity"), levels[min(map(levels.index, least)) :])
        for name, values in wanted.items():
            self._set(name, values)
        self._set("severity_at_least", None)
        self._set("actions", None if self.actions is None else read_actions(_several("actions", self.actions)))
        self._set("since", None if self.since is None else read_moment("since", self.since))
        self._set("until", None if self.until is None else read_moment("until", self.until, is_end=True))
        if self.since is not None and type(self.since) is type(self.until) and _is_empty(self.since, self.until):
            raise ConfigurationError(f"since {self.since} is not before until {self.until}", hint="exchange them")
        self._set("involving", None if self.involving is None else _values("involving", self.involving))
        self._set("text", None if self.text is None else _text("text", self.text))
        self._set("tag", None if self.tag is None else _text("tag", self.tag))
        self._set("details", None if self.details is None else _read_details(self.details))
        if type(self.limit) is not int or not 1 <= self.limit <= MAX_PAGE_EVENTS:
            raise ConfigurationError(
                f"limit is {self.limit!r:.100}",
                hint=f"a page holds 1 to {MAX_PAGE_EVENTS} events; more are on the next",
            )

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Query:
        """Return the query of *fields*, by name, as a form or a command line gives them.

        Raises:
            ConfigurationError: a name that there is not, or as the class.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in fields:
            if name not in known:
                raise ConfigurationError(
                    f"no query has {name!r}{meant(str(name), known)}", hint=f"there are {', '.join(known)}"
                )
        return cls(**fields)

    @property
    def wanted(self) -> dict[str, Wanted]:
        """The values of each field that is asked for."""
        return {name: value for name in FIELDS if (value := getattr(self, name)) is not None}

    @property
    def named(self) -> tuple[Actions, ...] | None:
        """The actions, as they were read."""
        return cast("tuple[Actions, ...] | None", self.actions)

    @property
    def paths(self) -> Mapping[Path, Wanted]:
        """What is asked of `details`."""
        return self.details or {}

    @property
    def starts(self) -> Moment | None:
        """From when on."""
        return cast("Moment | None", self.since)

    @property
    def ends(self) -> Moment | None:
        """Before when."""
        return cast("Moment | None", self.until)

    def to_dict(self) -> dict[str, Any]:
        """Return what is asked for as plain JSON data: what an export says of itself, and what a cursor is bound to."""
        asked = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        asked["actions"] = [[each.text, sorted(each.outcomes or ())] for each in self.named or ()]
        asked["details"] = [[list(path), list(values)] for path, values in self.paths.items()]
        asked = {name: list(value) if isinstance(value, tuple) else value for name, value in asked.items()}
        kept = {name: value for name, value in asked.items() if value not in (None, [], False)}
        data: dict[str, Any] = msgspec.to_builtins(kept, str_keys=True)
        return data


FIELDS = tuple(
    field.name
    for field in dataclasses.fields(Query)
    if field.name in CONVERTERS and field.name not in ("details", "metadata", "tags")
)
"""What is compared with a field of the event as a whole."""


def _several(name: str, given: Any) -> list[Any]:
    is_one = isinstance(given, (str, bytes, bytearray, Mapping)) or not isinstance(given, Iterable)
    values = [given] if is_one else list(given)
    if not 1 <= len(values) <= MAX_QUERY_VALUES:
        raise ConfigurationError(
            f"{name} is given {len(values):,} values", hint=f"give 1 to {MAX_QUERY_VALUES}, or leave {name} out"
        )
    return values


def _values(name: str, given: Any) -> Wanted:
    """Return the values of field *name*, each as an event would hold it."""
    convert = CONVERTERS[{"severity_at_least": "severity", "involving": "user_id"}.get(name, name)]
    found = []
    for value in _several(name, given):
        try:
            converted = None if value is None else convert(value)
        except (InvalidValueError, ValueError, TypeError):
            raise _unfit(name, value) from None
        if converted is None and value is not None:
            raise _unfit(name, value)
        found.append(converted)
    return tuple(dict.fromkeys(found))


def _unfit(name: str, value: Any) -> ConfigurationError:
    allowed = _ALLOWED.get(name, f"a text of up to {MAX_ID_CHARS} characters")
    near = meant(str(value), allowed.split(", ")) if name in _ALLOWED and isinstance(value, str) else ""
    return ConfigurationError(f"{name} cannot be {value!r:.100}{near}", hint=f"it is {allowed}")


def _both(first: Wanted | None, second: list[Any]) -> Wanted:
    """Return the severities in both.

    Raises:
        ConfigurationError: there is none.
    """
    both = tuple(second) if first is None else tuple(value for value in first if value in second)
    if not both:
        raise ConfigurationError(
            f"no severity of {', '.join(map(str, first or ()))} is at least {second[0]}", hint="leave one of them out"
        )
    return both


def _is_empty(since: Any, until: Any) -> bool:
    # Of two that count back from now, the longer one is the earlier.
    return bool(since >= until) if hasattr(since, "year") else bool(since <= until)


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str) or not 1 <= len(given) <= MAX_STRING_CHARS:
        raise ConfigurationError(f"{name} is no text: {given!r:.100}", hint="give some characters that are in it")
    return clean_text(given)


def _read_details(given: Any) -> dict[Path, Wanted]:
    if not isinstance(given, Mapping) or not given:
        raise ConfigurationError(
            f"details is no mapping: {given!r:.100}", hint='give values by key: details={"provider_type": "feishu"}'
        )
    return {_read_path(key): _scalars(key, value) for key, value in given.items()}


def _read_path(given: Any) -> Path:
    path = (given,) if isinstance(given, str) else given
    if not isinstance(path, tuple) or not path or not all(isinstance(key, str) and key for key in path):
        raise ConfigurationError(
            f"{given!r:.100} is no key of details", hint='write "geo.country" or ("geo", "country")'
        )
    return tuple(clean_text(key) for key in path)


def _scalars(key: Any, given: Any) -> Wanted:
    values = [given] if given is None else _several(f"details {key}", given)
    for value in values:
        if value is not None and not isinstance(value, (str, int, float, bool)):
            raise ConfigurationError(
                f"details {key} cannot be compared with a value of type {type(value).__name__}",
                hint="give a text, a number, True, False or None",
            )
    return tuple(clean_text(value) if isinstance(value, str) else value for value in values)
