"""The logger's calls for events inside the caller's own transaction. SQLAlchemy is loaded by the first one."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from audit_async.events import AuditEvent
from audit_async.loading import loading
from audit_async.receipt import Receipt
from audit_async.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
    from sqlalchemy.orm import Session, scoped_session

    from audit_async.transaction.adding import Adding
    from audit_async.transaction.held import Hands, TransactionReceipt
    from audit_async.transaction.scope import TransactionScope


class TransactionCalls:
    """What an `AuditLogger` does in a transaction of the caller's."""

    settings: Settings
    _adding_made: Adding | None = None

    async def add(
        self,
        session_or_connection: AsyncSession | AsyncConnection | async_scoped_session[Any],
        event: AuditEvent,
        *,
        strict: bool = False,
    ) -> TransactionReceipt:
        """Put *event*'s row into the transaction of *session_or_connection*, whose end decides of it.

        The row goes in through a savepoint, so that the transaction stays usable whatever happens; nothing is
        committed, flushed or expired. Where it cannot be had, the event is logged after the transaction has committed,
        and dropped with it on roll-back. A connection without transactions (AUTOCOMMIT) has the row, or `log()` the
        event, at once. Where the server has undone the whole transaction (a deadlock on MariaDB or MySQL), nothing goes
        on through the connection before a roll-back.

        Raises:
            TypeError: *event* is no `AuditEvent`, or *session_or_connection* neither of the two, or one that blocks.
            UnknownActionError: the logger is strict, and the vocabulary does not have the event's action.
            StoreError: *strict* is true, and the row is not in the transaction. Then the event is nowhere.
        """
        return await self._adding.add(session_or_connection, event, strict=strict)

    def add_sync(
        self,
        session_or_connection: Session | Connection | scoped_session[Any],
        event: AuditEvent,
        *,
        strict: bool = False,
    ) -> TransactionReceipt:
        """Do as `add`, with a session or connection that blocks."""
        return self._adding.add_sync(session_or_connection, event, strict=strict)

    def within(
        self, session: AsyncSession | Session | async_scoped_session[Any] | scoped_session[Any]
    ) -> TransactionScope:
        """Return a scope whose `log()` holds events back until the transaction of *session* has ended.

        What went well is logged when it has committed, and dropped when it is rolled back; what failed (outcome
        `failure`, `denied` or `error`) is logged either way: a refused log-in is recorded though its request rolls
        back. A session that is closed, or forgotten, without either has rolled back.

        Raises:
            TypeError: *session* is none.
        """
        return self._adding.within(session)

    @property
    def _adding(self) -> Adding:
        if self._adding_made is None:
            with loading():
                from audit_async.transaction.held import Hands

                hands = Hands(prepare=self._prepare, take=self._take, tell=self._tell, refuse=self._refuse)
                self._adding_made = self._make_adding(hands)
        return self._adding_made

    def _make_adding(self, hands: Hands) -> Adding:
        """Return what puts rows into transactions. Called while packages may be loaded."""
        from audit_async.transaction.adding import Adding

        return Adding(self.settings.table, hands)

    # --- what the logger does with an event ----------------------------------------------------------------

    @abstractmethod
    def _prepare(self, event: AuditEvent, call: str) -> tuple[AuditEvent, bytes] | str: ...

    @abstractmethod
    def _take(self, clean: AuditEvent, payload: bytes, receipt: Receipt) -> None: ...

    @abstractmethod
    def _tell(self, clean: AuditEvent, payload: bytes) -> None: ...

    @abstractmethod
    def _refuse(self, event_id: str, reason: str, message: str, hint: str | None) -> Receipt: ...
