"""Which tasks of a queue are jobs."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from audit_async.jobs.task import is_chosen


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [(True, [True, True]), (False, [False, False]), (["mail.send"], [False, True]), ("mail.send", [False, True])],
)
def test_a_task_is_chosen_by_its_whole_name(chosen: bool | Collection[str], expected: list[bool]) -> None:
    """One name alone needs no list, and chooses no task whose name is a part of it."""
    assert expected == [is_chosen(name, chosen) for name in ("send", "mail.send")]
