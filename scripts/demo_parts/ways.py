"""Four ways to log, each as a real program would. Every one runs in a process of its own, started by the demo:

    python -m scripts.demo_parts.ways thread FILE.jsonl --rounds 20 --share 2 --skip 0

Where the events go, and where they wait, is said by AUDIT_DATABASE_URL and AUDIT_JOURNAL_DIR. After each event for
which `log()` has returned, its id and time go to standard output, at once; the last line holds the numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import itertools
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from audit_async import (
    AuditEvent,
    AuditLogger,
    Receipt,
    Stats,
    audit_context,
    configure,
    get_audit_logger,
    shutdown,
)
from scripts.demo_parts.mapping import event_of
from scripts.demo_parts.records import read_records, share_of, time_text

STANDARD_OUTPUT = 1
QUEUE_EVENTS = 100
EVENTS_A_TICK = 50
TICK_SECONDS = 0.02
EVENTS_A_BLOCK = 500
EVENTS_A_JOB = 50
DRAIN_SECONDS = 20.0

LOG_MICROSECONDS: list[float] = []


async def in_background_task(happening: Iterator[AuditEvent]) -> Stats:
    """A web application: a request puts into a queue what happened, a background task logs it."""
    queue: asyncio.Queue[AuditEvent | None] = asyncio.Queue(QUEUE_EVENTS)

    async def log_what_comes(audit: AuditLogger) -> None:
        while (event := await queue.get()) is not None:
            log(audit, event)

    async with AuditLogger() as audit:
        background = asyncio.create_task(log_what_comes(audit), name="log what comes")
        for event in happening:
            await queue.put(event)
        await queue.put(None)
        await background
        await audit.flush(DRAIN_SECONDS)
    return audit.stats()


async def in_scheduler(happening: Iterator[AuditEvent]) -> Stats:
    """A scheduler: every tick runs what is due, and says once who does it."""
    audit = AuditLogger()
    for tick in itertools.count():
        due = list(itertools.islice(happening, EVENTS_A_TICK))
        if not due:
            break
        with audit_context(session_id=f"tick-{tick}"):
            for event in due:
                log(audit, event)
        await asyncio.sleep(TICK_SECONDS)
    await audit.flush(DRAIN_SECONDS)
    await audit.close()
    return audit.stats()


def in_thread(happening: Iterator[AuditEvent]) -> Stats:
    """An import that knows no event loop: a plain thread logs, and makes sure of each block before the next."""

    def log_all() -> None:
        while block := list(itertools.islice(happening, EVENTS_A_BLOCK)):
            for event in block:
                log(audit, event)
            audit.flush_sync(DRAIN_SECONDS)

    with AuditLogger() as audit:
        worker = threading.Thread(target=log_all, name="worker")
        worker.start()
        worker.join()
    return audit.stats()


def in_job_after_job(happening: Iterator[AuditEvent]) -> Stats:
    """A task queue: an `asyncio.run` for every job, whose event loop is closed when the job is done."""

    async def job(due: list[AuditEvent]) -> None:
        for event in due:
            log(get_audit_logger(), event)

    audit = configure()
    while due := list(itertools.islice(happening, EVENTS_A_JOB)):
        asyncio.run(job(due))
    audit.flush_sync(DRAIN_SECONDS)
    shutdown()
    return audit.stats()


def log(audit: AuditLogger, event: AuditEvent) -> None:
    """Log *event*, which is all that a program does; what follows is for the demo's own books."""
    started = time.perf_counter()
    receipt = audit.log(event)
    LOG_MICROSECONDS.append((time.perf_counter() - started) * 1e6)
    tell_driver(event, receipt)


def tell_driver(event: AuditEvent, receipt: Receipt) -> None:
    if receipt.is_accepted:
        os.write(STANDARD_OUTPUT, f"{receipt.id} {time_text(event.created_at)}\n".encode())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=["task", "scheduler", "thread", "jobs"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--share", type=int, required=True)
    parser.add_argument("--shares", type=int, required=True)
    parser.add_argument("--skip", type=int, default=0)
    told = parser.parse_args()
    records = share_of(read_records(told.file, rounds=told.rounds), told.share, of=told.shares)[told.skip :]
    happening: Iterator[AuditEvent] = map(event_of, records)
    if told.way == "task":
        stats = asyncio.run(in_background_task(happening))
    elif told.way == "scheduler":
        stats = asyncio.run(in_scheduler(happening))
    elif told.way == "thread":
        stats = in_thread(happening)
    else:
        stats = in_job_after_job(happening)
    numbers = {
        **dataclasses.asdict(stats),
        "log_microseconds": statistics.median(LOG_MICROSECONDS) if LOG_MICROSECONDS else 0.0,
    }
    os.write(STANDARD_OUTPUT, f"= {json.dumps(numbers)}\n".encode())


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit("the demo that started this process is gone")
