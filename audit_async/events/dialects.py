"""The spellings of old, there and back: `sso_login_failed` is a failed `sso.login`, and is written so again.

A dialect is what one system called its actions. Several spellings may mean one action; the first of them is written
back.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable

from audit_async.config import CONTEXT_SPELLINGS, MAX_ACTION_CHARS, MAX_ID_CHARS
from audit_async.events.vocabulary import FAILED, FAMILY_CATEGORY, TERMS, Category, Outcome, Severity, Term, family_of

_TABLES = {
    # Free text: what a caller wrote is what stood in the table. These are the names that it had constants for.
    "clawith": """
login                    auth.login ok
login_failed             auth.login failed
logout                   auth.logout
sso_login                sso.login ok
sso_login_failed         sso.login failed
identity_bind            identity.bind
identity_unbind          identity.unbind
identity_create          identity.create
identity_delete          identity.delete
user_create              user.create
user_update              user.update
user_delete              user.delete
user_activate            user.activate
user_deactivate          user.deactivate
tenant_create            tenant.create
tenant_update            tenant.update
tenant_delete            tenant.delete
tenant_join              tenant.join
tenant_leave             tenant.leave
role_assign              role.assign
role_revoke              role.revoke
role_create              role.create
role_update              role.update
role_delete              role.delete
org_sync                 org.sync
org_department_create    org.department_create
org_department_update    org.department_update
org_member_create        org.member_create
org_member_update        org.member_update
agent_create             agent.create
agent_update             agent.update
agent_delete             agent.delete
agent_start              agent.start
agent_stop               agent.stop
""",
    # Whether it went well is a column of its own.
    "enclava": """
create                   data.create
read                     data.read
update                   data.update
delete                   data.delete
login                    auth.login
logout                   auth.logout
api_key_create           api_key.create
api_key_delete           api_key.delete
budget_create            budget.create
budget_update            budget.update
budget_exceed            budget.exceed
module_enable            module.enable
module_disable           module.disable
permission_grant         permission.grant
permission_revoke        permission.revoke
system_config            config.change
security_event           security.event
""",
    # Likewise: its result is success, failure or partial.
    "wecom": """
login                    auth.login
qrcode_login             auth.qrcode_login
password_login           auth.password_login
sso_login                sso.login
mfa_bind                 mfa.bind
mfa_verify               mfa.verify
mfa_reset                mfa.reset
assign_role              role.assign
role_change              role.assign
revoke_role              role.revoke
create_mapping_rule      role.mapping_create
delete_mapping_rule      role.mapping_delete
config_change            config.change
data_export              data.export
account_disable          user.deactivate
account_create_reset     user.create
account_create_reset     auth.password_reset
resolve_conversation     conversation.resolve
transfer_conversation    conversation.transfer
""",
    # The outcome is part of the spelling.
    "aether": """
login_success            auth.login ok
login_failed             auth.login failed
logout                   auth.logout
api_key_created          api_key.create
api_key_deleted          api_key.delete
request_success          api.request ok
request_failed           api.request failed
api_key_used             api.request ok
request_rate_limited     api.rate_limited
request_quota_exceeded   api.rate_limited
user_created             user.create
user_updated             user.update
user_deleted             user.delete
config_changed           config.change
provider_added           config.change
provider_updated         config.change
provider_removed         config.change
data_export              data.export
suspicious_activity      security.suspicious_activity
unauthorized_access      security.unauthorized_access
""",
    # The two kinds of record that the desktop queue knew.
    "desktop": """
use_log                  api.request
login_log                auth.login
""",
}
"""Of each dialect its spellings and what they mean; those of one outcome only say which, `ok` or `failed`.

The order of the dialects is that in which one lends a spelling to another that has none.
"""


_OPEN = "clawith"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What one system called its actions.

    Attributes:
        is_open: its actions were free text, so that every spelling is one of its own.
        meanings: of each spelling the canonical name.
        failures: spellings that imply a failure.
        successes: spellings that are used of nothing that failed.
        spellings: of each canonical name, and of whether it failed, the spelling that is written.
    """

    name: str
    is_open: bool
    meanings: dict[str, str]
    failures: frozenset[str]
    successes: frozenset[str]
    spellings: dict[tuple[str, bool], str]


