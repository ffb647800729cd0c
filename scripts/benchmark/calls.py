"""What a caller pays: `log()` against queues, with and without secrets, and beside a CPU-bound neighbour."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from audit_async import AuditLogger
from scripts.benchmark import alone, samples
from scripts.benchmark.bench import Bench, burst
from scripts.benchmark.comparison import Comparison, Goal, percentile
from scripts.benchmark.peers import CpuBoundThread, QueueLogging, QueueLoguru

_BURST = 4000
_PAUSE_SECONDS = 0.001


def _number(number: int) -> int:
    return number


async def against_logging(bench: Bench) -> list[Comparison]:
    """P1: against QueueHandler; the journal only, with building, and with the writer at work."""
    count = bench.count(_BURST)
    record = {"audit": samples.record()}

    async with bench.logger("none") as quiet, _writing(bench, "P1's row with a writer") as busy:
        with QueueLogging() as peer:

            async def logged() -> float:
                return burst(count, samples.event, quiet.log)

            async def built_and_logged() -> float:
                return burst(count, _number, lambda number: quiet.log(samples.event(number)))

            async def queued() -> float:
                figure = burst(count, _number, lambda _: peer.logger.info("sso.login", extra=record))
                peer.drain()
                return figure

            async def logged_while_writing() -> float:
                assert busy is not None
                figure = burst(count, samples.event, busy.log)
                await busy.flush(30)
                return figure

            sides = [logged, built_and_logged, queued, *([logged_while_writing] if busy else [])]
            ours, built, theirs, *writing = await bench.interleaved(*sides)
    goal = Goal(least=2.5, aim=4)
    return [
        Comparison(
            number="P1",
            what="log(), journal only / QueueHandler emit",
            unit="µs",
            ours=ours,
            theirs=theirs,
            goal=goal,
            about=(
                "What a caller pays for one `log()` with context, redaction, encoding and the append to the journal"
                " file, beside one `info()` of the same fields through the standard library's `QueueHandler` with a"
                " `QueueListener`, its documented way to log without waiting. Ours ends in a file that outlives the"
                " process, theirs in memory; what their listener does with a record is not counted."
            ),
        ),
        Comparison(number="P1", what="... and building the event", unit="µs", ours=built, theirs=theirs),
        *(
            Comparison(number="P1", what="log(), writer into PostgreSQL at once", unit="µs", ours=each, theirs=theirs)
            for each in writing
        ),
    ]


async def against_loguru(bench: Bench) -> list[Comparison]:
    """P2: against loguru's queue."""
    count = bench.count(_BURST)
    record = samples.record()
    async with bench.logger("none") as audit:
        with QueueLoguru() as peer:
            bound = peer.logger.bind(**record)

            async def logged() -> float:
                return burst(count, samples.event, audit.log)

            async def queued() -> float:
                figure = burst(count, _number, lambda _: bound.info("sso.login"))
                peer.drain()
                return figure

            ours, theirs = await bench.interleaved(logged, queued)
    goal = Goal(least=25, aim=35)
    return [
        Comparison(
            number="P2",
            what="log() / loguru enqueue=True",
            unit="µs",
            ours=ours,
            theirs=theirs,
            goal=goal,
            about=(
                "The same call beside loguru with `enqueue=True`, its documented way for programs in which logging"
                " must not block, with the fields bound ahead and a sink that throws the messages away."
            ),
        )
    ]


async def beside_cpu_bound(bench: Bench) -> list[Comparison]:
    """P1b: p99 beside a thread that computes; each call after a pause, as where one waits for requests."""
    count = bench.count(300)
    ready = [samples.event(number) for number in range(count)]
    payload = samples.encode_in_context(ready[0])

    def p99(call: Callable[[int], object]) -> float:
        taken = []
        with CpuBoundThread():
            for number in range(count):
                time.sleep(_PAUSE_SECONDS)
                started = time.perf_counter()
                call(number)
                taken.append(time.perf_counter() - started)
        return percentile(taken, 0.99) * 1e6

    async with bench.logger("none") as quiet, _writing(bench, "P1b's row with a writer") as busy:
        with (bench.folder() / "log").open("ab", buffering=0) as file:

            async def logged() -> float:
                return p99(lambda number: quiet.log(ready[number]))

            async def logged_while_writing() -> float:
                assert busy is not None
                fresh = [samples.event(number) for number in range(count)]
                figure = p99(lambda number: busy.log(fresh[number]))
                await busy.flush(30)
                return figure

            async def written() -> float:
                return p99(lambda _: os.write(file.fileno(), payload))

            sides = [logged, written, *([logged_while_writing] if busy else [])]
            ours, theirs, *writing = await bench.interleaved(*sides)
    goal = Goal(least=20, aim=100)
    return [
        Comparison(
            number="P1b",
            what="log() p99, CPU-bound thread / write()",
            unit="µs",
            ours=ours,
            theirs=theirs,
            goal=goal,
            about=(
                "The slowest hundredth of calls while another thread of the program computes in Python without a"
                " pause, each call after a pause of its own. The other side appends the same bytes by one unbuffered"
                " `os.write`, the least that a logger with a file can do: it gives the interpreter away and has to"
                " wait until the other thread lets go of it."
            ),
        ),
        *(
            Comparison(
                number="P1b",
                what="... writer into PostgreSQL at once",
                unit="µs",
                ours=each,
                theirs=theirs,
                goal=goal,
            )
            for each in writing
        ),
    ]


async def redaction(bench: Bench) -> list[Comparison]:
    """R: what looking for secrets costs an event with eight details, and what taking them out costs."""
    count = bench.count(_BURST)

    async def redacted() -> tuple[float, float]:
        return alone.measure("typical", count)

    async def as_it_is() -> tuple[float, float]:
        return alone.measure("typical", count, is_redacted=False)

    async def secret() -> tuple[float, float]:
        return alone.measure("secret", count)

    async def plain() -> tuple[float, float]:
        return alone.measure("plain", count)

    with_redaction, without, secrets, none = await bench.interleaved(redacted, as_it_is, secret, plain)
    goal = Goal(least=1.6, aim=1.3, better="less")

    def row(what: str, ours: list[float], theirs: list[float], goal: Goal | None = None) -> Comparison:
        return Comparison(number="R", what=what, unit="µs", ours=ours, theirs=theirs, goal=goal, is_inverted=True)

    about = (
        "Building and logging an event of eight details, none of them a secret, beside the same with redaction taken"
        " out; and what it costs to take two secrets out. Each side in a process of its own."
    )
    return [
        replace(row("event of 8 details / not redacted", _second(with_redaction), _second(without), goal), about=about),
        row("... log() of it alone", _first(with_redaction), _first(without), goal),
        row("log(), two secrets inside / none", _first(secrets), _first(none)),
    ]


@contextlib.asynccontextmanager
async def _writing(bench: Bench, what: str) -> AsyncIterator[AuditLogger | None]:
    """Give a logger whose writer is at work; None where there is no server for it, and *what* is left out."""
    if not bench.has_postgres(what):
        yield None
        return
    async with bench.logger() as audit:
        yield audit


def _first(pairs: list[tuple[float, float]]) -> list[float]:
    return [first for first, _ in pairs]


def _second(pairs: list[tuple[float, float]]) -> list[float]:
    return [second for _, second in pairs]
