from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_async.events.identifier import id_at, new_id, normal_uuid, time_of

ANY_UUID = "0190a1c0-0000-4000-8000-00000000abcd"


def test_ids_are_in_order() -> None:
    """Ids of one process sort as they were made, and no two are alike."""
    ids = [new_id()[0] for _ in range(5000)]
    assert sorted(set(ids)) == ids


def test_an_id_is_a_version_7_uuid() -> None:
    """A new id is a UUID of version 7 that carries the time it came with."""
    event_id, moment = new_id()
    assert (7, moment) == (uuid.UUID(event_id).version, time_of(event_id))


@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 -- bounds have no zone
def test_an_id_carries_its_time_exactly(moment: datetime) -> None:
    """Every microsecond from 1970 to 9999 goes into an id and comes out again."""
    assert moment == time_of(id_at(moment) or "")


@pytest.mark.parametrize("moment", [datetime(1969, 12, 31, tzinfo=UTC), datetime.min.replace(tzinfo=UTC)])
def test_a_time_before_1970_has_no_id(moment: datetime) -> None:
    """What an id cannot carry gets none."""
    assert id_at(moment) is None


@pytest.mark.parametrize("text", ["", "x", ANY_UUID, "ffffffff-ffff-7fff-bfff-ffffffffffff", "\0" * 36])
def test_other_ids_carry_no_time(text: str) -> None:
    """An id that is no UUIDv7, or one of a time that no datetime holds, says no time."""
    assert time_of(text) is None


@pytest.mark.parametrize("text", [ANY_UUID, ANY_UUID.upper(), f"{{{ANY_UUID}}}", f"urn:uuid:{ANY_UUID}"])
def test_a_uuid_has_one_spelling(text: str) -> None:
    """A UUID is the same id in each of its usual spellings."""
    assert ANY_UUID == normal_uuid(text)


@pytest.mark.parametrize("text", [ANY_UUID.replace("-", ""), "A" * 36, "{" + "B" * 37, "urn:uuid:x"])
def test_what_is_no_uuid_keeps_its_letters(text: str) -> None:
    """An id that merely is as long as a UUID is left alone."""
    assert text == normal_uuid(text)


def test_the_clock_of_an_id_is_now() -> None:
    """A new id is of this moment."""
    assert abs(datetime.now(UTC) - new_id()[1]) < timedelta(seconds=5)
