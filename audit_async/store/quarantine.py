"""Rows that no attempt will bring in, kept on this machine's disk: one readable JSON file for each.

    <journal directory>/quarantine/<destination>-<writer>-<number>.json

The file holds the event as it was logged, and what the database said about it.
"""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from audit_async.diagnostics import describe, report
from audit_async.errors import ConfigurationError
from audit_async.private import make_directory, make_file, open_file, sync_directory, trusted


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """An event that the database refuses for what is in it.

    Attributes:
        reason: what the database said, without the row's values.
        event: as it was logged; None where its bytes are no event, which are then in `payload` (base64).
    """

    writer_id: str
    writer_seq: int
    destination: str
    quarantined_at: datetime
    sqlstate: str | None
    reason: str
    event: dict[str, Any] | None = None
    payload: str | None = None


class Quarantine:
    """The directory of them.

    Attributes:
        fault: why the last one could not be written, or None.
    """

    def __init__(self, journal_directory: Path, destination: str) -> None:
        self.directory = journal_directory / "quarantine"
        self.destination = destination
        self.fault: str | None = None

    def add(self, writer_id: str, writer_seq: int, payload: bytes, reason: str, sqlstate: str | None) -> bool:
        """Keep *payload*, and return whether it is on disk. Adding it twice keeps it once."""
        event, kept_bytes = _event_in(payload), None
        if event is None:
            kept_bytes = base64.b64encode(payload).decode()
        item = Quarantined(
            writer_id=writer_id,
            writer_seq=writer_seq,
            destination=self.destination,
            quarantined_at=datetime.now(UTC),
            sqlstate=sqlstate,
            reason=reason,
            event=event,
            payload=kept_bytes,
        )
        try:
            self._write(item)
        except (OSError, ConfigurationError) as error:
            self.fault = describe(error)
            report(
                "quarantine_full",
                f"{self.directory} cannot be written ({self.fault}): an event that the database refuses stays in the "
                "journal until it can",
                level="ERROR",
            )
            return False
        self.fault = None
        report(
            f"quarantine_{sqlstate}",
            f"the database refuses an event for what is in it ({reason}); it is kept in {self.directory}, the others "
            "go on",
            level="ERROR",
        )
        return True

    def items(self) -> list[Quarantined]:
        """Return what is kept for this destination, oldest first. A file that cannot be read is passed over, and
        said."""
        found: list[Quarantined] = []
        try:
            names = sorted(os.listdir(self.directory))
        except OSError:
            names = []
        for name in names:
            if name.startswith(f"{self.destination}-") and name.endswith(".json"):
                try:
                    with open(open_file(self.directory / name), "rb") as file:
                        found.append(msgspec.json.decode(file.read(), type=Quarantined))
                except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
                    report("quarantine_read", f"{self.directory / name} cannot be read ({describe(error)})")
        return sorted(found, key=lambda item: item.quarantined_at)

    def _write(self, item: Quarantined) -> None:
        for directory, what in ((self.directory.parent, "the journal directory"), (self.directory, "the quarantine")):
            make_directory(directory)
            trusted(directory, what)
        path = self.directory / f"{item.destination}-{item.writer_id}-{item.writer_seq:012d}.json"
        draft = path.with_suffix(".new")
        with open(make_file(draft), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(item), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        sync_directory(self.directory)


def _event_in(payload: bytes) -> dict[str, Any] | None:
    """Return the event that *payload* is; None where it is none that could be written down again as it is."""
    try:
        event: dict[str, Any] = msgspec.json.decode(payload, type=dict[str, Any])
        # A little deeper, as it will stand in a file.
        msgspec.json.format(msgspec.json.encode([[[[event]]]]))
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return None
    return event
