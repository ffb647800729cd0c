"""Events as files that other programs read.

    sink = open_export("csv", file, bom=True)
    sink.write(events)      # as often as there are batches
    sink.close()            # the file stays open: it is the caller's

A pure transformation: events in, bytes out. Nothing here knows a database, a path or a query, nothing is kept between
two calls of `write`, and what is written of an event depends on that event alone. So a file of lines that broke off can
be continued (`is_continued`), and the same events give the same bytes.

    formats      what there is, by name
    sink         what takes the events, and the sink of lines
    lines        text and JSON that stay on one line
    columns      an event as a row
    jsonl        every event whole: for programs, and to be read back
    csv          a table for people
    parquet      a table for analysis
    ocsf         what security data lakes and SIEMs agree on
    cef          what ArcSight, and most SIEMs, read line by line
    syslog       what log servers take

`jsonl` and `parquet` hold everything as it was logged, to be read back. In the others characters that nobody
sees are escapes, so that no event takes two lines and none commands a terminal or a spreadsheet.
"""

from __future__ import annotations

from audit_async.exports.formats import FORMATS, can_continue, format_of, open_export, suffix_of
from audit_async.exports.jsonl import read_event
from audit_async.exports.sink import Sink

__all__ = ["FORMATS", "Sink", "can_continue", "format_of", "open_export", "read_event", "suffix_of"]
