from __future__ import annotations

from collections.abc import Iterator

import pytest
from loguru import logger

from audit_async.diagnostics import describe, report, settle_down


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged while the test runs."""
    found: list[str] = []
    sink = logger.add(lambda message: found.append(str(message)), format="{message}")
    yield found
    logger.remove(sink)
    settle_down("test")


def test_a_kind_is_said_once(lines: list[str]) -> None:
    """The same kind of fault is not repeated within its interval."""
    assert (True, False) == (report("test", "one"), report("test", "two"))
    assert ["audit_async: one\n"] == lines


def test_what_is_over_is_news_again(lines: list[str]) -> None:
    """A fault that ended is reported when it comes back."""
    report("test", "one")
    settle_down("test")
    assert report("test", "two")


def test_braces_are_text(lines: list[str]) -> None:
    """A message is never read as a format."""
    report("test", "{0.__class__} {x}")
    assert ["audit_async: {0.__class__} {x}\n"] == lines


def test_a_sink_that_reports_is_cut_off() -> None:
    """A log sink that fails into a report does not recurse."""
    inner: list[bool] = []
    sink = logger.add(lambda _: inner.append(report("test-inner", "again")))
    try:
        assert report("test-outer", "one")
    finally:
        logger.remove(sink)
        settle_down("test-outer")
    assert [False] == inner


class UnreadableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("a\nb"), "ValueError: a b"),
        (TimeoutError(), "TimeoutError"),
        (UnreadableError(), "UnreadableError: its text cannot be read"),
    ],
)
def test_an_error_is_one_line(error: Exception, expected: str) -> None:
    """A foreign error is described on one line, whatever its text does."""
    assert expected == describe(error)
