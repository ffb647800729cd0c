"""What a measurement is given: how much to do, where, and a server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Self, TypeVar

from audit_async import AuditLogger, create_table
from audit_async.config import GIB
from audit_async.settings import WriterHost
from scripts.benchmark import samples
from tests.polling import eventually_sync, removed
from tests.servers.mariadb import MISSING, MariadbServer, find_mariadbd
from tests.servers.postgres import PostgresServer, find_binaries

_MADE_AHEAD = 50

_REMOVED_SECONDS = 30.0
NO_POSTGRES = "no PostgreSQL programs here. HINT: ./scripts/setup test brings them"

_T = TypeVar("_T")


class NotHereError(Exception):
    """Something that a measurement needs is not on this machine: the measurement is left out, and that is said."""


class Bench:
    """A folder and a PostgreSQL server with our table, from when it is needed to the end.

    All files, those of its servers and child processes as well, are in one folder under TMPDIR.

    Args:
        rounds: of every comparison.
        share: of the full number of events that a round takes.
    """

    def __init__(self, *, rounds: int, share: float) -> None:
        self.rounds = rounds
        self._share = share
        self._life = contextlib.ExitStack()
        self._home: Path | None = None
        self._url: str | None = None
        self.left_out: list[str] = []
        self.server: PostgresServer | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Make the folder, which is the one for temporary files from now on, for child processes too."""
        self._temporary = os.environ.get("TMPDIR"), tempfile.tempdir
        self._home = Path(tempfile.mkdtemp(prefix="audit-bench-"))
        self._home.chmod(0o711)  # a server that does not run as root has its own folder in there
        os.environ["TMPDIR"] = tempfile.tempdir = str(self._home)

    def close(self) -> None:
        """Stop the servers, end what child processes are left, and remove all files."""
        home, self._home = self._home, None
        if home is None:
            return
        self._life.close()
        _end_children()
        eventually_sync(lambda: removed(home), _REMOVED_SECONDS)
        before, tempfile.tempdir = self._temporary
        os.environ.pop("TMPDIR")
        if before is not None:
            os.environ["TMPDIR"] = before

    def restore(self) -> None:
        """Have the server run again, should a measurement have been interrupted while it was stopped or frozen."""
        if self.server is not None:
            self.server.thaw() if self.server.is_running else self.server.start()

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """Have the server, which is there already, stopped in here."""
        assert self.server is not None, "a database is asked for before"
        self.server.stop()
        try:
            yield
        finally:
            self.server.start()

    def leave_out(self, what: str) -> None:
        """Note that a part of a measurement is left out, and why; it is said in the end."""
        self.left_out.append(what)

    def needs_disk(self, size: int) -> None:
        """Raise `NotHereError` where there are fewer than *size* bytes."""
        free = shutil.disk_usage(self._own_home).free
        if free < size:
            raise NotHereError(
                f"{size / GIB:.1f} GiB of disk are needed, {free / GIB:.1f} are free. HINT: set TMPDIR to a larger one"
            )

    def has_postgres(self, what: str) -> bool:
        """Return whether there is a server; where there is none, *what* is left out."""
        if find_binaries() is None:
            self.leave_out(f"{what}: {NO_POSTGRES}")
            return False
        return True

    @property
    def _own_home(self) -> Path:
        assert self._home is not None, "a bench is entered before it is used"
        return self._home

    def count(self, full: int) -> int:
        """Return how many to do where a full run does *full*."""
        return max(20, int(full * self._share))

    def folder(self) -> Path:
        """Return a new folder, removed in the end."""
        return Path(tempfile.mkdtemp(dir=self._own_home))

    async def url(self) -> str:
        """Return the address of a database with our table in it, on a server that syncs its commits."""
        if self._url is None:
            binaries = find_binaries()
            if binaries is None:
                raise NotHereError(NO_POSTGRES)
            self.server = self._life.enter_context(PostgresServer(binaries, fsync=True))
            url = self.server.url(await self.server.create_database())
            await create_table(url)
            self._url = url
        return self._url

    async def other_url(self, make: Callable[[str], Awaitable[object]]) -> str:
        """Return the address of another database on that server, in which *make* makes what is to be there."""
        await self.url()
        assert self.server is not None
        url = self.server.url(await self.server.create_database())
        await make(url)
        return url

    async def sqlite_url(self) -> str:
        """Return the address of a SQLite file with our table in it."""
        url = f"sqlite+aiosqlite:///{self.folder() / 'audit.db'}"
        await create_table(url)
        return url

    async def mariadb_url(self) -> str | None:
        """Return the address of a database with our table in it, on a MariaDB that syncs its commits; None without."""
        program = find_mariadbd()
        if program is None:
            self.leave_out(f"MariaDB's row: {MISSING}")
            return None
        server = self._life.enter_context(MariadbServer(program, fsync=True))
        url = server.url(await server.create_database())
        await create_table(url)
        return url

    @contextlib.asynccontextmanager
    async def logger(self, writer: WriterHost = "thread") -> AsyncIterator[AuditLogger]:
        """Give a logger that has connected, if it writes at all, and that logs in `samples.acting()`."""
        journal_dir = self.folder()
        url = await self.url() if writer != "none" else f"sqlite+aiosqlite:///{journal_dir}/audit.db"
        audit = AuditLogger(url, journal_dir=journal_dir, writer=writer)
        try:
            with samples.acting():
                async with audit:
                    if writer == "none":
                        audit.log(samples.event())
                    else:
                        await _get_through(audit)
                    yield audit
        finally:
            await audit.close(1)

    @contextlib.asynccontextmanager
    async def logger_with_process(self) -> AsyncIterator[AuditLogger]:
        """Give a logger that only journals; a process of its own, `audit-async drain --follow`, makes the rows."""
        url, journal_dir = await self.url(), self.folder()
        async with AuditLogger(url, journal_dir=journal_dir, writer="none") as audit:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "audit_async", "drain", "--follow"),
                env={**os.environ, "AUDIT_DATABASE_URL": url, "AUDIT_JOURNAL_DIR": str(journal_dir)},
                stdout=DEVNULL,
            )
            try:
                with samples.acting():
                    await _get_through(audit)
                    yield audit
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                await process.wait()

    async def interleaved(self, *sides: Callable[[], Awaitable[_T]]) -> list[list[_T]]:
        """Run *sides* in turn, `rounds` times, the first one first every other time; return their figures."""
        figures: list[list[_T]] = [[] for _ in sides]
        for number in range(self.rounds):
            order = list(zip(sides, figures, strict=True))
            for side, taken in order if number % 2 == 0 else reversed(order):
                taken.append(await side())
        return figures


