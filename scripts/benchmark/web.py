"""What the middleware, with one event for each request, takes from a web server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import replace

from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison, Goal

_REQUESTS = 4000
_TICKS = os.sysconf("SC_CLK_TCK")

_PLAIN, _FAST = ("h11", "asyncio"), ("httptools", "uvloop")
"""What uvicorn alone brings, and what `uvicorn[standard]` adds."""


async def requests(bench: Bench) -> list[Comparison]:
    """web: a trivial Starlette application with the middleware and one event a request, against the same without."""
    about = (
        "Requests a second of a Starlette application that answers with a word, behind uvicorn, with the middleware and"
        " one event for each request in PostgreSQL, beside the same without; client and servers share the machine."
    )
    first, *others = await _compare(
        bench, _PLAIN, "thread", "requests, middleware and event / without", Goal(least=0.95, aim=0.98)
    )
    return [
        replace(first, about=about),
        *others,
        *await _compare(bench, _PLAIN, "none", '... writer="none"'),
        *await _compare(bench, _FAST, "thread", "... httptools and uvloop"),
    ]


async def _compare(
    bench: Bench, server: tuple[str, str], writer: str, what: str, goal: Goal | None = None
) -> list[Comparison]:
    count, folder, url = bench.count(_REQUESTS), bench.folder(), await bench.url()
    ours_cpu: list[float] = []
    theirs_cpu: list[float] = []
    async with _served(*server, url, str(folder), writer) as audited, _served(*server) as bare:

        async def asked_audited() -> float:
            return await _ask(audited, count, ours_cpu)

        async def asked_bare() -> float:
            return await _ask(bare, count, theirs_cpu)

        await asked_audited(), await asked_bare()  # with what is loaded at the first event
        ours_cpu.clear()
        theirs_cpu.clear()
        ours, theirs = await bench.interleaved(asked_audited, asked_bare)
    return [
        Comparison(number="web", what=what, unit="/s", ours=ours, theirs=theirs, goal=goal),
        Comparison(
            number="web",
            what="... processor a request",
            unit="µs",
            ours=ours_cpu,
            theirs=theirs_cpu,
            is_inverted=True,
        ),
    ]


@contextlib.asynccontextmanager
async def _served(*arguments: str) -> AsyncIterator[tuple[Process, int]]:
    """Give a server, and its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scripts.benchmark.served", *arguments, stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process, int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 60)


async def _ask(server: tuple[Process, int], count: int, cpu: list[float]) -> float:
    """Return the requests a second that a client of its own gets answered; and note what the server took for each."""
    process, port = server
    before = _processor_seconds(process.pid)
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scripts.benchmark.asked", str(port), str(count), stdout=PIPE
    )
    said, _ = await client.communicate()
    cpu.append((_processor_seconds(process.pid) - before) / count * 1e6)
    return float(said)


def _processor_seconds(pid: int) -> float:
    """Return what all threads of a process have taken until now, in steps of a hundredth."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
