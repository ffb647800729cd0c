"""What a look has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from audit_async.table_map import review

Level = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        level: `ok`; `note` (good to know); `warning` (events arrive, but something is to be mended); `error` (events do
            not arrive, or are not safe).
        about: one word on what it is about.
        hint: what to do, or None.
    """

    level: Level
    about: str
    message: str
    hint: str | None = None


_LEVELS: dict[str, Level] = {review.ERROR: "error", review.WARNING: "warning"}


def from_probe(found: review.Finding) -> Finding:
    """Return what looking at a table has found, as one of these."""
    column = f"{found.column} " if found.column else ""
    return Finding(_LEVELS.get(found.level, "note"), "table", f"{column}{found.message}", found.hint)
