"""How the cost of an event grows with its size, with the threads and tasks that log, and with the tenants."""

from __future__ import annotations

import asyncio
import contextvars
import random
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from audit_async import AuditEvent, AuditLogger, events
from audit_async.config import KIB, MIB
from scripts.benchmark import samples
from scripts.benchmark.bench import Bench, tasks_each
from scripts.benchmark.series import Series

Figures = dict[str, float]

# 64 KiB is the limit of a whole event: what is longer would be cut, and cost less.
_KIB_OF_DETAILS = (0.2, 1, 4, 16, 60)
_BYTES = 6 * MIB  # that a round logs of each size
_MOST_EVENTS = 4000
_TEXT_CHARS = 160
_FIELD_BYTES = len('"field_000":"",')
_MADE_AHEAD = 20

_THREADS = (1, 2, 4, 8, 16, 32, 64)
_CALLS = 20_000

_TASKS = {1: 300, 10: 2000, 100: 6000, 1000: 10_000, 10_000: 20_000}

_TENANTS = (1, 10, 100, 1000, 10_000)
_OF_TENANTS = 10_000


async def along(
    bench: Bench, points: Sequence[float], measure: Callable[[Any], Awaitable[Figures]]
) -> dict[str, list[tuple[float, list[float]]]]:
    """Measure each of *points* in every round, up and down in turn; return a line for each figure."""
    rounds = await bench.interleaved(*(partial(measure, point) for point in points))
    return {
        name: [(point, [figures[name] for figures in taken]) for point, taken in zip(points, rounds, strict=True)]
        for name in rounds[0][0]
    }


# --- size ----------------------------------------------------------------------------------------------


