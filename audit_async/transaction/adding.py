"""`add()`, `add_sync()` and `within()` of one logger."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from audit_async.diagnostics import report
from audit_async.entry import decode
from audit_async.errors import AuditError, ConfigStoreError, DataStoreError, DuplicateStoreError, StoreError
from audit_async.events import AuditEvent
from audit_async.events.vocabulary import FAILED
from audit_async.faults import Place, raise_verdict, translate
from audit_async.table_map.tables import TableSetting
from audit_async.transaction.callers import async_caller, session_of, sync_caller
from audit_async.transaction.endings import SessionEndings, watch_connection
from audit_async.transaction.held import Hands, Held, TransactionReceipt, Waiting
from audit_async.transaction.insertion import Insertion, is_autocommit
from audit_async.transaction.scope import TransactionScope


class Adding:
    """Puts one logger's events into transactions of the caller's.

    Args:
        table: what the logger was told to write to.
        hands: what the logger does with an event outside of any.
    """

    def __init__(self, table: TableSetting, hands: Hands) -> None:
        self._insertion = Insertion(table)
        self._hands = hands
        self._held: WeakKeyDictionary[Session | Connection, Held] = WeakKeyDictionary()

    async def add(self, given: object, event: AuditEvent, *, strict: bool) -> TransactionReceipt:
        """Put *event* into the transaction of *given*. As `AuditLogger.add`."""
        caller = async_caller(given)
        waiting = self._prepare(event, "add", strict=strict)
        if waiting.receipt.is_accepted:
            try:
                # One step into SQLAlchemy's greenlet instead of four.
                await caller.run_sync(self._add, waiting, strict)
            except AuditError:
                raise
            except Exception as error:
                self._fail(None, None, waiting, error, strict=strict)
        return waiting.receipt

    def add_sync(self, given: object, event: AuditEvent, *, strict: bool) -> TransactionReceipt:
        """Put *event* into the transaction of *given*. As `AuditLogger.add_sync`."""
        caller = sync_caller(given)
        waiting = self._prepare(event, "add_sync", strict=strict)
        if waiting.receipt.is_accepted:
            self._add(caller, waiting, strict)
        return waiting.receipt

    def within(self, given: object) -> TransactionScope:
        """Return what holds events until the transaction of *given* ends. As `AuditLogger.within`."""
        session = session_of(given)
        return TransactionScope(session, self._held_with(session), self._prepare_to_hold)

    # --- one event ---------------------------------------------------------------------------------------

    def _prepare(self, event: AuditEvent, call: str, *, strict: bool = False) -> Waiting:
        prepared = self._hands.prepare(event, call)
        if isinstance(prepared, str):
            if strict:
                raise AuditError(
                    f"the audit event {event.id} cannot be encoded ({prepared})",
                    hint="the log says why; it is counted as refused",
                )
            return Waiting(event, b"", TransactionReceipt(event.id, prepared))
        return Waiting(*prepared, TransactionReceipt(event.id))

    def _prepare_to_hold(self, event: AuditEvent, call: str) -> Waiting:
        waiting = self._prepare(event, call)
        waiting.outlives_rollback = event.outcome in FAILED
        return waiting

    def _add(self, caller: Session | Connection, waiting: Waiting, strict: bool) -> None:
        connection = None
        try:
            connection = caller if isinstance(caller, Connection) else caller.connection()
            self._insertion.insert(connection, decode(waiting.payload))
        except Exception as error:
            self._fail(caller, connection, waiting, error, strict=strict)
        else:
            waiting.receipt.is_in_transaction = True
            self._hands.tell(waiting.event, waiting.payload)

    def _fail(
        self,
        caller: Session | Connection | None,
        connection: Connection | None,
        waiting: Waiting,
        error: Exception,
        *,
        strict: bool,
    ) -> None:
        """Have *waiting* logged when the transaction has committed; raise where the caller is strict."""
        verdict = self._verdict(connection, error)
        if isinstance(verdict, (ConfigStoreError, DataStoreError)) and connection is not None:
            # Somebody will mend the table: look at it anew.
            self._insertion.forget(connection)
        if strict:
            raise_verdict(verdict, error)
        report(
            "add",
            f"an event is not in its caller's transaction, and is logged after that has committed: {verdict.message}",
        )
        held = self._held_for(caller, connection)
        if held is None:
            self._hands.take(waiting.event, waiting.payload, waiting.receipt)
        else:
            held.hold(waiting)

    def _verdict(self, connection: Connection | None, error: Exception) -> StoreError:
        tables = self._insertion.tables
        place = Place(table=str(tables)) if connection is None else Place.of(connection.engine.url, tables)
        verdict = translate(error, place)
        if isinstance(verdict, (DataStoreError, DuplicateStoreError)):
            verdict.hint = f"the transaction goes on without it; compare the event with what table {tables} takes"
        return verdict

    # --- what waits --------------------------------------------------------------------------------------

    def _held_for(self, caller: Session | Connection | None, connection: Connection | None) -> Held | None:
        """Return what holds events until the caller's transaction ends; None where there is none to wait for."""
        if connection is not None and _stands_alone(connection):
            return None
        if isinstance(caller, Session) and not isinstance(caller.bind, Connection):
            return self._held_with(caller)
        if connection is None or not connection.in_transaction():
            return None
        # A session on somebody's connection does not end that one's transaction by its own commit.
        held = self._held.get(connection)
        if held is None:
            held = self._held[connection] = Held(self._hands)
            watch_connection(connection, held)
        return held

    def _held_with(self, session: Session) -> Held:
        held = self._held.get(session)
        if held is None:
            held = self._held[session] = Held(self._hands)
            SessionEndings(session, held)
        return held


def _stands_alone(connection: Connection) -> bool:
    """Return whether *connection* has no transactions that could end."""
    try:
        return connection.closed or is_autocommit(connection)
    except Exception:
        # What the driver holds is gone; its transaction is still the caller's to roll back.
        return False
