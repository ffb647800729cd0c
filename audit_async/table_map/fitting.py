"""A map and the table that was found become a layout."""

from __future__ import annotations

from audit_async.errors import ConfigStoreError
from audit_async.inspection import InspectedTable, TableName
from audit_async.table_map.layout import Layout
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.review import ERROR, has_other_keys, key_of, review
from audit_async.table_map.rows import MappedRows


def fit(table_map: TableMap, found: InspectedTable) -> Layout:
    """Return how entries become rows of the table *found*.

    Raises:
        ConfigStoreError: the map does not fit the table; events wait until one of them is mended.
    """
    table_map = table_map.of_table(found)
    errors = [finding for finding in review(table_map, found) if finding.level == ERROR]
    if errors:
        first, others = errors[0], len(errors) - 1
        named = f"column {first.column} {first.message}" if first.column not in first.message else first.message
        raise ConfigStoreError(
            f"the map does not fit table {table_map.table}: {named}" + (f" (and {others} more)" if others else ""),
            hint=f"{first.hint}; `audit-async map check` says all",
        )
    key = key_of(table_map, found)
    rows = MappedRows(table_map, found, key)
    return Layout(
        name=table_map.name,
        table=TableName(found.schema, found.name),
        columns=rows.columns,
        key=key,
        rows=rows.make,
        has_other_keys=has_other_keys(table_map, found),
        delivered=None if key or table_map.delivered_ids is None else TableName.parse(table_map.delivered_ids),
        actions=None if table_map.actions is None else frozenset(table_map.actions),
    )
