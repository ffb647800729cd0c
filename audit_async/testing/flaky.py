"""A real logger, journal and database, and faults between the writer and the store when a test wants some."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TypeAlias, Unpack

from audit_async.default import made_by
from audit_async.entry import Entry
from audit_async.errors import ConfigStoreError, TransientStoreError
from audit_async.incarnation import Incarnation
from audit_async.logger import AuditLogger
from audit_async.settings import LoggerOptions, Settings, read_options
from audit_async.store import Store

Fault: TypeAlias = TransientStoreError | ConfigStoreError
"""What no event is to blame for. A row that the database refuses for what is in it is the real database's to refuse."""


class FlakyDatabase:
    """A database that fails when it is told, for tests of what an application does then.

        with FlakyDatabase() as database:        # of the process default logger, in this block
            configure(f"sqlite+aiosqlite:///{tmp_path}/audit.db", journal_dir=tmp_path / "journal")
            database.go_down()
            await log_in("u-17")                 # goes on; the event is on disk
            database.come_back()
            assert await get_audit_logger().flush(10)

    Everything else is the real thing: the journal, the writer with its back-off, the table, `health()` and the loss
    ledger. For an application with a logger of its own there is `logger()`.

    Attributes:
        attempts: to bring a batch in, whether or not they went well.
    """

    def __init__(self) -> None:
        self.attempts = 0
        self._faults: deque[tuple[Fault, bool]] = deque()
        self._is_down = False
        self._incarnations: list[Incarnation] = []
        self._block = contextlib.ExitStack()

    def __repr__(self) -> str:
        state = "down" if self._is_down else f"{len(self._faults)} faults to come" if self._faults else "well"
        return f"<FlakyDatabase {state}: {self.attempts} attempts>"

    def logger(self, url: object = None, **options: Unpack[LoggerOptions]) -> AuditLogger:
        """Return a logger whose database this is. Arguments and errors as of `AuditLogger`."""
        return self._logger_of(read_options(url, options))

    def fail_next(self, attempts: int = 1, *, error: Fault | None = None, after_commit: bool = False) -> None:
        """Let the next *attempts* fail, behind those that are to fail already.

        Args:
            error: what the writer is told; by default that the database is away. After a `ConfigStoreError`
                `health()` says that somebody has to mend it.
            after_commit: the rows are in the table, and only the answer is lost: the writer has to find out.
        """
        self._faults.extend([(error or _away(), after_commit)] * attempts)

    def go_down(self) -> None:
        """Let every attempt fail until `come_back`, behind those of `fail_next`."""
        self._is_down = True

    def come_back(self) -> None:
        """Let attempts go well from now on, and have the writer try at once."""
        self._is_down = False
        self._faults.clear()
        for each in self._incarnations:
            each.host.nudge()

    def __enter__(self) -> Self:
        self._block.enter_context(made_by(self._logger_of))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.come_back()
        self._block.close()

    def open(self, incarnation: Incarnation, store: Store) -> Store:
        """Return *store* as it is through this. For loggers."""
        self._incarnations.append(incarnation)
        return _FlakyStore(store, self)

    def begin_attempt(self) -> tuple[Fault, bool] | None:
        """Return what the attempt that begins fails with, and whether its rows are in the table then. For stores."""
        self.attempts += 1
        if self._faults:
            return self._faults.popleft()
        return (_away(), False) if self._is_down else None

    def _logger_of(self, settings: Settings) -> AuditLogger:
        return _FlakyAuditLogger.through(self, settings)


def _away() -> Fault:
    return TransientStoreError("the database is away (a test has said so)")


class _FlakyAuditLogger(AuditLogger):
    _database: FlakyDatabase

    @classmethod
    def through(cls, database: FlakyDatabase, settings: Settings) -> Self:
        logger = cls.__new__(cls)
        logger._database = database
        logger._begin(settings)
        return logger

    def _incarnate(self) -> Incarnation:
        return _FlakyIncarnation(self.settings, self._database)


class _FlakyIncarnation(Incarnation):
    def __init__(self, settings: Settings, database: FlakyDatabase) -> None:
        super().__init__(settings)
        self._database = database

    def _open_store(self) -> Store:
        return self._database.open(self, super()._open_store())


class _FlakyStore:
    def __init__(self, store: Store, database: FlakyDatabase) -> None:
        self._store = store
        self._database = database
        self.close = store.close
        self.abandon = store.abandon

    async def insert(self, entries: Sequence[Entry], *, is_replay: bool = False) -> None:
        fault = self._database.begin_attempt()
        if fault is None:
            await self._store.insert(entries, is_replay=is_replay)
            return
        error, is_committed = fault
        if is_committed:
            await self._store.insert(entries, is_replay=is_replay)
        raise error
