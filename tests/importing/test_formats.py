"""What holds for every format."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from audit_async.entry import decode, encode
from audit_async.errors import ConfigurationError
from audit_async.events.identifier import time_of
from audit_async.importing.formats import FORMATS, Reading, RefusedError, format_named
from audit_async.importing.identity import Identity

WHEN = datetime(2026, 3, 1, 9, 30, 0, 123, tzinfo=UTC)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("\ud800")
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
SOUND: dict[str, Any] = {
    "m365": {"Operation": "UserLoggedIn", "CreationTime": "2026-03-01T09:30:00", "Id": "7"},
    "jsonl": {"action": "report.print", "created_at": "2026-03-01T09:30:00Z"},
    "csv": {"action": "report.print", "created_at": "2026-03-01T09:30:00Z"},
    "ocsf": {"class_uid": 3002, "activity_id": 1, "time": 1772357400123, "metadata": {"uid": "7"}},
    "seed003-ndjson": {"kind": "login_log", "ts": "2026-03-01T09:30:00", "user_name": "ann"},
}
NAMES = {
    "m365": "Operation CreationTime Id OrganizationId ResultStatus UserId UserKey UserType Actor Target ClientIP "
    "ActorIpAddress ExtendedProperties ModifiedProperties ErrorNumber LogonError ObjectId AuditData",
    "jsonl": "action created_at id details metadata tags old_values status_code duration_ms outcome writer_seq other",
    "csv": "action created_at id details metadata tags old_values status_code duration_ms outcome writer_seq other",
    "ocsf": "class_uid activity_id time metadata actor user src_endpoint http_request status_id severity_id unmapped "
    "resources status_code duration message session class_name type_name",
    "seed003-ndjson": "kind ts login_time user_name device_name prompt status duration_ms public_ip other",
}


def test_no_format_is_forgotten() -> None:
    """What is tried below is all there is."""
    assert set(FORMATS) == set(SOUND) == set(NAMES)


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
@settings(deadline=None)
def test_no_value_breaks_a_format(name: str, data: st.DataObject) -> None:
    """Whatever a record says, it is an event that can be stored, or it is refused with a reason."""
    values = st.text(max_size=20) if name == "csv" else VALUES
    strange = data.draw(st.dictionaries(st.sampled_from(NAMES[name].split()), values, max_size=4))
    try:
        mapped = FORMATS[name].read({**SOUND[name], **strange}, Reading())
    except RefusedError as error:
        event(error.message)
        return
    entry = decode(encode(mapped.event))
    assert (mapped.event.id, mapped.event.created_at) == (entry.id, entry.created_at)


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_record_is_the_same_event(name: str) -> None:
    """Its id and time are the same in every run; alike twice in one file, a record without an id is two events."""
    first, again = (FORMATS[name].read(SOUND[name], Reading()).event for _ in range(2))
    assert first == again
    reading = Reading()
    twice: list[Mapping[str, Any]] = [SOUND[name]] * 2
    ids = {FORMATS[name].read(body, reading).event.id for body in twice}
    assert (1 if name in ("m365", "ocsf") else 2) == len(ids)


def test_an_id_that_was_made_carries_its_time() -> None:
    """It leads to its partition as any id of ours does, and the order of the keys does not count."""
    identity = Identity()
    made = identity.id_of({"a": 1, "b": 2}, WHEN)
    assert (made, WHEN) == (Identity().id_of({"b": 2, "a": 1}, WHEN), time_of(str(made)))
    assert made != identity.id_of({"a": 1, "b": 2}, WHEN)


def test_an_unknown_format_names_those_there_are() -> None:
    """And the one that was meant."""
    with pytest.raises(ConfigurationError, match="did you mean 'jsonl'") as raised:
        format_named("json1")
    assert all(name in str(raised.value.hint) for name in FORMATS)
