"""Before there is a map, or where none is needed: a table is looked at, and one is proposed or found."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.engine import Connection

from audit_async.errors import ConfigStoreError
from audit_async.inspection import InspectedTable, TableName, inspect_now
from audit_async.table.columns import COLUMNS
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.probe import Probe, look, looking_at, of_file
from audit_async.table_map.recognition import recognise
from audit_async.table_map.review import ERROR, INFO, Finding
from audit_async.table_map.toml import write_toml


@dataclass(frozen=True, slots=True)
class Proposal:
    """A map that was proposed.

    Attributes:
        probe: what is to be said of it.
        toml: the map, with that as comments.
    """

    map: TableMap
    probe: Probe
    toml: str


async def propose(url: str, table: str) -> Proposal:
    """Propose a map for the table *table*, and say as comments what a person has to know of it.

    Raises:
        ConfigurationError: *url* is no address, there is no such table, or nothing in it looks like an audit log's.
        StoreError: the database is away, or refuses to be looked at.
    """
    name = TableName.parse(table)

    def work(connection: Connection) -> Proposal:
        found = inspect_now(connection, name)
        table_map = TableMap.from_table(found)
        probe = look(connection, table_map)
        return Proposal(table_map, probe, write_toml(table_map, _remarks(found, table_map, probe)))

    async with looking_at(url, name) as connection:
        return await connection.run_sync(work)


def _remarks(found: InspectedTable, table_map: TableMap, probe: Probe) -> dict[str, list[str]]:
    """Return what is to be said, by column; of columns that nothing fills at least that."""
    remarks: dict[str, list[str]] = {"": [f"Proposed for table {table_map.table}; see docs/your-table.md."]}
    for finding in probe.findings:
        hint = f" -- {finding.hint}" if finding.hint and finding.level != INFO else ""
        remarks.setdefault(finding.column, []).append(f"{finding.level}: {finding.message}{hint}")
    for column in found.columns:
        if column.name not in table_map.sources and not column.is_generated:
            left = "at its default" if column.has_default else "empty"
            remark = "to be filled" if column.name in remarks and not column.is_nullable else f"is left {left}"
            remarks.setdefault(column.name, []).append(f"{column.type}, {remark}")
    return remarks


async def check(url: str, table: str | TableMap) -> Probe:
    """Look at a table as a logger with `table=` of the same value would, and say what is to be said of it.

    Raises:
        ConfigurationError: *url* is no address; the table has a name only, and is not known without a map.
        StoreError: the database is away, or refuses to be looked at.
    """
    if isinstance(table, TableMap):
        return await table.probe(url)
    name = TableName.parse(table)
    faults = of_file(url)
    if any(finding.level == ERROR for finding in faults):
        return Probe(table, tuple(faults))

    def work(connection: Connection) -> Probe:
        found = inspect_now(connection, name)
        if not found.exists:
            return look(connection, _own(table))
        try:
            layout = recognise(found)
        except ConfigStoreError as error:
            return Probe(table, (Finding(ERROR, "", error.message, error.hint),))
        return look(connection, _own(table) if layout.is_ours else TableMap.ready(layout.name, table=table))

    async with looking_at(url, name) as connection:
        return await connection.run_sync(work)


def _own(table: str) -> TableMap:
    """Return our own table as a map: every column is filled from the field of its name."""
    return TableMap(table=table, columns={name: name for name in COLUMNS})
