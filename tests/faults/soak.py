"""Steady load and one trouble after another, for minutes or hours. Called by `scripts/soak`."""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from audit_async import AuditLogger, create_table
from tests.children import Child
from tests.faults.accountant import COLUMNS, Account, Accountant
from tests.faults.growth import MIB, growth
from tests.faults.lab import DESTINATION, Servers
from tests.faults.ledger import read_ledgers
from tests.faults.mounts import can_mount, mounted
from tests.faults.troubles import troubles_for
from tests.polling import eventually_sync
from tests.programs.soaking_child import State, Task
from tests.servers.mariadb import MariadbServer
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import FaultProxy
from tests.tables import parsed, run_sql

PROCESSES = 3
PER_SECOND = 100.0  # of each process: some 30 % of what two processors carry with all that goes wrong
NUMBERS_EACH = 10_000_000  # between the first numbers of two processes
SAID_EVERY_SECONDS = 10.0
TROUBLE_SECONDS = (0.5, 6.0)
PEACE_SECONDS = (0.5, 4.0)
LOG_LINES = 100
DISK_BYTES = 256 * MIB
TIMING = {
    "connect_seconds": 2.0,
    "statement_seconds": 3.0,
    "attempt_seconds": 4.0,
    "lock_seconds": 2.0,
    "backoff_max_seconds": 1.0,
    "adopt_interval_seconds": 2.0,
}
"""Short, so that an outage of seconds meets what one of minutes meets in service."""


@dataclass(eq=False)
class Process:
    """A process of the service, and what it said of itself so far."""

    child: Child
    states: list[State] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        while lines := self.child.lines(1):
            self.states.append(msgspec.json.decode(lines[0], type=State))

    def end(self, number: signal.Signals) -> None:
        """Send it *number*, and return when it has ended."""
        self.child.send(number)
        self._listener.join()
        self.child.rest()

    @property
    def is_odd(self) -> bool:
        """Whether its numbers did not add up at some moment."""
        return any(
            state.accepted != state.stored + state.pending + state.quarantined + state.dropped for state in self.states
        )


