"""How long the oldest entry has waited."""

from __future__ import annotations

from audit_async.config import MAX_SAMPLES
from audit_async.journal.age import Age


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_nothing_pending_has_no_age() -> None:
    """What is settled does not wait."""
    age = Age(Clock())
    age.note(5)
    assert age.seconds(5) == 0.0


def test_the_oldest_pending_one_counts() -> None:
    """Entries that came later do not make it younger, and settled ones not older."""
    clock = Clock()
    age = Age(clock)
    for seq, now in ((5, 10.0), (9, 20.0)):
        clock.now = now
        age.note(seq)
    clock.now = 30.0
    assert (age.seconds(0), age.seconds(5), age.seconds(9)) == (20.0, 10.0, 0.0)


def test_many_samples_keep_the_first_and_the_last() -> None:
    """In an outage of days the age stays true, and the samples few."""
    clock = Clock()
    age = Age(clock)
    for seq in range(1, 50 * MAX_SAMPLES):
        clock.now = float(seq)
        age.note(seq)
    assert age.seconds(0) == clock.now - 1.0
    assert age.seconds(50 * MAX_SAMPLES - 2) == 0.0
    assert len(age._samples) <= MAX_SAMPLES


def test_what_is_settled_is_forgotten() -> None:
    """Samples of settled entries are dropped."""
    age = Age(Clock())
    for seq in range(1, 11):
        age.note(seq)
    age.forget(10)
    assert len(age._samples) == 0
