"""What takes the events of an export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import BinaryIO, Protocol

import msgspec

from audit_async.events import AuditEvent
from audit_async.values import plain


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
            write_whole(file, header)

    def write(self, events: Sequence[AuditEvent]) -> None:
        try:
            data = b"".join(map(self._line_of, events))
        except UnicodeEncodeError:
            data = b"".join(map(self._line_of, map(expressible, events)))
        write_whole(self._file, data)

    def close(self) -> None:
        """Do nothing: lines need no end."""


def write_whole(file: BinaryIO, data: bytes) -> None:
    """Write all of *data*: where a signal comes in the middle a pipe takes a part, and says so by a number alone."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def expressible(event: AuditEvent) -> AuditEvent:
    """Return *event*, and of one with text that UTF-8 cannot express a copy in which that is replaced visibly.

    No builder makes such text, but JSON can have it: half of a surrogate pair, in a table that others fill.
    """
    try:
        msgspec.json.encode(event)
    except UnicodeEncodeError:
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        changed = {name: plain(value) for name, value in fields.items() if type(value) in (str, dict)}
        return msgspec.structs.replace(event, **changed, tags=tuple(plain(list(event.tags))))
    return event
