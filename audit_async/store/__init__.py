"""Entries in a database. One file a database; what they share:

    postgres    PostgreSQL through asyncpg: COPY, and a prepared INSERT
    sqlite      SQLite through aiosqlite: the embedded default
    mariadb     MariaDB and MySQL through asyncmy: prepared inserts of many rows
    generic     any other async driver of SQLAlchemy
    quarantine  rows that no attempt will bring in, kept on this machine's disk
    kept        what is in quarantine, looked through and taken out again

A store knows one table by its layout and inserts batches of entries, each in one transaction, exactly once by their
key. It raises only `StoreError`s, whose class says whether waiting, mending or leaving a row out will help.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from audit_async.entry import Entry
from audit_async.table_map.mapping import TableMap
from audit_async.timing import USUAL, Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """How a store is to behave.

    Attributes:
        url: SQLAlchemy address of the database, with an async driver; it holds a password, and is never shown.
        table: name of the table, optionally with its schema; or maps of tables that are there already.
        may_create: whether a missing table is made (the embedded database; never a server's).
        gives_up_interpreter: sleep for a moment every `GIVE_UP_ROWS` rows (own thread), or let the loop run
            instead (a task of the application's loop).
        timing: how long it waits for what.
        on_remark: called with what will keep rows from their place before long; None when nothing will.
        session_name: of the sessions on the server, by which a replay ends those of earlier attempts; by default one
            for each writer whose entries are inserted. Whoever inserts beside a living writer has one of its own.
    """

    url: str = field(repr=False)
    table: str | TableMap | Sequence[TableMap] = "audit_logs"
    may_create: bool = False
    gives_up_interpreter: bool = True
    timing: Timing = USUAL
    on_remark: Callable[[str | None], None] = lambda remark: None
    session_name: str | None = None


class Store(Protocol):
    """A place in a database where entries are kept."""

    async def insert(self, entries: Sequence[Entry], *, is_replay: bool = False) -> None:
        """Put *entries* into the table, all or none; those that are there already are left as they are.

        On return their transaction has committed. All entries are of one writer. The first call connects and looks
        at the table.

        Args:
            entries: at least one, in the order of their numbers.
            is_replay: these entries may have been sent before, and that attempt may still be under way on the server.

        Raises:
            TransientStoreError: away, busy or slow; the rows may even be there.
            ConfigStoreError: table, column, right or password is not as it must be.
            DuplicateStoreError: some rows are there already; replay the batch.
            DataStoreError: a row is refused for what is in it.
        """

    async def close(self) -> None:
        """Close the connection, if one is open. Never raises."""

    def abandon(self) -> None:
        """Forget the connection without a word to the server: it belongs to the parent of this forked process, or
        to an attempt that hangs. Never raises, never waits."""
