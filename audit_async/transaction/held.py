"""Events that wait for the end of a transaction: what commits is logged, what is rolled back is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from audit_async.config import MAX_HELD_EVENTS
from audit_async.events import AuditEvent
from audit_async.receipt import Receipt


class TransactionReceipt(Receipt):
    """The receipt of an event that belongs to the caller's transaction.

    While that is open nothing is stored. Of a row in it (`is_in_transaction`) the transaction's end decides, which the
    receipt does not follow. An event that waits for the end becomes one that was logged, and `is_on_disk`, `is_stored`
    and the rest then say how far it has come; or `refused` says `rolled_back`.

    Attributes:
        is_in_transaction: the row is in the caller's transaction.
    """

    __slots__ = ("is_in_transaction",)

    def __init__(self, event_id: str, refused: str | None = None) -> None:
        super().__init__(event_id, None, 0, refused)
        self.is_in_transaction = False

    def __repr__(self) -> str:
        if self.is_in_transaction:
            return f"<Receipt {self.id} in the caller's transaction>"
        return super().__repr__()


@dataclass(slots=True)
class Waiting:
    """An event as it was when it was said: filled in, redacted and encoded.

    Attributes:
        outlives_rollback: it is logged even if the transaction is rolled back.
    """

    event: AuditEvent
    payload: bytes
    receipt: TransactionReceipt
    outlives_rollback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What a logger does with events, for those who decide when.

    Attributes:
        prepare: checks an event, which the named call was given; fills it in, redacts and encodes it. A word where that
            cannot be done and was counted: why.
        take: puts a prepared event into the journal. Never raises for a fault of the world.
        tell: says what there is to say of an event that is in a place now. Never raises.
        refuse: counts an event that cannot be taken: its id, the reason in a word, what happened, what to do.
    """

    prepare: Callable[[AuditEvent, str], tuple[AuditEvent, bytes] | str]
    take: Callable[[AuditEvent, bytes, Receipt], None]
    tell: Callable[[AuditEvent, bytes], None]
    refuse: Callable[[str, str, str, str | None], Receipt]


class Held:
    """The events that wait for one session's, or one connection's, transaction. Belongs to whoever uses that.

    Savepoints are told by their names, or what else stands for one. One that began before anybody listened encloses
    all that has been held since.
    """

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._events: list[Waiting] = []
        self._savepoints: list[tuple[object, int]] = []

    def __len__(self) -> int:
        return len(self._events)

    def hold(self, waiting: Waiting) -> None:
        """Keep *waiting*; beyond `MAX_HELD_EVENTS` one that outlives a roll-back is logged at once, others refused."""
        if len(self._events) < MAX_HELD_EVENTS:
            self._events.append(waiting)
        elif waiting.outlives_rollback:
            self.take(waiting)
        else:
            waiting.receipt.refused = self._hands.refuse(
                waiting.receipt.id,
                "held_full",
                f"{MAX_HELD_EVENTS} events wait for the end of one transaction",
                "commit in smaller parts",
            ).refused

    def take(self, waiting: Waiting) -> None:
        """Log *waiting*."""
        self._hands.take(waiting.event, waiting.payload, waiting.receipt)

    def begin_savepoint(self, token: object) -> None:
        """Note that what comes from here on is inside the savepoint *token*."""
        self._savepoints.append((token, len(self._events)))

    def release_savepoint(self, token: object) -> None:
        """Note that what was inside *token* belongs to what is around it."""
        self._end_savepoint(token)

    def roll_back_savepoint(self, token: object) -> None:
        """Let go of what was inside *token*."""
        first = self._end_savepoint(token)
        undone, self._events = self._events[first:], self._events[:first]
        self._settle(undone, is_committed=False)

    def end(self, *, is_committed: bool) -> None:
        """Log what is to be logged now that the transaction has ended, and let go of the rest."""
        ended, self._events = self._events, []
        self._savepoints.clear()
        self._settle(ended, is_committed=is_committed)

    def _end_savepoint(self, token: object) -> int:
        for place in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[place][0] == token:
                first = self._savepoints[place][1]
                del self._savepoints[place:]
                return first
        return 0

    def _settle(self, ended: list[Waiting], *, is_committed: bool) -> None:
        for waiting in ended:
            if is_committed or waiting.outlives_rollback:
                self.take(waiting)
            else:
                waiting.receipt.refused = "rolled_back"
