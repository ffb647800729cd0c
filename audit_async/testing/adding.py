"""`add()` without a table: the event waits for the end of the caller's transaction."""

from __future__ import annotations

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from audit_async.transaction.adding import Adding
from audit_async.transaction.held import Waiting


class CommittedAdding(Adding):
    """Keeps what the caller's transaction brings in: on commit, and nothing of what is rolled back."""

    def _add(self, caller: Session | Connection, waiting: Waiting, strict: bool) -> None:
        connection = caller if isinstance(caller, Connection) else caller.connection()
        if not connection.in_transaction():
            connection.begin()
        waiting.receipt.is_in_transaction = True
        held = self._held_for(caller, connection)
        if held is None:
            self._hands.take(waiting.event, waiting.payload, waiting.receipt)
        else:
            held.hold(waiting)
