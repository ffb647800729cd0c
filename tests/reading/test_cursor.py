"""A cursor comes back as it was given, and anything else is told."""

from __future__ import annotations

import string
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_async.errors import ConfigurationError
from audit_async.reading.cursor import Cursor

VALUES = st.one_of(
    st.none(),
    st.text(max_size=50),
    st.integers(-(2**63), 2**63 - 1),
    st.datetimes(timezones=st.none() | st.just(UTC)),
    st.dates(),
    st.uuids(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.binary(max_size=32),
)


@given(st.lists(VALUES, min_size=1, max_size=4), st.booleans(), st.text())
def test_a_position_of_any_types_comes_back(position: list[Any], is_backward: bool, bound_to: str) -> None:
    """Whatever the keys of a table are."""
    cursor = Cursor(tuple(position), is_backward)
    text = cursor.write(bound_to)
    assert cursor == Cursor.read(text, bound_to)
    assert set(text) <= set(string.ascii_letters + string.digits + "-_")


@given(st.text() | st.binary(), st.text())
def test_nothing_else_is_read(text: Any, bound_to: str) -> None:
    """No text that was not made here is a cursor, and none breaks the reading."""
    with pytest.raises(ConfigurationError, match="cursor"):
        Cursor.read(text, bound_to)


@given(st.text(), st.text())
def test_one_of_another_listing_is_told(bound_to: str, other: str) -> None:
    """It belongs to what it was made for alone."""
    text = Cursor((1,)).write(bound_to)
    if bound_to == other:
        assert Cursor((1,)) == Cursor.read(text, other)
    else:
        with pytest.raises(ConfigurationError, match="another query, scope or table"):
            Cursor.read(text, other)


def test_types_are_told_apart() -> None:
    """A day is not a time, and a text that looks like one is a text."""
    position = (
        date(2026, 1, 1),
        datetime(2026, 1, 1, tzinfo=UTC),
        "2026-01-01",
        uuid.UUID(int=1),
        Decimal("1.0"),
        b"1",
    )
    assert position == Cursor.read(Cursor(position).write("x"), "x").position
    assert list(map(type, position)) == list(map(type, Cursor.read(Cursor(position).write("x"), "x").position))
