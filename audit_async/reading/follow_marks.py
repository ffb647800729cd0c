"""Rows by which a follower sees whether numbers are used again: after TRUNCATE, or in a table that was restored.

A row that is gone says nothing, since rows are deleted. One that is another than it was says that its number was used
again.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from audit_async.config import FOLLOW_MARKS

_DIGEST_BYTES = 6


@dataclass(frozen=True, slots=True)
class Marks:
    """Rows that were looked at, in the order of their numbers, each with a digest of its key, which shows nothing.

    The last `FOLLOW_MARKS` are there, and before them one of each distance from one power of four to the next.
    """

    rows: tuple[tuple[int, str], ...] = ()

    @property
    def last(self) -> Marks:
        return Marks(self.rows[-1:])

    @property
    def numbers(self) -> list[int]:
        return [number for number, _ in self.rows]

    def with_rows(self, rows: Iterable[tuple[int, str]]) -> Marks:
        """Return the marks when *rows* were looked at as well."""
        known = sorted((dict(self.rows) | dict(rows)).items())
        dense, sparse = known[-FOLLOW_MARKS:], known[:-FOLLOW_MARKS]
        # Of each distance the oldest stays: so it gets there to be the one of the next distance.
        kept: dict[int, tuple[int, str]] = {}
        for row in sparse:
            kept.setdefault((known[-1][0] - row[0]).bit_length() // 2, row)
        return Marks((*kept.values(), *dense))

    def until(self, number: int) -> Marks:
        return Marks(tuple(row for row in self.rows if row[0] <= number))

    def reached(self, there: Iterable[tuple[int, str]]) -> int | None:
        """Return the number up to which rows are those that were looked at; None where that is none.

        Args:
            there: of the rows that have these numbers now.
        """
        found = dict(there)
        same = [number for number, digest in self.rows if found.get(number) == digest]
        if not same:
            return None
        # Numbers that begin anew leave no row behind them as it was: before one that is, rows were altered.
        others = [number for number, digest in self.rows if found.get(number, digest) != digest and number > same[-1]]
        return same[-1] if others else self.rows[-1][0]


NO_MARKS = Marks()


def digest(key: Sequence[Any]) -> str:
    """Return what tells a row from another one that has its number."""
    raw = hashlib.blake2b(repr(tuple(key)).encode(errors="replace"), digest_size=_DIGEST_BYTES).digest()
    return base64.b64encode(raw).decode()
