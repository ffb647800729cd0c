"""An append from inside an append: out of a signal handler, out of a `__del__`."""

from __future__ import annotations

import itertools
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from audit_async.journal.journal import Journal
from tests.journal.journals import payload_of, read_all, read_orphans

Open = Callable[..., Journal]
Meeting = Callable[[Callable[[bytes], object]], None]


@pytest.fixture
def meeting(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Meeting:
    """Have a function called in the middle of each append, with what is about to be put in its place."""
    spool = journal._spool
    assert spool is not None
    real = spool.append

    def begin(meet: Callable[[bytes], object]) -> None:
        def append(seq: int, payload: bytes, is_urgent: bool) -> None:
            meet(payload)
            real(seq, payload, is_urgent)

        monkeypatch.setattr(spool, "append", append)

    return begin


@pytest.mark.usefixtures("small_segments")
def test_a_storm_of_signals_loses_nothing(tmp_path: Path, opened: Open) -> None:
    """A handler that appends, a thousand times a second: no deadlock, no gap, every entry once."""
    journal = opened(tmp_path / "journal")
    given: list[bytes] = []

    def handle(number: int, frame: FrameType | None) -> None:
        # Another one may come in the middle of this: the last that was given need not be this one.
        payload = b"signal %d" % len(given)
        given.append(payload)
        journal.append(payload)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    deadline = time.monotonic() + 0.7
    own: list[bytes] = []
    try:
        while time.monotonic() < deadline:
            own.append(payload_of(len(own), 200))
            journal.append(own[-1])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    found = read_all(journal)
    assert len(given) > 10
    assert [seq for seq, _ in found] == list(range(1, len(own) + len(given) + 1))
    assert sorted(payload for _, payload in found) == sorted(own + given)


def interrupt(call: Callable[[], Any], at: int, interruption: Callable[[], Any]) -> bool:
    """Do *call*, with *interruption* before its instruction number *at* in the journal, as a signal handler would be.

    Returns whether there were as many instructions.
    """
    left = itertools.count(at, -1)
    has_come = False

    def step(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal has_come
        if event == "opcode" and next(left) == 0:
            has_come = True
            interruption()
        return step

    def enter(frame: FrameType, event: str, argument: object) -> Any:
        if "/audit_async/journal/" not in frame.f_code.co_filename:
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return step

    before = sys.gettrace()
    # Python 3.12 looks here, before it traces, whether instructions are asked for at all.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(enter)
    try:
        call()
    finally:
        sys.settrace(before)
    return has_come


def test_a_signal_at_each_instruction_loses_nothing(journal: Journal, meeting: Meeting) -> None:
    """Wherever in an append another one comes, also where deferred ones are taken: every entry once, none is left, and
    its number is told once."""
    given: list[bytes] = []
    numbers: list[int] = []

    def give(kind: bytes) -> None:
        given.append(b"%s %d" % (kind, len(given)))
        number = journal.append(given[-1], numbers.append)
        if number:
            numbers.append(number)

    def defer_one(payload: bytes) -> None:
        if payload.startswith(b"outer"):
            give(b"deferred")

    meeting(defer_one)
    for at in itertools.count():
        if not interrupt(lambda: give(b"outer"), at, lambda: give(b"signal")):
            break
        assert not journal._deferred
    assert at > 100
    found = read_all(journal)
    assert [seq for seq, _ in found] == list(range(1, len(given) + 1)) == sorted(numbers)
    assert sorted(payload for _, payload in found) == sorted(given)


class Logging:
    """Appends when it is collected."""

    def __init__(self, journal: Journal, on_number: Callable[[int], None]) -> None:
        self.journal = journal
        self.on_number = on_number

    def __del__(self) -> None:
        self.journal.append(b"collected", self.on_number)


def test_an_append_while_appending_is_taken_afterwards(journal: Journal, meeting: Meeting) -> None:
    """What comes from a `__del__` inside an append gets the next number, and is told it."""
    numbers: list[int] = []

    def collecting(payload: bytes) -> None:
        if payload == b"outer":
            Logging(journal, numbers.append)

    meeting(collecting)
    assert journal.append(b"outer") == 1
    assert numbers == [2]
    assert read_all(journal) == [(1, b"outer"), (2, b"collected")]


def test_what_is_refused_afterwards_is_told_so(journal: Journal, meeting: Meeting) -> None:
    """A deferred entry that finds the journal closed gets no number."""
    numbers: list[int] = []

    def closing(payload: bytes) -> None:
        journal.append(b"inner", numbers.append)
        journal._is_closed = True

    meeting(closing)
    journal.append(b"outer")
    assert numbers == [-1]


def test_a_deferred_entry_survives_the_exception_of_the_outer_call(journal: Journal, meeting: Meeting) -> None:
    """When a signal handler ends the outer append, the entry deferred by it is taken all the same."""

    def interrupted(payload: bytes) -> None:
        if payload == b"outer":
            journal.append(b"inner")
            raise KeyboardInterrupt

    meeting(interrupted)
    with pytest.raises(KeyboardInterrupt):
        journal.append(b"outer")
    assert read_all(journal) == [(1, b"inner")]


def test_a_deferred_entry_that_is_left_is_taken_at_the_end(tmp_path: Path, journal: Journal, meeting: Meeting) -> None:
    """Where a signal handler ends the call that takes deferred ones, and none comes after it, `close` takes them."""

    def defer_two(payload: bytes) -> None:
        if payload == b"outer":
            journal.append(b"first", interrupted)
            journal.append(b"second")

    def interrupted(seq: int) -> None:
        raise KeyboardInterrupt

    meeting(defer_two)
    with pytest.raises(KeyboardInterrupt):
        journal.append(b"outer")
    journal.close()
    assert read_orphans(tmp_path / "journal") == [(1, b"outer"), (2, b"first"), (3, b"second")]