class Soak:
    """The service under load, and all that can be broken around it."""

    def __init__(self, kind: str, seed: int, stack: ExitStack) -> None:
        self.chance = random.Random(seed)
        servers = stack.enter_context(Servers())
        self.server: PostgresServer | MariadbServer = servers.postgres if kind == "postgres" else servers.mariadb
        database = asyncio.run(self.server.create_database())
        self.url = self.server.url(database)
        asyncio.run(create_table(self.url))
        self.proxy = stack.enter_context(FaultProxy(self.server.port))
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="audit-soak-")))
        self.journal_dir = self.folder / "journal"
        self.has_own_disk = can_mount()
        if self.has_own_disk:
            stack.enter_context(mounted(self.journal_dir, options=f"size={DISK_BYTES},mode=0700"))
        self.ledgers: list[Path] = []
        self.log = self.folder / "children.log"
        self.processes = [Process(self._start()) for _ in range(PROCESSES)]
        self.past: list[Process] = []
        stack.callback(self._end_all)
        self.trouble = "peace"

    @property
    def mortals(self) -> list[Process]:
        """Those that may be killed: all but the first one, whose growth is watched."""
        return self.processes[1:]

    def sql(self, *statements: str) -> list[dict[str, Any]]:
        """Run *statements* past the library, and past the network that breaks."""
        return asyncio.run(run_sql(self.url, *statements))

    def restart(self, process: Process) -> None:
        """Start another process in the place of one that was killed."""
        self.past.append(process)
        self.processes[self.processes.index(process)] = Process(self._start())

    def wait_until_on_disk(self) -> None:
        """Wait until no process holds an event in memory alone."""
        said = [len(process.states) for process in self.processes]
        eventually_sync(
            lambda: all(
                any(state.is_on_disk for state in process.states[already + 1 :])
                for process, already in zip(self.processes, said, strict=True)
            ),
            60,
        )

    def _start(self) -> Child:
        self.ledgers.append(self.folder / f"{len(self.ledgers)}.told")
        self.ledgers[-1].touch()
        task = Task(
            url=self.url.replace(f":{self.server.port}/", f":{self.proxy.port}/"),
            journal_dir=str(self.journal_dir),
            ledger=str(self.ledgers[-1]),
            first=NUMBERS_EACH * len(self.ledgers),
            per_second=PER_SECOND,
            close_seconds=60.0,
            options={"destination": DESTINATION, "timing": TIMING},
        )
        return Child("soaking_child", msgspec.json.encode(task).decode(), errors=self.log)

    def _end_all(self) -> None:
        for process in self.processes:
            if process.child.returncode is None:
                process.end(signal.SIGKILL)

    # --- its way ---------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Break one thing after another, and say how it stands."""
        started = time.monotonic()
        said_at = started
        troubles = troubles_for(self)
        waiting: list[Any] = []
        while time.monotonic() - started < seconds:
            if not waiting:
                waiting = self.chance.sample(troubles, len(troubles))
            trouble = waiting.pop()
            self.trouble = trouble.__name__
            with trouble(self):
                said_at = self._pass(self.chance.uniform(*TROUBLE_SECONDS), started, said_at)
            self.trouble = "peace"
            said_at = self._pass(self.chance.uniform(*PEACE_SECONDS), started, said_at)

    def _pass(self, seconds: float, started: float, said_at: float) -> float:
        """Let *seconds* go by, saying how it stands where that is due; return when it was last said."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            if now - said_at >= SAID_EVERY_SECONDS:
                said_at = now
                print(self.line(now - started), flush=True)
            time.sleep(min(0.1, until - now))
        return said_at

    def line(self, seconds: float) -> str:
        """Return how it stands, in one line."""
        told = [path.read_bytes() for path in self.ledgers]
        latest = [process.states[-1] for process in self.processes if process.states]
        files = list(self.journal_dir.iterdir())
        each_one = "  ".join(
            f"{state.memory / MIB:.0f} MiB {state.threads} thr {state.descriptors} fd {state.pending} pending"
            f"{'' if state.is_on_disk else ' IN MEMORY'} {state.health}"
            for state in latest
        )
        words = {word: sum(each.count(word.encode()) for each in told) for word in ("called", "logged", "refused")}
        numbers = "  ".join(f"{word} {count:,}" for word, count in words.items())
        return f"{seconds:6.0f} s  {self.trouble:17}  {numbers}  {len(files)} files  |  {each_one}"

    def end(self) -> tuple[Account, list[str]]:
        """End all processes well, and return the account and what else is not as it should be."""
        for process in self.processes:
            process.end(signal.SIGTERM)
        self.deliver()
        complaints = growth(self.processes[0].states)
        found = complaints or []
        found += ["the numbers of a process did not add up" for each in self.processes + self.past if each.is_odd]
        if complaints is None:
            print("too short to say whether anything grows")
        left = sorted(path.name for path in self.journal_dir.iterdir())
        if left:
            found.append(f"files are left: {', '.join(left)}")
        return asyncio.run(self._account()), found

    def deliver(self) -> None:
        """Be one more process, until nothing is left of those before."""
        with AuditLogger(self.url, journal_dir=self.journal_dir, destination=DESTINATION) as audit:
            audit.deliver_leftovers()
            eventually_sync(lambda: len(list(self.journal_dir.glob("*.lock"))) <= 1, 120)
            assert audit.flush_sync(60), audit.stats()

    async def _account(self) -> Account:
        accountant = Accountant()
        engine = create_async_engine(self.url)
        async with engine.connect() as connection:
            rows = await connection.stream(text(f"SELECT {', '.join(COLUMNS)} FROM audit_logs"))
            async for row in rows.mappings():
                accountant.add(parsed(dict(row)))
        await engine.dispose()
        return accountant.account(read_ledgers(self.ledgers))


def main() -> int:
    """Read the command line, run, and say what it came to."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description="Steady load, and one trouble after another.")
    parser.add_argument("minutes", type=float)
    parser.add_argument("--on", choices=["postgres", "mariadb"], default="postgres")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of what goes wrong when")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is removed then, too
    print(f"seed {given.seed}")
    with ExitStack() as stack:
        soak = Soak(given.on, given.seed, stack)
        soak.run(given.minutes * 60)
        account, found = soak.end()
        is_well = account.balances and not found
        if not is_well:
            print("".join(soak.log.read_text().splitlines(keepends=True)[-LOG_LINES:]))
    print(account)
    for complaint in found:
        print(complaint)
    print("nothing lost, nothing twice, nothing grows" if is_well else "NOT WELL")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