async def by_size(bench: Bench) -> list[Series]:
    """growth-size: an event's cost to its caller and to the writer, by the size of its details."""
    async with bench.logger("none") as quiet, bench.logger() as busy:

        async def measure(kib: float) -> Figures:
            count = max(20, min(bench.count(_MOST_EVENTS), bench.count(_BYTES) // int(kib * KIB)))
            make, doubtful = partial(_of_size, kib, ""), partial(_of_size, kib, " took 1500 ms")
            calls = {
                "log()": log_cpu(quiet, make, count),
                "log(), closer look": log_cpu(quiet, doubtful, max(20, count // 4)),
            }
            return calls | await _log_and_write(busy, make, count)

        await measure(_KIB_OF_DETAILS[0])
        lines = await along(bench, _KIB_OF_DETAILS, measure)
    rates = {"until committed": lines.pop("rate")}
    by_kib = {name: [(kib, [each / kib for each in taken]) for kib, taken in line] for name, line in lines.items()}
    axes = {"number": "growth-size", "x": "details", "x_unit": "KiB"}
    return [
        Series(
            **axes,
            what="CPU of an event by the size of its details",
            unit="µs",
            lines=lines,
            about="CPU of the calling thread in log(), journal only, of texts without and with a number that may be a "
            "code, for which redaction looks closer; and of all other threads of the process while the writer brings "
            "the former into PostgreSQL.",
        ),
        Series(**axes, what="the same for each KiB", unit="µs/KiB", lines=by_kib),
        Series(**axes, what="events from log() to the committed row", unit="/s", lines=rates),
    ]


def _of_size(kib: float, ending: str, number: int) -> AuditEvent:
    said = details(kib, number, ending)
    return events.custom("sso.login", user_id=samples.USER_ID, resource_type="user", resource_id="u-4711", details=said)


def details(kib: float, number: int, ending: str = "") -> dict[str, str]:
    """Return details that are *kib* of JSON, to within a few bytes: as many fields as that takes, each of words."""
    wanted = int(kib * KIB) - 2
    made: dict[str, str] = {}
    while wanted > _FIELD_BYTES:
        chars = min(_TEXT_CHARS, wanted - _FIELD_BYTES)
        text = _TEXTS[(number * 7 + len(made)) % len(_TEXTS)][: max(0, chars - len(ending))] + ending
        made[f"field_{len(made):03d}"] = text
        wanted -= len(text) + _FIELD_BYTES
    return made


def _word_texts() -> list[str]:
    chosen = random.Random(7)
    words = ["".join(chosen.choices("abcdefghijklmnopqrstuvwxyz", k=chosen.randrange(2, 9))) for _ in range(500)]
    return [" ".join(chosen.choices(words, k=_TEXT_CHARS // 3))[:_TEXT_CHARS] for _ in range(997)]


_TEXTS = _word_texts()
"""More than the fields of an event, so that a server cannot press them together as if they were one."""


# --- threads -------------------------------------------------------------------------------------------


async def by_threads(bench: Bench) -> list[Series]:
    """growth-threads: a call of log() beside others, by the number of threads that log at once."""
    count = bench.count(_CALLS)
    async with bench.logger("none") as audit:

        async def measure(threads: float) -> Figures:
            return _from_threads(audit, int(threads), count)

        await measure(1)
        lines = await along(bench, _THREADS, measure)
    return [
        Series(
            number="growth-threads",
            what="building an event and log(), from threads that do nothing else",
            x="threads",
            unit="µs",
            lines=lines,
            about="Wall time and CPU of the whole process for each event, journal only; the interpreter lets one "
            "thread compute at a time, so that a straight line is a level one.",
        )
    ]


def _from_threads(audit: AuditLogger, threads: int, count: int) -> Figures:
    each = max(1, count // threads)
    together = threading.Barrier(threads + 1)

    def work() -> None:
        together.wait()
        for number in range(each):
            audit.log(samples.event(number))

    workers = [threading.Thread(target=contextvars.copy_context().run, args=(work,)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    together.wait()
    started, cpu = time.perf_counter(), time.process_time()
    for worker in workers:
        worker.join()
    wall, own = time.perf_counter() - started, time.process_time() - cpu
    return {"wall": wall / (each * threads) * 1e6, "CPU": own / (each * threads) * 1e6}


# --- tasks ---------------------------------------------------------------------------------------------


async def by_tasks(bench: Bench) -> list[Series]:
    """growth-tasks: an awaited write(), by the number of tasks that await one each."""
    async with bench.logger() as audit:

        async def measure(tasks: float) -> Figures:
            calls = max(int(tasks), bench.count(_TASKS[int(tasks)]))
            cpu = time.process_time()
            rate, taken = await tasks_each(int(tasks), calls, lambda: audit.write(samples.event()))
            return {"wall": 1e6 / rate, "CPU": (time.process_time() - cpu) / len(taken) * 1e6}

        await measure(10)
        lines = await along(bench, tuple(_TASKS), measure)
    return [
        Series(
            number="growth-tasks",
            what="write() until its row is committed, from tasks that await one each",
            x="tasks",
            unit="µs",
            lines=lines,
            about="Wall time and CPU of the process for each event. Rows of tasks that wait at once share a commit: "
            "the cost falls until the process is busy, and is level from there on.",
        )
    ]


# --- tenants -------------------------------------------------------------------------------------------


async def by_tenants(bench: Bench) -> list[Series]:
    """growth-tenants: an event's cost by the number of tenants that events are of, in no order."""
    count = bench.count(_OF_TENANTS)
    async with bench.logger("none") as quiet, bench.logger() as busy:

        async def measure(tenants: float) -> Figures:
            names = [f"{number:08x}-5d0e-4d5c-9a55-2f6d1f0a7c11" for number in range(int(tenants))]

            def make(number: int) -> AuditEvent:
                return events.custom(
                    "sso.login",
                    user_id=samples.USER_ID,
                    tenant_id=random.choice(names),
                    resource_type="user",
                    resource_id="u-4711",
                    duration_ms=12.5,
                    details=samples.details(number),
                )

            alone = log_cpu(quiet, make, count)
            return {"log()": alone} | await _log_and_write(busy, make, count)

        await measure(1)
        lines = await along(bench, _TENANTS, measure)
    rates = {"until committed": lines.pop("rate")}
    return [
        Series(
            number="growth-tenants",
            what="CPU of an event by the number of tenants",
            x="tenants",
            unit="µs",
            lines=lines,
            about="As with sizes; tenants follow each other in no order, so that the index by tenant is written all "
            "over.",
        ),
        Series(
            number="growth-tenants",
            what="events from log() to the committed row, by the number of tenants",
            x="tenants",
            unit="/s",
            lines=rates,
        ),
    ]


# --- what they share -----------------------------------------------------------------------------------


def log_cpu(audit: AuditLogger, make: Callable[[int], AuditEvent], count: int) -> float:
    """Return the CPU microseconds of one `log()`, on events made shortly before."""
    taken = 0.0
    for first in range(0, count, _MADE_AHEAD):
        made = [make(number) for number in range(first, min(first + _MADE_AHEAD, count))]
        started = time.thread_time()
        for event in made:
            audit.log(event)
        taken += time.thread_time() - started
    return taken / count * 1e6


async def _log_and_write(audit: AuditLogger, make: Callable[[int], AuditEvent], count: int) -> Figures:
    """Return the CPU of all threads but this one for an event, and events a second until the last is committed.

    They are made before, so that nothing but `log()` and the writer is in the rate.
    """
    made = [make(number) for number in range(count)]
    started, cpu, own = time.perf_counter(), time.process_time(), time.thread_time()
    for number, event in enumerate(made):
        audit.log(event)
        if number % _MADE_AHEAD == 0:
            await asyncio.sleep(0)
    if not await audit.flush(60):
        raise RuntimeError(f"not everything arrived: {audit.stats()}")
    others = (time.process_time() - cpu) - (time.thread_time() - own)
    return {"writer": others / count * 1e6, "rate": count / (time.perf_counter() - started)}
