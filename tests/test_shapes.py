from __future__ import annotations

import msgspec

from audit_async.config import MAX_CAUSES, MAX_FRAMES
from audit_async.shapes import causes_of, frames_of
from audit_async.values import plain


def test_errors_in_each_other_have_an_end() -> None:
    """Groups within groups, each of them a cause of what it holds, are followed for some levels only."""
    error: Exception = ValueError("0")
    for _ in range(100):
        group = ExceptionGroup("g", [error] * 100)
        error.__cause__ = group
        error = group
    assert len(msgspec.json.encode(plain(error))) < 2**22


def test_a_suppressed_error_is_no_cause() -> None:
    """What was raised `from None` has no cause in the row, as Python prints none."""
    error = ValueError("b")
    error.__context__ = KeyError("a")
    error.__suppress_context__ = True
    assert {"$type": "builtins.ValueError", "message": "b"} == plain(error)


def test_errors_that_led_to_each_other_end() -> None:
    """A circle of causes is gone through once."""
    one, other = ValueError("1"), ValueError("2")
    one.__cause__, other.__cause__ = other, one
    assert [other, one] == causes_of(one)


def test_of_many_causes_the_nearest_are_known() -> None:
    """One more than are kept is looked at, to see that there are more."""
    error = ValueError("0")
    for number in range(1, 100):
        following = ValueError(str(number))
        following.__context__ = error
        error = following
    assert [str(n) for n in range(98, 97 - MAX_CAUSES, -1)] == [str(cause) for cause in causes_of(error)]


def test_of_a_deep_traceback_the_innermost_frames_are_kept() -> None:
    """Of a recursion the end is shown, where it broke."""

    def descend(depth: int) -> int:
        return descend(depth - 1) if depth else 1 // 0

    try:
        descend(100)
    except ZeroDivisionError as error:
        trace = error.__traceback__
    assert trace is not None
    assert [f"{__file__}:{descend.__code__.co_firstlineno + 1} in descend"] * MAX_FRAMES == frames_of(trace)
