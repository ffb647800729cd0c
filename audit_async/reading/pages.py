"""One page of a listing: the statement for it, and what its rows become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Select

from audit_async.events import AuditEvent
from audit_async.reading.conditions import Condition
from audit_async.reading.cursor import Cursor
from audit_async.reading.view import Key, View


@dataclass(frozen=True, slots=True)
class Page:
    """Events of a listing, in its order.

    Attributes:
        events: as many as the query's limit, or fewer on the last page.
        next_cursor: for the page behind; None where there is none.
        previous_cursor: for the page before; None on the first.
    """

    events: tuple[AuditEvent, ...]
    next_cursor: str | None = None
    previous_cursor: str | None = None

    def __iter__(self) -> Iterator[AuditEvent]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is listed, and in which order.

    Attributes:
        bound_to: what its cursors are of.
    """

    view: View
    where: Sequence[Condition]
    is_ascending: bool
    bound_to: str

    def statement(self, cursor: Cursor | None, rows: int) -> Select[Any]:
        """Return the statement for *rows* rows behind *cursor*, seen in its direction."""
        if cursor is None:
            return self._selected(rows, self._goes_up(cursor))
        order, position = self.view.order, cursor.position
        if order[0].empty is not None and position[0] is None:
            within = [order[0].column.is_(None), _behind(order[1:], position[1:], self._goes_up(cursor))]
            return self._selected(rows, self._goes_up(cursor), *within)
        return self._selected(rows, self._goes_up(cursor), _behind(order, position, self._goes_up(cursor)))

    def rest(self, cursor: Cursor | None, rows: int) -> Select[Any] | None:
        """Return the statement for *rows* rows behind the last one that `statement` finds; None where none can be.

        A row without a time is neither before nor behind any: those are at one end, and an index finds them by
        themselves.
        """
        time = self.view.order[0]
        if cursor is None or time.empty is None:
            return None
        goes_up, is_empty = self._goes_up(cursor), cursor.position[0] is None
        if is_empty == ((time.empty == "last") == goes_up):
            return None
        return self._selected(rows, goes_up, time.column.is_not(None) if is_empty else time.column.is_(None))

    def _goes_up(self, cursor: Cursor | None) -> bool:
        return self.is_ascending != (cursor is not None and cursor.is_backward)

    def _selected(self, rows: int, goes_up: bool, *within: Condition) -> Select[Any]:
        statement = sa.select(*self.view.columns).select_from(self.view.source).where(*self.where, *within)
        order = [key.column.asc() if goes_up else key.column.desc() for key in self.view.order]
        return statement.order_by(*order).limit(rows)

    def position(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """Return where *row* is."""
        return tuple(row[key.place] for key in self.view.order)

    def page(self, cursor: Cursor | None, rows: Sequence[Sequence[Any]], limit: int) -> Page:
        """Return the page that *rows* are, of which one more than *limit* says that there is another page."""
        is_backward = cursor is not None and cursor.is_backward
        has_more = len(rows) > limit
        kept = list(rows[:limit])
        if is_backward:
            kept.reverse()
        if not kept:
            return Page(())
        before = self._cursor(kept[0], is_backward=True) if (has_more if is_backward else cursor is not None) else None
        behind = self._cursor(kept[-1]) if has_more or is_backward else None
        return Page(tuple(self.view.shown(kept)), behind, before)

    def _cursor(self, row: Sequence[Any], *, is_backward: bool = False) -> str:
        return Cursor(self.position(row), is_backward).write(self.bound_to)


def _behind(order: Sequence[Key], position: Sequence[Any], goes_up: bool) -> Condition:
    """Return the condition for rows behind *position*.

    The first column is compared alone as well: this is what an index by it can be asked, and what leaves partitions
    out, whatever a planner makes of the rest.
    """
    columns = [key.column for key in order]

    def beyond(place: int) -> Condition:
        column, value = columns[place], position[place]
        found: Condition = column > value if goes_up else column < value
        return found

    first, value = columns[0], position[0]
    within = first >= value if goes_up else first <= value
    ways = [
        sa.and_(*(columns[before] == position[before] for before in range(place)), beyond(place))
        for place in range(len(columns))
    ]
    return sa.and_(within, sa.or_(*ways))
