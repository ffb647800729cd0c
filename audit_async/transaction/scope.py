"""What `within()` gives: a `log()` whose events share the fate of a session's transaction."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sqlalchemy.orm import Session

from audit_async.events import AuditEvent
from audit_async.transaction.held import Held, TransactionReceipt, Waiting


class TransactionScope:
    """Holds events back until the session's transaction ends: what went well is logged when it has committed, and
    dropped when it is rolled back; what failed is logged either way.

    Use it in a `with`, or plainly. It goes on with the session's next transaction. As little as the session may it be
    used by two threads, or tasks, at once.
    """

    def __init__(self, session: Session, held: Held, prepare: Callable[[AuditEvent, str], Waiting]) -> None:
        self._session = weakref.ref(session)
        self._held = held
        self._prepare = prepare

    def __repr__(self) -> str:
        return f"<TransactionScope: {len(self._held)} events held>"

    def log(self, event: AuditEvent) -> TransactionReceipt:
        """Hold *event* until the transaction ends, or the next one does where none is under way.

        Who acts is read from the context now. Beyond `MAX_HELD_EVENTS` a failure is logged at once; any other event is
        refused, which is counted, and an `audit.gap` event tells of it.

        Raises:
            TypeError: *event* is no `AuditEvent`.
            UnknownActionError: the logger is strict, and the vocabulary does not have the event's action.
        """
        waiting = self._prepare(event, "log")
        if waiting.receipt.is_accepted:
            self._held.hold(waiting)
            if self._session() is None:
                self._held.end(is_committed=False)
        return waiting.receipt

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What was said belongs to the transaction that comes next; a session that is closed, or forgotten, tells so.
        if self._session() is None:
            self._held.end(is_committed=False)
