"""What actions are called, and what follows from the name.

One row an action: its canonical name `family.verb`, its category, its severity when it went well and when it did not,
and its class and activity in OCSF. The outcome is a field of the event, never part of a canonical name.

Source: Open Cybersecurity Schema Framework 1.8.0 for classes and activities; severities as the OWASP logging
vocabulary orders them.
"""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass


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


OUTCOME_WORDS: dict[str, Outcome] = {
    **{member.value: member for member in Outcome},
    **dict.fromkeys(("true", "yes", "y", "1", "on", "ok", "done", "passed", "allowed"), Outcome.SUCCESS),
    **dict.fromkeys(("succeeded", "successful", "complete", "completed", "成功"), Outcome.SUCCESS),
    **dict.fromkeys(("false", "no", "n", "0", "off", "fail", "failed", "unsuccessful", "失败"), Outcome.FAILURE),
    **dict.fromkeys(("timeout", "timed_out", "exception", "错误", "超时"), Outcome.ERROR),
    **dict.fromkeys(("cancel", "canceled", "取消"), Outcome.CANCELLED),
    **dict.fromkeys(("partially_succeeded", "partiallysucceeded"), Outcome.PARTIAL),
    **dict.fromkeys(("forbidden", "refused", "blocked"), Outcome.DENIED),
}
"""What a text means that somebody passes for an outcome, or for `success`: a form field, a column of another log."""

