"""What a SQLite file says of a mapped table: whether it can be written, and what its table demands of a row."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL, inspect, text
from sqlalchemy.engine import Connection

from audit_async.inspection import InspectedTable, TableName, inspect_now, quoted_name
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.probing import looked
from audit_async.table_map.probing.wording import of_check, of_delivered_ids, of_trigger
from audit_async.table_map.review import ERROR, INFO, Finding, key_of

_TRIGGER = re.compile(
    r"\bTRIGGER\b.*?\b(BEFORE|AFTER|INSTEAD\s+OF)?\s*\b(INSERT|DELETE|UPDATE)\b.*?\bON\b", re.IGNORECASE | re.DOTALL
)


def file_of(url: URL) -> Path | None:
    """Return the file that *url* names; None where it is in memory, or written in a way of SQLite's own."""
    file = url.database or ""
    return None if file in ("", ":memory:") or file.startswith("file:") else Path(file).absolute()


def of_file(file: Path | None) -> Iterator[Finding]:
    """Yield what keeps this process from writing to *file*, without making it."""
    if file is None:
        return
    if not file.exists():
        yield Finding(ERROR, "", f"there is no SQLite file {file}", "correct the URL, or make the file with its table")
        return
    if file.is_dir():
        yield Finding(ERROR, "", f"{file} is a folder, and no SQLite file", "name a file in it")
        return
    if not os.access(file, os.R_OK | os.W_OK, effective_ids=_CAN_ASK):
        yield Finding(ERROR, "", f"this process may not write to {file}", "make it writable for this process")
    elif not os.access(file.parent, os.W_OK | os.X_OK, effective_ids=_CAN_ASK):
        yield Finding(
            ERROR,
            "",
            f"this process may not make files in {file.parent}, where SQLite keeps its write-ahead log",
            "make the folder writable for this process",
        )


_CAN_ASK = os.access in os.supports_effective_ids


def begin(connection: Connection) -> None:
    """See that nothing can be changed through *connection*."""
    connection.exec_driver_sql("PRAGMA query_only = ON")


def look(connection: Connection, table_map: TableMap, found: InspectedTable) -> Iterator[Finding]:
    """Yield what the database says of the table *found*."""
    schema = f"{quoted_name(found.schema)}." if found.schema else ""
    yield from looked(connection, "its sort", lambda: _of_sort(connection, found, schema))
    yield from looked(connection, "triggers", lambda: _triggers(connection, found, schema))
    yield from looked(connection, "foreign keys", lambda: _foreign_keys(connection, table_map, found, schema))
    yield from looked(connection, "checks", lambda: _checks(connection, table_map, found))
    if table_map.delivered_ids is not None and not key_of(table_map, found):
        yield from looked(
            connection, "delivered_ids", lambda: _delivered_ids(connection, table_map.delivered_ids or "")
        )


def _of_sort(connection: Connection, found: InspectedTable, schema: str) -> Iterator[Finding]:
    sort = connection.scalar(
        text(f"SELECT type FROM {schema}sqlite_master WHERE lower(name) = lower(:name)"), {"name": found.name}
    )
    if sort == "view" and not any(when == "instead of" for _, when in _on_insert(connection, found, schema)):
        yield Finding(ERROR, "", f"{found.name} is a view, which takes no rows", "map the table behind it")


def _on_insert(connection: Connection, found: InspectedTable, schema: str) -> list[tuple[str, str]]:
    """Return name and time of the triggers that fire on an INSERT."""
    made = connection.execute(
        text(
            f"SELECT name, sql FROM {schema}sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = lower(:name)"
            " ORDER BY name"
        ),
        {"name": found.name},
    ).all()
    triggers = []
    for name, sql in made:
        # What it is called may hold any word.
        read = _TRIGGER.search(sql.replace(name, "", 1))
        if read is not None and read.group(2).upper() == "INSERT":
            triggers.append((name, " ".join((read.group(1) or "before").lower().split())))
    return triggers


def _triggers(connection: Connection, found: InspectedTable, schema: str) -> Iterator[Finding]:
    for name, when in _on_insert(connection, found, schema):
        yield of_trigger(name, when, "its statements")


def _foreign_keys(connection: Connection, table_map: TableMap, found: InspectedTable, schema: str) -> Iterator[Finding]:
    for key in connection.exec_driver_sql(f"PRAGMA {schema}foreign_key_list({quoted_name(found.name)})").mappings():
        if key["from"] in table_map.sources:
            target = f"{key['table']}.{key['to']}" if key["to"] else key["table"]
            yield Finding(
                INFO,
                key["from"],
                f"points to {target}: SQLite asks for that only on connections with PRAGMA foreign_keys = ON, and "
                f"events are written without; ON DELETE {key['on_delete']} applies where the application deletes",
            )


def _checks(connection: Connection, table_map: TableMap, found: InspectedTable) -> Iterator[Finding]:
    for check in inspect(connection).get_check_constraints(found.name, schema=found.schema):
        definition = str(check["sqltext"])
        columns = tuple(
            column.name
            for column in found.columns
            if re.search(rf"(?<![\w']){re.escape(column.name)}(?![\w'])", definition, re.IGNORECASE)
        )
        yield from of_check(table_map, str(check["name"] or ""), f"CHECK ({definition})", columns)


def _delivered_ids(connection: Connection, name: str) -> Iterator[Finding]:
    there = TableName.parse(name)
    create = f"CREATE TABLE {there.quoted()} (id text PRIMARY KEY)"
    yield from of_delivered_ids(name, inspect_now(connection, there), create)
