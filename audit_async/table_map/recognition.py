"""Which table is it that is there, where nobody gave a map?"""

from __future__ import annotations

from audit_async.errors import ConfigStoreError
from audit_async.faults.place import making
from audit_async.inspection import InspectedTable, TableName
from audit_async.table.columns import COLUMNS, KEY, is_ours, lacking, unfit
from audit_async.table_map.fitting import fit
from audit_async.table_map.layout import OURS, Layout, one_by_one
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.own import bare_own_row, own_row, own_row_mariadb, own_row_sqlite
from audit_async.table_map.ready import READY
from audit_async.table_map.source import FIELDS

SIX_COLUMNS = frozenset(READY["clawith"]["columns"])
_OWN_ROWS = {"sqlite": own_row_sqlite, "mariadb": own_row_mariadb, "mysql": own_row_mariadb}


def recognise(found: InspectedTable) -> Layout:
    """Return the layout for the table that was found: ours, or the six-column one.

    Raises:
        ConfigStoreError: there is none, or it is neither ours nor the six-column one.
    """
    name = TableName(found.schema, found.name)
    if not found.exists:
        raise ConfigStoreError(
            f"there is no table {name}",
            hint=f"make it with `{making(name)}`, or name another one by table=",
        )
    if is_ours(found):
        fault = unfit(found)
        if fault is not None:
            raise ConfigStoreError(
                f"table {name} is not as events need it: {fault}",
                hint=f"ALTER TABLE {name}, as `audit-async init` would make it",
            )
        return Layout(
            name=OURS,
            table=name,
            columns=tuple(COLUMNS),
            key=KEY,
            rows=one_by_one(_OWN_ROWS.get(found.dialect, own_row)),
            bare_rows=one_by_one(bare_own_row) if found.dialect == "postgresql" else None,
            has_other_keys=bool(found.unique_keys),
        )
    if _looks_like_ours(found):
        raise ConfigStoreError(
            f"table {name} lacks {', '.join(lacking(found)) or 'the primary key (created_at, id)'}",
            hint=f"ALTER TABLE {name}: add what is missing, as `audit-async init` would make it",
        )
    columns = {column.name for column in found.columns}
    if not columns >= SIX_COLUMNS or columns & (set(FIELDS) - SIX_COLUMNS):
        raise ConfigStoreError(_unknown(found, name), hint=_way_out(name, columns))
    layout = fit(TableMap.ready("clawith", table=str(name)), found)
    if not layout.key:
        raise ConfigStoreError(
            f"table {name} has no unique key on id, so that a repeated row could not be recognised",
            hint=f"ALTER TABLE {name} ADD PRIMARY KEY (id)",
        )
    return layout


def _looks_like_ours(found: InspectedTable) -> bool:
    return found.column("writer_seq") is not None and found.column("category") is not None


def _unknown(found: InspectedTable, name: TableName) -> str:
    named = [column.name for column in found.columns]
    shown = ", ".join(named[:8]) + (f" and {len(named) - 8} more" if len(named) > 8 else "")
    return f"table {name} ({shown}) is neither ours nor one that is known without a map"


def _way_out(name: TableName, columns: set[str]) -> str:
    for ready, arguments in READY.items():
        known = set(arguments["columns"])
        if known <= columns and not (columns - known) & set(FIELDS):
            return f'it looks like that of {ready}: table=TableMap.ready("{ready}", table="{name}")'
    return (
        f"map it: `audit-async map propose URL {name} > map.toml`, then table=TableMap.load('map.toml'); "
        "or name another table by table=, and make it with `audit-async init`"
    )