FAILED = frozenset({Outcome.FAILURE, Outcome.DENIED, Outcome.ERROR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """An action as the log knows it.

    Attributes:
        name: canonical, `family.verb`; a free-form action is its own name.
        severity_failed: when the outcome is failure, denied or error.
        ocsf: class and activity, None for a free-form action.
        usual: the outcome when nothing is said of it.
        failed: the outcome when it is said to have failed.
        outcome: the one that the spelling implies (`login_failed`), or None.
    """

    name: str
    category: Category
    severity: Severity
    severity_failed: Severity
    ocsf: tuple[int, int] | None = None
    usual: Outcome = Outcome.SUCCESS
    failed: Outcome = Outcome.FAILURE
    outcome: Outcome | None = None

    @property
    def is_known(self) -> bool:
        """Whether the vocabulary has it."""
        return self.ocsf is not None

    @property
    def family(self) -> str:
        """The part before the dot; `custom` for an action without one."""
        return family_of(self.name)


_TABLE = """
auth.login                   security  low    medium 3002/1
auth.password_login          security  low    medium 3002/1
auth.qrcode_login            security  low    medium 3002/1
auth.logout                  security  low    low    3002/2
auth.lockout                 security  high   high   3001/9
auth.password_change         security  medium high   3001/3
auth.password_reset          security  medium high   3001/4
sso.login                    security  low    medium 3002/1
sso.config_change            security  high   high   3004/3
mfa.bind                     security  medium medium 3001/10
mfa.verify                   security  low    medium 3002/6
mfa.reset                    security  high   high   3001/11
session.create               security  low    medium 3003/1
session.revoke               security  medium medium 3002/2
session.impersonate_start    security  high   high   3002/7
session.impersonate_stop     security  medium medium 3002/99
identity.create              security  low    medium 3004/1
identity.bind                security  medium medium 3004/6
identity.unbind              security  medium medium 3004/7
identity.delete              security  medium medium 3004/4
user.create                  security  low    medium 3001/1
user.update                  data      low    medium 3004/3
user.delete                  security  medium high   3001/6
user.activate                security  low    medium 3001/2
user.deactivate              security  medium high   3001/5
user.unlock                  security  medium medium 3001/12
tenant.create                system    medium medium 3004/1
tenant.update                system    low    medium 3004/3
tenant.delete                system    high   high   3004/4
tenant.join                  access    low    medium 3006/3
tenant.leave                 access    low    medium 3006/4
role.assign                  access    high   high   3005/1
role.revoke                  access    high   high   3005/2
role.create                  access    medium medium 3004/1
role.update                  access    medium medium 3004/3
role.delete                  access    high   high   3004/4
role.mapping_create          access    high   high   3004/1
role.mapping_delete          access    high   high   3004/4
permission.grant             access    high   high   3005/1
permission.revoke            access    high   high   3005/2
org.sync                     system    low    high   1006/99
org.sync_start               system    low    low    1006/6
org.department_create        data      low    medium 3006/6
org.department_update        data      low    medium 3004/3
org.department_delete        data      medium medium 3006/5
org.member_create            data      low    medium 3006/3
org.member_update            data      low    medium 3004/3
org.member_delete            data      medium medium 3006/4
agent.create                 system    low    medium 3004/1
agent.update                 system    low    medium 3004/3
agent.delete                 system    medium medium 3004/4
agent.start                  system    low    medium 6002/3
agent.stop                   system    low    medium 6002/4
api_key.create               security  medium medium 3004/1
api_key.delete               security  medium medium 3004/4
api.request                  access    low    low    6003/99
api.rate_limited             security  medium medium 6003/99
budget.create                financial low    low    3004/1
budget.update                financial low    low    3004/3
budget.exceed                financial medium medium 3004/99
module.enable                system    medium medium 6002/6
module.disable               system    medium medium 6002/7
config.change                system    high   high   3004/3
data.create                  data      low    medium 3004/1
data.read                    data      low    medium 3004/2
data.update                  data      low    medium 3004/3
data.delete                  data      medium medium 3004/4
data.export                  data      high   high   6001/7
data.import                  data      medium medium 6001/6
security.unauthorized_access security  high   high   2004/1
security.suspicious_activity security  high   high   2004/1
security.event               security  high   high   2004/1
conversation.resolve         access    low    low    3004/3
conversation.transfer        access    low    low    3004/5
job.start                    system    low    low    1006/6
job.finish                   system    low    medium 1006/99
audit.start                  system    low    low    1008/6
audit.stop                   system    low    medium 1008/7
audit.gap                    security  high   high   1008/99
audit.export                 security  medium medium 1008/3
audit.purge                  security  medium high   1008/2
audit.rotate                 system    low    low    1008/5
audit.erase                  security  high   high   1008/99
"""

_OUTCOMES = {
    "api.rate_limited": (Outcome.DENIED, Outcome.DENIED),
    "security.unauthorized_access": (Outcome.DENIED, Outcome.DENIED),
    "security.suspicious_activity": (Outcome.FAILURE, Outcome.FAILURE),
    "security.event": (Outcome.FAILURE, Outcome.FAILURE),
    "audit.gap": (Outcome.FAILURE, Outcome.FAILURE),
}
"""Of actions that are no success when nothing is said: the usual outcome, and that of a failure."""


def _read(line: str) -> Term:
    name, category, severity, failed, ocsf = line.split()
    class_uid, _, activity_id = ocsf.partition("/")
    usual, unsuccessful = _OUTCOMES.get(name, (Outcome.SUCCESS, Outcome.FAILURE))
    return Term(
        name=name,
        category=Category(category),
        severity=Severity(severity),
        severity_failed=Severity(failed),
        ocsf=(int(class_uid), int(activity_id)),
        usual=usual,
        failed=unsuccessful,
    )


TERMS: dict[str, Term] = {term.name: term for term in map(_read, _TABLE.strip().splitlines())}
"""Every canonical action."""

SECURITY_FAMILIES = frozenset({"auth", "sso", "mfa", "session", "identity", "api_key", "permission", "security"})
"""Families of which every event concerns security, whatever its category."""


def family_of(name: str) -> str:
    """Return the family of a canonical or free-form action: the part before the dot, else `custom`."""
    family, dot, _ = name.partition(".")
    return family if dot else "custom"


def _usual_categories() -> dict[str, Category]:
    counts: dict[str, Counter[Category]] = {}
    for term in TERMS.values():
        counts.setdefault(term.family, Counter())[term.category] += 1
    return {family: found.most_common(1)[0][0] for family, found in counts.items()}


FAMILY_CATEGORY: dict[str, Category] = _usual_categories()
"""Category of an unknown action of a known family: that of most of its actions. Any other is `system`."""
