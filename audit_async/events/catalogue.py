"""Everything that can be said, as a table: for the terminal, for documentation, and for whoever sets up a SIEM."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from audit_async.events.build import FAMILY_OF_BUILDER
from audit_async.events.dialects import DIALECTS
from audit_async.events.event import AuditEvent
from audit_async.events.families import BUILDERS, own_keywords_of
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


_BUILDER_OF_FAMILY = {family: builder for builder, family in reversed(FAMILY_OF_BUILDER.items())} | {"audit": "custom"}
_BUILDER_OF_ACTION = {"data.export": "data_export", "data.import": "data_import"}


def catalogue() -> tuple[Item, ...]:
    """Return one item for every canonical action, in the order of the vocabulary."""
    return tuple(map(_item, TERMS.values()))


def find(word: str) -> tuple[Item, ...]:
    """Return the items whose action, builders, category or old spellings have *word* in them; all of them for none."""
    wanted = word.strip().lower()
    return tuple(
        item
        for item in catalogue()
        if any(wanted in name for name in (item.action, *_builders_for(item), item.category, *item.all_spellings))
    )


def _builders_for(item: Item) -> tuple[str, ...]:
    return item.builder, *(builder for builder, family in FAMILY_OF_BUILDER.items() if family == item.family)


def builder_of(term: Term) -> str:
    """Return the name of the builder that events of *term* are made with."""
    return _BUILDER_OF_ACTION.get(term.name) or _BUILDER_OF_FAMILY.get(term.family, term.family)


def detail_keys_of(builder: str, action: str) -> tuple[str, ...]:
    """Return the keys that *builder* fills in the details of an event of *action*, with its keywords or without."""
    build: Callable[..., AuditEvent] = BUILDERS[builder]
    keys: dict[str, None] = {}
    for keywords in ({}, dict.fromkeys(own_keywords_of(builder), "x")):
        keys |= dict.fromkeys(build(action, error_message="x", old_values={"x": 1}, **keywords).details)
    return tuple(keys)


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
        detail_keys=detail_keys_of(builder, term.name),
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


def as_json(items: tuple[Item, ...]) -> str:
    """Return *items* as a JSON list of objects."""
    return msgspec.json.format(msgspec.json.encode(items), indent=2).decode()