async def _get_through(audit: AuditLogger) -> None:
    """Log an event and return when it is stored: everybody has connected then."""
    audit.log(samples.event())
    if not await audit.flush(30):
        raise RuntimeError(f"the event does not get through: {audit.stats()}")


def _end_children() -> None:
    """Kill what this process has started and what has not ended: it belongs to a measurement that was interrupted."""
    for tasks in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for pid in tasks.read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)


def burst(count: int, make: Callable[[int], _T], call: Callable[[_T], object]) -> float:
    """Return the microseconds of one *call*, on things made shortly before, as a caller makes them."""
    taken = 0.0
    for first in range(0, count, _MADE_AHEAD):
        made = [make(number) for number in range(first, first + _MADE_AHEAD)]
        started = time.perf_counter()
        for each in made:
            call(each)
        taken += time.perf_counter() - started
    return taken / (count + -count % _MADE_AHEAD) * 1e6


async def tasks_each(tasks: int, calls: int, call: Callable[[], Awaitable[object]]) -> tuple[float, list[float]]:
    """Await *call* *calls* times in all, from *tasks* tasks; return the rate and the seconds of each."""
    taken: list[float] = []

    async def one(times: int) -> None:
        for _ in range(times):
            started = time.perf_counter()
            await call()
            taken.append(time.perf_counter() - started)

    each = max(1, calls // tasks)
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(one(each))
    return len(taken) / (time.perf_counter() - started), taken
