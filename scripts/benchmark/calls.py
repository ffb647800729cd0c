"""What a caller pays: `log()` against queues, with and without secrets, and beside a CPU-bound neighbour."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

from audit_async.events import AuditEvent
from audit_async.redact import redact
from scripts.benchmark import samples
from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison, Goal, percentile
from scripts.benchmark.peers import CpuBoundThread, QueueLogging, QueueLoguru

_BURST = 4000
_MADE_AHEAD = 50
_PAUSE_SECONDS = 0.001

_T = TypeVar("_T")


def _burst(count: int, make: Callable[[int], _T], call: Callable[[_T], object]) -> float:
    """Return the microseconds of one *call*, on things made shortly before, as a caller makes them."""
    taken = 0.0
    for first in range(0, count, _MADE_AHEAD):
        made = [make(number) for number in range(first, first + _MADE_AHEAD)]
        started = time.perf_counter()
        for each in made:
            call(each)
        taken += time.perf_counter() - started
    return taken / (count + -count % _MADE_AHEAD) * 1e6


def _secret_event(number: int) -> AuditEvent:
    return samples.event(number, with_secrets=True)


def _number(number: int) -> int:
    return number


async def against_logging(bench: Bench) -> list[Comparison]:
    """P1: against QueueHandler; the journal only, with building, and with the writer at work."""
    count = bench.count(_BURST)
    record = {"audit": samples.record()}

    async with bench.logger("none") as quiet, bench.logger() as busy:
        with QueueLogging() as peer:

            async def logged() -> float:
                return _burst(count, samples.event, quiet.log)

            async def built_and_logged() -> float:
                return _burst(count, _number, lambda number: quiet.log(samples.event(number)))

            async def logged_while_writing() -> float:
                figure = _burst(count, samples.event, busy.log)
                await busy.flush(30)
                return figure

            async def queued() -> float:
                figure = _burst(count, _number, lambda _: peer.logger.info("sso.login", extra=record))
                peer.drain()
                return figure

            ours, built, writing, theirs = await bench.interleaved(
                logged, built_and_logged, logged_while_writing, queued
            )
    goal = Goal(least=2.5, aim=4)
    return [
        Comparison(
            number="P1",
            what="log(), journal only / QueueHandler emit",
            unit="µs",
            ours=ours,
            theirs=theirs,
            goal=goal,
        ),
        Comparison(number="P1", what="... and building the event", unit="µs", ours=built, theirs=theirs),
        Comparison(number="P1", what="log(), writer into PostgreSQL at once", unit="µs", ours=writing, theirs=theirs),
    ]


async def against_loguru(bench: Bench) -> list[Comparison]:
    """P2: against loguru's queue."""
    count = bench.count(_BURST)
    record = samples.record()
    async with bench.logger("none") as audit:
        with QueueLoguru() as peer:
            bound = peer.logger.bind(**record)

            async def logged() -> float:
                return _burst(count, samples.event, audit.log)

            async def queued() -> float:
                figure = _burst(count, _number, lambda _: bound.info("sso.login"))
                peer.drain()
                return figure

            ours, theirs = await bench.interleaved(logged, queued)
    goal = Goal(least=25, aim=35)
    return [Comparison(number="P2", what="log() / loguru enqueue=True", unit="µs", ours=ours, theirs=theirs, goal=goal)]


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

    async with bench.logger("none") as quiet, bench.logger() as busy:
        with (bench.folder() / "log").open("ab", buffering=0) as file:

            async def logged() -> float:
                return p99(lambda number: quiet.log(ready[number]))

            async def logged_while_writing() -> float:
                fresh = [samples.event(number) for number in range(count)]
                figure = p99(lambda number: busy.log(fresh[number]))
                await busy.flush(30)
                return figure

            async def written() -> float:
                return p99(lambda _: os.write(file.fileno(), payload))

            ours, writing, theirs = await bench.interleaved(logged, logged_while_writing, written)
    goal = Goal(least=20, aim=100)
    return [
        Comparison(
            number="P1b",
            what="log() p99, CPU-bound thread / write()",
            unit="µs",
            ours=ours,
            theirs=theirs,
            goal=goal,
        ),
        Comparison(
            number="P1b",
            what="... writer into PostgreSQL at once",
            unit="µs",
            ours=writing,
            theirs=theirs,
            goal=goal,
        ),
    ]


async def redaction(bench: Bench) -> list[Comparison]:
    """R: what looking for secrets costs, and what taking them out costs."""
    count = bench.count(_BURST)
    async with bench.logger("none") as audit:

        async def logged() -> float:
            return _burst(count, samples.event, audit.log)

        async def logged_secrets() -> float:
            return _burst(count, _secret_event, audit.log)

        async def redacted() -> float:
            return _burst(count, samples.event, redact)

        whole, with_secrets, looking = await bench.interleaved(logged, logged_secrets, redacted)
    return [
        Comparison(
            number="R",
            what="log(), two secrets inside / none",
            unit="µs",
            ours=with_secrets,
            theirs=whole,
            is_inverted=True,
        ),
        Comparison(
            number="R",
            what="of this looking for secrets / log()",
            unit="µs",
            ours=looking,
            theirs=whole,
            is_inverted=True,
        ),
    ]
