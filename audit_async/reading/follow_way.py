"""What a way of telling new rows from known ones is: each database, and each kind of table, has its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.reading.conditions import Condition
from audit_async.reading.view import View

Row = Sequence[Any]
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Look(Generic[S]):
    """What one look at a table found.

    Attributes:
        rows: new ones, in the order in which they are given; more columns may stand behind those of the view.
        at: the state after the row of that index was given.
        after: the state after all of them were.
        has_more: whether there are more already.
    """

    rows: Sequence[Row]
    at: Callable[[int], S]
    after: S
    has_more: bool = False


class Way(ABC, Generic[S]):
    """A way of telling new rows from known ones.

    Its state says which rows are known. It is a frozen value, so that a look that was cancelled has changed nothing.

    Args:
        view: the table.
        where: query and scope, in every statement that reads an event.
    """

    name: str

    def __init__(self, view: View, where: Sequence[Condition]) -> None:
        self.view = view
        self.where = list(where)

    @abstractmethod
    async def begin(self, connection: AsyncConnection, since: datetime | None) -> S:
        """Return the state in which all is known that is visible now.

        Args:
            since: from then on the rows for which `was_there` holds will be read by themselves; where it is given,
                all others from then on have to be new.
        """

    @abstractmethod
    def was_there(self, state: S) -> Condition:
        """Return the condition for rows that were visible when *state* began."""

    @abstractmethod
    async def look(self, connection: AsyncConnection, state: S) -> Look[S]:
        """Return some rows that *state* does not know, and the state that does."""

    @abstractmethod
    def write(self, state: S) -> str:
        """Return *state* as text."""

    @abstractmethod
    def read(self, text: str) -> S:
        """Return the state that *text* says.

        Raises:
            ValueError: it says none.
        """

    def event_row(self, row: Row) -> Row:
        """Return the part of *row* that is the view's."""
        return row[: len(self.view.columns)]
