"""What actions are called, and what follows from the name.

One row an action: its canonical name `family.verb`, its category, and its severity when it went well and when it did
not. The outcome is a field of the event, never part of a canonical name.

Source: categories and severities as OCSF 1.8 and the OWASP logging vocabulary order them.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from audit_async.config import CONTEXT_SPELLINGS, MAX_ACTION_CHARS, MAX_ID_CHARS


class Category(enum.StrEnum):
    """Which drawer an event belongs to."""

    SECURITY = "security"
    ACCESS = "access"
    DATA = "data"
    SYSTEM = "system"
    FINANCIAL = "financial"


class Severity(enum.StrEnum):
    """How much an event matters, from least to most."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Outcome(enum.StrEnum):
    """How it went."""

    SUCCESS = "success"
    FAILURE = "failure"
    PARTIAL = "partial"
    DENIED = "denied"
    ERROR = "error"
    CANCELLED = "cancelled"
    PENDING = "pending"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Term:
    """An action as the log knows it.

    Attributes:
        name: canonical, `family.verb`; a free-form action is its own name.
        severity_failed: when the outcome is failure, denied or error.
        outcome: the one that the spelling implies (`login_failed`), or None.
        spelling: what the caller wrote, where the canonical name and the outcome alone do not lead back to it.
    """

    name: str
    category: Category
    severity: Severity
    severity_failed: Severity
    outcome: Outcome | None = None
    spelling: str | None = None


_TABLE = """
auth.login              security low    medium
auth.logout             security low    low
sso.login               security low    medium
identity.create         security low    medium
identity.bind           security medium medium
identity.unbind         security medium medium
identity.delete         security medium medium
user.create             security low    medium
user.update             data     low    medium
user.delete             security medium high
user.activate           security low    medium
user.deactivate         security medium high
tenant.create           system   medium medium
tenant.update           system   low    medium
tenant.delete           system   high   high
tenant.join             access   low    medium
tenant.leave            access   low    medium
role.assign             access   high   high
role.revoke             access   high   high
role.create             access   medium medium
role.update             access   medium medium
role.delete             access   high   high
org.sync                system   low    high
org.department_create   data     low    medium
org.department_update   data     low    medium
org.member_create       data     low    medium
org.member_update       data     low    medium
agent.create            system   low    medium
agent.update            system   low    medium
agent.delete            system   medium medium
agent.start             system   low    medium
agent.stop              system   low    medium
audit.gap               security high   high
"""

FAMILY_CATEGORY = {
    "security": Category.SECURITY,
    "role": Category.ACCESS,
    "data": Category.DATA,
}
"""Category of an unknown action of a known family; any other is `system`."""

TERMS: dict[str, Term] = {
    name: Term(name, Category(category), Severity(severity), Severity(failed))
    for name, category, severity, failed in (line.split() for line in _TABLE.strip().splitlines())
}

FAILED = frozenset({Outcome.FAILURE, Outcome.DENIED, Outcome.ERROR})

_LEGACY_FAILURES = {"login_failed": "auth.login", "sso_login_failed": "sso.login"}
_LEGACY_SUCCESSES = {
    "login": "auth.login",
    "logout": "auth.logout",
    "sso_login": "sso.login",
    "org_sync": "org.sync",
}

LEGACY: dict[str, Term] = {}
"""Every old spelling: for most of them the canonical name with an underscore."""

for _name, _term in TERMS.items():
    if not _name.startswith("audit."):
        LEGACY[_name.replace(".", "_")] = _term
for _old, _name in _LEGACY_SUCCESSES.items():
    LEGACY[_old] = TERMS[_name]
for _old, _name in _LEGACY_FAILURES.items():
    _t = TERMS[_name]
    LEGACY[_old] = Term(_t.name, _t.category, _t.severity, _t.severity_failed, Outcome.FAILURE)
del LEGACY["auth_login"], LEGACY["auth_logout"]

_OLD_BY_NAME: dict[tuple[str, bool], str] = {
    **{(term.name, failed): old for old, term in LEGACY.items() if not term.outcome for failed in (False, True)},
    **{(term.name, True): old for old, term in LEGACY.items() if term.outcome},
}

_UNUSUAL = re.compile(r"[^a-z0-9._:-]+")
_seen: dict[str, Term] = {}


def term_of(action: str) -> Term:
    """Return the term for *action* in whatever spelling. Every text is legal; the first look costs more."""
    term = _seen.get(action)
    if term is None:
        term = _look_up(action)
        if len(_seen) < CONTEXT_SPELLINGS and len(action) <= MAX_ID_CHARS:
            _seen[action] = term
    return term


def legacy_spelling(name: str, outcome: Outcome) -> str:
    """Return the old spelling of the canonical *name* with *outcome*: `sso_login_failed` for a failed `sso.login`.

    An action without an old spelling is returned as it is.
    """
    return _OLD_BY_NAME.get((name, outcome in FAILED), name)


def _look_up(action: str) -> Term:
    known = TERMS.get(action) or LEGACY.get(action)
    if known is not None:
        return known
    slug = _UNUSUAL.sub("_", action.lower()).strip("_")[:MAX_ACTION_CHARS] or "unnamed"
    known = TERMS.get(slug) or LEGACY.get(slug)
    spelling = action if slug != action else None
    if known is not None:
        return Term(known.name, known.category, known.severity, known.severity_failed, known.outcome, spelling)
    family = slug.partition(".")[0]
    category = FAMILY_CATEGORY.get(family, Category.SYSTEM)
    return Term(slug, category, Severity.LOW, Severity.MEDIUM, None, spelling)
