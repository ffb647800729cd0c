"""An append from inside an append: out of a signal handler, out of a `__del__`."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from audit_async.journal.journal import Journal
from tests.journal.journals import payload_of, read_all

Open = Callable[..., Journal]


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


class Logging:
    """Appends when it is collected."""

    def __init__(self, journal: Journal, on_number: Callable[[int], None]) -> None:
        self.journal = journal
        self.on_number = on_number

    def __del__(self) -> None:
        self.journal.append(b"collected", self.on_number)


def test_an_append_while_appending_is_taken_afterwards(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes from a `__del__` inside an append gets the next number, and is told it."""
    numbers: list[int] = []
    spool = journal._spool
    assert spool is not None
    real = spool.append

    def collecting(seq: int, payload: bytes, is_urgent: bool) -> None:
        if payload == b"outer":
            Logging(journal, numbers.append)
        real(seq, payload, is_urgent)

    monkeypatch.setattr(spool, "append", collecting)
    assert journal.append(b"outer") == 1
    assert numbers == [2]
    assert read_all(journal) == [(1, b"outer"), (2, b"collected")]


def test_what_is_refused_afterwards_is_told_so(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deferred entry that finds the journal closed gets no number."""
    numbers: list[int] = []
    spool = journal._spool
    assert spool is not None
    real = spool.append

    def closing(seq: int, payload: bytes, is_urgent: bool) -> None:
        real(seq, payload, is_urgent)
        journal.append(b"inner", numbers.append)
        journal._is_closed = True

    monkeypatch.setattr(spool, "append", closing)
    journal.append(b"outer")
    assert numbers == [-1]


def test_a_deferred_entry_survives_the_exception_of_the_outer_call(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a signal handler ends the outer append, the entry deferred by it is taken all the same."""
    spool = journal._spool
    assert spool is not None
    real = spool.append

    def interrupted(seq: int, payload: bytes, is_urgent: bool) -> None:
        if payload == b"outer":
            journal.append(b"inner")
            raise KeyboardInterrupt
        real(seq, payload, is_urgent)

    monkeypatch.setattr(spool, "append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        journal.append(b"outer")
    assert read_all(journal) == [(1, b"inner")]
