"""Which table is it that is there?"""

from __future__ import annotations

from audit_async.errors import ConfigStoreError
from audit_async.inspection import InspectedTable, TableName
from audit_async.table.columns import COLUMNS, KEY, is_ours, lacking
from audit_async.table_map.clawith import six_columns
from audit_async.table_map.layout import OURS, Layout
from audit_async.table_map.own import own_row, own_row_sqlite


def recognise(found: InspectedTable) -> Layout:
    """Return the layout for the table that was found.

    Raises:
        ConfigStoreError: there is none, or it is neither ours nor the six-column one.
    """
    name = TableName(found.schema, found.name)
    if not found.exists:
        raise ConfigStoreError(
            f"there is no table {name}",
            hint="make it with `audit-async init URL`, or name another one by table=",
        )
    if is_ours(found):
        row = own_row_sqlite if found.dialect == "sqlite" else own_row
        others = bool(found.unique_keys)
        return Layout(name=OURS, table=name, columns=tuple(COLUMNS), key=KEY, row=row, has_other_keys=others)
    if _looks_like_ours(found):
        raise ConfigStoreError(
            f"table {name} lacks {', '.join(lacking(found)) or 'the primary key (created_at, id)'}",
            hint=f"ALTER TABLE {name}: add what is missing, as `audit-async init` would make it",
        )
    return six_columns(found, name)


def _looks_like_ours(found: InspectedTable) -> bool:
    return found.column("writer_seq") is not None and found.column("category") is not None
