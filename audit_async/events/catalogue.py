"""Everything that can be said, as a table: for the terminal, for documentation, and for whoever sets up a SIEM."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import msgspec

from audit_async.events.dialects import DIALECTS
from audit_async.events.families import BUILDERS
from audit_async.events.ocsf import ACTIVITIES, CLASSES, type_uid
from audit_async.events.vocabulary import TERMS, Outcome, Term


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one action.

    Attributes:
        builder: of `audit_async.events`; its helper is `write_<builder>_audit_log`.
        outcomes: the usual one, and that of a failure where it is another.
        severities: for each of these.
        spellings: of old, by dialect; those of a failure are in `failure_spellings`.
        detail_keys: that the builder fills in `details`.
    """

    action: str
    family: str
    builder: str
    category: str
    outcomes: tuple[str, ...]
    severities: tuple[str, ...]
    ocsf_class_uid: int
    ocsf_class: str
    ocsf_activity_id: int
    ocsf_activity: str
    ocsf_type_uid: int
    spellings: dict[str, tuple[str, ...]]
    failure_spellings: dict[str, tuple[str, ...]]
    detail_keys: tuple[str, ...]

    @property
    def all_spellings(self) -> tuple[str, ...]:
        """Every old spelling, each once."""
        found = (*self.spellings.values(), *self.failure_spellings.values())
        return tuple(dict.fromkeys(spelling for spellings in found for spelling in spellings))


_BUILDER_OF_FAMILY = {"org": "org_sync", "api": "api_request", "data": "data_change", "audit": "custom"}
_BUILDER_OF_ACTION = {"data.export": "data_export", "data.import": "data_import"}
_DETAIL_KEYS = {
    "auth": ("login_method", "logout_method", "email", "success"),
    "identity": ("provider_type", "provider_user_id", "success", "error"),
    "sso": ("provider_type", "provider_user_id", "success", "error", "protocol"),
    "api_key": ("api_key_name", "action"),
    "data_change": ("changed",),
    # Their own keywords name the resource, and nothing in the details.
    "budget": (),
    "module": (),
    "security": ("severity",),
    "conversation": ("transferred_to",),
}
"""Of builders whose details are not just their own keywords."""


def catalogue() -> tuple[Item, ...]:
    """Return one item for every canonical action, in the order of the vocabulary."""
    return tuple(map(_item, TERMS.values()))


def find(word: str) -> tuple[Item, ...]:
    """Return the items whose action, builder or old spellings have *word* in them; all of them for none."""
    wanted = word.strip().lower()
    return tuple(
        item
        for item in catalogue()
        if any(wanted in name for name in (item.action, item.builder, item.category, *item.all_spellings))
    )


def builder_of(term: Term) -> str:
    """Return the name of the builder that events of *term* are made with."""
    return _BUILDER_OF_ACTION.get(term.name) or _BUILDER_OF_FAMILY.get(term.family, term.family)


def detail_keys_of(builder: str) -> tuple[str, ...]:
    """Return the keys that *builder* fills in the details."""
    known = _DETAIL_KEYS.get(builder)
    return own_keywords_of(builder) if known is None else known


def own_keywords_of(builder: str) -> tuple[str, ...]:
    """Return the keywords that *builder* has beside the fields of an event."""
    parameters = inspect.signature(BUILDERS[builder]).parameters.values()
    return tuple(each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY)


def _item(term: Term) -> Item:
    assert term.ocsf is not None
    class_uid, activity_id = term.ocsf
    builder = builder_of(term)
    return Item(
        action=term.name,
        family=term.family,
        builder=builder,
        category=term.category.value,
        outcomes=_once(term.usual.value, term.failed.value),
        severities=_once(term.severity.value, term.severity_failed.value)
        if term.usual is Outcome.SUCCESS
        else (term.severity_failed.value,),
        ocsf_class_uid=class_uid,
        ocsf_class=CLASSES[class_uid],
        ocsf_activity_id=activity_id,
        ocsf_activity=ACTIVITIES[class_uid][activity_id],
        ocsf_type_uid=type_uid(term.ocsf),
        spellings=_spellings(term, of_failures=False),
        failure_spellings=_spellings(term, of_failures=True),
        detail_keys=detail_keys_of(builder),
    )


def _once(*values: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _spellings(term: Term, *, of_failures: bool) -> dict[str, tuple[str, ...]]:
    found = {
        name: tuple(
            spelling
            for spelling, meaning in dialect.meanings.items()
            if (spelling in dialect.failures) == of_failures
            and (meaning == term.name or dialect.spellings.get((term.name, of_failures)) == spelling)
        )
        for name, dialect in DIALECTS.items()
    }
    return {name: spellings for name, spellings in found.items() if spellings}


# --- as text -----------------------------------------------------------------------------------------

_INTRODUCTION = """\
# Events

Every action that the vocabulary has, {actions} in {families} families. Free-form ones are just as legal; they are of
the family before their dot, else of `custom`.

An event is built by `events.<builder>(action, ...)` and written by `write_<builder>_audit_log(action, ...)`. Where no
outcome is given it is the first one named here; `success=False` makes it the last one. Severities follow the outcome.
Details name the keys that the builder may fill. Old spellings are accepted wherever an action is, and written back by
`event.legacy_action(dialect)`; those in italics mean a failure. OCSF classes and activities are those of version 1.8.0.

This page is made by `audit-async catalog --md`.
"""


def as_json(items: tuple[Item, ...]) -> str:
    """Return *items* as a JSON list of objects."""
    return msgspec.json.format(msgspec.json.encode(items), indent=2).decode()


def as_markdown(items: tuple[Item, ...]) -> str:
    """Return *items* as a page, one table for each family."""
    families = dict.fromkeys(item.family for item in items)
    page = [_INTRODUCTION.format(actions=len(items), families=len(families))]
    for family in families:
        page.append(f"## {family}\n")
        page += _markdown_table(item for item in items if item.family == family)
        page.append("")
    return "\n".join(page)


_COLUMNS = ("action", "builder", "category", "outcome", "severity", "OCSF", "details", "old spellings")


def _markdown_table(items: Iterable[Item]) -> list[str]:
    return [_row(_COLUMNS), _row("---" for _ in _COLUMNS), *(_row(_cells(item)) for item in items)]


def _row(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(cells)} |"


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
