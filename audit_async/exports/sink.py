"""What takes the events of an export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import BinaryIO, Protocol

from audit_async.events import AuditEvent


class Sink(Protocol):
    """Takes events, and writes them to the file that it was opened with."""

    def write(self, events: Sequence[AuditEvent]) -> None:
        """Write *events*, in their order. Nothing of them is kept: memory is that of one call."""

    def close(self) -> None:
        """Write what a file of the format ends with. The file itself stays open; closing twice does nothing."""


class LineSink:
    """Writes a line an event, whole lines only.

    Args:
        line_of: makes the line, with its end.
        header: comes before the first.
    """

    def __init__(self, file: BinaryIO, line_of: Callable[[AuditEvent], bytes], *, header: bytes = b"") -> None:
        self._file = file
        self._line_of = line_of
        if header:
            file.write(header)

    def write(self, events: Sequence[AuditEvent]) -> None:
        self._file.write(b"".join(map(self._line_of, events)))

    def close(self) -> None:
        """Do nothing: lines need no end."""
