"""A program that logs one event and comes to rest. Called by the row `footprint`, in a process of its own.

    python -m scripts.benchmark.resting nothing
    python -m scripts.benchmark.resting ours URL JOURNAL_DIR WRITER
    python -m scripts.benchmark.resting session URL

It imports what it measures after it has looked at the clock, and prints a line of JSON: milliseconds from before the
import, and how much the process holds when everything is done.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

_REST_SECONDS = 0.3  # for threads that were needed to connect


def ours(clock: Callable[[], float], url: str, journal_dir: str, writer: str) -> dict[str, float]:
    """Log an event as a program does that has just started."""
    from audit_async import AuditLogger, events

    imported = clock()
    audit = AuditLogger(url, journal_dir=journal_dir, writer=writer)  # type: ignore[arg-type]
    audit.log(events.auth("auth.login", user_id="u-1", tenant_id="t-1", details={"attempt": 1}))
    logged = clock()
    if writer != "none" and not audit.flush_sync(30):
        raise SystemExit(f"the writer does not get through: {audit.stats()}")
    return {"imported": imported, "logged": logged, "stored": clock()}


def session(clock: Callable[[], float], url: str) -> dict[str, float]:
    """Write an event in a session of its own, as a program does that has just started."""
    import asyncio

    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    imported = clock()

    async def write() -> float:
        engine = create_async_engine(url)
        async with AsyncSession(engine) as writing:
            await writing.execute(
                text(
                    "INSERT INTO session_audit_logs (id, action, details, created_at)"
                    " VALUES (gen_random_uuid(), 'login', :details, now())"
                ),
                {"details": '{"attempt": 1}'},
            )
            await writing.commit()
        stored = clock()
        _print({"imported": imported, "stored": stored})  # here, while its loop and its pool are open
        await engine.dispose()
        return stored

    asyncio.run(write())
    return {}


def main(side: str, *arguments: str) -> None:
    """Do as *side* does, and print how it stands."""
    started = time.perf_counter()
    figures = (
        {}
        if side == "nothing"
        else {"ours": ours, "session": session}[side](lambda: (time.perf_counter() - started) * 1e3, *arguments)
    )
    if side != "session":
        _print(figures)


def _print(figures: dict[str, float]) -> None:
    if figures:
        time.sleep(_REST_SECONDS)
    with open("/proc/self/status") as file:
        status = {line[0]: line[1] for line in map(str.split, file) if len(line) > 1}
    held = {
        "resident": int(status["VmRSS:"]) / 1024,
        "own": int(status["RssAnon:"]) / 1024,
        "threads": int(status["Threads:"]),
        "descriptors": len(os.listdir("/proc/self/fd")) - 1,  # but that of the listing
    }
    import json  # not before: an empty interpreter does without

    print(json.dumps(figures | held), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