def _read(name: str, table: str) -> Dialect:
    meanings: dict[str, str] = {}
    only_for: dict[str, set[str]] = {"failed": set(), "ok": set()}
    spellings: dict[tuple[str, bool], str] = {}
    for line in table.strip().splitlines():
        spelling, canonical, *only = line.split()
        meanings.setdefault(spelling, canonical)
        for outcome in only:
            only_for[outcome].add(spelling)
        for failed in (False, True):
            if not only or failed == (only == ["failed"]):
                spellings.setdefault((canonical, failed), spelling)
    return Dialect(
        name=name,
        is_open=name == _OPEN,
        meanings=meanings,
        failures=frozenset(only_for["failed"]),
        successes=frozenset(only_for["ok"]),
        spellings=spellings,
    )


DIALECTS: dict[str, Dialect] = {name: _read(name, table) for name, table in _TABLES.items()}


def _terms_of(dialects: Iterable[Dialect]) -> dict[str, Term]:
    found: dict[str, Term] = {}
    for dialect in dialects:
        for spelling, name in dialect.meanings.items():
            implied = Outcome.FAILURE if spelling in dialect.failures else None
            term = dataclasses.replace(TERMS[name], outcome=implied)
            # No two systems ever meant different things by one spelling; a new one that does would show here.
            assert found.setdefault(spelling, term) == term, spelling
    return found


LEGACY: dict[str, Term] = _terms_of(DIALECTS.values())
"""Every spelling of old, in whichever dialect."""

_DIGEST_DIGITS = 8
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


def _look_up(action: str) -> Term:
    slug = _UNUSUAL.sub("_", action.lower()).strip("_")[:MAX_ACTION_CHARS] or "unnamed"
    for spelling in (action, slug):
        known = TERMS.get(spelling) or LEGACY.get(spelling)
        if known is not None:
            return known
    if not action.isascii() and any(each.isalnum() and not each.isascii() for each in action):
        # Letters of another script are all alike in a slug: a few digits keep two such actions apart.
        digest = hashlib.sha256(action.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_DIGITS]
        slug = f"{slug[: MAX_ACTION_CHARS - _DIGEST_DIGITS - 1]}-{digest}"
    category = FAMILY_CATEGORY.get(family_of(slug), Category.SYSTEM)
    return Term(name=slug, category=category, severity=Severity.LOW, severity_failed=Severity.MEDIUM)


def spell(name: str, outcome: Outcome, dialect: str, given: str | None = None) -> str:
    """Return the old spelling of the canonical *name* with *outcome*: `sso_login_failed` for a failed `sso.login`.

    What the caller wrote (*given*) wins in an open dialect, and in any other unless it is a foreign word for what this
    one has a word for. An action that *dialect* has no word for is spelled as the first one that has; one without an
    old spelling is returned as it is.

    Raises:
        ValueError: *dialect* is unknown.
    """
    own = DIALECTS.get(dialect)
    if own is None:
        raise ValueError(f"unknown dialect {dialect!r}; there are {', '.join(sorted(DIALECTS))}")
    if given is not None and (own.is_open or given in own.meanings or given not in LEGACY):
        return given
    key = (name, outcome in FAILED)
    if key in own.spellings:
        return own.spellings[key]
    if given is not None:
        return given
    lent = (other.spellings[key] for other in DIALECTS.values() if key in other.spellings)
    # A spelling that is read as something else is no loan: whoever reads it back would get another event.
    return next((spelling for spelling in lent if LEGACY[spelling].name == name), name)


def leads_back(spelling: str, name: str, outcome: Outcome) -> bool:
    """Return whether *name* and *outcome* alone lead back to *spelling*, in every dialect that it is a word of."""
    return spelling == name or (spelling, name, outcome in FAILED) in _LEADING_BACK


def is_spelled_in(dialect: str, action: str) -> bool:
    """Return whether *action* is a spelling of *dialect*."""
    return action in DIALECTS[dialect].meanings


_LEADING_BACK = frozenset(
    (spelling, term.name, outcome in FAILED)
    for spelling, term in LEGACY.items()
    for outcome in (Outcome.SUCCESS, Outcome.FAILURE)
    if all(
        spell(term.name, outcome, dialect.name) == spelling
        for dialect in DIALECTS.values()
        if dialect.is_open or spelling in dialect.meanings
    )
)
