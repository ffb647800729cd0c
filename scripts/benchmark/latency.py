"""From the moment an event is meant to be logged to its commit, under a load that waits for nobody."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import asyncpg

from audit_async import AuditLogger, create_table
from audit_async.settings import WriterHost
from scripts.benchmark import samples
from scripts.benchmark.bench import NO_POSTGRES, Bench, NotHereError
from scripts.benchmark.comparison import percentile
from scripts.benchmark.open_loop import Load, Schedule, load
from scripts.benchmark.peers import SessionPerEvent
from scripts.benchmark.series import Series
from tests.servers.postgres import PostgresServer, find_binaries

_RATES = (500, 1000, 2000, 5000, 10_000, 15_000)
_SECONDS = 2.5
_LEAST_SECONDS = 0.5
_ROUNDS = 3
_ARRIVAL_SECONDS = 60
_KEEPS_UP_SECONDS = 1.0  # that the last commit may come after the last event was meant to be logged
_STAMPS = {"track_commit_timestamp": "on"}

_OURS, _IN_TASK, _SESSIONS, _NOTHING = 'writer="thread"', 'writer="task"', "session per event", "nothing logged"
_SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}

# What the server says of each row's transaction, on the same clock as the schedule's, as the commit begins: before it
# is synced to the disk. Asked afterwards, so that the load has nothing to do with it.
_COMMITS = """
SELECT (details ->> 'attempt')::int AS number, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS moment
  FROM {table}
"""


class _Figures(NamedTuple):
    lags: list[float]
    beats: list[float]
    cpu: float
    keeps_up: bool


_Run = Callable[[float, float], Awaitable[_Figures]]


async def under_load(bench: Bench) -> list[Series]:
    """latency: from the intended moment of an event to its commit, at fixed rates; the loop's stalls; the processor."""
    binaries = find_binaries()
    if binaries is None:
        raise NotHereError(NO_POSTGRES)
    seconds = max(_LEAST_SECONDS, bench.count(int(_SECONDS * 1000)) / 1000)
    taken: dict[str, dict[float, list[_Figures]]] = {}
    with PostgresServer(binaries, fsync=True, settings=_STAMPS) as server:
        url = server.url(await server.create_database())
        await create_table(url)
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        async with _sides(bench, url, connection) as sides:
            overrun: set[str] = set()
            for rate in _RATES:
                there = {name: side for name, side in sides.items() if name not in overrun}
                for _ in range(min(_ROUNDS, bench.rounds)):
                    for name, run in there.items():
                        taken.setdefault(name, {}).setdefault(rate, []).append(await run(rate, seconds))
                # Once a side falls behind, its lag says how long the load went on, and nothing else.
                overrun |= {name for name in there if not all(each.keeps_up for each in taken[name][rate])}
        await connection.close()
    return _series(taken)


@contextlib.asynccontextmanager
async def _sides(bench: Bench, url: str, connection: asyncpg.Connection[Any]) -> AsyncIterator[dict[str, _Run]]:
    """Give each way to log, by name: takes a rate and seconds, returns figures."""

    async def committed(done: Load, table: str) -> _Figures:
        commits = await connection.fetch(_COMMITS.format(table=table))
        return figures(done, {row["number"]: row["moment"] for row in commits})

    async def logged(audit: AuditLogger, rate: float, seconds: float) -> _Figures:
        await _empty(connection, "audit_logs")
        done = await load(rate, seconds, lambda number: audit.log(samples.event(number)))
        if not await audit.flush(_ARRIVAL_SECONDS):
            raise RuntimeError(f"not everything arrived: {audit.stats()}")
        return await committed(done, "audit_logs")

    async def in_sessions(rate: float, seconds: float) -> _Figures:
        await _empty(connection, "session_audit_logs")
        writing: set[asyncio.Task[None]] = set()

        def write(number: int) -> None:
            task = asyncio.create_task(
                peer.write(
                    "sso_login", samples.details(number), samples.USER_ID, "7b0c7c1e-5d0e-4d5c-9a55-2f6d1f0a7c11"
                )
            )
            writing.add(task)
            task.add_done_callback(writing.discard)

        done = await load(rate, seconds, write)
        await asyncio.wait_for(asyncio.gather(*writing), _ARRIVAL_SECONDS)
        return await committed(done, "session_audit_logs")

    async def nothing(rate: float, seconds: float) -> _Figures:
        done = await load(rate, seconds, samples.event)
        return _Figures([], done.beats, done.cpu / done.seconds, keeps_up=True)

    async with (
        _logger(bench, url, "thread") as audit,
        _logger(bench, url, "task") as audit_in_task,
        SessionPerEvent(url) as peer,
    ):
        with samples.acting():
            yield {
                _OURS: lambda rate, seconds: logged(audit, rate, seconds),
                _IN_TASK: lambda rate, seconds: logged(audit_in_task, rate, seconds),
                _SESSIONS: in_sessions,
                _NOTHING: nothing,
            }


