"""What an analysis finds: values that say what was counted, and nothing of what it may mean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

Value = str | int | None
"""Of a field, as an event has it; None where it is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many events have the same values.

    Attributes:
        values: of the fields that were counted by, in their order.
        events: how many.
    """

    values: tuple[Value, ...]
    events: int

    @property
    def value(self) -> Value:
        """The value of the field, or of the first of several."""
        return self.values[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How many events have one value of a field, and when.

    Attributes:
        value: that they have; never None.
        events: how many.
        first_at: the time of the first of them, UTC; None where it cannot be read.
        last_at: likewise of the last.
    """

    value: Value
    events: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """How many events happened in one hour, or on one day.

    Attributes:
        starts_at: its beginning, UTC.
        events: how many; 0 too.
    """

    starts_at: datetime
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedLogins:
    """The log-ins from one address that failed.

    Attributes:
        ip_address: None for those that say none.
        events: how many.
        users: how many different `user_id` they say.
        without_user: how many of the events say none: who it was is seldom known before a log-in.
        first_at: the time of the first of them, UTC; None where it cannot be read.
        last_at: likewise of the last.
    """

    ip_address: str | None
    events: int
    users: int
    without_user: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedFailures:
    """Events with one value of a field of which many failed.

    Attributes:
        value: that they have; never None.
        failures: how many failed: their outcome is failure, denied or error.
        first_at: the time of the first failure, UTC; None where it cannot be read.
        last_at: likewise of the last.
        succeeded_at: the time of the first success that had at least as many failures before it as were asked for;
            None where there was none.
    """

    value: Value
    failures: int
    first_at: datetime | None
    last_at: datetime | None
    succeeded_at: datetime | None

    @property
    def is_followed_by_success(self) -> bool:
        """Whether there was a success behind that many failures."""
        return self.succeeded_at is not None
