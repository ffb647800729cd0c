"""The page `docs/events.md`: fields, builders, old systems, marks, and the catalogue of actions."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from audit_async.events.catalogue import Item
from audit_async.events.families import BUILDERS, own_keywords_of
from audit_async.events.vocabulary import Category, Outcome, Severity

FIELDS = {
    "id": ("text", "made by us a UUIDv7, which carries `created_at`; a UUID in any usual spelling is normalised"),
    "created_at": ("time", "when it happened, UTC, microseconds; now, unless given (a naive time is taken as UTC)"),
    "category": (" ".join(Category), "follows from the action"),
    "severity": (" ".join(Severity), "follows from action and outcome"),
    "outcome": (" ".join(Outcome), "how it went; other words (`failed`, True) are understood, or kept as `unknown`"),
    "success": ("boolean", "the outcome in short, where none is given; no field of its own in the table"),
    "description": ("text", "one sentence for people"),
    "actor_type": ("text", "who acts: `user`, `service`, `agent`, `api_key`, `system`, `job` or `anonymous`"),
    "actor_id": ("id", "who acts"),
    "actor_name": ("text", "its name, for people"),
    "on_behalf_of": ("id", "for whom the actor acts, if not for itself"),
    "user_id": ("id", "the user it is about or by; likewise `agent_id` and `api_key_id`"),
    "agent_id": ("id", ""),
    "api_key_id": ("id", "never the key itself"),
    "tenant_id": ("id", "whose data it is; likewise `organization_id`"),
    "organization_id": ("id", ""),
    "resource_type": ("text", "what was acted upon; filled by most builders"),
    "resource_id": ("id", "which one"),
    "ip_address": ("address", "of the client; what is no address stays in the metadata"),
    "user_agent": ("text", "of the client"),
    "session_id": ("id", ""),
    "request_id": ("id", ""),
    "trace_id": ("id", "of OpenTelemetry, filled from its current span; likewise `span_id`"),
    "span_id": ("id", ""),
    "status_code": ("integer", "of HTTP"),
    "duration_ms": ("number", "milliseconds; a timedelta will do"),
    "error_message": ("text", "what went wrong; an exception will do"),
    "details": ("object", "what this kind of event has beyond the fields"),
    "metadata": ("object", "about the record rather than about what happened"),
    "old_values": ("object", "before a change"),
    "new_values": ("object", "after it"),
    "tags": ("list of texts", "each once"),
}
"""What every builder takes beside its own keywords: what a field holds, and what it says."""

_DIALECTS = {
    "clawith": "coroutine helpers of a service with agents: `write_identity_audit_log(...)` into six columns",
    "enclava": "a model with integer ids and builders: `AuditLog.create_login_event(...)`",
    "aether": "a service class for requests to models: `AuditService.log_login_attempt(db, ...)`",
    "wecom": "a service desk whose rows have `employee_id`, `resource` and `result`",
    "desktop": "a desktop program's queue with records of the kinds `use_log` and `login_log`",
}

_MARKS = {
    "$truncated": "what is longer than an event holds: its length and SHA-256; in a text `…[truncated: ...]`",
    "$items": "of a container with more than 1,000 items: how many it had",
    "$depth": "containers nested deeper than 16 levels",
    "$cycle": "a container inside itself",
    "$type": "a value that cannot be read without running its code: the name of its type",
    "$bytes": "binary data, in base64",
    "$int": "an integer beyond 63 bits, as text",
    "$invalid": "in `metadata`: values that the field they were passed for cannot hold",
    "$action": "in `metadata`: the action as the caller spelled it, where name and outcome do not lead back to it",
    "[redacted]": "a secret; likewise `pseudonym:...` for a value that is kept as a keyed hash",
}

_INTRODUCTION = """\
# Events

{actions} actions under {families} prefixes, made by {builders} builders. Free-form actions are just as legal; they
are of the family before their dot, else of `custom`. New programs write canonical names, as text; `AuditAction` has
the names that programs of old had.

