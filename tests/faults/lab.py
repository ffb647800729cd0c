"""Where a fault is tried: a database with an empty table, a journal directory, the children and what they were told."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from audit_async import AuditLogger, create_table, events
from tests.children import Child
from tests.faults.accountant import Account
from tests.faults.holding import holding
from tests.faults.ledger import Ledger, Told, read_ledgers
from tests.polling import eventually_sync
from tests.programs.telling_child import Task
from tests.servers.mariadb import MariadbServer, find_mariadbd
from tests.servers.postgres import PostgresServer, find_binaries
from tests.servers.proxy import FaultProxy
from tests.tables import all_rows, run_sql

DESTINATION = "lab"  # the same through a proxy, and whatever a server is called
DELIVERY_SECONDS = 90.0

T = TypeVar("T")


class Servers:
    """The servers that faults may stop, freeze and kill; started when the first one is wanted, ended together."""

    def __init__(self) -> None:
        self._postgres: PostgresServer | None = None
        self._mariadb: MariadbServer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self._postgres, self._mariadb):
            if server is not None:
                server.close()

    @property
    def postgres(self) -> PostgresServer:
        """A PostgreSQL server that runs."""
        if self._postgres is None:
            binaries = find_binaries()
            assert binaries is not None
            self._postgres = PostgresServer(binaries)
        _revive(self._postgres)
        return self._postgres

    @property
    def mariadb(self) -> MariadbServer:
        """A MariaDB server that runs."""
        if self._mariadb is None:
            program = find_mariadbd()
            assert program is not None
            self._mariadb = MariadbServer(program)
        _revive(self._mariadb)
        return self._mariadb


def _revive(server: PostgresServer | MariadbServer) -> None:
    """Leave no trace of the fault before: it runs and answers."""
    if server.is_running:
        server.thaw()
    else:
        server.start()


class Lab:
    """One trial of one fault.

    Attributes:
        kind: of the database.
        url: its address, straight to the server.
        server: what may be broken; None for SQLite.
        folder: of this trial alone.
        seed: the number of the trial.
        chance: the seed's own dice.
        timing: of every logger here; see `audit_async.Timing`.
        longest: seconds of what was measured, by name; the matrix shows the longest of all trials.
        log: what the children said on standard error.
        may_complain: a child's own code ends in a traceback there, as is wanted.
        may_have_gaps: some writer's numbers may be missing in the table, as where a disk was made to lose entries.
        may_lose: events that were destroyed on disk, at most: an `audit.gap` has to tell of each.
    """

    def __init__(self, kind: str, servers: Servers, folder: Path, seed: int) -> None:
        self.kind = kind
        self.folder = folder
        self.journal_dir = folder / "journal"
        self.seed = seed
        self.chance = random.Random(seed)
        self.timing: dict[str, float] = {}
        self.may_have_gaps = False
        self.may_complain = False
        self.log = folder / "stderr"
        self.longest: dict[str, float] = {}
        self.may_lose = 0
        self._servers = servers
        self._database: str | None = None
        self._ledgers: list[Path] = []
        self._children: list[Child] = []
        self._first = 0
        self._kept = ExitStack()
        self.url = f"sqlite+aiosqlite:///{folder / 'audit.db'}"

    @property
    def server(self) -> PostgresServer | MariadbServer:
        """The database server, alive: what is done to it harms nobody else."""
        return self._servers.postgres if self.kind == "postgres" else self._servers.mariadb

    @property
    def postgres(self) -> PostgresServer:
        """The same, where only PostgreSQL is tried."""
        return self._servers.postgres

    @property
    def mariadb(self) -> MariadbServer:
        """The same, where only MariaDB is tried."""
        return self._servers.mariadb

    def __enter__(self) -> Self:
        if self.kind != "sqlite":
            self._database = asyncio.run(self.server.create_database())
            self.url = self.server.url(self._database)
        asyncio.run(create_table(self.url))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._kept:
            for child in self._children:
                child.kill()
            if self._database is not None:
                asyncio.run(self.server.drop_database(self._database))

    # --- what happens in it ----------------------------------------------------------------------------

    def keep(self, context: AbstractContextManager[T]) -> T:
        """Enter *context*, which stays until the trial is over and its account drawn up."""
        return self._kept.enter_context(context)

    def move_to(self, server: PostgresServer | MariadbServer) -> None:
        """Have the trial's table on *server*, which the fault has made and keeps."""
        self.url = server.url(asyncio.run(server.create_database()))
        asyncio.run(create_table(self.url))

    def child(
        self, count: int = 1000, *, program: Sequence[str] = ("telling_child",), life: Any = None, **task: Any
    ) -> Child:
        """Start a process that logs *count* events no other one of this trial logs; see `Task` for the rest.

        It has a ledger of its own, and is ended with the trial at the latest.

        Args:
            program: what it runs, and what comes before the task on its command line.
            life: keywords of `Child`.
        """
        options = self.options(**task.pop("options", {}))
        given = Task(
            **{"url": self.url, "journal_dir": str(self.journal_dir), "options": options, **task},
            ledger=str(self._ledger_path()),
            first=self.numbers(count).start,
            count=count,
        )
        child = Child(*program, msgspec.json.encode(given).decode(), **{"errors": self.log, **(life or {})})
        self._children.append(child)
        return child

    def numbers(self, count: int) -> range:
        """Return numbers for *count* events, which nobody else in this trial gets."""
        self._first += count
        return range(self._first - count, self._first)

    def options(self, **others: Any) -> dict[str, Any]:
        """Return the options of a logger of this trial, *others* among them."""
        timing = {"timing": self.timing} if self.timing else {}
        return {"destination": DESTINATION, **timing, **others}

    def logger(self, **options: Any) -> AuditLogger:
        """Make a logger in this very process."""
        url = options.pop("url", self.url)
        return AuditLogger(url, journal_dir=self.journal_dir, **self.options(**options))

    def ledger(self) -> Ledger:
        """Begin a ledger for what is logged in this very process, or in one that it forks."""
        return Ledger(self._ledger_path())

    def told(self) -> Told:
        """Return what all callers have been told so far."""
        return read_ledgers([path for path in self._ledgers if path.exists()])

    def sql(self, *statements: str) -> list[dict[str, Any]]:
        """Run *statements* in one transaction, past the library, and return the rows of the last one."""
        return asyncio.run(run_sql(self.url, *statements))

    def transaction(self, *statements: str) -> AbstractContextManager[None]:
        """Run *statements* in a transaction past the library that is open until the block ends, then rolled back."""
        return holding(self.url, *statements)

    def lock_file(self) -> sqlite3.Connection:
        """Keep everybody from the SQLite file, until what is returned is closed."""
        holder = sqlite3.connect(self.folder / "audit.db", isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        return holder

    @contextmanager
    def setting(self, name: str, value: str) -> Iterator[None]:
        """Let PostgreSQL run with another value of one of its settings, without a restart, until the block ends."""
        asyncio.run(self._set(f"ALTER SYSTEM SET {name} = '{value}'"))
        try:
            yield
        finally:
            asyncio.run(self._set(f"ALTER SYSTEM RESET {name}"))

    async def _set(self, statement: str) -> None:
        connection = await self._servers.postgres.connect()
        await connection.execute(statement)
        await connection.execute("SELECT pg_reload_conf()")
        await connection.close()

    def through(self, proxy: FaultProxy) -> str:
        """Return the address of the database as it is reached through *proxy*."""
        return self.url.replace(f":{self.server.port}/", f":{proxy.port}/")

    def measure(self, name: str, seconds: float) -> None:
        """Note how long something took."""
        self.longest[name] = max(seconds, self.longest.get(name, 0.0))

    def rows(self) -> list[dict[str, Any]]:
        """Return the whole table."""
        return asyncio.run(all_rows(self.url))

    def wait_for_rows(self, count: int, timeout_seconds: float = 60) -> None:
        """Wait until there are at least so many rows in the table."""
        eventually_sync(lambda: self.sql("SELECT count(*) AS n FROM audit_logs")[0]["n"] >= count, timeout_seconds)

    def wait_for_promises(self, count: int, timeout_seconds: float = 60) -> None:
        """Wait until callers have been promised at least so many more events than when this was called."""
        goal = len(self.told().promised) + count
        eventually_sync(lambda: len(self.told().promised) >= goal, timeout_seconds)

    # --- and how it ends -------------------------------------------------------------------------------

    def settle(self) -> Account:
        """End the children, be the next process until nothing is left to deliver, and draw up the account."""
        for child in self._children:
            child.kill()
        said = self.log.read_text(errors="replace") if self.log.exists() else ""
        assert self.may_complain or "Traceback" not in said, said
        self.deliver()
        return Account.of(self.told(), self.rows())

    def deliver(self, passing_over: int = 0) -> None:
        """Be the next process: start, and go on until no file of another one is left, but for so many journals."""
        with self.logger() as audit:
            audit.log(events.custom("process.start"))
            eventually_sync(lambda: self._locks() <= 1 + passing_over, DELIVERY_SECONDS)
            assert audit.flush_sync(DELIVERY_SECONDS), f"not everything arrived: {audit.stats()}"

    def _locks(self) -> int:
        return len(list(self.journal_dir.glob("*.lock")))

    def _ledger_path(self) -> Path:
        self._ledgers.append(self.folder / f"{len(self._ledgers)}.told")
        return self._ledgers[-1]
