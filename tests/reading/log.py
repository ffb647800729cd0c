"""Events of many kinds, and a table that has them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from audit_async import AuditEvent, AuditReader, Query, Scope, events
from audit_async.entry import decode, encode
from audit_async.events import Outcome
from audit_async.events.vocabulary import TERMS
from audit_async.reading.pages import Page
from audit_async.store import Store
from tests.store.conftest import Place

START = datetime(2026, 3, 1, tzinfo=UTC)
WRITER = "0123456789abcdef0123456789abcdef"

QUERIES: dict[str, dict[str, Any]] = {
    "everything": {},
    "oldest first": {"oldest_first": True},
    "an action": {"actions": "auth.login"},
    "a family": {"actions": "role"},
    "a pattern": {"actions": "*.delete"},
    "a pattern in the middle": {"actions": "org.*_create"},
    "a pattern with a wildcard of SQL": {"actions": "a_pp.*"},
    "free-form actions": {"actions": ["app.opened", "a_pp.x", "Mixed Case!"]},
    "a spelling of old": {"actions": "login_failed"},
    "a spelling that went well": {"actions": "login_success"},
    "any": {"actions": "*"},
    "category": {"category": "security"},
    "categories": {"category": ["data", "financial"]},
    "outcome": {"outcome": "failure"},
    "outcomes": {"outcome": ["denied", "error", "partial"]},
    "severity": {"severity": "low"},
    "severity at least": {"severity_at_least": "high"},
    "severity between": {"severity": ["low", "medium"], "severity_at_least": "medium"},
    "user": {"user_id": "u3"},
    "users": {"user_id": ["u1", "u4", "nobody"]},
    "no user": {"user_id": [None]},
    "a user or none": {"user_id": ["u2", None]},
    "resource": {"resource_type": "doc", "resource_id": "7"},
    "address": {"ip_address": "192.0.2.3"},
    "somebody": {"involving": "u2"},
    "several people": {"involving": ["u1", "7"]},
    "since": {"since": START + timedelta(minutes=100)},
    "until": {"until": START + timedelta(minutes=100)},
    "between": {"since": START + timedelta(minutes=50), "until": START + timedelta(minutes=150)},
    "text": {"text": "UPLOADED"},
    "text with a wildcard": {"text": "100%_done"},
    "a detail": {"details": {"kind": "feishu"}},
    "a number": {"details": {"count": 3}},
    "true": {"details": {"is_new": True}},
    "false": {"details": {"is_new": False}},
    "nothing": {"details": {"kind": None}},
    "a detail in an object": {"details": {"geo.country": "DE"}},
    "a detail with a dot": {"details": {"a.b": "dotted"}},
    "hostile keys": {"details": {("quo\"te'", "x"): "y"}},
    "a hostile value": {"user_id": "u' OR 1=1 --"},
    "one of several details": {"details": {"kind": ["feishu", "saml"]}},
    "two details": {"details": {"kind": "feishu", "count": [1, 2]}},
    "all at once": {"actions": "auth", "outcome": "failure", "user_id": ["u1", "u2", "u3"], "since": START},
    "what no row has": {"actions": "auth.login", "category": "financial"},
}


def made(count: int, *, tenants: tuple[str | None, ...] = ("t1",), seed: int = 0) -> list[AuditEvent]:
    """Return *count* events of every family, outcome and shape; some of one moment."""
    chance = random.Random(seed)
    names = [*TERMS, "app.opened", "a_pp.x", "axpp.x", "Mixed Case!", "auth.something_new"]
    return [_event(chance, chance.choice(names), n, chance.choice(tenants)) for n in range(count)]


def _event(chance: random.Random, action: str, number: int, tenant: str | None) -> AuditEvent:
    details = {
        "kind": chance.choice(["feishu", "saml", None]),
        "count": chance.randrange(5),
        "is_new": chance.random() < 0.5,
        "geo": {"country": chance.choice(["DE", "CN"])},
        "a.b": chance.choice(["dotted", "other"]),
        "quo\"te'": {"x": chance.choice(["y", "z"])},
    }
    return events.custom(
        action,
        created_at=START + timedelta(minutes=number // 3),
        outcome=chance.choice([None, None, *Outcome]),
        user_id=chance.choice([None, "u1", "u2", "u3", "u4", "u' OR 1=1 --"]),
        actor_id=chance.choice([None, "u1", "u2"]),
        on_behalf_of=chance.choice([None, "u2"]),
        resource_type=chance.choice([None, "doc", "user"]),
        resource_id=chance.choice(["7", "8"]),
        ip_address=f"192.0.2.{chance.randrange(5)}",
        description=chance.choice([None, "uploaded a file", "100%_done", "100 x done"]),
        tenant_id=tenant,
        status_code=chance.choice([None, 200, 500]),
        duration_ms=chance.choice([None, 1.5]),
        tags=chance.choice([[], ["red"], ["red", 'a"b']]),
        details={key: value for key, value in details.items() if chance.random() < 0.8},
    )


async def stored(place: Place, given: Iterable[AuditEvent], **options: Any) -> Store:
    """Put the events *given* into the table, as a writer does, and return the store."""
    store = place.open(**options)
    await store.insert([decode(encode(event), WRITER, number + 1) for number, event in enumerate(given)])
    return store


async def pages(reader: AuditReader, query: Query) -> list[Page]:
    """Return every page, from the first to the last."""
    found = [await reader.search(query)]
    while (cursor := found[-1].next_cursor) is not None:
        found.append(await reader.search(query, cursor))
    return found


def ids(given: Iterable[AuditEvent]) -> list[str]:
    """Return the ids, in their order."""
    return [event.id for event in given]


def everything(place: Place, **options: Any) -> AuditReader:
    """Return a reader of all that is there."""
    return AuditReader(place.url, tenant=Scope.all(), **options)
