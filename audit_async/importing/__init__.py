"""Bring what other logs have recorded into this one: through the journal, each record once.

    from audit_async.importing import import_file

    report = await import_file("records.jsonl", "m365", audit=audit)

The parts, in the order of a record's way:

    source    the bytes of a file, whatever its compression and its letters
    records   these, cut into records: lines, the members of an array, the rows of a table
    formats   from a record to an event, one file for each kind of log
    identity  an id that is the same in every run, for records without one
    repeats   which records have the key of one before them
    cursor    how far an earlier run has come
    rejects   what is refused, for mending
    report    what was mapped, folded, refused
    batches   the next records, read, mapped, counted and logged
    pace      batch after batch, as the table takes them
    importer  all of it

A record becomes an event with the record's own id and time, which are the key of the table: an import that is run
again stores nothing twice. The cursor spares the next run the logging, never the reading: its report is of the whole
file.
"""

from __future__ import annotations

from audit_async.importing.formats import FORMATS
from audit_async.importing.importer import import_file
from audit_async.importing.report import OperationCount, Rejected, Report, Seen

__all__ = ["FORMATS", "OperationCount", "Rejected", "Report", "Seen", "import_file"]
