from __future__ import annotations

import decimal
import ipaddress
import uuid
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest

from audit_async.config import MAX_STRING_CHARS
from audit_async.events import Outcome, Severity
from audit_async.events.fields import convert
from tests.test_values import hostile

HEX = "00000000-0000-0000-0000-000000000005"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("user_id", uuid.UUID(HEX), HEX),
        ("user_id", uuid.UUID(HEX).bytes, HEX),
        ("user_id", 42, "42"),
        ("user_id", "a\0b", "a␀b"),
        ("status_code", "404", 404),
        ("duration_ms", timedelta(seconds=1.5), 1500.0),
        ("duration_ms", decimal.Decimal("2.5"), 2.5),
        ("outcome", " Failure ", Outcome.FAILURE),
        ("tags", ["b", "a", "b"], ("b", "a")),
        ("tags", "one", ("one",)),
        ("error_message", ValueError("no"), "ValueError: no"),
        ("error_message", TimeoutError(), "TimeoutError"),
        ("user_agent", b"Caf\xe9", "Café"),
        ("user_id", b"u-1", "u-1"),
        ("user_id", b"\xff\0", '{"$bytes":"/wA=","length":2}'),
        ("ip_address", "2001:DB8::1", "2001:db8::1"),
        ("ip_address", ipaddress.ip_address("10.0.0.1"), "10.0.0.1"),
        ("ip_address", "::ffff:10.0.0.1", "10.0.0.1"),
        ("ip_address", "FE80::1%eth0.7", "fe80::1%eth0.7"),
        ("ip_address", " ", None),
        ("status_code", HTTPStatus.NOT_FOUND, 404),
        ("severity", Severity.HIGH, Severity.HIGH),
        ("created_at", 0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("created_at", "2024-01-01T05:45:00+05:45", datetime(2024, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_field_holds_one_form(name: str, value: Any, expected: Any) -> None:
    """A field turns the usual forms of its value into one, and calls none of them invalid."""
    invalid: dict[str, Any] = {}
    assert (expected, {}) == (convert(name, value, invalid), invalid)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("status_code", True), ("status_code", 1.9), ("status_code", 2**31), ("status_code", "--5")),
        *(("duration_ms", True), ("duration_ms", "x"), ("duration_ms", float("nan")), ("duration_ms", 10**400)),
        *(("created_at", "x"), ("created_at", True), ("created_at", float("inf")), ("created_at", 1e15)),
        *(("created_at", datetime.max.replace(tzinfo=UTC)), ("created_at", "0001-01-01T00:00:00Z")),
        *(("created_at", "0001-01-01"), ("ip_address", "unknown"), ("ip_address", "010.0.0.1")),
        *(("ip_address", "fe80::1%\0"), ("ip_address", "fe80::1%\ud800"), ("ip_address", "fe80::1%a b")),
        *(("severity", "x"), ("severity", 5), ("severity", []), ("user_id", {"a": 1}), ("user_id", [1])),
    ],
)
def test_what_does_not_fit_is_kept_beside(name: str, value: Any) -> None:
    """A value that a field cannot hold leaves it empty, and is not lost."""
    invalid: dict[str, Any] = {}
    assert (None, [name]) == (convert(name, value, invalid), list(invalid))


def test_a_naive_time_is_utc_and_said_to_be() -> None:
    """A time without an offset is taken as UTC, and its form is kept beside."""
    invalid: dict[str, Any] = {}
    moment = convert("created_at", datetime(2024, 1, 1), invalid)  # noqa: DTZ001 -- this is the case
    assert (datetime(2024, 1, 1, tzinfo=UTC), {"created_at": "2024-01-01T00:00:00"}) == (moment, invalid)


def test_an_unknown_outcome_is_unknown() -> None:
    """An outcome that is none is never taken for a success."""
    assert Outcome.UNKNOWN is convert("outcome", "fine", {})


def test_a_time_of_a_subclass_becomes_plain() -> None:
    """The event keeps no object of the caller's own type."""

    class Own(datetime):
        pass

    assert datetime is type(convert("created_at", Own(2024, 1, 1, tzinfo=UTC), {}))


@pytest.mark.parametrize("make", [str, ValueError])
def test_the_end_of_a_long_message_is_kept(make: Any) -> None:
    """Of an error message that is too long beginning and end stay, and nothing else is lost of it."""
    text = convert("error_message", make("first" + "x" * 100_000 + "last"), {})
    assert (MAX_STRING_CHARS, 1, "last") == (len(text), text.count("first"), text[-4:])
    assert 1 == text.count("[truncated: ")


def test_an_outcome_that_lies_is_read_all_the_same() -> None:
    """A text whose own methods break is what it holds."""
    assert Outcome.DENIED is convert("outcome", hostile(str)("denied"), {})
