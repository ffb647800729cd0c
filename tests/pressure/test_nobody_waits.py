"""A journal that is full: where nobody may stand still."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from audit_async import AuditLogger, Receipt, events
from tests.pressure.full_journals import (
    LONG_SECONDS,
    QUICK_SECONDS,
    HeldTable,
    Opened,
    event,
    fill,
    fill_to_wait,
    quickly,
)


@pytest.fixture
def full(opened: Opened) -> AuditLogger:
    """A logger whose callers wait far longer than any of these tests may take, and whose journal is full."""
    audit = opened(when_full="block", max_wait_seconds=LONG_SECONDS)
    fill_to_wait(audit)
    return audit


class Handler:
    """A handler of signals that logs: as a method, and as an object that can be called."""

    def __init__(self, audit: AuditLogger) -> None:
        self.audit = audit
        self.receipts: list[Receipt] = []

    def handle(self, *_: object) -> None:
        self.receipts.append(self.audit.log(event()))

    def __call__(self, *_: object) -> None:
        self.handle()


@pytest.mark.parametrize("kind", ["function", "method", "object"])
def test_a_signal_handler_never_waits(kind: str, full: AuditLogger) -> None:
    """An event that is logged in a signal handler is refused at once."""
    handler = Handler(full)

    def handle(number: int, frame: FrameType | None) -> None:
        handler.handle()

    kinds: dict[str, Callable[[int, FrameType | None], None]] = {
        "function": handle,
        "method": handler.handle,
        "object": handler,
    }
    before = signal.signal(signal.SIGUSR1, kinds[kind])
    try:
        with quickly():
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ["journal_full"] == [receipt.refused for receipt in handler.receipts]


class Collected:
    """Logs an event when it is collected."""

    def __init__(self, audit: AuditLogger) -> None:
        self.audit = audit

    def __del__(self) -> None:
        self.audit.log(event())


def test_a_finaliser_never_waits(full: AuditLogger) -> None:
    """An event that is logged by a `__del__` is refused at once: it has interrupted who knows what."""
    doomed = Collected(full)
    with quickly():
        del doomed
        gc.collect()
    assert {"journal_full": 2} == full.stats().refused_by_reason


def test_a_rule_that_logs_does_not_wait_twice(opened: Opened) -> None:
    """Inside another call of ours nobody waits: the outer call alone takes the time agreed."""
    inner: list[Receipt] = []

    def rule(key: str, value: Any) -> Any:
        if key == "asks":
            inner.append(other.log(event()))
        return value

    other = opened(when_full="block", max_wait_seconds=LONG_SECONDS)
    fill_to_wait(other)
    audit = opened(redact=rule)
    with quickly():
        audit.log(events.custom("report.print", details={"asks": 1}))
    assert {"journal_full"} == {receipt.refused for receipt in inner}


async def test_the_loop_of_a_writer_that_is_a_task_is_not_stopped(opened: Opened, held: HeldTable) -> None:
    """With `writer="task"` a `log` in the writer's own loop is refused at once, since nobody else could make room."""
    audit = opened(writer="task", when_full="block", max_wait_seconds=LONG_SECONDS)
    await audit.__aenter__()
    with quickly():
        fill(audit)
    assert {"journal_full": 1} == audit.stats().refused_by_reason
    held.release()
    assert await audit.close(QUICK_SECONDS)


def test_the_end_of_a_transaction_never_waits(full: AuditLogger, tmp_path: Path) -> None:
    """What a transaction held back is refused when it has committed, and does not hold its commit up."""
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with quickly(), Session(engine) as session:
        receipts = [full.within(session).log(event(number)) for number in range(20)]
        session.execute(text("SELECT 1"))
        session.commit()
    engine.dispose()
    assert {"journal_full"} == {receipt.refused for receipt in receipts}
