"""SQLite's verdicts, by its own names of errors."""

from __future__ import annotations

import sqlite3

from audit_async.diagnostics import describe
from audit_async.errors import (
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    StoreError,
    TransientStoreError,
)
from audit_async.faults.place import Place

_TRANSIENT = (
    *("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_INTERRUPT", "SQLITE_NOMEM"),
    *("SQLITE_PROTOCOL", "SQLITE_SCHEMA", "SQLITE_ABORT"),
)
_PRIMARY = 0xFF
"""What all codes of one kind have in common. Python has no name for the newer ones: that a STRICT table, as one that a
trigger writes to, refuses a value's type is "unknown" to it."""
_UNIQUE = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID")
_DATA = ("SQLITE_CONSTRAINT", "SQLITE_TOOBIG", "SQLITE_MISMATCH", "SQLITE_RANGE")
_OF_A_VALUE = ("malformed JSON", "integer overflow", "JSON cannot hold BLOB values")
"""What is said of a value that a check, an index or a trigger computes with; the name of such an error tells nothing.
"""


def of_sqlite(name: str, native: BaseException, place: Place) -> StoreError:
    if getattr(native, "sqlite_errorcode", 0) & _PRIMARY == sqlite3.SQLITE_CONSTRAINT and not name.startswith(_DATA):
        name = "SQLITE_CONSTRAINT"
    if name.startswith(_TRANSIENT):
        return TransientStoreError(f"{place.server} did not take the batch: {describe(native)} [{name}]")
    if name in _UNIQUE:
        return DuplicateStoreError(f"rows of the batch are in table {place.table} already [{name}]")
    if name.startswith(_DATA):
        # "NOT NULL constraint failed: audit_logs.action": the name behind the colon, which quotes no value.
        text = describe(native).rpartition(": ")[2] if "constraint failed: " in describe(native) else ""
        culprit = text.removeprefix(f"{place.table.rpartition('.')[2]}.") or None
        return DataStoreError(
            f"table {place.table} refuses a row: {name}" + (f" ({culprit})" if culprit else ""),
            culprit=culprit or name,
            sqlstate="23503" if name == "SQLITE_CONSTRAINT_FOREIGNKEY" else None,
        )
    said = describe(native).partition(": ")[2]
    if said in _OF_A_VALUE and place.purpose == "write to":
        return DataStoreError(f"table {place.table} refuses a row: {said} [{name}]", culprit=said)
    hint = f"compare table {place.table} with one that `audit-async init` makes in another file"
    if "no such table" in describe(native):
        hint = f"make table {place.table} with `{place.making}`"
    elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        hint = f"let this process write to {place.server} and to its folder"
    elif name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        hint = f"{place.server} is damaged or no SQLite file: move it away, or restore it"
    return ConfigStoreError(f"{place.server} is not as it must be: {describe(native)} [{name}]", hint=hint)