This page is made by `audit-async catalog --md`.
"""

_ACTIONS = """\
## Actions

An event is built by `events.<builder>(action, ...)` and written by `write_<builder>_audit_log(action, ...)`. In the
builder of its family an action's verb alone will do: `events.api_key("create")`. Where no outcome is given it is the
first one named here; `success=False` makes it that of a failure. Severities follow the outcome. Details name the keys
that the builder may fill. Old spellings in italics mean a failure. OCSF classes and activities are those of version
1.8.0.
"""


def as_markdown(items: tuple[Item, ...], *, is_whole: bool = True) -> str:
    """Return *items* as tables, one for each family; as the whole page if they are the whole catalogue."""
    families = list(dict.fromkeys(item.family for item in items))
    page = []
    if is_whole:
        counted = _INTRODUCTION.format(actions=len(items), families=len(families), builders=len(BUILDERS))
        page += [counted, *_fields(), *_builders(items), *_dialects(), *_marks(), _ACTIONS]
    for family in families:
        page += [f"### {family}\n", *_table(_COLUMNS, (_cells(item) for item in items if item.family == family)), ""]
    return "\n".join(page)


def _fields() -> list[str]:
    rows = ((f"`{name}`", _held(holds), note) for name, (holds, note) in FIELDS.items())
    return ["## Fields\n", "What every builder takes as a keyword. Any value is legal.\n", *_table(_FIELDS, rows), ""]


def _held(holds: str) -> str:
    """Return the members of an enumeration as code, and anything else as it is."""
    is_enumeration = holds.split()[0] in {*Category, *Severity, *Outcome}
    return " ".join(f"`{word}`" for word in holds.split()) if is_enumeration else holds


def _builders(items: tuple[Item, ...]) -> list[str]:
    rows = (
        (
            f"`{name}`",
            (inspect.getdoc(builder) or "").partition("\n")[0].removeprefix("Build an event "),
            ", ".join(f"`{keyword}`" for keyword in own_keywords_of(name)),
            ", ".join(f"`{item.action}`" for item in items if item.builder == name),
        )
        for name, builder in BUILDERS.items()
    )
    return ["## Builders\n", *_table(("builder", "an event ...", "its own keywords", "actions"), rows), ""]


def _dialects() -> list[str]:
    rows = ((f"`{name}`", note) for name, note in _DIALECTS.items())
    head = "Whose names for actions are known. `event.legacy_action(dialect)` writes them back.\n"
    return ["## Dialects\n", head, *_table(("dialect", "what it comes from"), rows), ""]


def _marks() -> list[str]:
    rows = ((f"`{name}`", note) for name, note in _MARKS.items())
    head = "What stands in a row for what could not be kept as it was.\n"
    return ["## Marks\n", head, *_table(("mark", "stands for"), rows), ""]


_FIELDS = ("field", "holds", "says")
_COLUMNS = ("action", "builder", "category", "outcome", "severity", "OCSF", "details", "old spellings")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    names = list(head)
    return [f"| {' | '.join(cells)} |" for cells in (names, ["---"] * len(names), *rows)]


def _cells(item: Item) -> tuple[str, ...]:
    written = (_spelled(item.spellings, "`"), _spelled(item.failure_spellings, "*"))
    return (
        f"`{item.action}`",
        f"`{item.builder}`",
        item.category,
        " / ".join(item.outcomes),
        " / ".join(item.severities),
        f"{item.ocsf_class_uid}/{item.ocsf_activity_id} {item.ocsf_class}: {item.ocsf_activity}",
        ", ".join(f"`{key}`" for key in item.detail_keys),
        "; ".join(part for part in written if part),
    )


def _spelled(spellings: dict[str, tuple[str, ...]], mark: str) -> str:
    return "; ".join(
        f"{dialect} {', '.join(f'{mark}{name}{mark}' for name in names)}" for dialect, names in spellings.items()
    )
