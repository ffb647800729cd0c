"""Nasty inputs that are no single value: many alike, the same twice, batches of every shape, a later version."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from audit_async import AuditEvent, AuditLogger, create_table, events
from audit_async.config import MAX_EVENT_BYTES
from audit_async.entry import encode
from audit_async.events.fields import EventFields
from tests.journal.journals import die, open_journal
from tests.nasty.conftest import Station
from tests.polling import eventually_sync
from tests.tables import all_rows

TENANTS = 7


def test_the_first_of_two_with_one_id_wins(station: Station) -> None:
    """N34: another content under an id and a time that are there is passed over, in the same batch and later."""
    first = events.custom("nasty.twin", details={"n": 1})
    second = msgspec.structs.replace(first, details={"n": 2})
    station.log(first, second)
    station.log(second)
    assert [{"n": 1}] == [row["details"] for row in station.rows() if row["id"] == first.id]


def test_unknown_keywords_are_said_to_the_programmer() -> None:
    """N57: a hundred keywords that no event has are a TypeError, which names the right ones and is no novel."""
    wrong: dict[str, Any] = {f"tenant_idx{number}": number for number in range(100)}
    with pytest.raises(TypeError, match="did you mean 'tenant_id'") as caught:
        events.custom("a", **wrong)
    assert [] == [name for name in EventFields.__annotations__ if name not in str(caught.value)]


def test_thousands_of_identical_events_are_thousands_of_rows(station: Station) -> None:
    """N66: what happened a thousand times is there a thousand times: the id tells them apart."""
    ids = station.log(*(events.custom("nasty.identical", user_id="u", details={"a": 1}) for _ in range(5000)))
    found = [row["id"] for row in station.rows() if row["action"] == "nasty.identical"]
    assert (5000, set(ids)) == (len(found), set(found))


def test_one_event_logged_twice_is_one_row(station: Station) -> None:
    """N67: logging the same value twice stores it once, and both calls are told that it is stored."""
    event = events.custom("nasty.twice")
    receipts = [station.audit.log(event) for _ in range(2)]
    station.log()
    assert [True, True] == [receipt.is_stored for receipt in receipts]
    assert [event.id] == [row["id"] for row in station.rows() if row["action"] == "nasty.twice"]


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 10_000])
def test_a_batch_of_any_shape_arrives(count: int, station: Station) -> None:
    """N71: none, one, or ten thousand at once, of mixed tenants, with a full-sized one among tiny ones."""
    action = f"nasty.batch_{count}"
    full = {f"k{n}": "x" * 1000 for n in range(60)}
    made = [
        events.custom(action, tenant_id=n % TENANTS or None, details=full if n == count // 2 else {"n": n})
        for n in range(count)
    ]
    station.log(*made)
    found = {row["id"]: row for row in station.rows() if row["action"] == action}
    assert [event.details for event in made] == [found[event.id]["details"] for event in made]
    assert [event.tenant_id for event in made] == [found[event.id]["tenant_id"] for event in made]
    assert count == len(found)


def test_a_full_sized_event_is_one(station: Station) -> None:
    """N71: an event that just fits is stored whole."""
    event = events.custom("nasty.full", details={f"k{n}": "x" * 1000 for n in range(60)})
    assert 0.9 * MAX_EVENT_BYTES < len(encode(event)) <= MAX_EVENT_BYTES
    (stored_id,) = station.log(event)
    assert [event.details] == [row["details"] for row in station.rows() if row["id"] == stored_id]


def of_later_version() -> tuple[AuditEvent, bytes]:
    """Return an event, and its bytes as a later version of the library might write them."""
    event = events.custom("nasty.later", user_id="u", details={"a": 1})
    fields = msgspec.json.decode(encode(event))
    return event, msgspec.json.encode({"format": 99, **fields, "risk": {"score": 7}, "severity_text": "HIGH"})


def test_an_entry_of_a_later_version_is_kept(tmp_path: Any) -> None:
    """N75: what a later version left in the journal is stored, with all that this one knows of it."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}"
    asyncio.run(create_table(url))
    with AuditLogger(url, journal_dir=tmp_path / "journal") as audit:
        destination = audit.settings.destination
        later = open_journal(tmp_path / "journal", destination=destination)
        event, payload = of_later_version()
        later.append(payload)
        later.synced.wait_sync(1, 10)
        die(later)
    with AuditLogger(url, journal_dir=tmp_path / "journal"):
        (row,) = eventually_sync(lambda: asyncio.run(all_rows(url)), 20)
    assert (event.id, "nasty.later", "u", {"a": 1}) == (row["id"], row["action"], row["user_id"], row["details"])
