"""The lines of a file, as records with an id and a time that are the same whenever they are read."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

OWN_RECORDS = Path(__file__).with_name("own_records.jsonl")
"""Fourteen invented ones, for a clone that has no real data beside it."""

REAL_RECORDS = Path(__file__).parents[2].parent / "shared/data/m365_identity_events.jsonl"
"""595 real ones of a public data set."""

Key = tuple[str, str]
"""Id and time, as text: what an event is known by, here and in the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line, in one round of the replay.

    Attributes:
        body: its JSON object; the text of a line that is none.
        is_m365: it has what every Microsoft 365 audit record has: an id, an operation and a time.
        round: 0 for the record itself, 1 and more for its copies under new ids.
    """

    id: str
    happened_at: datetime
    body: dict[str, Any] | str
    is_m365: bool
    round: int = 0

    @property
    def key(self) -> Key:
        return self.id, time_text(self.happened_at)


def read_records(path: Path, *, rounds: int) -> list[Record]:
    """Return the records of *path*, and of *rounds* - 1 copies of them. An empty line is none."""
    modified_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    lines = path.read_bytes().decode("utf-8-sig", "backslashreplace").split("\n")
    first = [_record(line, number, modified_at) for number, line in enumerate(lines) if line.strip()]
    return [_copy(record, turn) for turn in range(rounds) for record in first]


def share_of(records: Sequence[Record], number: int, *, of: int) -> Sequence[Record]:
    """Return every *of*-th record from *number* on."""
    return records[number::of]


def time_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _record(line: str, number: int, modified_at: datetime) -> Record:
    try:
        body = json.loads(line)
        happened_at = _time(body["CreationTime"])
        if isinstance(body["Operation"], str) and isinstance(body["Id"], str):
            return Record(id=_uuid(body["Id"]), happened_at=happened_at, body=body, is_m365=True)
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        pass
    # No Microsoft 365 record, but somebody's: its place in the file is its name, and the file's time its own.
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        body = line
    return Record(
        id=_uuid(f"line {number}: {line}"),
        happened_at=modified_at,
        body=body if isinstance(body, dict) else line,
        is_m365=False,
    )


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, text))


def _copy(record: Record, turn: int) -> Record:
    return dataclasses.replace(record, id=_uuid(f"{record.id} {turn}"), round=turn) if turn else record
