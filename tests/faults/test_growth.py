"""A soak sees what grows, and is not taken in by what comes and goes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.growth import MIB, WARM_UP_SAMPLES, growth
from tests.programs.soaking_child import State


def state(**others: Any) -> State:
    usual = {"memory": 40 * MIB, "threads": 3, "descriptors": 14, "is_on_disk": True, "health": "ok"}
    numbers = dict.fromkeys(("accepted", "stored", "pending", "quarantined", "dropped", "refused", "journal_bytes"), 0)
    return State(**{**numbers, **usual, "last_error": None, **others})


@pytest.mark.parametrize(
    ("name", "each"),
    [("memory", MIB // 8), ("threads", 0.05), ("descriptors", 0.1)],
    ids=["memory", "threads", "files"],
)
def test_what_grows_is_named(name: str, each: float) -> None:
    """A slope that would fill the machine in a day is seen within minutes."""
    usual = getattr(state(), name)
    found = growth([state(**{name: int(usual + each * second)}) for second in range(400)])
    assert found is not None
    assert [line.split()[0] for line in found] == [name]


def test_what_comes_and_goes_is_no_growth() -> None:
    """A batch of an outage, a reconnection, and a warm-up of any height are forgiven."""
    waves = [state(memory=(40 + second % 30) * MIB, descriptors=14 + second % 5) for second in range(400)]
    high = [state(memory=200 * MIB, threads=20)] * WARM_UP_SAMPLES
    assert growth(waves) == []
    assert growth(high + waves[:200]) == []


def test_a_short_life_says_nothing() -> None:
    """Below two minutes behind the warm-up there is no verdict."""
    assert growth([state()] * 179) is None
