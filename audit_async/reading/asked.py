"""What an analysis can be asked: by which fields, of which actions, how much at most."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from audit_async.config import MAX_PERIOD_DAYS
from audit_async.errors import ConfigurationError, meant
from audit_async.events.vocabulary import TERMS
from audit_async.reading.query import FIELDS

COUNTABLE = ("action", *FIELDS)
"""The fields by which events can be counted."""

_LOGON = (3002, 1)
LOGINS = tuple(name for name, term in TERMS.items() if term.ocsf == _LOGON)
"""The actions that are log-ins: those of OCSF's activity Logon."""

PRIVILEGES = (
    *("role.*", "permission.*", "api_key.create", "api_key.delete"),
    *("session.impersonate_start", "session.impersonate_stop"),
    *("tenant.join", "tenant.leave", "sso.config_change"),
)
"""The actions that give or take a right: to do something, to be somebody, or to get in."""


def action_texts(actions: Any) -> list[Any]:
    """Return what *actions*, one or several, are called; a program's own enumeration may be of whatever kind."""
    if actions is None:
        return []
    given = [actions] if isinstance(actions, (str, enum.Enum)) else list(actions)
    return [each.value if isinstance(each, enum.Enum) else each for each in given if each is not None]


def check_fields(fields: Iterable[Any]) -> tuple[str, ...]:
    """Return *fields*, each once.

    Raises:
        ConfigurationError: there is none, or events cannot be counted by one of them.
    """
    given = list(fields)
    for field in given or [""]:
        if field not in COUNTABLE:
            raise ConfigurationError(
                f"nothing can be counted by {field!r:.100}{meant(str(field), COUNTABLE)}",
                hint=f"there are {', '.join(COUNTABLE)}",
            )
    return tuple(dict.fromkeys(given))


def bounded(name: str, given: Any, most: int) -> int:
    """Return the number *given* for *name*.

    Raises:
        ConfigurationError: it is no whole number from 1 to *most*.
    """
    if type(given) is not int or not 1 <= given <= most:
        raise ConfigurationError(f"{name} is {given!r:.100}", hint=f"it is a whole number from 1 to {most:,}")
    return given


def span_of(name: str, given: Any, unit: timedelta) -> timedelta:
    """Return *given* times *unit*.

    Raises:
        ConfigurationError: it is no number, none above 0, or more than a hundred years.
    """
    most = timedelta(days=MAX_PERIOD_DAYS) / unit
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 < given <= most or math.isnan(given):
        raise ConfigurationError(f"{name} is {given!r:.100}", hint=f"it is a number above 0, up to {most:,.0f}")
    return given * unit