@contextlib.asynccontextmanager
async def _logger(bench: Bench, url: str, writer: WriterHost) -> AsyncIterator[AuditLogger]:
    audit = AuditLogger(url, journal_dir=bench.folder(), writer=writer)
    async with audit:
        audit.log(samples.event())
        if not await audit.flush(_ARRIVAL_SECONDS):
            raise RuntimeError(f"the writer does not get through: {audit.stats()}")
        yield audit


async def _empty(connection: asyncpg.Connection[Any], table: str) -> None:
    await connection.execute(f"TRUNCATE {table}")
    await connection.execute("CHECKPOINT")


def figures(done: Load, commits: dict[int, float]) -> _Figures:
    """Return what *done* came to, with the moment of each event's commit.

    Raises:
        RuntimeError: an event has none.
    """
    schedule = done.schedule
    lags = lags_of(schedule, commits)
    last = schedule.moment(schedule.count - 1)
    return _Figures(lags, done.beats, done.cpu / done.seconds, max(commits.values()) - last <= _KEEPS_UP_SECONDS)


def lags_of(schedule: Schedule, commits: dict[int, float]) -> list[float]:
    """Return the seconds from each event's intended moment to its commit.

    Raises:
        RuntimeError: an event has none.
    """
    missing = [number for number in range(schedule.count) if number not in commits]
    if missing:
        raise RuntimeError(f"{len(missing)} of {schedule.count} events are not in the table, the first is {missing[0]}")
    return [commits[number] - schedule.moment(number) for number in range(schedule.count)]


def _series(taken: dict[str, dict[float, list[_Figures]]]) -> list[Series]:
    axes: dict[str, Any] = {"number": "latency", "x": "events", "x_unit": "/s"}

    def line(name: str, figure: Callable[[_Figures], float]) -> list[tuple[float, list[float]]]:
        return [(rate, [figure(each) for each in rounds]) for rate, rounds in taken[name].items()]

    def lag(name: str, share: float) -> list[tuple[float, list[float]]]:
        return line(name, lambda each: percentile(each.lags, share) * 1e3)

    def late(name: str, share: float) -> list[tuple[float, list[float]]]:
        return line(name, lambda each: percentile(each.beats, share) * 1e3)

    kept = {
        name: [rate for rate, rounds in taken[name].items() if all(each.keeps_up for each in rounds)] for name in taken
    }
    behind = ", ".join(f"{name} at {max(taken[name]):,}/s" for name in taken if kept[name] != list(taken[name]))
    return (
        [
            Series(
                **axes,
                what=f"from the intended moment of an event to its commit, {percent}",
                unit="ms",
                lines={name: lag(name, share) for name in (_OURS, _IN_TASK, _SESSIONS)},
                about="Calls are made by a fixed schedule, and counted from it; commits by the server's stamps. Each "
                "session has a task of its own, from the engine's pool as it comes. "
                + (f"Fallen behind, and not measured beyond: {behind}." if behind else "All sides kept up."),
            )
            for percent, share in _SHARES.items()
        ]
        + [
            Series(
                **axes,
                what=f"the application's loop: a beat of 1 ms comes late by, {percent}",
                unit="ms",
                lines={name: late(name, share) for name in taken},
                about="The same loop makes the calls; where nothing is logged it builds the events only.",
            )
            for percent, share in (("p99", 0.99), ("at most", 1.0))
        ]
        + [
            Series(
                **axes,
                what="the process's share of one processor",
                unit="%",
                lines={name: line(name, lambda each: each.cpu * 100) for name in taken},
                about="With building the events and the load itself, as where nothing is logged.",
            )
        ]
    )
